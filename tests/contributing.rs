//! The code in CONTRIBUTING.md is code that is compiled and run: a block stands in the file it names, word for word.

use std::fs;
use std::path::Path;

#[test]
fn a_block_of_code_stands_in_the_file_it_names() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("CONTRIBUTING.md")).unwrap();
    let mut blocks = 0;
    for part in text.split("```rust").skip(1) {
        let before = &text[..text.len() - text.rsplit_once(part).unwrap().1.len() - part.len()];
        let named = before.trim_end_matches("```rust").trim_end().lines().last().unwrap();
        let file = named.strip_prefix("<!-- ").and_then(|rest| rest.strip_suffix(" -->"));
        let Some(file) = file else { continue };
        let (_, code) = part.split_once('\n').unwrap();
        let (code, _) = code.split_once("\n```").unwrap();
        let stands = fs::read_to_string(root.join(file)).unwrap_or_else(|error| panic!("{file}: {error}"));
        assert!(stands.contains(code), "{file} does not have this any more:\n{code}");
        blocks += 1;
    }
    assert!(blocks >= 6, "{blocks}");
}
