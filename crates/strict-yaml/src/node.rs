//! The tree of a document: every value and every key with its position.

use indexmap::IndexMap;
use serde_yaml::Number;

use crate::position::Position;
use crate::words;

/// A value of a document, and where it stands.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlNode {
    /// Where it stands.
    pub position: Position,
    /// What stands there.
    pub value: YamlValue,
}

/// What a node is.
#[derive(Clone, Debug, PartialEq)]
pub enum YamlValue {
    /// Nothing, `~` or `null`.
    Null,
    /// `true` or `false`.
    Bool(bool),
    /// A number.
    Number(Number),
    /// Text, quoted or not.
    Text(String),
    /// A list.
    List(Vec<YamlNode>),
    /// A mapping. Its keys are text, each there once, in the order of the file.
    Mapping(Entries),
}

/// Keys and values of a mapping, in the order of the file.
pub type Entries = IndexMap<String, YamlEntry>;

/// A value of a mapping, and where its key stands.
#[derive(Clone, Debug, PartialEq)]
pub struct YamlEntry {
    /// Where the key stands.
    pub key: Position,
    /// The value.
    pub node: YamlNode,
}

impl Default for YamlNode {
    /// Nothing, at the beginning of a text.
    fn default() -> Self {
        Self { position: Position::START, value: YamlValue::Null }
    }
}

impl YamlNode {
    /// A node made by a program; all of it stands at the beginning.
    pub fn from_json(json: &serde_json::Value) -> Self {
        let value = match json {
            serde_json::Value::Null => YamlValue::Null,
            serde_json::Value::Bool(value) => YamlValue::Bool(*value),
            serde_json::Value::Number(number) => YamlValue::Number(number_of(number)),
            serde_json::Value::String(text) => YamlValue::Text(text.clone()),
            serde_json::Value::Array(items) => YamlValue::List(items.iter().map(Self::from_json).collect()),
            serde_json::Value::Object(map) => {
                let entry = |(key, json): (&String, &serde_json::Value)| {
                    (key.clone(), YamlEntry { key: Position::START, node: Self::from_json(json) })
                };
                YamlValue::Mapping(map.iter().map(entry).collect())
            }
        };
        Self { value, ..Self::default() }
    }

    /// Whether nothing stands here.
    pub fn is_null(&self) -> bool {
        self.value == YamlValue::Null
    }

    /// The text of a text.
    pub fn text(&self) -> Option<&str> {
        match &self.value {
            YamlValue::Text(text) => Some(text),
            _ => None,
        }
    }

    pub(crate) fn number(&self) -> Option<&Number> {
        match &self.value {
            YamlValue::Number(number) => Some(number),
            _ => None,
        }
    }

    /// What stands here, for messages: `the text `fast``, `a list`.
    pub fn describe(&self) -> String {
        match &self.value {
            YamlValue::Null => "nothing".to_owned(),
            YamlValue::Bool(value) => format!("`{value}`"),
            YamlValue::Number(number) => format!("the number `{number}`"),
            YamlValue::Text(text) => words::text(text),
            YamlValue::List(_) => "a list".to_owned(),
            YamlValue::Mapping(_) => "a mapping".to_owned(),
        }
    }

    /// Keys and values of a mapping.
    pub fn mapping(&self) -> Option<&Entries> {
        match &self.value {
            YamlValue::Mapping(entries) => Some(entries),
            _ => None,
        }
    }

    /// Keys and values of a mapping, in order; nothing counts as an empty one. None for anything else.
    pub fn entries(&self) -> Option<Vec<(&str, &YamlNode)>> {
        match &self.value {
            YamlValue::Null => Some(Vec::new()),
            YamlValue::Mapping(entries) => {
                Some(entries.iter().map(|(key, entry)| (key.as_str(), &entry.node)).collect())
            }
            _ => None,
        }
    }

    /// The value under `key` of a mapping.
    pub fn get(&self, key: &str) -> Option<&YamlNode> {
        self.mapping()?.get(key).map(|entry| &entry.node)
    }

    /// The same mapping with `key` set, unless it is there already. Nothing counts as an empty mapping.
    #[must_use]
    pub fn with_default(mut self, key: &str, text: &str) -> Self {
        if self.is_null() {
            self.value = YamlValue::Mapping(Entries::new());
        }
        let position = self.position;
        if let YamlValue::Mapping(entries) = &mut self.value {
            let node = || YamlNode { position, value: YamlValue::Text(text.to_owned()) };
            entries.entry(key.to_owned()).or_insert_with(|| YamlEntry { key: position, node: node() });
        }
        self
    }

    /// The same mapping without `keys`.
    #[must_use]
    pub fn without(mut self, keys: &[&str]) -> Self {
        if let YamlValue::Mapping(entries) = &mut self.value {
            entries.retain(|key, _| !keys.contains(&key.as_str()));
        }
        self
    }

    /// Where the value at `path` stands, or the nearest key above it that is there. Items of lists go by index.
    pub fn value_position(&self, path: &[String]) -> Position {
        let (_, value, is_whole) = self.follow(path);
        if is_whole { value } else { self.key_position(path) }
    }

    /// Where the key at `path` stands, or the nearest key or item above it that is there.
    pub fn key_position(&self, path: &[String]) -> Position {
        self.follow(path).0
    }

    /// Positions of the key and of the value as far along `path` as it is there, and whether all of it is.
    fn follow(&self, path: &[String]) -> (Position, Position, bool) {
        let (mut key, mut node) = (Position { source: self.position.source, ..Position::START }, self);
        for part in path {
            let next = match &node.value {
                YamlValue::Mapping(entries) => entries.get(part).map(|entry| (entry.key, &entry.node)),
                YamlValue::List(items) => {
                    part.parse::<usize>().ok().and_then(|index| Some((key, items.get(index)?)))
                }
                _ => None,
            };
            let Some(next) = next else { return (key, node.position, false) };
            (key, node) = next;
        }
        (key, node.position, true)
    }
}

fn number_of(number: &serde_json::Number) -> Number {
    let whole = number.as_u64().map(Number::from).or_else(|| number.as_i64().map(Number::from));
    whole.unwrap_or_else(|| Number::from(number.as_f64().unwrap_or_default()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::parse;

    fn path(dotted: &str) -> Vec<String> {
        dotted.split('.').map(str::to_owned).collect()
    }

    #[test]
    fn keys_and_values_are_found_where_they_stand() {
        let root = parse("export:\n  a:\n    type: x\n    list: [1, two]\n  b: {ref: a}\n").unwrap();
        let cases = [
            (root.key_position(&path("export.a.type")), (3, 5, 4)),
            (root.value_position(&path("export.a.type")), (3, 11, 1)),
            (root.value_position(&path("export.a.list.1")), (4, 15, 3)),
            (root.value_position(&path("export.b.ref")), (5, 12, 1)),
            (root.key_position(&path("export.a.absent")), (2, 3, 1)),
            (root.value_position(&path("export.a.absent.more")), (2, 3, 1)),
            (root.key_position(&path("absent")), (1, 1, 0)),
        ];
        for (position, expected) in cases {
            assert_eq!((position.line, position.column, position.length), expected);
        }
    }

    #[test]
    fn a_default_is_set_where_nothing_is_said() {
        let board = |yaml: &str| {
            let node = parse(yaml).unwrap().with_default("board", "acme");
            node.get("board").and_then(YamlNode::text).map(str::to_owned)
        };
        let cases = [("", Some("acme")), ("a: 1", Some("acme")), ("board: own", Some("own")), ("[1]", None)];
        for (yaml, expected) in cases {
            assert_eq!(board(yaml).as_deref(), expected, "{yaml}");
        }
        assert_eq!(parse("{a: 1, b: 2}").unwrap().without(&["a"]).entries().unwrap().len(), 1);
    }

    #[test]
    fn json_becomes_nodes() {
        let json = serde_json::json!({"a": [1, -1, 1.5, true, null, "x"]});
        assert_eq!(YamlNode::from_json(&json).get("a").unwrap().describe(), "a list");
        let YamlValue::List(items) = &YamlNode::from_json(&json).get("a").unwrap().value.clone() else {
            panic!()
        };
        let described: Vec<String> = items.iter().map(YamlNode::describe).collect();
        assert_eq!(
            described,
            ["the number `1`", "the number `-1`", "the number `1.5`", "`true`", "nothing", "the text `x`"]
        );
    }
}
