//! `interrupt`: what stops a board's autoboot, as a person would press it.

use std::{borrow::Cow, fmt};

use flasher_base::suggest::nearest;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de, ser::SerializeMap};
use strict_yaml::YamlNode;

use crate::{
    Secret,
    read::{Findings, Read, Section},
    words::quoted,
};

/// Most characters of a stop string (`MAX_DELAY_STOP_STR` in U-Boot's common/autoboot.c).
const LONGEST_TEXT: usize = 64;
/// Most keys in a row.
const MOST_KEYS: usize = 8;
/// Keys with a name of their own, and what they send. `ctrl-a` to `ctrl-z` come beside them.
const NAMED: [(&str, u8); 6] =
    [("space", b' '), ("enter", b'\r'), ("esc", 0x1b), ("tab", b'\t'), ("backspace", 0x08), ("delete", 0x7f)];
/// Other names of the same keys.
const OTHER: [(&str, &str); 4] =
    [("escape", "esc"), ("return", "enter"), ("spacebar", "space"), ("^c", "ctrl-c")];
const EXPECTED: &str = "key names (`space`, `enter`, `esc`, `esc esc`, `ctrl-c`), or a stop string as `{text: STRING}`, \
                        with `enter: true` where a line end must follow";

/// What stops a board's autoboot: keys by name (`space`, `esc esc`, `ctrl-c`), or a stop string.
#[derive(Clone, PartialEq, Eq)]
pub enum Interrupt {
    /// Names of keys, one space between them.
    Keys(String),
    /// A stop string (U-Boot's CONFIG_AUTOBOOT_STOP_STR).
    Text {
        /// The string, as it is typed.
        text: Secret,
        /// Whether Enter follows, as where U-Boot holds only a hash of the string (CONFIG_AUTOBOOT_ENCRYPTION). It is
        /// a password then.
        enter: bool,
    },
}

impl Interrupt {
    /// Reads key names, or a stop string that is none.
    ///
    /// # Errors
    /// What is wrong with it, and what is accepted.
    pub fn parse(text: &str) -> Result<Interrupt, String> {
        if let Some(keys) = raw_keys(text).or_else(|| named_keys(text)) {
            return match keys.split(' ').count() > MOST_KEYS {
                true => Err(format!("has more than {MOST_KEYS} keys")),
                false => Ok(Interrupt::Keys(keys)),
            };
        }
        let letters: Vec<String> =
            (b'a'..=b'z').map(|letter| format!("ctrl-{}", char::from(letter))).collect();
        let names = || NAMED.iter().map(|(name, _)| *name).chain(letters.iter().map(String::as_str));
        match text.split_ascii_whitespace().find_map(|word| Some((word, nearest(word, names())?))) {
            Some((word, name)) => Err(format!(
                "{} is not a key; did you mean `{name}`? expected {EXPECTED}",
                quoted(if word == name { text } else { word })
            )),
            None => Interrupt::text(text, false),
        }
    }

    /// A stop string, and whether Enter follows.
    ///
    /// # Errors
    /// When it is empty, too long, or has characters that are no text.
    pub fn text(text: &str, enter: bool) -> Result<Interrupt, String> {
        let length = text.chars().count();
        if length == 0 || length > LONGEST_TEXT || text.chars().any(char::is_control) {
            return Err(format!("expected 1 to {LONGEST_TEXT} printable characters; or {EXPECTED}"));
        }
        Ok(Interrupt::Text { text: Secret::new(text), enter })
    }

    /// What is sent to the board.
    pub fn bytes(&self) -> Vec<u8> {
        match self {
            Interrupt::Keys(keys) => keys.split(' ').filter_map(byte_of).collect(),
            Interrupt::Text { text, enter } => {
                let mut bytes = text.expose().as_bytes().to_vec();
                bytes.extend(enter.then_some(b'\r'));
                bytes
            }
        }
    }

    /// The stop string where it is a password: where U-Boot holds only its hash.
    pub fn password(&self) -> Option<&str> {
        match self {
            Interrupt::Text { text, enter: true } => Some(text.expose()),
            _ => None,
        }
    }

    /// Whether it holds a password, and so is not written out.
    pub(crate) fn is_secret(interrupt: &Option<Interrupt>) -> bool {
        interrupt.as_ref().is_some_and(|interrupt| interrupt.password().is_some())
    }
}

/// Keys written as the characters they send, as other tools' files have them: `" "`, `"\n"`.
fn raw_keys(text: &str) -> Option<String> {
    let name = |letter: char| match letter {
        '\n' => Some("enter".to_owned()),
        letter => name_of(u8::try_from(letter).ok()?),
    };
    let names: Option<Vec<String>> = text.chars().map(name).collect();
    names.filter(|names| !names.is_empty()).map(|names| names.join(" "))
}

fn name_of(byte: u8) -> Option<String> {
    if let Some((name, _)) = NAMED.iter().find(|(_, sent)| *sent == byte) {
        return Some((*name).to_owned());
    }
    (1..=26).contains(&byte).then(|| format!("ctrl-{}", char::from(b'a' + byte - 1)))
}

/// The names of keys in `text` in lower case, when it has nothing else.
fn named_keys(text: &str) -> Option<String> {
    let name = |word: &str| {
        let word = word.to_lowercase();
        let word = OTHER.iter().find(|(other, _)| *other == word).map_or(word.as_str(), |(_, name)| name);
        byte_of(word).map(|_| word.to_owned())
    };
    let names: Option<Vec<String>> = text.split_ascii_whitespace().map(name).collect();
    names.filter(|names| !names.is_empty()).map(|names| names.join(" "))
}

fn byte_of(name: &str) -> Option<u8> {
    let control = || match name.strip_prefix("ctrl-")?.as_bytes() {
        [letter @ b'a'..=b'z'] => Some(letter - b'a' + 1),
        _ => None,
    };
    NAMED.iter().find(|(named, _)| *named == name).map(|(_, byte)| *byte).or_else(control)
}

/// The keys' names; a stop string only where it is no password.
impl fmt::Display for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Interrupt::Keys(keys) => write!(f, "`{keys}`"),
            Interrupt::Text { enter: true, .. } => f.write_str("the stop string and enter"),
            Interrupt::Text { text, .. } => write!(f, "the stop string `{}`", text.expose()),
        }
    }
}

impl fmt::Debug for Interrupt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Interrupt({self})")
    }
}

impl Serialize for Interrupt {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self {
            Interrupt::Keys(keys) => serializer.serialize_str(keys),
            Interrupt::Text { text, enter } => {
                let mut map = serializer.serialize_map(None)?;
                if !enter {
                    map.serialize_entry("text", text.expose())?;
                }
                map.serialize_entry("enter", enter)?;
                map.end()
            }
        }
    }
}

/// The keys of the form with a stop string.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct TextForm {
    text: String,
    #[serde(default)]
    enter: bool,
}

impl<'de> Deserialize<'de> for Interrupt {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> de::Visitor<'de> for Either {
            type Value = Interrupt;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: de::Error>(self, text: &str) -> Result<Interrupt, E> {
                Interrupt::parse(text).map_err(E::custom)
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Interrupt, A::Error> {
                let form = TextForm::deserialize(de::value::MapAccessDeserializer::new(map))?;
                Interrupt::text(&form.text, form.enter).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl Read for Interrupt {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Interrupt> {
        let read = if node.mapping().is_some() {
            let mut keys = Section::open(node, path, found)?;
            let text: Option<String> = keys.required("text");
            let enter = keys.or("enter", false);
            keys.finish();
            Interrupt::text(&text?, enter)
        } else {
            Interrupt::parse(&String::read(node, path, found)?)
        };
        read.map_err(|problem| found.problem(node.position, path, problem)).ok()
    }
}

impl JsonSchema for Interrupt {
    fn schema_name() -> Cow<'static, str> {
        "Interrupt".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "keys by name (`space`, `enter`, `esc`, `esc esc`, `ctrl-c`), or a stop string",
            "anyOf": [
                {"type": "string", "minLength": 1},
                {
                    "type": "object",
                    "properties": {
                        "text": {
                            "description": "The stop string, as it is typed.",
                            "type": "string", "minLength": 1, "maxLength": LONGEST_TEXT,
                        },
                        "enter": {
                            "description": "Whether Enter follows, as where U-Boot holds only a hash of the string.",
                            "type": "boolean", "default": false,
                        },
                    },
                    "required": ["text"],
                    "additionalProperties": false,
                },
            ],
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What `yaml` sends and how it is shown, or why it is refused; by both ways of reading.
    fn check(yaml: &str, expected: Result<(&[u8], &str), &str>) {
        let mut found = Findings::none_in(vec!["m.yaml".to_owned()]);
        let read = Interrupt::read(&strict_yaml::parse(yaml).unwrap(), "interrupt", &mut found);
        let parsed = serde_yaml::from_str::<Interrupt>(yaml);
        match expected {
            Ok((bytes, shown)) => {
                let read = read.unwrap_or_else(|| panic!("{yaml}: {:?}", found.problems));
                assert_eq!((read.bytes().as_slice(), read.to_string().as_str()), (bytes, shown), "{yaml}");
                assert_eq!(parsed.unwrap(), read, "{yaml}");
            }
            Err(problem) => {
                assert_eq!(read, None, "{yaml}");
                assert!(found.problems[0].message.starts_with(problem), "{yaml}: {:?}", found.problems);
                let told = parsed.unwrap_err().to_string();
                assert!(told.contains(problem) || problem.starts_with("is missing"), "{yaml}: {told}");
            }
        }
    }

    #[test]
    fn keys_have_names_and_anything_else_is_a_stop_string() {
        for (yaml, bytes, shown) in [
            ("space", &b" "[..], "`space`"),
            ("Enter", b"\r", "`enter`"),
            ("esc", b"\x1b", "`esc`"),
            ("esc esc", b"\x1b\x1b", "`esc esc`"),
            ("Escape ESC", b"\x1b\x1b", "`esc esc`"),
            ("ctrl-c", b"\x03", "`ctrl-c`"),
            ("^C", b"\x03", "`ctrl-c`"),
            ("ctrl-z space", b"\x1a ", "`ctrl-z space`"),
            ("' '", b" ", "`space`"),
            (r#""\n""#, b"\r", "`enter`"),
            (r#""\x1b\x1b""#, b"\x1b\x1b", "`esc esc`"),
            ("s", b"s", "the stop string `s`"),
            ("stop", b"stop", "the stop string `stop`"),
            ("{text: space}", b"space", "the stop string `space`"),
            ("{text: hunter2, enter: true}", b"hunter2\r", "the stop string and enter"),
        ] {
            check(yaml, Ok((bytes, shown)));
        }
    }

    #[test]
    fn what_cannot_be_pressed_is_refused_with_what_can() {
        for (yaml, problem) in [
            ("spcae", "`spcae` is not a key; did you mean `space`? expected key names (`space`, "),
            ("ctrl-cc", "`ctrl-cc` is not a key; did you mean `ctrl-"),
            ("hunter2 enter", "`hunter2 enter` is not a key; did you mean `enter`? expected "),
            ("''", "expected 1 to 64 printable characters; or key names"),
            (r#"{text: "a\nb"}"#, "expected 1 to 64 printable characters; "),
            ("esc esc esc esc esc esc esc esc esc", "has more than 8 keys"),
            ("{enter: true}", "is missing"),
        ] {
            check(yaml, Err(problem));
        }
        let long = format!("{{text: {}}}", "x".repeat(65));
        check(&long, Err("expected 1 to 64 printable characters; "));
    }

    #[test]
    fn a_stop_string_with_enter_is_a_password() {
        let secret = Interrupt::text("hunter2", true).unwrap();
        assert_eq!(secret.password(), Some("hunter2"));
        assert!(
            !format!("{secret:?} {secret} {}", serde_json::to_string(&secret).unwrap()).contains("hunter2")
        );
        assert_eq!(Interrupt::text("stop", false).unwrap().password(), None);
    }
}
