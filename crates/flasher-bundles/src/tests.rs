//! What this build has is complete, sound, and free of collisions.

use std::path::{Path, PathBuf};

use bundle_store::Manifest;
use exporter_yaml::Document;
use flasher_core::{Device, registry};

#[test]
fn a_lost_link_shows() {
    let drivers: Vec<&str> = registry::drivers().iter().map(|driver| driver.name).collect();
    let boards: Vec<&str> = registry::boards().iter().map(|board| board.name).collect();
    // A driver without its dependency, or with an edge that was lost, is in the sources and not in this build.
    let written = drivers_of_the_sources();
    assert!(written.len() > 5, "the sources are read: {written:?}");
    assert_eq!(drivers, written);
    // One board a file: adding one is a file and a line, and no list in a test.
    assert_eq!(boards, manifests());
}

/// Names of the driver types in the sources of the workspace's crates of drivers and boards.
fn drivers_of_the_sources() -> Vec<String> {
    let crates = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let mut names: Vec<String> = entries(&crates)
        .into_iter()
        .filter(|path| {
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            name.starts_with("driver-") || name.starts_with("board-")
        })
        .flat_map(|path| entries(&path.join("src")))
        .filter(|path| path.extension().is_some_and(|it| it == "rs"))
        .filter_map(|path| name_of_driver(&std::fs::read_to_string(path).unwrap()))
        .collect();
    names.sort();
    names
}

/// The name of the driver type that a source file implements.
fn name_of_driver(source: &str) -> Option<String> {
    let implements = source.contains("impl DriverType for ") || source.contains("impl SwitchType for ");
    let (_, rest) = source.split_once("const NAME: &'static str = \"").filter(|_| implements)?;
    Some(rest.split_once('"')?.0.to_owned())
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect()
}

/// Names of `boards/*.yaml`.
fn manifests() -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
    let yaml = entries(&folder).into_iter().filter(|path| path.extension().is_some_and(|it| it == "yaml"));
    let mut names: Vec<String> =
        yaml.map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned()).collect();
    names.sort();
    names
}

#[test]
fn every_manifest_tells_editors_its_schema() {
    // Those of QEMU are copied as they are into the bundles that are built for it, where no schema is.
    for name in manifests().into_iter().filter(|name| !name.starts_with("qemu-")) {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards");
        let text = std::fs::read_to_string(folder.join(format!("{name}.yaml"))).unwrap();
        let schema =
            text.lines().next().and_then(|line| line.strip_prefix("# yaml-language-server: $schema="));
        let schema = schema.unwrap_or_else(|| panic!("{name}.yaml does not begin with its schema"));
        assert!(folder.join(schema).is_file(), "{name}.yaml: {schema} is not there");
    }
}

#[test]
fn jumpstarter_types_of_boards() {
    let cases = [
        ("TIJ784S4Flasher", "ti-j784s4", "quay.io/jumpstarter-dev/jumpstarter-flasher-ti-j784s4:latest"),
        ("RCarS4Flasher", "rcar-s4", "quay.io/jumpstarter-dev/jumpstarter-flasher-rcar-s4:latest"),
    ];
    let text_of = |name: &str| registry::board(name).map(|board| board.manifest.to_owned());
    for (class, name, bundle) in cases {
        let board = registry::board(&format!("jumpstarter_driver_flashers.driver.{class}")).unwrap();
        let (manifest, _) = Manifest::parse_with(board.manifest, board.name, &text_of).unwrap();
        assert_eq!((board.name, manifest.spec.bundle.as_deref()), (name, Some(bundle)));
    }
    let family = [("ti-am69", "ti-j784s4", "am69"), ("rcar-s4-s4sk", "rcar-s4", "s4sk")];
    for (name, base, variant) in family {
        let parsed =
            |name| Manifest::parse_with(registry::board(name).unwrap().manifest, name, &text_of).unwrap().0;
        let (board, base) = (parsed(name), parsed(base));
        assert_eq!(board.boot(None).unwrap().bootcmd, base.boot(Some(variant)).unwrap().bootcmd);
        assert_eq!(board.spec.bundle, base.spec.bundle);
    }
}

#[test]
fn no_name_is_claimed_twice() {
    assert_eq!(registry::collisions(), [""; 0]);
}

#[test]
fn every_example_of_a_driver_builds() {
    for driver in registry::drivers() {
        builds(&format!("the example of `{}`", driver.name), driver.example);
    }
}

#[test]
fn every_board_can_stand_as_a_type_by_each_of_its_names() {
    for board in registry::boards() {
        for name in [board.name].iter().chain(board.aliases) {
            let children = "children: { serial: { type: serial, config: { url: \"loop://\" } }, power: { type: power-mock } }";
            builds(name, &format!("type: {name}\n{children}\n"));
        }
    }
}

#[test]
fn every_manifest_is_sound_and_has_the_name_of_its_board() {
    for board in registry::boards() {
        let text_of = |name: &str| registry::board(name).map(|board| board.manifest.to_owned());
        let (manifest, warnings) = Manifest::parse_with(board.manifest, board.name, &text_of).unwrap();
        assert_eq!(manifest.metadata.name, board.name);
        assert!(warnings.is_empty(), "{}: {warnings:?}", board.name);
        assert!(registry::driver(board.driver).is_some(), "{}: no driver `{}`", board.name, board.driver);
        manifest.target(None).unwrap();
        manifest.boot(None).unwrap();
        for variant in manifest.variants() {
            manifest.boot(Some(variant)).unwrap();
        }
    }
}

/// Builds a tree in which `node` stands as it is.
fn builds(what: &str, node: &str) {
    let indented = node.lines().map(|line| format!("    {line}\n")).collect::<String>();
    let text = format!(
        "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: {{ name: test }}\nexport:\n  node:\n{indented}"
    );
    let document = Document::parse("test.yaml", Path::new("."), &text).unwrap();
    let tree = exporter_yaml::build(&document).unwrap_or_else(|findings| panic!("{what}:\n{findings}"));
    assert!(tree.find("node").is_ok(), "{what}");
}

/// Config as Jumpstarter documents it, for every class that has a counterpart here.
const DOCUMENTED: [(&str, &str, &[&str]); 8] = [
    (
        "jumpstarter_driver_yepkit.driver.Ykush",
        "{ serial: YK112233, port: '1' }",
        &["preset: ykush", "hub: \"YK112233\"", "port: 1"],
    ),
    (
        "jumpstarter_driver_energenie.driver.EnerGenie",
        "{ host: 192.168.0.1, password: x, slot: 1 }",
        &["egctl"],
    ),
    (
        "jumpstarter_driver_noyito_relay.driver.NoyitoPowerSerial",
        "{ port: /dev/ttyUSB3, channel: 1 }",
        &["> /dev/ttyUSB3"],
    ),
    (
        "jumpstarter_driver_http_power.driver.HttpPower",
        "{ name: plug, power_on: { url: 'http://plug/on', method: POST, data: x }, power_off: { url: 'http://plug/off' }, auth: { basic: { user: me, password: secret } } }",
        &[
            "url: \"http://plug/on\"",
            "method: \"POST\"",
            "url: \"http://plug/off\"",
            "method: \"GET\"",
            "user: \"me\"",
        ],
    ),
    (
        "jumpstarter_driver_tasmota.driver.TasmotaPower",
        "{ host: broker, username: me, password: secret, cmnd_topic: a, stat_topic: b }",
        &["preset: tasmota"],
    ),
    (
        "jumpstarter_driver_snmp.driver.SNMPServer",
        "{ host: pdu.lab, user: me, plug: 32, auth_key: secret, oid: 1.3.6.1.4.1.13742.6.4.1.2.1.2.1 }",
        &["host: \"pdu.lab\"", "oid: \"1.3.6.1.4.1.13742.6.4.1.2.1.2.1.32\"", "port: 161"],
    ),
    (
        "jumpstarter_driver_gpiod.driver.DigitalOutput",
        "{ device: /dev/gpiochip1, line: 5, active_low: true, drive: open_drain, bias: pull_up, initial_value: inactive }",
        &["line: 5", "active_low: true", "drive: \"open_drain\"", "device: \"/dev/gpiochip1\""],
    ),
    (
        "jumpstarter_driver_gpiod.driver.DigitalInput",
        "{ line: 6, bias: pull_down }",
        &["line: 6", "bias: \"pull_down\""],
    ),
];

/// The lines that are suggested for a node of a Python class.
fn suggested(class: &str, config: &str) -> String {
    let text = format!("export:\n  node: {{ type: {class}, config: {config} }}\n");
    let document = Document::parse("test.yaml", Path::new("."), &text).unwrap();
    let tree = exporter_yaml::build(&document).unwrap_or_else(|findings| panic!("{class}:\n{findings}"));
    let Device::Python(node) = tree.find("node").unwrap() else { panic!("{class} has a driver") };
    node.replacement().unwrap_or_else(|| panic!("{class} has no counterpart")).lines.clone()
}

#[test]
fn counterparts_build() {
    for (class, config, expected) in DOCUMENTED {
        let lines = suggested(class, config);
        assert!(expected.iter().all(|part| lines.contains(part)), "{class}:\n{lines}");
        assert!(!lines.contains("secret"), "{class}:\n{lines}");
        builds(class, &lines);
        // Of a value that only Python takes, and without config, an example is shown.
        for config in ["{}", "{ port: a, line: [1] }"] {
            builds(class, &suggested(class, config));
        }
    }
    let counterparts = registry::drivers().into_iter().flat_map(|entry| entry.counterparts);
    let mut classes: Vec<&str> = counterparts.map(|it| it.class).collect();
    let mut documented: Vec<&str> = DOCUMENTED.iter().map(|(class, ..)| *class).collect();
    classes.sort_unstable();
    documented.sort_unstable();
    assert_eq!(classes, documented);
}
