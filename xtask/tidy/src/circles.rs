//! No two files of a crate use each other, be it directly or through others.
//!
//! A file uses another when it names an item that the other defines. Who merely declares a module or exports an item of it
//! further (`pub use`) does not use it; a file that names the exported item uses the file that defines it. Tests do not count.

mod allowed;
mod module_tree;
mod syntax;

use crate::finding::Finding;
use crate::sources::Source;
use allowed::ALLOWED;
use anyhow::Result;
use module_tree::{ModuleTree, Use};
use petgraph::algo::{astar, tarjan_scc};
use petgraph::graphmap::DiGraphMap;
use std::collections::{BTreeMap, BTreeSet};
use xtask_support::workspace::{Package, Workspace};

/// Files, and for each pair of which one uses the other a place where it does.
type Graph<'a> = DiGraphMap<&'a str, &'a Use>;

/// All circles that are not allowed, and all allowed files that are in no circle any more.
pub(super) fn check(workspace: &Workspace, sources: &[Source]) -> Result<Vec<Finding>> {
    let texts = sources.iter().map(|it| (it.path.as_str(), it.text.as_str())).collect();
    let mut uses = BTreeSet::new();
    for root in workspace.packages.iter().flat_map(|it| roots(it, &texts)) {
        uses.extend(ModuleTree::read(root, &texts)?.uses());
    }
    Ok(judge(&uses, ALLOWED))
}

/// The files that a library or a program of a package begins with. Packages' folders of tests are no part of it.
fn roots<'a>(package: &Package, texts: &BTreeMap<&'a str, &str>) -> Vec<&'a str> {
    let folder = format!("{}/src/", package.folder);
    let is_root = |path: &str| {
        path.strip_prefix(&folder).is_some_and(|rest| {
            let program = rest.strip_prefix("bin/").is_some_and(|it| !it.contains('/'));
            program || matches!(rest, "lib.rs" | "main.rs")
        })
    };
    texts.keys().copied().filter(|it| is_root(it)).collect()
}

fn judge(uses: &BTreeSet<Use>, allowed: &[&[&str]]) -> Vec<Finding> {
    let graph = graph(uses);
    let groups = groups(&graph);
    let is_allowed = |group: &[&str]| allowed.iter().any(|it| group.iter().all(|file| it.contains(file)));
    let in_circle: BTreeSet<&str> = groups.iter().flatten().copied().collect();
    let new = groups.iter().filter(|it| !is_allowed(it)).map(|it| finding(&graph, it));
    let mended = allowed.iter().flat_map(|it| it.iter()).filter(|it| !in_circle.contains(**it));
    let mended = mended.map(|file| {
        let text = format!("`{file}` is in no circle any more; take it out of the list");
        Finding::new("xtask/tidy/src/circles/allowed.rs", text)
    });
    new.chain(mended).collect()
}

fn graph(uses: &BTreeSet<Use>) -> Graph<'_> {
    let mut graph = Graph::new();
    for one in uses {
        if !graph.contains_edge(&one.file, &one.used) {
            graph.add_edge(&one.file, &one.used, one);
        }
    }
    graph
}

/// Files that reach each other, group by group, sorted.
fn groups<'a>(graph: &Graph<'a>) -> Vec<Vec<&'a str>> {
    let mut groups = tarjan_scc(graph);
    groups.retain(|it| it.len() > 1);
    for group in &mut groups {
        group.sort_unstable();
    }
    groups.sort();
    groups
}

fn finding(graph: &Graph<'_>, group: &[&str]) -> Finding {
    let circle = shortest_circle(graph, group);
    let steps = circle.iter().map(|it| format!("{} uses `{}` of {}", it.place(), it.path, it.used));
    let steps: Vec<_> = steps.collect();
    let others = match group.len() - circle.len() {
        0 => String::new(),
        _ => format!(" (one circle among {} files that reach each other: {})", group.len(), group.join(" ")),
    };
    let text = format!(
        "files use each other in a circle: {}; move what both need to a file below them{others}",
        steps.join(", ")
    );
    Finding::new(group[0], text)
}

/// The fewest uses that lead from a file of the group to itself.
fn shortest_circle<'a>(graph: &Graph<'a>, group: &[&'a str]) -> Vec<&'a Use> {
    let edges = graph.all_edges().filter(|(from, to, _)| group.contains(from) && group.contains(to));
    let circles = edges.filter_map(|(from, to, first)| {
        let (_, back) = astar(graph, to, |it| it == from, |_| 1, |_| 0)?;
        let further = back.windows(2).filter_map(|it| graph.edge_weight(it[0], it[1]).copied());
        Some([first].into_iter().copied().chain(further).collect::<Vec<_>>())
    });
    circles.min_by_key(Vec::len).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOT: &str = "a/src/lib.rs";

    /// Findings for a crate of these files, whose names are below `a/src`.
    fn found(files: &[(&str, &str)], allowed: &[&[&str]]) -> Vec<String> {
        let files: Vec<_> = files.iter().map(|(name, text)| (format!("a/src/{name}"), *text)).collect();
        let texts = files.iter().map(|(path, text)| (path.as_str(), *text)).collect();
        let uses = ModuleTree::read(ROOT, &texts).unwrap().uses();
        judge(&uses, allowed).iter().map(ToString::to_string).collect()
    }

    fn check(files: &[(&str, &str)], expected: &[&str]) {
        assert_eq!(found(files, &[]), expected, "{files:?}");
    }

    #[test]
    fn circles_are_found_however_a_name_is_written() {
        let parent_and_child = "a/src/b.rs: files use each other in a circle: a/src/b.rs:1 uses `super::X` of a/src/lib.rs, a/src/lib.rs:1 uses `b::f` of a/src/b.rs; move what both need to a file below them";
        for parent in ["mod b; struct X; fn g() { b::f() }", "mod b; struct X; fn g() { h!(b::f()) }"] {
            check(&[("lib.rs", parent), ("b.rs", "use super::X; fn f() {}")], &[parent_and_child]);
        }
        let spellings = [
            "fn f() { crate::c::g() }",
            "use crate::c::{self, Y}; fn f() {}",
            "use crate::c; fn f() { c::g() }",
            "use super::c as d; fn f() { d::g() }",
            "use super::*; fn f() { c::g() }",
            "use crate::outside::g as h; fn f() { h() }",
            "fn f() { matches!(crate::c::g(), Z) }",
            "#[serde(with = \"crate::c\", default = \"crate::c::g\")] struct Z; fn f() {}",
            "mod inline { fn f2() { super::super::c::g() } } fn f() {}",
            "fn f() { use crate::c::Y; }",
        ];
        for b in spellings {
            let files = [
                ("lib.rs", "mod b; mod c; mod outside { pub(crate) use crate::c::g; }"),
                ("b.rs", b),
                ("c.rs", "use crate::b::f; struct Y; fn g() {}"),
            ];
            let found = found(&files, &[]);
            assert_eq!(found.len(), 1, "{b}: {found:?}");
            assert!(found[0].starts_with("a/src/b.rs: files use each other"), "{b}: {found:?}");
        }
    }

    #[test]
    fn what_is_no_use_makes_no_circle() {
        let child = ("b.rs", "use super::X; pub(crate) struct Y;");
        for parent in [
            "mod b; struct X;",
            "mod b; struct X; pub use b::Y;",
            "mod b; struct X; #[cfg(test)] mod tests { use super::b::Y; }",
            "mod b; struct X; #[cfg(test)] use b::Y;",
            "mod b; struct X; fn f(b: u8) { b.Y() }",
            "/// `b::Y`\nmod b; struct X;",
        ] {
            check(&[("lib.rs", parent), child], &[]);
        }
        // Not there on this system, or in tests only.
        check(
            &[("lib.rs", "#[cfg(test)] mod gone; mod b;"), ("b.rs", "use std::fmt; pub(super) fn f() {}")],
            &[],
        );
    }

    #[test]
    fn of_many_files_the_shortest_circle_is_told() {
        let files = [
            ("lib.rs", "mod b; mod c; mod d;"),
            ("b.rs", "use crate::c::C;\npub struct B;"),
            ("c.rs", "\nuse crate::d::D;\npub struct C;"),
            ("d/mod.rs", "use crate::b::B;\nuse crate::c::C;\npub struct D;"),
        ];
        check(
            &files,
            &[
                "a/src/b.rs: files use each other in a circle: a/src/c.rs:2 uses `crate::d::D` of a/src/d/mod.rs, a/src/d/mod.rs:2 uses `crate::c::C` of a/src/c.rs; move what both need to a file below them (one circle among 3 files that reach each other: a/src/b.rs a/src/c.rs a/src/d/mod.rs)",
            ],
        );
        assert_eq!(found(&files, &[&["a/src/b.rs", "a/src/c.rs", "a/src/d/mod.rs"]]), [""; 0]);
        let mended = found(&[("lib.rs", "")], &[&["a/src/lib.rs"]]);
        let text = "xtask/tidy/src/circles/allowed.rs: `a/src/lib.rs` is in no circle any more; take it out of the list";
        assert_eq!(mended, [text]);
    }
}
