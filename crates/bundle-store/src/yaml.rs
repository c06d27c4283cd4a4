//! YAML text to a tree, bounded: the only place that reads YAML.
//!
//! Aliases let a small file unfold into a huge tree, so the tree is built against a budget.
//! Tags and keys that are not text have no place in a manifest and are refused.

use std::{cell::Cell, fmt};

use serde::de::{self, DeserializeSeed, Deserializer, EnumAccess, Error as _, MapAccess, SeqAccess, Visitor};
use serde_yaml::{Mapping, Value};

use crate::{Error, suggest::quoted};

/// The longest manifest that is read, in bytes (1 MiB).
pub const MAX_MANIFEST_LENGTH: usize = 1 << 20;

/// Reads one YAML document. `origin` names it in errors.
pub(crate) fn load(text: &str, origin: &str) -> Result<Value, Error> {
    check_text(text, origin)?;
    let left = Cell::new(LARGEST_TREE);
    let tree = Tree { left: &left }.deserialize(serde_yaml::Deserializer::from_str(text));
    let fault = |fault: serde_yaml::Error| Error::Yaml { origin: origin.into(), message: fault.to_string() };
    let mut value = tree.map_err(fault)?;
    value.apply_merge().map_err(fault)?;
    if value.is_null() {
        return Err(Error::Empty { origin: origin.into() });
    }
    Ok(value)
}

const LARGEST_TREE: usize = 2 * MAX_MANIFEST_LENGTH; // nodes plus bytes of text
const MOST_BRACKETS: usize = 10_000; // the scanner's time grows with the square of their nesting

fn check_text(text: &str, origin: &str) -> Result<(), Error> {
    let origin = || origin.to_owned();
    if text.len() > MAX_MANIFEST_LENGTH {
        return Err(Error::TooLarge { origin: origin(), limit: MAX_MANIFEST_LENGTH });
    }
    if let Some(offset) = text.find('\0') {
        return Err(Error::NotText { origin: origin(), offset });
    }
    let content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    if !text.lines().any(content) {
        return Err(Error::Empty { origin: origin() });
    }
    if text.bytes().filter(|byte| matches!(byte, b'[' | b'{')).count() > MOST_BRACKETS {
        return Err(Error::Yaml {
            origin: origin(),
            message: format!("more than {MOST_BRACKETS} opening brackets"),
        });
    }
    Ok(())
}

/// A key must be text, as the field's readers tell `1` from `"1"`, and must not come twice.
fn check_key<E: de::Error>(mapping: &Mapping, key: &Value) -> Result<(), E> {
    match key.as_str() {
        None => Err(E::custom("a key is not text: put it in quotes")),
        Some(text) if mapping.contains_key(key) => {
            Err(E::custom(format_args!("duplicate key {}", quoted(text))))
        }
        Some(_) => Ok(()),
    }
}

#[derive(Clone, Copy)]
struct Tree<'b> {
    left: &'b Cell<usize>,
}

impl Tree<'_> {
    fn spend<E: de::Error>(self, cost: usize) -> Result<(), E> {
        let left = self.left.get().checked_sub(cost.saturating_add(1));
        self.left.set(left.ok_or_else(|| E::custom("its aliases unfold into too much data"))?);
        Ok(())
    }

    fn leaf<E: de::Error>(self, value: impl Into<Value>) -> Result<Value, E> {
        self.spend(0)?;
        Ok(value.into())
    }
}

impl<'de> DeserializeSeed<'de> for Tree<'_> {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Tree<'_> {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("text, numbers, lists and mappings, without tags")
    }

    fn visit_bool<E: de::Error>(self, value: bool) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_i64<E: de::Error>(self, value: i64) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_u64<E: de::Error>(self, value: u64) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_f64<E: de::Error>(self, value: f64) -> Result<Value, E> {
        self.leaf(value)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Value, E> {
        self.leaf(Value::Null)
    }

    fn visit_str<E: de::Error>(self, value: &str) -> Result<Value, E> {
        self.spend(value.len())?;
        Ok(Value::String(value.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut list = Vec::new();
        while let Some(item) = items.next_element_seed(self)? {
            list.push(item);
        }
        Ok(Value::Sequence(list))
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<Value, A::Error> {
        self.spend(0)?;
        let mut mapping = Mapping::new();
        while let Some(key) = entries.next_key_seed(self)? {
            check_key(&mapping, &key)?;
            mapping.insert(key, entries.next_value_seed(self)?);
        }
        Ok(Value::Mapping(mapping))
    }

    fn visit_enum<A: EnumAccess<'de>>(self, _: A) -> Result<Value, A::Error> {
        Err(A::Error::custom("a tag (`!name`) has no meaning here"))
    }
}
