//! `spec.inherits`: a manifest laid over that of another board.
//!
//! The rule is JSON Merge Patch (RFC 7396): mappings merge key by key, everything else replaces,
//! `null` removes. A base gives neither its `metadata` nor its own `inherits`.

use strict_yaml::{Entries, YamlEntry, YamlNode, YamlValue};

use crate::{Error, yaml};

/// Finds the text of another board's manifest by its name.
pub(crate) type Lookup<'l> = &'l dyn Fn(&str) -> Option<String>;

/// A manifest with all it inherits, still untyped.
#[derive(Debug)]
pub(crate) struct Resolved {
    pub(crate) root: YamlNode,
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
    let mut layers = vec![yaml::load(text, origin, 0)?];
    let mut bases: Vec<Base> = Vec::new();
    while let Some(name) = layers.last().and_then(inherits) {
        refuse_circle(origin, &bases, &name)?;
        let heir = bases.last().map_or(origin, |base| &base.name);
        let missing = || Error::UnknownBase { origin: heir.into(), name: name.clone() };
        let text = lookup(&name).ok_or_else(missing)?;
        let source = u32::try_from(layers.len()).unwrap_or(u32::MAX);
        layers.push(yaml::load(&text, &name, source)?);
        bases.push(Base { name, text });
    }
    Ok(Resolved { root: lay_all(layers), bases })
}

fn refuse_circle(origin: &str, bases: &[Base], name: &str) -> Result<(), Error> {
    if bases.iter().all(|base| base.name != name) {
        return Ok(());
    }
    let names = bases.iter().map(|base| base.name.as_str()).chain([name]);
    Err(Error::InheritsInCircle { origin: origin.into(), chain: names.map(str::to_owned).collect() })
}

fn inherits(layer: &YamlNode) -> Option<String> {
    layer.get("spec")?.get("inherits")?.text().map(str::to_owned)
}

fn lay_all(mut layers: Vec<YamlNode>) -> YamlNode {
    let mut below = layers.pop().unwrap_or_default();
    while let Some(over) = layers.pop() {
        strip_own(&mut below);
        lay_over(&mut below, over);
    }
    below
}

fn strip_own(base: &mut YamlNode) {
    let YamlValue::Mapping(keys) = &mut base.value else { return };
    keys.shift_remove("metadata");
    if let Some(YamlValue::Mapping(spec)) = keys.get_mut("spec").map(|entry| &mut entry.node.value) {
        spec.shift_remove("inherits");
    }
}

fn lay_over(below: &mut YamlNode, over: YamlNode) {
    let YamlValue::Mapping(entries) = over.value else {
        *below = over;
        return;
    };
    below.position = over.position;
    if below.mapping().is_none() {
        below.value = YamlValue::Mapping(Entries::new());
    }
    let YamlValue::Mapping(below) = &mut below.value else { return };
    for (key, entry) in entries {
        if entry.node.is_null() {
            below.shift_remove(&key);
            continue;
        }
        let place =
            below.entry(key).or_insert_with(|| YamlEntry { key: entry.key, node: YamlNode::default() });
        place.key = entry.key;
        lay_over(&mut place.node, entry.node);
    }
}
