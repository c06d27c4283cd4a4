//! The exporter YAML of a case, and the manifest of its bundle, written as JSON, which is YAML too.

use std::path::Path;

use serde_json::{Map, Value, json};

use crate::case::{Case, Effect, MEDIUM, Setting, Via};

/// In place of a port that is free when the case is played.
pub(crate) const PORT: &str = "@PORT@";
/// Name below the lab's folder under which the storage mux shows the disk.
pub(crate) const DISK: &str = "sd";

/// The exporter YAML; `port` takes the place of [`PORT`], and `lab` is its folder. Without `faults` it is that of the same board in
/// good health.
pub(crate) fn exporter(case: &Case, lab: &Path, port: u16, faults: bool) -> Value {
    let mut export = base(case, lab);
    let set = |settings: &[Setting], export: &mut Value| {
        for setting in settings {
            put(export, setting.at, with_port(&setting.value, port));
        }
    };
    set(&case.personality.settings, &mut export);
    let settings = case.effects().filter_map(|effect| match effect {
        Effect::Set(setting) => Some(setting.clone()),
        _ => None,
    });
    if faults {
        set(&settings.collect::<Vec<_>>(), &mut export);
    }
    json!({
        "apiVersion": "jumpstarter.dev/v1alpha1", "kind": "ExporterConfig",
        "metadata": { "namespace": "soak", "name": "lab" }, "export": export,
    })
}

fn base(case: &Case, lab: &Path) -> Value {
    let mut power = json!({
        "on": ["sh", "./power", "on"], "off": ["sh", "./power", "off"], "timeout_seconds": 6,
    });
    if case.personality.power_tells {
        power["status"] = json!(["cat", "./outlet"]);
    }
    let mut flasher = json!({
        "power_off_seconds": 0.1, "cache_dir": "../bundles",
        "timeouts": {
            "bootloader": 20, "dhcp": 6, "tftp": 20, "shell": 20, "command": 20, "stall": 6, "read_back": 30,
            "boot_check": 15,
        },
    });
    match case.via {
        Via::Linux => flasher["flasher_bundle"] = json!("./bundle"),
        Via::Uboot => {
            flasher["via"] = json!("uboot");
            flasher["targets"] = json!({ "emmc": "mmc 0" });
        }
        Via::Emulated => {
            flasher["via"] = json!("uboot");
            flasher["targets"] = json!({ "emmc": "virtio 0" });
        }
        Via::Host => {
            flasher["targets"] = json!({ "sd": lab.join(DISK) });
            flasher["host"] = json!({ "appear_seconds": 3 });
        }
    }
    let is_emulated = case.via == Via::Emulated;
    // A real U-Boot asks at the port of the standard.
    let port = if is_emulated { 69 } else { 0 };
    let power_of = if is_emulated { "board.power" } else { "power" };
    let mut children = json!({
        "serial": { "ref": "board.serial" }, "power": { "ref": power_of },
        "tftp": { "type": "tftp", "config": { "port": port, "root_dir": "./tftp" } },
        "http": { "type": "http", "config": { "port": 0, "root_dir": "./http" } },
    });
    if case.via == Via::Host {
        let order = |name: &str| json!(["sh", "./mux", name]);
        let config = json!({ "host": order("host"), "dut": order("dut"), "timeout_seconds": 6 });
        children["mux"] = json!({ "type": "storage-mux", "config": config });
    }
    let storage = json!({ "type": "flasher", "config": flasher, "children": children });
    if is_emulated {
        return json!({ "board": emulated(), "storage": storage });
    }
    json!({ "board": simulated(), "power": { "type": "power-command", "config": power }, "storage": storage })
}

fn simulated() -> Value {
    let config = json!({ "medium": "./medium", "size": MEDIUM, "bootdelay": 1, "outlet": "./outlet" });
    json!({ "type": "sim-board", "config": config })
}

fn emulated() -> Value {
    let network = json!({ "tap": "qtap0", "address": "10.77.0.1/24", "board": "10.77.0.50" });
    let disk = json!({ "kind": "virtio", "file": "./medium" });
    json!({ "type": "qemu-board", "config": { "disk": disk, "network": network } })
}

/// Puts a value where these keys lead; what is a table on both sides is merged.
fn put(root: &mut Value, keys: &str, value: Value) {
    let mut place = root;
    for key in keys.split('/') {
        if !place.is_object() {
            *place = Value::Object(Map::new());
        }
        place = &mut place[key];
    }
    match (place, value) {
        (Value::Object(held), Value::Object(more)) => held.extend(more),
        (place, value) => *place = value,
    }
}

fn with_port(value: &Value, port: u16) -> Value {
    match value {
        Value::String(text) if text == PORT => json!(port),
        other => other.clone(),
    }
}

/// The manifest of the bundle, as the simulated board needs it.
pub(crate) fn manifest() -> Value {
    json!({
        "apiVersion": "jumpstarter.dev/v1alpha1", "kind": "FlashBundleManifest", "metadata": { "name": "sim" },
        "spec": {
            "manufacturer": "soak", "link": null, "shelltype": "busybox",
            "bootcmd": "booti 0x82000000 0x83000000:${initram_size} 0x84000000",
            "login": { "login_prompt": "login:", "prompt": "#", "username": "root" },
            "default_target": "emmc",
            "targets": { "emmc": "/dev/mmcblk0", "usd": "/sys/class/block#4fb0000" },
            "kernel": { "file": "data/kernel", "address": "0x82000000" },
            "initram": { "file": "data/initramfs", "address": "0x83000000" },
            "dtb": {
                "default": "sim", "address": "0x84000000", "variants": { "sim": { "file": "data/sim.dtb" } },
            },
        },
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn settings_reach_their_place() {
        let mut root = json!({ "a": { "b": { "c": 1 } } });
        put(&mut root, "a/b", json!({ "d": 2 }));
        put(&mut root, "a/x/y", json!(3));
        assert_eq!(root, json!({ "a": { "b": { "c": 1, "d": 2 }, "x": { "y": 3 } } }));
    }
}
