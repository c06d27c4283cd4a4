//! A tree for serde: values as they are written, nothing converted. A value that a type refuses is remembered with its path.

use std::cell::RefCell;
use std::collections::HashSet;

use serde::de::value::StrDeserializer;
use serde::de::{
    DeserializeSeed, Deserializer, EnumAccess, IntoDeserializer, MapAccess, SeqAccess, VariantAccess, Visitor,
};
use serde_yaml::Number;

use crate::node::{Entries, YamlNode, YamlValue};
use crate::problem::Problem;
use crate::type_mismatch::TypeMismatch;

/// One reading of a tree into a type.
#[derive(Debug)]
pub(crate) struct TypedReading<'n> {
    root: &'n YamlNode,
    /// Paths of values that the type does not get to see.
    left_out: &'n HashSet<Vec<String>>,
    /// The innermost value that was refused.
    refused: RefCell<Option<Problem>>,
}

impl<'n> TypedReading<'n> {
    pub(crate) fn new(root: &'n YamlNode, left_out: &'n HashSet<Vec<String>>) -> Self {
        Self { root, left_out, refused: RefCell::new(None) }
    }

    pub(crate) fn reader(&self) -> YamlReader<'_> {
        YamlReader { node: self.root, path: Vec::new(), reading: self }
    }

    /// What was refused, once a type could not be read.
    pub(crate) fn into_refused(self) -> Option<Problem> {
        self.refused.into_inner()
    }

    fn remember(&self, path: &[String], refusal: &TypeMismatch) {
        let mut refused = self.refused.borrow_mut();
        if refused.is_none() {
            let problem = match &refusal.key {
                Some(key) => Problem::key(&below(path, key), &refusal.message),
                None => Problem::value(path, &refusal.message),
            };
            *refused = Some(match &refusal.help {
                Some(help) => problem.help(help),
                None => problem,
            });
        }
    }
}

fn below(path: &[String], part: &str) -> Vec<String> {
    path.iter().cloned().chain([part.to_owned()]).collect()
}

/// A node that a type is read from: a [`Deserializer`] with [`TypeMismatch`] as its error.
#[derive(Clone, Debug)]
pub struct YamlReader<'n> {
    node: &'n YamlNode,
    path: Vec<String>,
    reading: &'n TypedReading<'n>,
}

impl<'n> YamlReader<'n> {
    fn refuse<T>(&self, expected: &str) -> Result<T, TypeMismatch> {
        Err(TypeMismatch::new(format!("expected {expected}, found {}", self.node.describe())))
    }

    /// What stands at `part` below; none when it is left out.
    fn child(&self, part: &str, node: &'n YamlNode) -> Option<Self> {
        let path = below(&self.path, part);
        (!self.reading.left_out.contains(&path)).then_some(Self { node, path, reading: self.reading })
    }

    fn take<'de, S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, TypeMismatch> {
        let (path, reading) = (self.path.clone(), self.reading);
        seed.deserialize(self).inspect_err(|refusal| reading.remember(&path, refusal))
    }

    fn items<'de, V: Visitor<'de>>(
        self,
        items: &'n [YamlNode],
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        visitor.visit_seq(Items { parent: self, items: items.iter().enumerate() })
    }

    fn entries<'de, V: Visitor<'de>>(
        self,
        entries: &'n Entries,
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        visitor.visit_map(Pairs { parent: self, entries: entries.iter(), value: None })
    }

    fn text<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        match self.node.text() {
            Some(text) => visitor.visit_str(text),
            None => self.refuse("text"),
        }
    }

    fn list<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        match &self.node.value {
            YamlValue::List(items) => self.items(items, visitor),
            _ => self.refuse("a list"),
        }
    }

    fn mapping<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        match &self.node.value {
            YamlValue::Mapping(entries) => self.entries(entries, visitor),
            _ => self.refuse("a mapping"),
        }
    }

    fn nothing<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        if self.node.is_null() { visitor.visit_unit() } else { self.refuse("nothing") }
    }

    fn float<'de, V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        match self.node.number().and_then(Number::as_f64) {
            Some(number) => visitor.visit_f64(number),
            None => self.refuse("a number"),
        }
    }
}

fn visit_number<'de, V: Visitor<'de>>(number: &Number, visitor: V) -> Result<V::Value, TypeMismatch> {
    match (number.as_u64(), number.as_i64()) {
        (Some(number), _) => visitor.visit_u64(number),
        (None, Some(number)) => visitor.visit_i64(number),
        (None, None) => visitor.visit_f64(number.as_f64().unwrap_or(f64::NAN)),
    }
}

/// One method for each type of whole number: its range is named when a value is none of it.
macro_rules! whole_numbers {
    ($($method:ident: $type:ty, $get:ident, $visit:ident, $expected:expr;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
            let number = self.node.number().and_then(Number::$get);
            match number.and_then(|number| <$type>::try_from(number).ok()) {
                Some(number) => visitor.$visit(number),
                None => self.refuse(&$expected),
            }
        }
    )*};
}

/// Methods that all do what another one does.
macro_rules! same {
    ($($method:ident => $does:ident;)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
            self.$does(visitor)
        }
    )*};
}

impl<'de> Deserializer<'de> for YamlReader<'_> {
    type Error = TypeMismatch;

    whole_numbers! {
        deserialize_u8: u8, as_u64, visit_u8, up_to(u8::MAX);
        deserialize_u16: u16, as_u64, visit_u16, up_to(u16::MAX);
        deserialize_u32: u32, as_u64, visit_u32, up_to(u32::MAX);
        deserialize_u64: u64, as_u64, visit_u64, "a whole number of at least 0";
        deserialize_i8: i8, as_i64, visit_i8, between(i8::MIN, i8::MAX);
        deserialize_i16: i16, as_i64, visit_i16, between(i16::MIN, i16::MAX);
        deserialize_i32: i32, as_i64, visit_i32, between(i32::MIN, i32::MAX);
        deserialize_i64: i64, as_i64, visit_i64, "a whole number";
    }

    same! {
        deserialize_f32 => float;
        deserialize_f64 => float;
        deserialize_char => text;
        deserialize_str => text;
        deserialize_string => text;
        deserialize_identifier => text;
        deserialize_bytes => deserialize_any;
        deserialize_byte_buf => deserialize_any;
        deserialize_unit => nothing;
        deserialize_seq => list;
        deserialize_map => mapping;
    }

    fn deserialize_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        match &self.node.value {
            YamlValue::Null => visitor.visit_unit(),
            YamlValue::Bool(value) => visitor.visit_bool(*value),
            YamlValue::Number(number) => visit_number(number, visitor),
            YamlValue::Text(text) => visitor.visit_str(text),
            YamlValue::List(items) => self.items(items, visitor),
            YamlValue::Mapping(entries) => self.entries(entries, visitor),
        }
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        match &self.node.value {
            YamlValue::Bool(value) => visitor.visit_bool(*value),
            _ => self.refuse("`true` or `false`"),
        }
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        if self.node.is_null() { visitor.visit_none() } else { visitor.visit_some(self) }
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        self.nothing(visitor)
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        visitor.visit_newtype_struct(self)
    }

    fn deserialize_tuple<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, TypeMismatch> {
        self.list(visitor)
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: usize,
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        self.list(visitor)
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        self.mapping(visitor)
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        _: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        match &self.node.value {
            YamlValue::Text(name) => visitor.visit_enum(Variant { name, content: None }),
            YamlValue::Mapping(entries) if entries.len() == 1 => match entries.first() {
                Some((name, entry)) => {
                    visitor.visit_enum(Variant { name, content: self.child(name, &entry.node) })
                }
                None => self.refuse(&crate::words::one_of(variants)),
            },
            _ => self.refuse(&crate::words::one_of(variants)),
        }
    }

    fn deserialize_ignored_any<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, TypeMismatch> {
        visitor.visit_unit()
    }
}

fn up_to(largest: impl Into<u64>) -> String {
    format!("a whole number from 0 to {}", largest.into())
}

fn between(smallest: impl Into<i64>, largest: impl Into<i64>) -> String {
    format!("a whole number from {} to {}", smallest.into(), largest.into())
}

struct Items<'n> {
    parent: YamlReader<'n>,
    items: std::iter::Enumerate<std::slice::Iter<'n, YamlNode>>,
}

impl<'de> SeqAccess<'de> for Items<'_> {
    type Error = TypeMismatch;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, TypeMismatch> {
        let parent = &self.parent;
        let next = self.items.find_map(|(index, node)| parent.child(&index.to_string(), node));
        next.map(|item| item.take(seed)).transpose()
    }
}

struct Pairs<'n> {
    parent: YamlReader<'n>,
    entries: indexmap::map::Iter<'n, String, crate::node::YamlEntry>,
    value: Option<YamlReader<'n>>,
}

impl<'de> MapAccess<'de> for Pairs<'_> {
    type Error = TypeMismatch;

    fn next_key_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<Option<S::Value>, TypeMismatch> {
        let parent = &self.parent;
        let next = self.entries.find_map(|(key, entry)| Some((key, parent.child(key, &entry.node)?)));
        let Some((key, value)) = next else { return Ok(None) };
        self.value = Some(value);
        let key: StrDeserializer<'_, TypeMismatch> = key.as_str().into_deserializer();
        let read = seed.deserialize(key);
        read.inspect_err(|refusal| parent.reading.remember(&parent.path, refusal)).map(Some)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, TypeMismatch> {
        match self.value.take() {
            Some(value) => value.take(seed),
            None => Err(TypeMismatch::new("a value was asked for before its key")),
        }
    }
}

/// A value of an enum: its name alone, or a mapping with the name as its only key.
struct Variant<'n> {
    name: &'n str,
    content: Option<YamlReader<'n>>,
}

impl<'de, 'n> EnumAccess<'de> for Variant<'n> {
    type Error = TypeMismatch;
    type Variant = VariantContent<'n>;

    fn variant_seed<S: DeserializeSeed<'de>>(
        self,
        seed: S,
    ) -> Result<(S::Value, VariantContent<'n>), TypeMismatch> {
        let name: StrDeserializer<'_, TypeMismatch> = self.name.into_deserializer();
        Ok((seed.deserialize(name)?, VariantContent { name: self.name, content: self.content }))
    }
}

/// What belongs to a variant of an enum.
struct VariantContent<'n> {
    name: &'n str,
    content: Option<YamlReader<'n>>,
}

impl<'n> VariantContent<'n> {
    fn needed(self) -> Result<YamlReader<'n>, TypeMismatch> {
        let message = format!("expected a mapping with the key `{0}`, found the text `{0}`", self.name);
        self.content.ok_or_else(|| TypeMismatch::new(message))
    }
}

impl<'de> VariantAccess<'de> for VariantContent<'_> {
    type Error = TypeMismatch;

    fn unit_variant(self) -> Result<(), TypeMismatch> {
        match self.content {
            Some(content) if !content.node.is_null() => {
                let found = content.node.describe();
                Err(TypeMismatch::new(format!("`{}` stands alone, found {found} below it", self.name)))
            }
            _ => Ok(()),
        }
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, TypeMismatch> {
        self.needed()?.take(seed)
    }

    fn tuple_variant<V: Visitor<'de>>(self, _: usize, visitor: V) -> Result<V::Value, TypeMismatch> {
        self.needed()?.list(visitor)
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        _: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, TypeMismatch> {
        self.needed()?.mapping(visitor)
    }
}
