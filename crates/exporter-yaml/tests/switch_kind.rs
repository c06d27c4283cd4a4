//! A switch of the tests in an exporter YAML: its own keys and those of every switch, right and wrong.
#![allow(clippy::unwrap_used, clippy::panic)] // helpers of tests

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exporter_yaml::{Document, build};
use flasher_core::switch::{Built, Guarded, LONGEST, Seconds, Switch, SwitchTiming, SwitchType};
use flasher_core::{Device, Error, Result, Wiring, async_trait, registry};
use schemars::JsonSchema;
use serde::Deserialize;
use serde_json::json;

/// A switch with a timeout.
#[derive(Debug)]
struct Relay {
    timeout: Duration,
}

#[async_trait]
impl Switch for Relay {
    async fn set(&self, _on: bool) -> Result<()> {
        Ok(())
    }

    async fn get(&self) -> Result<Option<bool>> {
        Ok(None)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct OwnKeys {
    /// The contacts.
    contacts: Vec<u8>,
}

impl SwitchType for Relay {
    const NAME: &'static str = "kind-relay";
    const ALIASES: &'static [&'static str] = &["lab.Relay"];
    const SUMMARY: &'static str = "a relay of the tests";
    const EXAMPLE: &'static str = "type: kind-relay\nconfig: { contacts: [1] }\n";
    const TIMEOUT: Option<Seconds> = Some(Seconds { default: 7.0, meaning: "Longest time, seconds." });
    type Config = OwnKeys;

    fn build(config: OwnKeys, timeout: Duration, _wiring: &Wiring) -> Result<Built<Self>> {
        if config.contacts.is_empty() {
            return Err(Error::config("`contacts` is empty").with("key", "contacts"));
        }
        Ok(Self { timeout }.into())
    }
}
flasher_core::register_switch!(Relay);

/// A switch without a timeout.
#[derive(Debug)]
struct Wire;

#[async_trait]
impl Switch for Wire {
    async fn set(&self, _on: bool) -> Result<()> {
        Ok(())
    }

    async fn get(&self) -> Result<Option<bool>> {
        Ok(None)
    }
}

#[derive(Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl SwitchType for Wire {
    const NAME: &'static str = "kind-wire";
    const SUMMARY: &'static str = "a wire of the tests";
    const EXAMPLE: &'static str = "type: kind-wire\n";
    const CONFIRM: Seconds = Seconds { default: 2.5, meaning: "How long, seconds." };
    type Config = Nothing;

    fn build(_config: Nothing, timeout: Duration, _wiring: &Wiring) -> Result<Built<Self>> {
        assert_eq!(timeout, LONGEST);
        Ok(Self.into())
    }
}
flasher_core::register_switch!(Wire);

fn device(kind: &str, config: &str) -> std::result::Result<Device, String> {
    let yaml = format!("export:\n  power: {{ type: {kind}, config: {{ {config} }} }}\n");
    let document = Document::parse("lab.yaml", Path::new(""), &yaml).unwrap();
    let tree = build(&document).map_err(|findings| findings.to_string())?;
    Ok(tree.find("power").unwrap())
}

fn switch<S: SwitchType>(kind: &str, config: &str) -> (SwitchTiming, Arc<dyn std::any::Any + Send + Sync>) {
    let Device::Power(switch, None) = device(kind, config).unwrap() else { panic!("no switch") };
    let any: Arc<dyn std::any::Any + Send + Sync> = switch;
    (any.downcast_ref::<Guarded<S>>().unwrap().timing(), any)
}

#[test]
fn the_keys_of_every_switch_are_read() {
    let second = Duration::from_secs(1);
    for (config, min_off, confirm, timeout) in [
        ("contacts: [1]", Duration::ZERO, 5 * second, 7 * second),
        (
            "timeout_seconds: 1, contacts: [1], min_off_seconds: 2, confirm_seconds: 0",
            2 * second,
            Duration::ZERO,
            second,
        ),
        ("contacts: [1], timeout_seconds: 600", Duration::ZERO, 5 * second, LONGEST),
    ] {
        let (timing, any) = switch::<Relay>("lab.Relay", config);
        assert_eq!(timing, SwitchTiming { min_off, confirm }, "{config}");
        assert_eq!(any.downcast_ref::<Guarded<Relay>>().unwrap().switch().timeout, timeout, "{config}");
    }
    let (timing, _) = switch::<Wire>("kind-wire", "");
    assert_eq!(timing.confirm, Duration::from_millis(2500));
}

#[test]
fn what_is_wrong_is_named_at_its_place() {
    for (kind, config, expected) in [
        (
            "kind-relay",
            "contacts: [1], timeout_seconds: 0",
            "`timeout_seconds` is 0, expected more than 0 and at most 600",
        ),
        ("kind-relay", "contacts: [1], timeout_seconds: 0", "leave it out for 7 s"),
        ("kind-relay", "contacts: [1], timeout_seconds: -1", "power.config.timeout_seconds"),
        ("kind-relay", "contacts: [1], timeout_seconds: .nan", "`timeout_seconds` is NaN"),
        (
            "kind-relay",
            "contacts: [1], confirm_seconds: 601",
            "`confirm_seconds` is 601, expected 0 to 600 seconds",
        ),
        ("kind-relay", "contacts: [1], confirm_seconds: soon", "power.config.confirm_seconds"),
        ("kind-relay", "contacts: [1, x]", "power.config.contacts.1"),
        ("kind-relay", "contacts: []", "`contacts` is empty"),
        ("kind-relay", "min_off_seconds: 1", "the key `contacts` is missing"),
        ("kind-relay", "contacts: [1], min_of_seconds: 1", "did you mean `min_off_seconds`?"),
        ("kind-wire", "timeout_seconds: 1", "unknown key `timeout_seconds`"),
        ("kind-wire", "min_off_seconds: -1", "`min_off_seconds` is -1, expected 0 to 600 seconds"),
    ] {
        let text = device(kind, config).unwrap_err();
        assert!(text.contains(expected), "{config}: {text}");
    }
}

#[test]
fn all_that_is_wrong_is_told_at_once() {
    let text =
        device("kind-relay", "contacts: [x], min_off_seconds: a, confirm_seconds: b, sort: 1").unwrap_err();
    for expected in ["contacts.0", "config.min_off_seconds", "config.confirm_seconds", "unknown key `sort`"] {
        assert!(text.contains(expected), "{expected}: {text}");
    }
}

#[test]
fn the_schema_has_the_keys_of_every_switch() {
    let schema = registry::driver("kind-relay").unwrap().schema();
    let keys: Vec<&String> = schema["properties"].as_object().unwrap().keys().collect();
    assert_eq!(keys.len(), 4, "{keys:?}");
    assert_eq!(schema["required"], json!(["contacts"]));
    assert_eq!(schema["additionalProperties"], json!(false));
    let timeout = json!({"description": "Longest time, seconds.", "type": "number", "format": "double", "default": 7.0});
    assert_eq!(schema["properties"]["timeout_seconds"], timeout);
    let wire = registry::driver("kind-wire").unwrap().schema();
    assert_eq!(wire["properties"]["confirm_seconds"]["default"], json!(2.5));
    assert_eq!(wire["properties"].get("timeout_seconds"), None);
}
