//! Types read from trees: what is refused, with which words, and where.

use schemars::JsonSchema;
use serde::{Deserialize, Deserializer};

use super::*;
use crate::load::parse;

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
struct Line {
    /// Where the line is.
    url: String,
    #[serde(default)]
    baudrate: u32,
    #[serde(default)]
    pauses: Vec<u16>,
    framing: Option<Framing>,
    #[serde(default)]
    parity: Parity,
    #[serde(default)]
    extra: Vec<Framing>,
    even: Option<Even>,
    also_even: Option<Even>,
    level: Option<Level>,
    gain: Option<f64>,
    offset: Option<i8>,
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(deny_unknown_fields)]
struct Framing {
    stop: u8,
    parity: Option<bool>,
}

#[derive(Debug, Default, Deserialize, JsonSchema, PartialEq)]
#[serde(rename_all = "lowercase")]
enum Parity {
    #[default]
    None,
    Odd,
    Mark(u8),
}

/// Refuses what only it knows to be wrong.
#[derive(Debug, JsonSchema, PartialEq)]
struct Even(u8);

impl<'de> Deserialize<'de> for Even {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let number = u8::deserialize(deserializer)?;
        if number % 2 == 0 {
            Ok(Self(number))
        } else {
            Err(serde::de::Error::custom(format!("`{number}` is odd")))
        }
    }
}

#[derive(Debug, Deserialize, JsonSchema, PartialEq)]
#[serde(untagged)]
enum Level {
    Number(u8),
    Name(String),
}

fn read_line(yaml: &str) -> Result<Line, Vec<Problem>> {
    read(&parse(yaml).unwrap(), &schemars::schema_for!(Line).to_value())
}

/// Line, column, message and help of every problem, in the order of lines.
fn problems(yaml: &str) -> Vec<String> {
    let root = parse(yaml).unwrap();
    let mut found: Vec<_> = read_line(yaml)
        .expect_err(yaml)
        .into_iter()
        .map(|it| {
            let at = if it.at_key { root.key_position(&it.path) } else { root.value_position(&it.path) };
            (at, format!("{}:{} {} [{}]", at.line, at.column, it.message, it.help.unwrap_or_default()))
        })
        .collect();
    found.sort();
    found.into_iter().map(|(_, text)| text).collect()
}

#[test]
fn what_is_right_is_read() {
    let line = read_line("url: x\nbaudrate: 9600\npauses: [1, 2]\nframing: {stop: 1}\nparity: {mark: 3}\neven: 4\nlevel: high\ngain: 2\noffset: -5\n").unwrap();
    assert_eq!((line.url.as_str(), line.baudrate, line.pauses), ("x", 9600, vec![1, 2]));
    assert_eq!((line.framing, line.parity), (Some(Framing { stop: 1, parity: None }), Parity::Mark(3)));
    assert_eq!((line.even, line.level), (Some(Even(4)), Some(Level::Name("high".to_owned()))));
    assert_eq!((line.gain, line.offset), (Some(2.0), Some(-5)));
    assert_eq!(read_line("{url: x, parity: odd, framing: null}").unwrap().parity, Parity::Odd);
}

#[test]
fn every_problem_is_reported_with_its_place() {
    let yaml = "\
url: 5
baudrat: 9600
baudrate: fast
pauses: [1, a, 2, b, -1]
framing: {parity: yes, stop: 1000, bits: 8}
parity: od
extra: [{stop: 1}, {stop: x}, {parity: true}, {stop: 1, sotp: 2}]
even: 3
also_even: 5
level: [1]
gain: loud
offset: 200
";
    let expected = [
        "1:6 expected text, found the number `5` []",
        "2:1 unknown key `baudrat` [did you mean `baudrate`?]",
        "3:11 expected a whole number from 0 to 4294967295, found the text `fast` []",
        "4:13 expected a whole number from 0 to 65535, found the text `a` []",
        "4:19 expected a whole number from 0 to 65535, found the text `b` []",
        "4:22 expected a whole number from 0 to 65535, found the number `-1` []",
        "5:19 expected `true` or `false`, found the text `yes` []",
        "5:30 expected a whole number from 0 to 255, found the number `1000` []",
        "5:36 unknown key `bits` [accepted here: `parity`, `stop`]",
        "6:9 expected `none`, `odd` or `mark`, found the text `od` [did you mean `odd`?]",
        "7:27 expected a whole number from 0 to 255, found the text `x` []",
        "7:31 the key `stop` is missing []",
        "7:57 unknown key `sotp` [did you mean `stop`?]",
        "8:7 `3` is odd []",
        "9:12 `5` is odd []",
        "10:8 data did not match any variant of untagged enum Level []",
        "11:7 expected a number, found the text `loud` []",
        "12:9 expected a whole number from -128 to 127, found the number `200` []",
    ];
    assert_eq!(problems(yaml), expected);
}

#[test]
fn a_problem_is_not_reported_twice() {
    let missing = "1:1 the key `url` is missing [add `url: …`: Where the line is.]";
    let cases = [
        ("ulr: x", vec!["1:1 unknown key `ulr` [did you mean `url`?]"]),
        ("url: [x]", vec!["1:6 expected text, found a list []"]),
        ("", vec![missing]),
        ("framing: {}", vec![missing, "1:1 the key `stop` is missing [add `stop: …`]"]),
        ("{url: x, framing: {stpo: 1}}", vec!["1:20 unknown key `stpo` [did you mean `stop`?]"]),
        ("{url: x, framing: 4}", vec!["1:19 expected a mapping, found the number `4` []"]),
        (
            "{url: x, parity: mark}",
            vec!["1:18 expected a mapping with the key `mark`, found the text `mark` []"],
        ),
        ("{url: x, parity: {odd: 1}}", vec!["1:18 `odd` stands alone, found the number `1` below it []"]),
        ("- url", vec!["1:1 expected a mapping, found a list [give lines of `key: value`, or leave it out]"]),
    ];
    for (yaml, expected) in cases {
        let mut expected: Vec<String> = expected.into_iter().map(str::to_owned).collect();
        expected.sort();
        let mut found = problems(yaml);
        found.sort();
        assert_eq!(found, expected, "{yaml}");
    }
}

#[test]
fn many_wrong_values_are_not_looked_for_without_end() {
    let yaml = format!("url: x\npauses: [{}]\n", "a,".repeat(5000));
    assert_eq!(problems(&yaml).len(), MOST_WRONG_VALUES);
}
