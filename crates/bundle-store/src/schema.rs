//! JSON Schema of a manifest, for editors.

use serde_json::{Value, json};

use crate::Manifest;

/// JSON Schema of a manifest as a person writes it: one that inherits may leave out what its base has, and `link` may
/// be left out always.
pub fn schema() -> Value {
    let mut schema = schemars::schema_for!(Manifest).to_value();
    let spec = &mut schema["$defs"]["Spec"];
    let required = spec.as_object_mut().and_then(|spec| spec.remove("required")).unwrap_or_else(|| json!([]));
    spec["anyOf"] = json!([{ "required": ["inherits"] }, { "required": required }]);
    schema
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_manifest_that_inherits_may_leave_things_out() {
        let schema = schema();
        let spec = &schema["$defs"]["Spec"];
        assert_eq!(spec["anyOf"][0]["required"], json!(["inherits"]));
        let required = spec["anyOf"][1]["required"].as_array().unwrap();
        for key in ["manufacturer", "bootcmd", "targets", "kernel"] {
            assert!(required.contains(&json!(key)), "{key}: {required:?}");
        }
        for (key, property) in spec["properties"].as_object().unwrap() {
            assert!(property["description"].is_string(), "{key} has no description");
        }
    }
}
