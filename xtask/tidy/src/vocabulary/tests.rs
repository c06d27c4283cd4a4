//! Type names, words and test names that are refused, and their neighbours that are not.

use super::*;

fn source(path: &str, text: &str) -> Source {
    Source::new(path, text.to_owned())
}

fn texts(findings: Vec<Finding>) -> Vec<String> {
    findings.iter().map(ToString::to_string).collect()
}

#[test]
fn type_names_in_many_crates() {
    let declared = |kind: &str, crates: &[&str]| {
        let sources: Vec<Source> =
            crates.iter().map(|it| source(&format!("crates/{it}/src/lib.rs"), kind)).collect();
        texts(repeated_types(&sources))
    };
    let three = "a: `Outlet` is a type in a, b, c: use the field's term in each crate";
    for kind in [
        "pub struct Outlet;\n",
        "enum Outlet {}\n",
        "pub(crate) trait Outlet {}\n",
        "type Outlet = u8;\n",
        "pub(in crate::step) struct Outlet(u8);\n",
    ] {
        assert_eq!(declared(kind, &["a", "b", "c"]), [three], "{kind}");
        assert_eq!(declared(kind, &["a", "b"]), [""; 0], "{kind}");
        assert_eq!(declared(kind, &["a", "b", "a"]), [""; 0], "{kind}");
    }
    for kind in [
        "pub struct Config;\n",
        "impl A {\n    type Outlet = u8;\n}\n",
        "#[cfg(test)]\nmod tests {\n    struct Outlet;\n}\n",
        "// struct Outlet;\n",
        "structure(Outlet);\n",
    ] {
        assert_eq!(declared(kind, &["a", "b", "c"]), [""; 0], "{kind}");
    }
}

#[test]
fn replaced_type_names() {
    let found = |text| texts(replaced_types(&source("crates/a/src/lib.rs", text)));
    assert_eq!(
        found("//! A.\n\npub(crate) struct Wish;\n"),
        ["crates/a/src/lib.rs:3: type `Wish` says nothing, as `StreamRequestMeta` does"]
    );
    assert_eq!(found("struct Wishes;\nenum A {\n    No,\n}\n"), [""; 0]);
}

#[test]
fn replaced_words() {
    let cases = [
        ("crates/a/src/lib.rs", "fn a() {} // Nobody listens.\n", Some("nobody")),
        ("crates/a/src/lib.rs", "//! A.\n/// Told twice.\n", Some("told")),
        ("crates/a/src/lib.rs", "/// A don't-care range.\n", Some("don't-care")),
        ("crates/a/src/lib.rs", "let nobody = 1;\n", None),
        ("crates/a/src/lib.rs", "let url = \"http://nobody\";\n", None),
        ("crates/a/src/lib.rs", "/// The variable `told`.\n", None),
        ("crates/a/src/lib.rs", "/// Untold.\n", None),
        ("crates/board-sim/src/guest/safety.rs", "/// The user nobody.\n", None),
    ];
    for (path, text, word) in cases {
        let found = texts(check_source(&source(path, text)));
        assert_eq!(found.len(), usize::from(word.is_some()), "{text}: {found:?}");
        assert!(word.is_none_or(|word| found[0].contains(&format!("the word `{word}`: "))), "{found:?}");
    }
}

#[test]
fn long_names_of_tests() {
    let found = |length: usize| {
        let text = format!("#[test]\nfn {}() {{}}\n", "a".repeat(length));
        texts(long_test_names(&source("crates/a/src/tests.rs", &text)))
    };
    assert_eq!(found(59), [""; 0]);
    let name = "a".repeat(60);
    assert_eq!(
        found(60),
        [format!(
            "crates/a/src/tests.rs:2: `{name}` has 60 characters, at most 59: tell the story in the body"
        )]
    );
}

#[test]
fn shared_names_and_words_are_sorted() {
    assert!(SHARED_NAMES.is_sorted() && REPLACED_NAMES.is_sorted() && REPLACED_WORDS.is_sorted());
}
