//! The pages of the reference: what the program says of its commands and drivers, and the schemas as tables.

use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use clap::Command as Definition;
use serde_json::Value;

use crate::Made;
use crate::schema;

/// Said at the top of each page.
const MADE: &str = "<!-- Made by `cargo xtask book` out of the program; changes here are lost. -->\n\n";

/// What a schema's page is called, and what it says before the tables.
struct Described {
    name: &'static str,
    file: &'static str,
    begin: &'static str,
}

const SCHEMAS: [Described; 4] = [
    Described {
        name: "exporter",
        file: "exporter-yaml",
        begin: "# Exporter YAML\n\nThe keys of an exporter YAML. What stands below `config:` of a node differs from driver to driver: \
                [Drivers](drivers.md).\n\nThe same as a JSON Schema: `flasher schema exporter`.\n",
    },
    Described {
        name: "bundle",
        file: "manifest",
        begin: "# Manifest of a bundle\n\nThe keys of a bundle's `manifest.yaml`, and of a board's manifest.\n\n\
                The same as a JSON Schema: `flasher schema bundle`.\n",
    },
    Described {
        name: "receipt",
        file: "receipt",
        begin: "# Receipt\n\nThe keys of a receipt, which is a JSON document. [Receipts](../receipts.md) says what they prove.\n\n\
                The same as a JSON Schema: `flasher schema receipt`.\n",
    },
    Described {
        name: "events",
        file: "events",
        begin: "# Events\n\nEach line that `--json` prints is one of these objects, with the key `time`.\n\n\
                The same as a JSON Schema: `flasher schema events`.\n",
    },
];

/// Makes all pages.
pub(crate) fn all() -> Vec<Made> {
    let mut made =
        vec![page("commands", &commands()), page("drivers", &drivers()), page("boards", &boards())];
    made.extend(SCHEMAS.iter().map(|it| {
        let schema: Value = serde_json::from_str(&printed(&["schema", it.name])).unwrap();
        page(it.file, &format!("{}\n{}", it.begin, schema::tables(&schema)))
    }));
    made
}

fn page(name: &str, text: &str) -> Made {
    Made { path: format!("reference/{name}.md"), text: format!("{MADE}{}\n", text.trim_end()) }
}

/// What `flasher` prints with these words, where nothing in the environment says more.
fn printed(words: &[&str]) -> String {
    let mut command = Command::new(cargo_bin("flasher"));
    command.args(words).stdin(Stdio::null());
    for name in ["COLUMNS", "FLASHER_EXPORTER", "FLASHER_CACHE_DIR", "FLASHER_PYTHON"] {
        command.env_remove(name);
    }
    let output = command.output().unwrap();
    assert!(output.status.success(), "{words:?}: {output:?}");
    String::from_utf8(output.stdout).unwrap()
}

/// A section with a text as it is printed.
fn section(heading: &str, text: &str) -> String {
    let lines = text.trim_end().lines().map(str::trim_end);
    format!("\n## {heading}\n\n```text\n{}\n```\n", lines.collect::<Vec<_>>().join("\n"))
}

fn commands() -> String {
    let mut paths = vec![Vec::new()];
    leaves(&flasher::command_line(), &mut Vec::new(), &mut paths);
    let sections = paths.iter().map(|path: &Vec<String>| {
        let words: Vec<&str> = path.iter().map(String::as_str).chain(["--help"]).collect();
        let heading = [&["flasher"], &words[..words.len() - 1]].concat().join(" ");
        section(&heading, &printed(&words))
    });
    format!("# Commands\n\nEach command with what `--help` says.\n{}", sections.collect::<String>())
}

/// The words of every command that has none below it.
fn leaves(command: &Definition, path: &mut Vec<String>, found: &mut Vec<Vec<String>>) {
    for below in command.get_subcommands().filter(|it| !it.is_hide_set() && it.get_name() != "help") {
        path.push(below.get_name().to_owned());
        if below.has_subcommands() {
            leaves(below, path, found);
        } else {
            found.push(path.clone());
        }
        path.pop();
    }
}

fn drivers() -> String {
    let sections = flasher_core::registry::drivers().into_iter();
    let sections = sections.map(|driver| section(driver.name, &printed(&["drivers", driver.name])));
    format!(
        "# Drivers\n\nEach driver with the keys of its `config:`, its children and an example. A board's name is a driver too \
         ([Boards](boards.md)): that of its flasher.\n{}",
        sections.collect::<String>()
    )
}

fn boards() -> String {
    let sections = flasher_core::registry::boards().into_iter();
    let sections = sections.map(|board| section(board.name, &printed(&["boards", board.name])));
    format!(
        "# Boards\n\nThe boards of this program, as `flasher boards NAME` explains them. Each name is a `type` in an exporter YAML.\n{}",
        sections.collect::<String>()
    )
}
