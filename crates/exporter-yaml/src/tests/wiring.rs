//! What a driver hears when it asks for a child that is not there.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use flasher_core::{Class, Device, Error, Wiring};

use super::drivers::TestPower;

fn wiring() -> Wiring {
    let power = Device::Power(Arc::new(TestPower), None);
    Wiring::new("bench.storage", "/lab", BTreeMap::from([("power".to_owned(), power)]))
}

#[test]
fn a_child_that_is_missing_or_of_another_kind_is_named() {
    let wiring = wiring();
    let errors: [(Option<Error>, &str); 6] = [
        (wiring.power("spare").err(), "the child `spare` of kind power is missing"),
        (wiring.serial("power").err(), "the child `power` must be of kind serial, found power"),
        (wiring.file_server("power").err(), "the child `power` must be of kind file server, found power"),
        (wiring.content_server("http").err(), "the child `http` of kind content server is missing"),
        (wiring.boot_console("uboot").err(), "the child `uboot` of kind boot console is missing"),
        (wiring.boot_console("power").err(), "the child `power` must be of kind boot console, found power"),
    ];
    for (error, expected) in errors {
        let error = error.expect(expected);
        assert_eq!((error.to_string().as_str(), error.class()), (expected, Class::Config));
        assert_eq!(error.context(), [("node", "bench.storage".to_owned())]);
    }
}

#[test]
fn the_next_step_says_how_a_child_is_given() {
    let wiring = wiring();
    assert_eq!(
        wiring.power("spare").unwrap_err().next_step(),
        Some("give it below `children:`, either with its own `type:` or as `spare: { ref: path.to.node }`")
    );
    assert_eq!(
        wiring.serial("power").unwrap_err().next_step(),
        Some("point `power` at a node of kind serial; `flasher drivers` lists what each driver is")
    );
}

#[test]
fn paths_of_the_config_start_at_the_file() {
    assert_eq!(wiring().file("boot/fitImage"), Path::new("/lab/boot/fitImage"));
    assert_eq!(wiring().file("/srv/tftp"), Path::new("/srv/tftp"));
    assert_eq!(wiring().path(), "bench.storage");
}
