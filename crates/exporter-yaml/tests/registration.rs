//! A plugin crate registers drivers and boards through the macros alone, without naming `inventory`.

use std::path::Path;
use std::sync::Arc;

use exporter_yaml::{Document, build};
use flasher_core::{Device, Driver, DriverType, PowerDriver, Result, Wiring, async_trait, registry};

#[derive(Debug)]
struct Relay;

/// No config.
#[derive(serde::Deserialize, schemars::JsonSchema)]
#[serde(deny_unknown_fields)]
struct Nothing {}

impl Driver for Relay {}

#[async_trait]
impl PowerDriver for Relay {
    async fn on(&self) -> Result<()> {
        Ok(())
    }
    async fn off(&self) -> Result<()> {
        Ok(())
    }
}

impl DriverType for Relay {
    const NAME: &'static str = "relay";
    const SUMMARY: &'static str = "a relay";
    const EXAMPLE: &'static str = "type: relay\n";
    type Config = Nothing;
    fn build(_config: Nothing, _wiring: Wiring) -> Result<Device> {
        Ok(Device::Power(Arc::new(Self), None))
    }
}

flasher_core::register_driver!(Relay);
flasher_core::register_bundle!("acme-one");
flasher_core::register_bundle!("acme-two", aliases: ["acme.two.Board"], driver: "relay");

#[test]
fn what_is_registered_is_listed_by_name() {
    let drivers: Vec<&str> = registry::drivers().iter().map(|entry| entry.name).collect();
    assert_eq!(drivers, ["relay"]);
    let boards: Vec<_> =
        registry::boards().iter().map(|entry| (entry.name, entry.aliases, entry.driver)).collect();
    assert_eq!(boards, [("acme-one", &[][..], "flasher"), ("acme-two", &["acme.two.Board"][..], "relay")]);
    assert!(registry::board("acme-one").is_some_and(|board| board.manifest.contains("name: acme-one")));
    assert!(registry::board("acme.two.Board").is_some());
}

#[test]
fn a_registered_driver_is_built_by_its_name() {
    let document =
        Document::parse("lab.yaml", Path::new(""), "export: { power: { type: relay } }\n").unwrap();
    assert_eq!(build(&document).unwrap().drivers().len(), 1);
}

#[test]
fn a_board_whose_driver_is_not_linked_says_so() {
    let document = Document::parse("lab.yaml", Path::new(""), "export: { s: { type: acme-one } }\n").unwrap();
    assert_eq!(
        build(&document).unwrap_err().to_string(),
        "\
error: the board `acme-one` is flashed by the driver `flasher`, which is not linked
  --> lab.yaml:1:22
   1 | export: { s: { type: acme-one } }
     |                      ^^^^^^^^
   = at:   export.s.type
   = help: this is a bug of the build: link the crate of that driver

1 problem; nothing was opened, no board was touched"
    );
}
