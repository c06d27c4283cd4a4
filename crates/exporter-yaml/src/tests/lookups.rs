//! `--device` and the one flasher of a file.

use flasher_core::tree::DriverTree;
use flasher_core::{Device, Error};

use super::tree;

fn sentence(error: Option<Error>) -> String {
    let error = error.expect("this look-up fails");
    format!("{error}; help: {}", error.next_step().unwrap_or_default())
}

fn bench() -> DriverTree {
    tree(
        "export:\n  left: { type: test-power }\n  right: { type: test-power }\n  same: { ref: left }\n  bay: { children: { uart: { type: test-serial, config: { url: x } } } }\n",
    )
}

fn power(device: &Device) -> Option<()> {
    matches!(device, Device::Power(..)).then_some(())
}

#[test]
fn a_path_that_names_nothing_gets_the_nearest_or_all() {
    let cases = [
        ("rihgt", "`rihgt` names no node of `lab.yaml`; help: did you mean `right`?"),
        (
            "toaster",
            "`toaster` names no node of `lab.yaml`; help: it has: `bay`, `bay.uart`, `left`, `right`, `same`",
        ),
    ];
    for (path, expected) in cases {
        assert_eq!(sentence(bench().find(path).err()), expected);
    }
    assert!(bench().find("bay.uart").is_ok());
}

#[test]
fn what_fits_once_needs_no_path_and_what_fits_twice_does() {
    let serial = bench().pick(None, "serial", |device| matches!(device, Device::Serial(_)).then_some(()));
    assert!(serial.is_ok());
    assert_eq!(
        sentence(bench().pick(None, "power", power).err()),
        "`lab.yaml` has 2 nodes of kind power, expected one; help: choose one with `--device`: `left`, `right`"
    );
    assert!(bench().pick(Some("right"), "power", power).is_ok());
    assert_eq!(
        sentence(bench().pick(Some("bay.uart"), "power", power).err()),
        "`bay.uart` is of kind serial, expected power; help: name one with `--device`: `left`, `right`"
    );
}

#[test]
fn a_file_without_a_flasher_says_so() {
    assert_eq!(
        sentence(bench().flasher(None).err()),
        "`lab.yaml` has no node of kind flasher; help: add a node of kind flasher; `flasher drivers` shows examples"
    );
    assert_eq!(
        sentence(bench().flasher(Some("bay")).err()),
        "`bay` is of kind group, expected flasher; help: the file has none"
    );
}
