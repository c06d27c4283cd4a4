//! What is read, what is refused, and where it says so.

use std::fmt::Write as _;

use proptest::prelude::*;

use super::*;

/// Position and text of everything that is wrong with `text`.
fn errors(text: &str) -> Vec<(u32, u32, String)> {
    let YamlErrors(errors) = parse(text).expect_err(text);
    errors.into_iter().map(|it| (it.position.line, it.position.column, it.kind.to_string())).collect()
}

fn check(text: &str, expected: &[(u32, u32, &str)]) {
    let found = errors(text);
    let found: Vec<_> = found.iter().map(|(line, column, text)| (*line, *column, text.as_str())).collect();
    assert_eq!(found, expected, "{text}");
}

#[test]
fn all_mistakes_are_found_where_they_stand() {
    check(
        "a: 1\nb: {c: 1, c: {d: 1, d: 2}}\n1: x\n[k]: x\na: !secret 2\n<<: 4\n",
        &[
            (2, 11, "the key `c` is given twice in the same mapping"),
            (2, 21, "the key `d` is given twice in the same mapping"),
            (3, 1, "expected a key that is text, found the number `1`"),
            (4, 1, "expected a key that is text, found a list"),
            (5, 1, "the key `a` is given twice in the same mapping"),
            (5, 4, "the tag `!secret` has no meaning here"),
            (6, 1, "`<<` cannot be merged: expected a mapping or a list of mappings, found the number `4`"),
        ],
    );
}

#[test]
fn control_characters_are_refused_where_they_stand() {
    let text = "the control character U+009B is not allowed in YAML";
    check("a: 1\nb\u{9b}: \"\u{9b}\"\n", &[(2, 2, text), (2, 6, text)]);
    check("# \u{1b}[2J\n", &[(1, 3, "the control character U+001B is not allowed in YAML")]);
    check("a: \u{7f}\n", &[(1, 4, "the control character U+007F is not allowed in YAML")]);
    assert_eq!(errors(&"\u{1}".repeat(1000)).len(), MOST_CONTROL_CHARACTERS);
    for taken in ["a: \"\\u009b\\e\"\n", "a: b\tc\r\n", "a: \u{85}\n", "a: \u{a0}\u{202e}\n"] {
        assert!(parse(taken).is_ok(), "{taken:?}");
    }
}

#[test]
fn many_mistakes_are_named_up_to_a_bound() {
    let many = "!a,".repeat(20_000);
    assert_eq!(errors(&format!("? {}\n: [{many}]\n", "k".repeat(100_000))).len(), MOST_ERRORS);
    assert_eq!(errors(&format!("a: {{<<: [{}]}}\n", "1,".repeat(20_000))).len(), MOST_ERRORS);
}

#[test]
fn values_that_are_not_what_their_tag_says_are_refused() {
    for tag in ["!!int abc", "!!bool maybe", "!!float x"] {
        assert_eq!(errors(&format!("a: {tag}\n")).len(), 1, "{tag}");
    }
    for tag in ["!!int 7", "!!str 7", "!!float 1.5", "!!bool true"] {
        assert!(parse(&format!("a: {tag}\n")).is_ok(), "{tag}");
    }
}

#[test]
fn a_text_that_is_no_yaml_is_refused_at_its_line() {
    let cases = [
        ("a: b: c", 1, LikelyCause::Other),
        ("export:\n\tp: { type: x }\n", 2, LikelyCause::Tab),
        ("export:\n  p: { type: x\n", 3, LikelyCause::Other),
        ("a:\n  p: *nothing\n", 2, LikelyCause::Alias),
        ("a: \"open\n", 1, LikelyCause::Other),
    ];
    for (text, line, expected) in cases {
        let YamlErrors(errors) = parse(text).unwrap_err();
        let [YamlError { position, kind: YamlErrorKind::Syntax { likely, reason }, .. }] = errors.as_slice()
        else {
            panic!("{text}: {errors:?}")
        };
        assert_eq!((position.line, *likely), (line, expected), "{text}: {reason}");
    }
    check("a: 1\n---\nb: 2\n", &[(2, 1, "a second document begins here, expected one")]);
    check("a: &a [*a]\n", &[(1, 8, "the alias stands inside the value that it names")]);
    check("a: 1\0", &[(1, 1, "byte 4 of the file is no text")]);
}

#[test]
fn hostile_texts_are_refused_early() {
    for (open, close) in [("[", "]"), ("{a: ", "}"), ("- ", ""), ("? ", "")] {
        let text = format!("export: \n  {}1{}\n", open.repeat(50_000), close.repeat(50_000));
        let found = errors(&text);
        assert_eq!((found[0].0, found[0].2.as_str()), (2, "nested deeper than 64 levels"), "{open}");
    }
    let mut laughs = String::from("a0: &a0 [x]\n");
    for level in 1..40 {
        writeln!(laughs, "a{level}: &a{level} [*a{0}, *a{0}, *a{0}]", level - 1).unwrap();
    }
    let broad = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(20_000), "*a,".repeat(100_000));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), "*a,".repeat(100_000));
    for text in [laughs, broad, long] {
        assert_eq!(errors(&text)[0].2, "aliases make too much of this file");
    }
    let deep: String = (1..100).map(|level| format!("a{level}: &a{level} [*a{}]\n", level - 1)).collect();
    assert_eq!(errors(&format!("a0: &a0 [x]\n{deep}"))[0].2, "nested deeper than 64 levels");
    let large = "x".repeat(LARGEST_TEXT + 1);
    assert_eq!(errors(&large)[0].2, "the file has 1048577 bytes, at most 1048576 are read");
}

#[test]
fn aliases_and_merges_give_what_they_name() {
    let root =
        parse("base: &b {a: 1, b: 2}\nheir: {<<: *b, b: 3}\nboth: {<<: [*b, {c: 4, a: 5}]}\nsame: *b\n")
            .unwrap();
    let numbers = |name: &str| {
        let entries = root.get(name).and_then(YamlNode::entries).unwrap();
        entries.iter().map(|(key, node)| format!("{key} {}", node.describe())).collect::<Vec<_>>().join(", ")
    };
    assert_eq!(numbers("heir"), "b the number `3`, a the number `1`");
    assert_eq!(numbers("both"), "a the number `1`, b the number `2`, c the number `4`");
    assert_eq!(numbers("same"), numbers("base"));
    let below = |path: &[&str]| path.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
    let position = root.value_position(&below(&["heir", "a"]));
    assert_eq!((position.line, position.column), (1, 14), "where the value really stands");
}

#[test]
fn tags_of_yaml_itself_are_known() {
    let root = parse("a: !!str 5\nb: !!int \"7\"\nc: !!map {x: 1}\n").unwrap();
    let described: Vec<String> = root.entries().unwrap().iter().map(|(_, node)| node.describe()).collect();
    assert_eq!(described, ["the text `5`", "the number `7`", "a mapping"]);
}

#[test]
fn nothing_is_no_mistake() {
    for text in ["", " \n# only a comment\n", "---\n...\n", "~", "null"] {
        assert!(parse(text).unwrap().is_null(), "{text:?}");
    }
}

#[test]
fn a_tree_knows_the_text_it_came_from() {
    let root = parse_one_of("a: 1", 3).unwrap();
    assert_eq!((root.position.source, root.get("a").unwrap().position.source), (3, 3));
    assert_eq!(parse_one_of("a: [", 3).unwrap_err().0[0].position.source, 3);
}

/// A tree as serde_yaml has it.
fn as_serde_yaml(node: &YamlNode) -> serde_yaml::Value {
    use serde_yaml::Value;
    match &node.value {
        YamlValue::Null => Value::Null,
        YamlValue::Bool(value) => Value::Bool(*value),
        YamlValue::Number(number) => Value::Number(number.clone()),
        YamlValue::Text(text) => Value::String(text.clone()),
        YamlValue::List(items) => Value::Sequence(items.iter().map(as_serde_yaml).collect()),
        YamlValue::Mapping(entries) => {
            let pair = |(key, entry): (&String, &YamlEntry)| {
                (Value::String(key.clone()), as_serde_yaml(&entry.node))
            };
            Value::Mapping(entries.iter().map(pair).collect())
        }
    }
}

proptest! {
    /// What serde_yaml writes is read as serde_yaml has it, but for what YAML 1.1 had as ends of lines besides `\n`.
    #[test]
    fn written_and_read(map in prop::collection::hash_map("[ -~]{0,12}", prop::collection::vec("[ -~äß€😀\n]{0,20}", 0..4), 0..6)) {
        let map: std::collections::HashMap<_, _> = map.into_iter().filter(|(key, _)| key != "<<").collect();
        let text = serde_yaml::to_string(&map).unwrap();
        let expected: serde_yaml::Value = serde_yaml::from_str(&text).unwrap();
        prop_assert_eq!(as_serde_yaml(&parse(&text).unwrap()), expected);
    }

    #[test]
    fn no_text_makes_it_panic(text in "[-a:{}\\[\\]&*!?|>'\"#%@, \n\t]{0,60}") {
        let _ = parse(&text);
    }
}
