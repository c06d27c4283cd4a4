//! `spec.inherits`: a manifest laid over that of another board.
//!
//! The rule is JSON Merge Patch (RFC 7396): mappings merge key by key, everything else replaces,
//! `null` removes. A base gives neither its `metadata` nor its own `inherits`.

use serde_yaml::{Mapping, Value};

use crate::{Error, yaml};

/// Finds the text of another board's manifest by its name.
pub(crate) type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// A manifest with all it inherits, still untyped.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) value: Value,
    pub(crate) bases: Vec<Base>,
}

/// A manifest that was inherited from: the nearest first.
#[derive(Debug)]
pub(crate) struct Base {
    pub(crate) name: String,
    pub(crate) text: String,
}

/// Reads `text` and everything below it.
pub(crate) fn resolve(text: &str, origin: &str, lookup: Lookup<'_>) -> Result<Resolved, Error> {
    let mut layers = vec![yaml::load(text, origin)?];
    let mut bases: Vec<Base> = Vec::new();
    while let Some(name) = layers.last().and_then(inherits) {
        refuse_circle(origin, &bases, &name)?;
        let heir = bases.last().map_or(origin, |base| &base.name);
        let missing = || Error::UnknownBase { origin: heir.into(), name: name.clone() };
        let text = lookup(&name).ok_or_else(missing)?;
        layers.push(yaml::load(&text, &name)?);
        bases.push(Base { name, text });
    }
    Ok(Resolved { value: lay_all(layers), bases })
}

fn refuse_circle(origin: &str, bases: &[Base], name: &str) -> Result<(), Error> {
    if bases.iter().all(|base| base.name != name) {
        return Ok(());
    }
    let names = bases.iter().map(|base| base.name.as_str()).chain([name]);
    Err(Error::InheritsInCircle { origin: origin.into(), chain: names.map(str::to_owned).collect() })
}

fn inherits(layer: &Value) -> Option<String> {
    layer.get("spec")?.get("inherits")?.as_str().map(str::to_owned)
}

fn lay_all(mut layers: Vec<Value>) -> Value {
    let mut below = layers.pop().unwrap_or_default();
    while let Some(over) = layers.pop() {
        strip_own(&mut below);
        lay_over(&mut below, over);
    }
    below
}

fn strip_own(base: &mut Value) {
    let Value::Mapping(keys) = base else { return };
    keys.shift_remove("metadata");
    if let Some(Value::Mapping(spec)) = keys.get_mut("spec") {
        spec.shift_remove("inherits");
    }
}

fn lay_over(below: &mut Value, over: Value) {
    let Value::Mapping(over) = over else {
        *below = over;
        return;
    };
    if !below.is_mapping() {
        *below = Value::Mapping(Mapping::new());
    }
    let Value::Mapping(below) = below else { return };
    for (key, value) in over {
        if value.is_null() {
            below.shift_remove(&key);
        } else {
            lay_over(below.entry(key).or_insert(Value::Null), value);
        }
    }
}
