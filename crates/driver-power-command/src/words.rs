//! A command as an exporter YAML gives it: a list of words, or a line that is split into words as a shell would.

use std::borrow::Cow;
use std::fmt;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error, SeqAccess, Visitor};
use serde::{Deserialize, Deserializer};

use crate::shell::{self, Sign};

/// A command. A line knows quotes and backslashes; it has no variables, pipes or wildcards, as no shell reads it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Words {
    /// Program and arguments.
    List(Vec<String>),
    /// One line.
    Line(String),
}

impl Words {
    /// The first thing that only a shell understands and that none reads.
    pub(crate) fn sign_of_a_shell(&self, shell: bool) -> Option<Sign> {
        match self {
            Self::List(words) => shell::sign_in_list(words),
            Self::Line(_) if shell => None,
            Self::Line(line) => shell::sign_in_line(line),
        }
    }

    /// Program and arguments; through `sh -c` when a shell is asked for. None when a quote is never closed, or nothing is there.
    pub(crate) fn argv(&self, shell: bool) -> Option<Vec<String>> {
        let argv = match self {
            Self::List(words) => words.clone(),
            Self::Line(line) if shell => ["sh", "-c", line].map(str::to_owned).to_vec(),
            Self::Line(line) => shlex::split(line)?,
        };
        argv.first().is_some_and(|program| !program.trim().is_empty()).then_some(argv)
    }
}

impl<'de> Deserialize<'de> for Words {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        deserializer.deserialize_any(LineOrWords)
    }
}

struct LineOrWords;

impl<'de> Visitor<'de> for LineOrWords {
    type Value = Words;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a command: a line, or a list of words")
    }

    fn visit_str<E: Error>(self, line: &str) -> Result<Words, E> {
        Ok(Words::Line(line.to_owned()))
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut words: A) -> Result<Words, A::Error> {
        let mut list = Vec::new();
        while let Some(word) = words.next_element()? {
            list.push(word);
        }
        Ok(Words::List(list))
    }
}

impl JsonSchema for Words {
    fn schema_name() -> Cow<'static, str> {
        "Words".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a command: a line, or a list of words",
            "anyOf": [{"type": "string"}, {"type": "array", "items": {"type": "string"}}],
        })
    }
}
