//! Rules on Rust files: the header, sizes, and macros that have no place in a library.

use crate::finding::Finding;
use crate::rust_text::{self, identifier, line_of, words};
use anyhow::{Context, Result};
use xtask_support::workspace::Workspace;

const MOST_LINES_OF_A_FILE: usize = 400;
const MOST_LINES_OF_A_FUNCTION: usize = 60;

/// One Rust file.
#[derive(Debug)]
pub(super) struct Source {
    /// Relative to the root.
    pub(super) path: String,
    pub(super) text: String,
    /// The text without comments and contents of strings, offsets kept.
    pub(super) masked: String,
    /// The masked text without test items; blank in a file of tests.
    pub(super) code: String,
    lines: usize,
}

impl Source {
    pub(super) fn new(path: &str, text: String) -> Self {
        let masked = rust_text::mask(&text);
        let code = rust_text::without_tests(&masked);
        let of_tests: usize =
            rust_text::test_items(&masked).into_iter().map(|it| rust_text::newlines(&masked[it])).sum();
        let lines = text.lines().count() - of_tests;
        let mut source = Self { path: path.to_owned(), text, masked, code, lines };
        if is_test_path(path) {
            source.forget_code();
        }
        source
    }

    fn forget_code(&mut self) {
        (self.code, self.lines) = (String::new(), 0);
    }

    /// Modules of this file that exist in tests only and live in files of their own, as path stems.
    fn test_modules(&self) -> Vec<String> {
        let items = rust_text::test_items(&self.masked);
        let declared = items.into_iter().filter_map(|it| {
            let item = self.masked[it].trim_end().strip_suffix(';')?;
            let at = words(item, "mod").last()?;
            Some(item[at + 3..].trim().to_owned())
        });
        let folder = module_folder(&self.path);
        declared.map(|it| format!("{folder}/{it}")).collect()
    }
}

/// Reads all Rust files of the workspace.
pub(super) fn read(workspace: &Workspace) -> Result<Vec<Source>> {
    let mut sources = Vec::new();
    for path in workspace.rust_files()? {
        let text = workspace.read(&path)?.with_context(|| format!("{path} vanished"))?;
        sources.push(Source::new(&path, text));
    }
    let stems: Vec<String> = sources.iter().flat_map(Source::test_modules).collect();
    for source in &mut sources {
        if stems
            .iter()
            .any(|it| source.path == format!("{it}.rs") || source.path.starts_with(&format!("{it}/")))
        {
            source.forget_code();
        }
    }
    Ok(sources)
}

/// All findings in all files.
pub(super) fn check(sources: &[Source]) -> Vec<Finding> {
    sources.iter().flat_map(check_source).collect()
}

fn check_source(source: &Source) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(header(source));
    findings.extend(file_length(source));
    findings.extend(function_length(source));
    findings.extend(printing(source));
    findings.extend(unfinished(source));
    findings.extend(core_opens_nothing(source));
    findings
}

fn header(source: &Source) -> Option<Finding> {
    let opens = source.text.lines().next().is_some_and(|it| it.len() > 4 && it.starts_with("//! "));
    (!opens).then(|| Finding::on_line(&source.path, 1, "opens without a `//!` line that says what it is for"))
}

fn file_length(source: &Source) -> Option<Finding> {
    (source.lines > MOST_LINES_OF_A_FILE).then(|| {
        let text = format!("{} lines without tests, at most {MOST_LINES_OF_A_FILE}", source.lines);
        Finding::new(&source.path, text)
    })
}

fn function_length(source: &Source) -> Vec<Finding> {
    let long =
        rust_text::functions(&source.code).into_iter().filter(|it| it.lines > MOST_LINES_OF_A_FUNCTION);
    long.map(|it| {
        let text = format!("`fn {}` has {} lines, at most {MOST_LINES_OF_A_FUNCTION}", it.name, it.lines);
        Finding::on_line(&source.path, it.line, text)
    })
    .collect()
}

/// Only the command line, chores, tests and build scripts (which talk to cargo) print or exit.
fn printing(source: &Source) -> Vec<Finding> {
    let may_print = ["crates/flasher/", "xtask/"].iter().any(|it| source.path.starts_with(it));
    if may_print || source.path.ends_with("/build.rs") {
        return Vec::new();
    }
    let printing = ["println", "eprintln", "print", "eprint", "dbg"];
    let mut findings: Vec<_> = printing
        .iter()
        .flat_map(|name| macro_calls(&source.code, name))
        .map(|(line, name)| {
            Finding::on_line(
                &source.path,
                line,
                format!("`{name}!`: only `flasher` prints; return it or report an event"),
            )
        })
        .collect();
    let exits = words(&source.code, "exit").filter(|&at| source.code[..at].ends_with("process::"));
    findings.extend(exits.map(|at| {
        let line = line_of(&source.code, at);
        Finding::on_line(&source.path, line, "`process::exit`: only `flasher` exits; return an error")
    }));
    findings
}

/// Nothing half done, in code or in tests.
fn unfinished(source: &Source) -> Vec<Finding> {
    let calls = ["todo", "unimplemented"].iter().flat_map(|name| macro_calls(&source.masked, name));
    let mut findings: Vec<_> = calls
        .map(|(line, name)| {
            Finding::on_line(&source.path, line, format!("`{name}!`: finish it or leave it out"))
        })
        .collect();
    let ignored = words(&source.masked, "ignore").filter(|&at| source.masked[..at].ends_with("#["));
    findings.extend(ignored.map(|at| {
        let line = line_of(&source.masked, at);
        Finding::on_line(&source.path, line, "`#[ignore]`: a test runs, or prints `skipped` and why")
    }));
    findings
}

/// Core holds the contract; sockets, serial ports and processes belong to drivers.
fn core_opens_nothing(source: &Source) -> Vec<Finding> {
    if !source.path.starts_with("crates/flasher-core/") {
        return Vec::new();
    }
    let doors =
        ["TcpStream", "TcpListener", "UdpSocket", "UnixStream", "UnixListener", "serialport", "Command"];
    let found = doors.iter().flat_map(|door| words(&source.code, door).map(move |at| (at, door)));
    found
        .map(|(at, door)| {
            let line = line_of(&source.code, at);
            Finding::on_line(
                &source.path,
                line,
                format!("`{door}`: flasher-core opens no device, port or socket"),
            )
        })
        .collect()
}

/// Lines on which the macro `name` is called.
fn macro_calls<'a>(code: &'a str, name: &'a str) -> impl Iterator<Item = (usize, &'a str)> + 'a {
    words(code, name)
        .filter(move |&at| code[at + name.len()..].starts_with('!'))
        .map(move |at| (line_of(code, at), name))
}

/// Whether everything in the file at `path` is there for tests or measurements only.
fn is_test_path(path: &str) -> bool {
    let mut parts: Vec<&str> = path.split('/').collect();
    let file = parts.pop().unwrap_or_default();
    file == "tests.rs" || parts.iter().any(|it| matches!(*it, "tests" | "benches" | "examples"))
}

/// Where the files of a module's own modules are.
fn module_folder(path: &str) -> String {
    let (folder, file) = path.rsplit_once('/').unwrap_or((".", path));
    match file {
        "lib.rs" | "main.rs" | "mod.rs" => folder.to_owned(),
        _ => format!("{folder}/{}", file.trim_end_matches(".rs")),
    }
}

/// `use NAME as _;` lines outside tests: offset and name.
pub(super) fn links(source: &Source) -> Vec<(usize, &str)> {
    let uses = words(&source.code, "use");
    uses.filter_map(|at| {
        let name = identifier(source.code[at + 3..].trim_start());
        let rest = source.code[at + 3..].trim_start().strip_prefix(name)?;
        let is_link = rest.split_once(';')?.0.split_whitespace().eq(["as", "_"]);
        is_link.then_some((at, name))
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is found in a file, as lines of text.
    fn found(path: &str, text: &str) -> Vec<String> {
        check_source(&Source::new(path, text.to_owned())).iter().map(ToString::to_string).collect()
    }

    #[track_caller]
    fn clean(path: &str, text: &str) {
        assert_eq!(found(path, text), [""; 0], "{path}");
    }

    #[test]
    fn a_file_opens_with_a_line_that_says_what_it_is_for() {
        clean("crates/a/src/lib.rs", "//! Parses.\n");
        for text in ["", "//!\n", "// Parses.\n", "\n//! Parses.\n", "use a;\n"] {
            let expected = "crates/a/build.rs:1: opens without a `//!` line that says what it is for";
            assert_eq!(found("crates/a/build.rs", text), [expected], "{text:?}");
        }
    }

    #[test]
    fn a_long_file_is_reported_but_tests_do_not_count() {
        let code = |lines: usize| format!("//! A.\n{}", "const A: u8 = 1;\n".repeat(lines - 1));
        let tests = format!("#[cfg(test)]\nmod tests {{\n{}}}\n", "const A: u8 = 1;\n".repeat(500));
        clean("crates/a/src/lib.rs", &code(400));
        clean("crates/a/src/lib.rs", &format!("{}{tests}", code(390)));
        clean("crates/a/src/tests.rs", &code(401));
        clean("tests/boot.rs", &code(401));
        let expected = "crates/a/src/lib.rs: 401 lines without tests, at most 400";
        assert_eq!(found("crates/a/src/lib.rs", &code(401)), [expected]);
    }

    #[test]
    fn a_long_function_is_reported_with_its_line() {
        let function =
            |lines: usize| format!("//! A.\n\nfn long() {{\n{}}}\n", "    a();\n".repeat(lines - 2));
        clean("crates/a/src/lib.rs", &function(60));
        let expected = "crates/a/src/lib.rs:3: `fn long` has 61 lines, at most 60";
        assert_eq!(found("crates/a/src/lib.rs", &function(61)), [expected]);
    }

    #[test]
    fn only_the_command_line_and_chores_print_or_exit() {
        let text = "//! A.\nfn a() { println!(\"x\"); std::process::exit(1) }\n";
        let expected = [
            "crates/a/src/lib.rs:2: `println!`: only `flasher` prints; return it or report an event",
            "crates/a/src/lib.rs:2: `process::exit`: only `flasher` exits; return an error",
        ];
        assert_eq!(found("crates/a/src/lib.rs", text), expected);
        for path in
            ["crates/flasher/src/render.rs", "xtask/src/main.rs", "crates/a/build.rs", "crates/a/tests/x.rs"]
        {
            clean(path, text);
        }
        clean("crates/a/src/lib.rs", "//! A.\n/// `println!` is not for us.\nfn a() { f(\"println!\") }\n");
        clean(
            "crates/a/src/lib.rs",
            "//! A.\n#[cfg(test)]\nmod tests { fn a() { eprintln!(\"skipped\") } }\n",
        );
    }

    #[test]
    fn unfinished_work_is_reported_in_code_and_in_tests() {
        let text =
            "//! A.\n#[cfg(test)]\nmod tests {\n#[test]\n#[ignore = \"slow\"]\nfn a() { todo!() }\n}\n";
        let expected = [
            "crates/a/src/lib.rs:6: `todo!`: finish it or leave it out",
            "crates/a/src/lib.rs:5: `#[ignore]`: a test runs, or prints `skipped` and why",
        ];
        assert_eq!(found("crates/a/src/lib.rs", text), expected);
        clean("crates/a/src/lib.rs", "//! A.\n// todo!() is not for us\n#[must_use]\nfn a() {}\n");
    }

    #[test]
    fn core_opens_no_socket() {
        let text = "//! A.\nfn a(it: UdpSocket) {}\n";
        let expected =
            "crates/flasher-core/src/a.rs:2: `UdpSocket`: flasher-core opens no device, port or socket";
        assert_eq!(found("crates/flasher-core/src/a.rs", text), [expected]);
        clean("crates/driver-tftp/src/a.rs", text);
    }

    #[test]
    fn modules_for_tests_are_found() {
        let declared =
            |path: &str| Source::new(path, "//! A.\n#[cfg(test)]\nmod fakes;\n".to_owned()).test_modules();
        assert_eq!(declared("crates/a/src/lib.rs"), ["crates/a/src/fakes"]);
        assert_eq!(declared("crates/a/src/server.rs"), ["crates/a/src/server/fakes"]);
    }

    #[test]
    fn links_are_told_from_other_uses() {
        let text =
            "//! A.\nuse driver_a as _;\nuse b as c;\n// use d as _;\npub use e::f as _;\nuse g  as  _ ;\n";
        let source = Source::new("crates/a/src/lib.rs", text.to_owned());
        let names: Vec<_> = links(&source).into_iter().map(|it| it.1).collect();
        assert_eq!(names, ["driver_a", "g"]);
    }
}
