//! The pages of the book, and where their links lead.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

/// A page as far as links matter.
struct Page {
    /// Local links, as they stand there.
    links: Vec<String>,
    /// Names of its headings, as mdBook makes them.
    headings: BTreeSet<String>,
    /// Files that it includes.
    included: Vec<String>,
}

/// All links between pages that lead nowhere, pages that SUMMARY.md does not list, and included files that are not there.
pub(crate) fn dangling(docs: &Path) -> Vec<String> {
    let summary = page(&std::fs::read_to_string(docs.join("SUMMARY.md")).unwrap());
    let listed: BTreeSet<&String> = summary.links.iter().collect();
    let mut found = unlisted(docs, &listed);
    let mut pages = BTreeMap::new();
    for name in listed {
        match std::fs::read_to_string(docs.join(name)) {
            Ok(text) => drop(pages.insert(name.clone(), page(&text))),
            Err(error) => found.push(format!("docs/SUMMARY.md lists `{name}`: {error}")),
        }
    }
    for (name, page) in &pages {
        let lost = page.links.iter().filter(|link| !leads_somewhere(name, link, &pages, docs));
        found.extend(
            lost.map(|link| format!("docs/{name}: `{link}` leads to no page or heading of the book")),
        );
        let folder = docs.join(name).parent().unwrap().to_owned();
        let gone = page.included.iter().filter(|file| !folder.join(file).is_file());
        found.extend(gone.map(|file| format!("docs/{name} includes `{file}`, which is not there")));
    }
    found
}

/// Pages that the book leaves out; decisions may be.
fn unlisted(docs: &Path, listed: &BTreeSet<&String>) -> Vec<String> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir(docs).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        if name.ends_with(".md") && name != "SUMMARY.md" && !listed.contains(&name) {
            found.push(format!("docs/{name} is a page that docs/SUMMARY.md does not list"));
        }
    }
    found
}

fn leads_somewhere(from: &str, link: &str, pages: &BTreeMap<String, Page>, docs: &Path) -> bool {
    let (file, heading) = link.split_once('#').unwrap_or((link, ""));
    let to = if file.is_empty() { from.to_owned() } else { resolved(from, file) };
    match pages.get(&to) {
        Some(page) => heading.is_empty() || page.headings.contains(heading),
        // A picture or another file that mdBook copies.
        None => !to.ends_with(".md") && docs.join(&to).is_file(),
    }
}

/// `file` as it stands on the page `from`, relative to `docs`; what leads out of it is no page.
fn resolved(from: &str, file: &str) -> String {
    let mut parts: Vec<&str> = from.split('/').collect();
    parts.pop();
    for part in file.split('/') {
        match part {
            ".." if parts.is_empty() => return file.to_owned(),
            ".." => drop(parts.pop()),
            "." => {}
            part => parts.push(part),
        }
    }
    parts.join("/")
}

fn page(text: &str) -> Page {
    let mut page = Page { links: Vec::new(), headings: BTreeSet::new(), included: Vec::new() };
    let mut heading: Option<String> = None;
    for event in Parser::new(text) {
        match event {
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. })
                if !dest_url.contains("://") =>
            {
                page.links.push(dest_url.into_string());
            }
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::End(TagEnd::Heading(_)) => page.headings.extend(heading.take().map(|it| slug(&it))),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            _ => {}
        }
    }
    let marks = text.split("{{#include ").skip(1).filter_map(|rest| rest.split("}}").next());
    page.included = marks.map(|it| it.trim().to_owned()).collect();
    page
}

/// A heading's name in a link: small letters, digits, `-` and `_`.
fn slug(heading: &str) -> String {
    let kept = heading.trim().to_lowercase();
    let letters = kept.chars().filter_map(|it| match it {
        ' ' => Some('-'),
        it if it.is_alphanumeric() || it == '-' || it == '_' => Some(it),
        _ => None,
    });
    letters.collect()
}

#[test]
fn a_heading_gets_the_name_that_mdbook_gives_it() {
    assert_eq!(slug("A lab's whole exporter YAML"), "a-labs-whole-exporter-yaml");
    assert_eq!(slug("`via: host`, and more"), "via-host-and-more");
}

#[test]
fn a_link_is_seen_from_the_page_it_stands_on() {
    assert_eq!(resolved("decisions/0001-a.md", "../lab.md"), "lab.md");
    assert_eq!(resolved("lab.md", "./decisions/0001-a.md"), "decisions/0001-a.md");
    assert_eq!(resolved("lab.md", "../README.md"), "../README.md");
}
