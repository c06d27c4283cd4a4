//! The published schema has the keys that editors look for.

use super::*;

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().map(|object| object.keys().map(String::as_str).collect()).unwrap_or_default()
}

#[test]
fn the_exporter_schema_knows_every_key_that_is_accepted() {
    let schema = schema();
    assert_eq!(schema["required"], json!(["export"]));
    assert_eq!(schema["properties"]["apiVersion"]["const"], "jumpstarter.dev/v1alpha1");
    for key in TOP {
        assert!(keys(&schema["properties"]).contains(key), "{key}");
    }
    let node = &schema["$defs"]["node"];
    let expected = ["type", "ref", "config", "children", "description", "methods_description"];
    assert!(expected.iter().all(|key| keys(&node["properties"]).contains(key)), "{node}");
}

#[test]
fn the_exporter_schema_has_the_config_of_each_driver_and_board() {
    let node = &schema()["$defs"]["node"];
    let names = node["properties"]["type"]["anyOf"][0]["enum"].as_array().unwrap();
    for name in ["test-serial", "lab.serial.Driver", "test-board", "composite"] {
        assert!(names.iter().any(|known| known == name), "{name}");
    }
    let config = |name: &str| {
        let rules = node["allOf"].as_array().unwrap();
        let named = |rule: &&Value| {
            rule["if"]["properties"]["type"]["enum"].as_array().unwrap().iter().any(|known| known == name)
        };
        rules.iter().find(named).unwrap()["then"]["properties"]["config"]["anyOf"][1].clone()
    };
    assert_eq!(config("test-serial")["required"], json!(["url"]));
    assert!(keys(&config("lab.serial.Driver")["properties"]).contains(&"uuid"));
    assert_eq!(config("test-flasher")["required"], json!(["board"]));
    assert_eq!(config("test-board")["required"], json!([]));
}
