//! Rules on `flasher-bundles`: every driver is linked there and only there, every board has its line and its file.

use super::edges::{Room, room};
use crate::finding::Finding;
use crate::rust_text::{line_of, words};
use crate::sources::{Source, links};
use anyhow::{Context, Result};
use std::fs;
use xtask_support::workspace::{Package, Workspace};

const HOME: &str = "crates/flasher-bundles";

/// All findings about drivers and boards.
pub(super) fn check(workspace: &Workspace, sources: &[Source]) -> Result<Vec<Finding>> {
    let mut findings = stray_links(sources);
    findings.extend(unlinked(&workspace.packages, sources));
    findings.extend(unguarded(sources));
    findings.extend(boards(&manifests(workspace)?, sources));
    Ok(findings)
}

fn stray_links(sources: &[Source]) -> Vec<Finding> {
    let strangers = sources.iter().filter(|it| !is_home(it));
    let stray = strangers.flat_map(|source| links(source).into_iter().map(move |it| (source, it)));
    stray
        .filter(|(_, (_, name))| room(&name.replace('_', "-")) == Some(Room::Plugin))
        .map(|(source, (at, name))| {
            let text = format!("`use {name} as _;`: only flasher-bundles links drivers");
            Finding::on_line(&source.path, line_of(&source.code, at), text)
        })
        .collect()
}

/// Drivers that flasher-bundles does not depend on or does not name: they would register nothing.
fn unlinked(packages: &[Package], sources: &[Source]) -> Vec<Finding> {
    let home = packages.iter().find(|it| it.folder == HOME);
    let listed = |name: &str| {
        home.is_some_and(|home| home.dependencies.iter().any(|it| it.name == name && !it.for_tests_only))
    };
    let linked: Vec<&str> = sources.iter().filter(|it| is_home(it)).flat_map(links).map(|it| it.1).collect();
    let mut findings = Vec::new();
    for plugin in packages.iter().filter(|it| room(&it.name) == Some(Room::Plugin)) {
        let (name, identifier) = (&plugin.name, plugin.name.replace('-', "_"));
        if !listed(name) {
            findings
                .push(Finding::new(format!("{HOME}/Cargo.toml"), format!("lacks `{name}.workspace = true`")));
        }
        if !linked.contains(&identifier.as_str()) {
            let text = format!("lacks `use {identifier} as _;`, so `{name}` registers nothing");
            findings.push(Finding::new(format!("{HOME}/src/lib.rs"), text));
        }
    }
    findings
}

/// The compiler must refuse a driver that is listed and not named.
fn unguarded(sources: &[Source]) -> Option<Finding> {
    let library = sources.iter().find(|it| it.path == format!("{HOME}/src/lib.rs"))?;
    let guarded = words(&library.code, "unused_crate_dependencies").next().is_some();
    (!guarded).then(|| Finding::new(&library.path, "lacks `#![deny(unused_crate_dependencies)]`"))
}

/// Names and texts of the board manifests.
fn manifests(workspace: &Workspace) -> Result<Vec<(String, String)>> {
    let folder = workspace.root.join(HOME).join("boards");
    let mut found = Vec::new();
    if !folder.is_dir() {
        return Ok(found);
    }
    for entry in fs::read_dir(&folder).with_context(|| format!("cannot list {}", folder.display()))? {
        let path = entry?.path();
        if path.extension().is_some_and(|it| it == "yaml") {
            let name = path.file_stem().map(|it| it.to_string_lossy().into_owned()).unwrap_or_default();
            let text =
                fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))?;
            found.push((name, text));
        }
    }
    Ok(found)
}

fn boards(manifests: &[(String, String)], sources: &[Source]) -> Vec<Finding> {
    let registered: Vec<Registration<'_>> =
        sources.iter().filter(|it| is_home(it)).flat_map(registrations).collect();
    let mut findings = Vec::new();
    for (name, text) in manifests {
        let place = format!("{HOME}/boards/{name}.yaml");
        if !registered.iter().any(|it| it.name == name) {
            findings.push(Finding::new(
                &place,
                format!("no line `register_bundle!(\"{name}\");` in {HOME}/src/"),
            ));
        }
        match metadata_name(text) {
            Some(inside) if inside == name => {}
            Some(inside) => {
                findings.push(Finding::new(&place, format!("`metadata.name` is `{inside}`, not `{name}`")))
            }
            None => findings.push(Finding::new(&place, "has no `metadata.name`")),
        }
    }
    for it in registered.iter().filter(|it| !manifests.iter().any(|(name, _)| name == it.name)) {
        findings.push(Finding::on_line(
            it.path,
            it.line,
            format!("`{0}` has no file {HOME}/boards/{0}.yaml", it.name),
        ));
    }
    findings
}

/// One `register_bundle!("name")` call.
#[derive(Debug)]
struct Registration<'a> {
    path: &'a str,
    line: usize,
    name: &'a str,
}

fn registrations(source: &Source) -> Vec<Registration<'_>> {
    let calls = words(&source.code, "register_bundle").filter_map(|at| {
        let argument = source.text[at..].strip_prefix("register_bundle!(")?.trim_start().strip_prefix('"')?;
        let name = argument.split_once('"')?.0;
        Some(Registration { path: &source.path, line: line_of(&source.code, at), name })
    });
    calls.collect()
}

/// `metadata.name` of a manifest, in block or flow style.
fn metadata_name(yaml: &str) -> Option<&str> {
    let mut lines = yaml.lines().skip_while(|it| !it.starts_with("metadata:"));
    let flow = lines.next()?.strip_prefix("metadata:")?.trim();
    if let Some(inside) = flow.strip_prefix('{') {
        return inside.trim_end_matches('}').split(',').find_map(name_of);
    }
    lines.take_while(|it| it.is_empty() || it.starts_with([' ', '#'])).find_map(name_of)
}

fn name_of(entry: &str) -> Option<&str> {
    let value = entry.trim().strip_prefix("name:")?;
    let value = value.split(" #").next()?.trim();
    Some(value.trim_matches(['"', '\'', '}', ' ']))
}

fn is_home(source: &Source) -> bool {
    source.path.starts_with("crates/flasher-bundles/src/")
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask_support::workspace::Dependency;

    fn source(path: &str, text: &str) -> Source {
        Source::new(path, text.to_owned())
    }

    fn package(name: &str, dependencies: &[&str]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|it| Dependency { name: (*it).to_owned(), for_tests_only: false })
            .collect();
        Package { name: name.to_owned(), folder: format!("crates/{name}"), dependencies }
    }

    fn texts(findings: &[Finding]) -> Vec<String> {
        findings.iter().map(ToString::to_string).collect()
    }

    #[test]
    fn drivers_are_linked_in_one_place_only() {
        let text = "//! A.\nuse driver_tftp as _;\nuse flasher_bundles as _;\n";
        assert_eq!(stray_links(&[source("crates/flasher-bundles/src/lib.rs", text)]), []);
        assert_eq!(stray_links(&[source("tests/main.rs", text)]), []);
        let stray = stray_links(&[source("crates/flasher/src/main.rs", text)]);
        let expected =
            "crates/flasher/src/main.rs:2: `use driver_tftp as _;`: only flasher-bundles links drivers";
        assert_eq!(texts(&stray), [expected]);
    }

    #[test]
    fn a_driver_is_listed_and_named() {
        let packages = [package("driver-tftp", &[]), package("flasher-bundles", &["driver-tftp"])];
        let linked = source("crates/flasher-bundles/src/lib.rs", "//! A.\nuse driver_tftp as _;\n");
        assert_eq!(unlinked(&packages, &[linked]), []);
        let packages = [package("board-sim", &[]), package("flasher-bundles", &[])];
        let expected = [
            "crates/flasher-bundles/Cargo.toml: lacks `board-sim.workspace = true`",
            "crates/flasher-bundles/src/lib.rs: lacks `use board_sim as _;`, so `board-sim` registers nothing",
        ];
        assert_eq!(texts(&unlinked(&packages, &[])), expected);
    }

    #[test]
    fn the_compiler_guards_the_links() {
        let library = |text| source("crates/flasher-bundles/src/lib.rs", text);
        assert_eq!(unguarded(&[library("//! A.\n#![deny(unused_crate_dependencies)]\n")]), None);
        let finding =
            unguarded(&[library("//! A.\n// unused_crate_dependencies\n")]).map(|it| it.to_string());
        let expected = "crates/flasher-bundles/src/lib.rs: lacks `#![deny(unused_crate_dependencies)]`";
        assert_eq!(finding.as_deref(), Some(expected));
    }

    #[test]
    fn a_board_has_a_line_a_file_and_one_name() {
        let lines = source(
            "crates/flasher-bundles/src/boards.rs",
            "//! A.\nregister_bundle!(\"one\");\nregister_bundle!(\"gone\");\n// register_bundle!(\"two\");\n",
        );
        let manifest = |file: &str, text: &str| (file.to_owned(), text.to_owned());
        let manifests = [
            manifest("one", "metadata: { name: one }\n"),
            manifest("two", "metadata:\n  name: zwei\n"),
            manifest("three", "spec: {}\n"),
        ];
        let expected = [
            "crates/flasher-bundles/boards/two.yaml: no line `register_bundle!(\"two\");` in crates/flasher-bundles/src/",
            "crates/flasher-bundles/boards/two.yaml: `metadata.name` is `zwei`, not `two`",
            "crates/flasher-bundles/boards/three.yaml: no line `register_bundle!(\"three\");` in crates/flasher-bundles/src/",
            "crates/flasher-bundles/boards/three.yaml: has no `metadata.name`",
            "crates/flasher-bundles/src/boards.rs:3: `gone` has no file crates/flasher-bundles/boards/gone.yaml",
        ];
        assert_eq!(texts(&boards(&manifests, &[lines])), expected);
    }

    #[test]
    fn the_name_of_a_manifest_is_read_in_every_style() {
        let cases = [
            ("metadata: { name: acme-one }", Some("acme-one")),
            ("metadata: {labels: x, name: \"a\"}", Some("a")),
            ("apiVersion: x\nmetadata:\n  # the board\n  name: 'b'  # b\nspec:\n  name: c", Some("b")),
            ("metadata:\nspec:\n  name: c", None),
            ("name: d", None),
        ];
        for (yaml, expected) in cases {
            assert_eq!(metadata_name(yaml), expected, "{yaml}");
        }
    }
}
