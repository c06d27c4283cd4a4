//! What a config may say.

use serde_json::{Value, json};

use super::*;

fn config(value: Value) -> Result<Config, String> {
    serde_json::from_value(value).map_err(|error| error.to_string())
}

/// Checks what is wrong with a config; nothing when `problem` is empty.
fn check(value: Value, problem: &str) {
    let found = match config(value.clone()) {
        Ok(config) => config.problem().unwrap_or_default(),
        Err(problem) => problem,
    };
    assert_eq!(found, problem, "{value}");
}

#[test]
fn values_that_make_no_sense_are_named() {
    let disk = |kind: &str, size: &str| json!({"disk": {"kind": kind, "file": "sd.img", "size": size}});
    check(json!({}), "");
    check(json!({"memory": 0}), "memory and smp must not be 0");
    check(json!({"smp": 0}), "memory and smp must not be 0");
    check(disk("sd", "512MiB"), "");
    check(disk("virtio", "500MiB"), "");
    check(
        disk("sd", "500MiB"),
        "an SD card must be a power of two in size, `sd.img` would be 524288000 bytes; the nearest are 268435456 and 536870912",
    );
    check(json!({"disk": {"file": "sd.img", "size": 1_048_576}}), "");
    check(json!({"disk": {"file": "sd.img", "size": 0}}), "the size of `sd.img` must not be 0");
    check(disk("virtio", "0MiB"), "the size of `sd.img` must not be 0");
    check(disk("virtio", "5 parsecs"), "`5 parsecs` is no size, expected bytes, or text like `64MiB`");
    check(
        disk("virtio", "99999999999GiB"),
        "`99999999999GiB` is no size, expected bytes, or text like `64MiB`",
    );
    check(disk("floppy", "1MiB"), "unknown variant `floppy`, expected one of `virtio`, `nvme`, `sd`");
}

#[test]
fn networks_that_make_no_sense_are_named() {
    let network = |key: &str, value: &str| json!({"network": {key: value}});
    check(json!({"network": null}), "");
    check(json!({"network": {}}), "");
    check(network("mac", "52:54:00:12:34:56"), "");
    for mac in ["52:54:00:12:34", "53:54:00:12:34:56", "52:54:00:12:34:+6", "52-54-00-12-34-56"] {
        check(network("mac", mac), &format!("the MAC address `{mac}` must look like `52:54:00:12:34:56`"));
    }
    for tap in ["", "a tap", "-tap", "tap/0", "sixteen-letters-"] {
        check(
            network("tap", tap),
            &format!("the tap `{tap}` must be 1 to 15 letters, digits, `-` or `_`, for example `qtap0`"),
        );
    }
    for board in ["10.77.1.50", "10.77.0.1", "10.77.0.0", "10.77.0.255"] {
        check(
            network("board", board),
            &format!("the board's address {board} must be a free address of the subnet of 10.77.0.1/24"),
        );
    }
    for address in ["10.77.0.1", "10.77.0.1/31", "10.77.0.1/0", "10.77.0/24", "host/24"] {
        check(
            network("address", address),
            &format!("`{address}` is no address with a prefix of 8 to 30, for example `10.77.0.1/24`"),
        );
    }
}

#[test]
fn each_tap_has_a_mac_address_of_its_own_that_never_changes() {
    let mac = |tap: &str| BoardNetwork { tap: tap.to_owned(), ..BoardNetwork::default() }.mac();
    assert_eq!(mac("qtap0"), mac("qtap0"));
    assert_ne!(mac("qtap0"), mac("qtap1"));
    assert!((0..100).all(|number| is_mac(&mac(&format!("qtap{number}")))));
}

#[test]
fn only_arguments_of_the_network_count_as_one() {
    let with = |argument: &str| Config { arguments: vec![argument.to_owned()], ..Config::default() };
    for argument in ["-nic", "--netdev", "-net"] {
        assert!(with(argument).has_network(), "{argument}");
    }
    for argument in ["-name", "nickname", "-device"] {
        assert!(!with(argument).has_network(), "{argument}");
    }
}

#[test]
fn paths_are_taken_from_the_folder_of_the_yaml() {
    let value = json!({"bios": "u-boot.bin", "environment": "env", "disk": {"file": "disk"}});
    let mut relative = config(value).unwrap();
    relative.place(|path| Path::new("/lab").join(path));
    assert_eq!(relative.emulator(), Path::new("qemu-system-aarch64"), "a name is looked up in PATH");
    let disk = relative.disk.unwrap().file;
    let found = [relative.bios.unwrap(), relative.environment.unwrap(), disk];
    assert_eq!(found, ["/lab/u-boot.bin", "/lab/env", "/lab/disk"].map(PathBuf::from));
}
