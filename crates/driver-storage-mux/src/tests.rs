//! A mux made of a file and small scripts: obeyed, failing, slow, lying; and every sentence an error has.

mod errors;

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::Arc;

use driver_power_mock as _;
use exporter_yaml::Document;
use flasher_core::{Device, Error as Core, MuxPosition, Result, StorageMux, testing};

use crate::MockMux;

/// The node with this text, in YAML's flow style, from a file in `folder`.
fn device(folder: &Path, node: &str) -> Result<Device> {
    let yaml = format!("export:\n  mux: {{ {node} }}\n");
    let name = folder.join("lab.yaml").display().to_string();
    exporter_yaml::build(&Document::parse(&name, folder, &yaml)?)?.find("mux")
}

fn mux(folder: &Path, node: &str) -> Arc<dyn StorageMux> {
    match device(folder, node).unwrap() {
        Device::StorageMux(mux) => mux,
        other => panic!("{other:?} is no storage mux"),
    }
}

/// A mux whose position is the file `position`.
fn file_mux(more: &str) -> String {
    let to = |position: &str| format!("{position}: [sh, -c, 'echo {position} >position']");
    let (host, dut, off) = (to("host"), to("dut"), to("off"));
    format!("type: storage-mux, config: {{ {host}, {dut}, {off}, status: [cat, position]{more} }}")
}

fn checked(error: &Core) -> (String, bool) {
    assert_eq!(testing::errors(error), [""; 0]);
    (error.to_string(), error.is_retryable())
}

#[tokio::test]
async fn every_order_is_obeyed_and_confirmed() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("position"), "dut").unwrap();
    let mux = mux(folder.path(), &file_mux(""));
    mux.probe().await.unwrap();
    assert_eq!(mux.position().await.unwrap(), Some(MuxPosition::Dut));
    mux.host().await.unwrap();
    assert_eq!(mux.position().await.unwrap(), Some(MuxPosition::Host));
    mux.off().await.unwrap();
    assert_eq!(mux.position().await.unwrap(), Some(MuxPosition::Off));
    mux.dut().await.unwrap();
    mux.dut().await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("position")).unwrap(), "dut\n");
    assert_eq!(mux.identities().await.len(), 1);
}

#[tokio::test]
async fn a_mux_that_does_not_obey_is_named() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("position"), "dut").unwrap();
    let with = |config: &str| mux(folder.path(), &format!("type: storage-mux, config: {{ {config} }}"));
    for (config, expected) in [
        (
            "host: ['true'], dut: ['true'], status: [cat, position], confirm_seconds: 0.1",
            ("the storage mux was switched to `host`, but after 0.1 s it still reports `dut`", true),
        ),
        (
            "host: [sh, -c, 'echo no such mux >&2; exit 3'], dut: ['true']",
            ("`host` of the storage mux (`sh`) ended with exit status 3: `no such mux`", true),
        ),
        (
            "host: [sleep, '60'], dut: ['true'], timeout_seconds: 0.2",
            ("`host` of the storage mux (`sleep`) did not end within 0.2 s and was stopped", true),
        ),
        (
            "host: [no-such-mux], dut: ['true']",
            ("`host` of the storage mux needs `no-such-mux`, which is not in the PATH", false),
        ),
    ] {
        let error = with(config).host().await.unwrap_err();
        let (text, retryable) = checked(&error);
        assert_eq!((text.as_str(), retryable), expected);
    }
    let absent = with(
        "preset: usbsdmux, device: /dev/usb-sd-mux/id-none, host: ['true'], dut: ['true'], off: ['true'], status: ['true']",
    );
    let (text, _) = checked(&absent.probe().await.unwrap_err());
    assert_eq!(text, "the storage mux `/dev/usb-sd-mux/id-none` is not there");
}

/// A tool that notes how it was called, and does what the real one does.
#[tokio::test]
async fn presets_speak_as_their_tools_do() {
    let cases = [
        (
            "usbsdmux",
            "case $2 in get) cat position;; *) echo $2 >position;; esac",
            "preset: usbsdmux, device: sg0",
            "usbsdmux sg0 host\nusbsdmux sg0 get\nusbsdmux sg0 off\nusbsdmux sg0 get\nusbsdmux sg0 dut\nusbsdmux sg0 get\n",
        ),
        (
            "sd-mux-ctrl",
            "case $2 in --status) echo \"SD connected to: $(cat position)\";; --ts) echo TS >position;; --dut) echo DUT >position;; esac",
            "preset: sd-mux-ctrl, device: sdw-7",
            "sd-mux-ctrl --device-serial=sdw-7 --ts\nsd-mux-ctrl --device-serial=sdw-7 --status\nsd-mux-ctrl --device-serial=sdw-7 --ts\nsd-mux-ctrl --device-serial=sdw-7 --status\nsd-mux-ctrl --device-serial=sdw-7 --dut\nsd-mux-ctrl --device-serial=sdw-7 --status\n",
        ),
    ];
    for (tool, script, config, calls) in cases {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join(tool);
        let note = "echo \"$0 $*\" | sed 's,.*/,,' >>calls";
        fs::write(&file, format!("#!/bin/sh\n{note}\n{script}\n")).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
        let env = format!("env: {{ PATH: '{}:/usr/bin:/bin' }}", folder.path().display());
        let mux = mux(folder.path(), &format!("type: storage-mux, config: {{ {config}, {env} }}"));
        mux.host().await.unwrap();
        mux.off().await.unwrap();
        mux.dut().await.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("calls")).unwrap(), calls, "{config}");
    }
}

#[tokio::test]
async fn a_switch_selects_who_has_the_medium() {
    use driver_power_mock::{Action, MockPower};
    for (host, expected) in [("on", [Action::On, Action::Off]), ("off", [Action::Off, Action::On])] {
        let yaml = format!(
            "export:\n  switch: {{ type: power-mock }}\n  mux: {{ type: storage-mux-switch, config: {{ host: {host} }}, children: {{ switch: {{ ref: switch }} }} }}\n"
        );
        let document = Document::parse("lab.yaml", Path::new(""), &yaml).unwrap();
        let tree = exporter_yaml::build(&document).unwrap();
        let Device::StorageMux(mux) = tree.find("mux").unwrap() else { panic!("no mux") };
        mux.host().await.unwrap();
        mux.dut().await.unwrap();
        let Device::Power(switch, _) = tree.find("switch").unwrap() else { panic!("no switch") };
        let driver: &dyn std::any::Any = switch.as_ref();
        let calls = driver.downcast_ref::<MockPower>().unwrap().calls();
        assert_eq!(calls.iter().map(|call| call.action).collect::<Vec<_>>(), expected, "{host}");
        assert_eq!(mux.position().await.unwrap(), None, "this switch cannot tell");
    }
}

#[tokio::test]
async fn the_mock_remembers_every_order() {
    let mux = mux(Path::new(""), "type: storage-mux-mock");
    assert_eq!(mux.position().await.unwrap(), None);
    mux.host().await.unwrap();
    mux.off().await.unwrap();
    mux.dut().await.unwrap();
    let driver: &dyn std::any::Any = mux.as_ref();
    let orders = driver.downcast_ref::<MockMux>().unwrap().orders();
    assert_eq!(orders, [MuxPosition::Host, MuxPosition::Off, MuxPosition::Dut]);
}
