//! Files that are hostile, or no YAML at all.

use std::fmt::Write as _;
use std::path::Path;

use super::complaint;
use crate::Document;

#[test]
fn nesting_that_only_an_attacker_writes() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
        let yaml = format!("export: \n  {}1{}\n", open.repeat(50_000), close.repeat(50_000));
        let first = complaint(&yaml);
        assert!(first.starts_with("error: nested deeper than 64 levels\n  --> lab.yaml:2:"), "{first}");
    }
}

#[test]
fn aliases_that_multiply() {
    let mut yaml = String::from("export:\n  a0: &a0 { type: test-power }\n");
    for level in 1..12 {
        let below = vec![format!("*a{}", level - 1); 10].join(", ");
        writeln!(yaml, "  a{level}: &a{level} [{below}]").unwrap();
    }
    let text = complaint(&yaml);
    assert!(text.starts_with("error: aliases make too much of this file\n"), "{text}");
    assert!(text.contains("= help: aliases (`*name`) repeat too much: write the values out"), "{text}");
}

/// What the user reads about a file with these bytes.
fn of_bytes(bytes: &[u8]) -> String {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.yaml");
    std::fs::write(&file, bytes).unwrap();
    Document::read(&file).unwrap_err().to_string().replace(&folder.path().display().to_string(), "")
}

const NOTHING_TOUCHED: &str = "1 problem; nothing was opened, no board was touched";

#[test]
fn a_file_that_is_no_text() {
    let expected = format!(
        "error: this is a binary file, expected YAML in UTF-8\n  --> /lab.yaml:1:1\n   \
         = help: give an exporter YAML; `flasher drivers` shows examples of its nodes\n\n{NOTHING_TOUCHED}"
    );
    for bytes in [&[0x1f, 0x8b, 0x08, 0xff][..], b"export:\0"] {
        assert_eq!(of_bytes(bytes), expected);
    }
}

#[test]
fn a_file_as_large_as_an_image() {
    assert_eq!(
        of_bytes(&vec![b'#'; 2 * 1024 * 1024]),
        format!(
            "error: the file has 2097152 bytes, at most 1048576 are read\n  --> /lab.yaml:1:1\n   \
             = help: is this an image? give an exporter YAML\n\n{NOTHING_TOUCHED}"
        )
    );
}

#[test]
fn a_file_that_is_not_there() {
    assert_eq!(
        Document::read(Path::new("/nowhere/lab.yaml")).unwrap_err().to_string(),
        format!(
            "error: cannot read the file: No such file or directory (os error 2)\n  --> /nowhere/lab.yaml:1:1\n   \
             = help: name the file with `--exporter FILE`\n\n{NOTHING_TOUCHED}"
        )
    );
}

#[test]
fn a_folder_instead_of_a_file() {
    assert_eq!(
        Document::read(Path::new("/")).unwrap_err().to_string(),
        format!(
            "error: this is a folder, expected an exporter YAML file\n  --> /:1:1\n   \
             = help: name the file with `--exporter FILE`\n\n{NOTHING_TOUCHED}"
        )
    );
}
