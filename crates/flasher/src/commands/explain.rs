//! `flasher explain`: what a failure means, how to see more of it, and what to do. The text is that of the manual.

use flasher_core::{Class, Error, safe};

use crate::failure::Failure;
use crate::render::paint::Paint;
use crate::screen::Screen;

/// The pages of the manual with a section for each thing that a failure can name, and what those things are.
const PAGES: [(&str, &str); 4] = [
    ("classes", include_str!("../../pages/errors.md")),
    ("steps", include_str!("../../pages/errors-steps.md")),
    ("what is on the medium", include_str!("../../pages/errors-medium.md")),
    ("root causes", include_str!("../../pages/errors-causes.md")),
];
/// Columns of a line, as the help has them.
const WIDTH: usize = 100;
/// The fewest letters by which a section is looked for.
const SHORTEST: usize = 4;

/// A section of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Section {
    /// Its heading.
    code: &'static str,
    text: &'static str,
}

/// Prints the section of a code, of an exit code, or those whose message has `words`; without words, a list of all.
pub(super) fn run(words: &[String], screen: &Screen) -> Result<u8, Failure> {
    let words = words.join(" ");
    if words.is_empty() {
        screen.text(&list(screen.paint()))?;
        return Ok(0);
    }
    let found = find(&words);
    if found.is_empty() {
        let problem = format!("nothing is known of `{}`", safe::line(&words));
        return Err(Error::config(problem).help("`flasher explain` lists what is known").into());
    }
    let texts: Vec<String> = found.iter().map(|it| shown(*it, screen.paint())).collect();
    screen.text(&texts.join("\n"))?;
    Ok(0)
}

fn sections(page: &'static str) -> impl Iterator<Item = Section> {
    page.split("\n## ").skip(1).filter_map(|it| {
        let (code, text) = it.split_once('\n')?;
        Some(Section { code: code.trim(), text: text.trim() })
    })
}

fn all() -> impl Iterator<Item = Section> {
    PAGES.into_iter().flat_map(|(_, page)| sections(page))
}

/// The section of a code or an exit code; else all whose message is a part of the words, or has them as a part.
fn find(words: &str) -> Vec<Section> {
    let words = words.trim().to_lowercase();
    let class = all().find(|it| exit_code(it.code).is_some_and(|code| code.to_string() == words));
    if let Some(section) = class {
        return vec![section];
    }
    // `unknown` is what is on a medium, and a root cause.
    let named: Vec<Section> = all().filter(|it| it.code == words).collect();
    if !named.is_empty() {
        return named;
    }
    if words.len() < SHORTEST {
        return Vec::new();
    }
    let has = |message: &str| words.contains(message) || message.contains(&words);
    all().filter(|it| messages(*it).any(|message| has(&message.to_lowercase()))).collect()
}

/// The exit code of the class with this name.
fn exit_code(class: &str) -> Option<u8> {
    let class: Class = serde_json::from_value(class.into()).ok()?;
    Some(class.exit_code())
}

/// The words by which a failure shows itself.
fn messages(section: Section) -> impl Iterator<Item = &'static str> {
    section.text.lines().filter_map(|line| line.strip_prefix("> "))
}

fn list(paint: Paint) -> String {
    let mut text = "`flasher explain NAME` says what it means, how to see more, and what to do.\n".to_owned();
    for (name, page) in PAGES {
        let codes: Vec<&str> = sections(page).map(|it| it.code).collect();
        text.push_str(&format!("\n{}\n{}", paint.bold(name), wrapped("  ", "  ", &codes.join(", "))));
    }
    text + "\nThe exit code and words of a message do as well: `flasher explain 5`, `flasher explain 'no DHCP server answers'`.\n"
}

/// A section for a terminal.
fn shown(section: Section, paint: Paint) -> String {
    let mut text = format!("{}\n", paint.bold(section.code));
    for part in section.text.split("\n\n") {
        // Items begin with a sign; what does not goes on with the line before.
        let mut items: Vec<String> = Vec::new();
        for line in part.lines() {
            match items.last_mut() {
                Some(item) if !line.starts_with("* ") => item.push_str(&format!(" {}", line.trim())),
                _ => items.push(line.trim().to_owned()),
            }
        }
        text.push('\n');
        items.iter().for_each(|item| text.push_str(&paragraph(item)));
    }
    text
}

fn paragraph(item: &str) -> String {
    let plain = without_links(item);
    for (sign, name) in [("* **See:** ", "see "), ("* **Do:** ", "do  ")] {
        if let Some(rest) = plain.strip_prefix(sign) {
            return wrapped(&format!("  {name}"), "      ", rest);
        }
    }
    wrapped("  ", "  ", plain.strip_prefix("> ").unwrap_or(&plain))
}

/// `[words](page.md)` becomes `words`.
fn without_links(text: &str) -> String {
    let mut plain = String::new();
    let mut rest = text;
    while let Some((before, link)) = rest.split_once('[') {
        let Some((words, target)) = link.split_once("](") else { break };
        let Some((_, after)) = target.split_once(')') else { break };
        plain.push_str(before);
        plain.push_str(words);
        rest = after;
    }
    format!("{plain}{rest}")
}

/// Words in lines of at most [`WIDTH`] columns; the first line begins with `first`, the others with `next`.
fn wrapped(first: &str, next: &str, words: &str) -> String {
    let (mut text, mut line) = (String::new(), first.to_owned());
    let mut is_begun = false;
    for word in words.split_whitespace() {
        if is_begun && line.chars().count() + 1 + word.chars().count() > WIDTH {
            text.push_str(&format!("{}\n", line.trim_end()));
            (line, is_begun) = (next.to_owned(), false);
        }
        if is_begun {
            line.push(' ');
        }
        line.push_str(word);
        is_begun = true;
    }
    format!("{text}{}\n", line.trim_end())
}

#[cfg(test)]
mod tests;
