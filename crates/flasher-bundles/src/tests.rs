//! What this build has is pinned, sound, and free of collisions.

use std::path::Path;

use bundle_store::Manifest;
use flasher_core::config::Document;
use flasher_core::registry;
use flasher_core::tree::DeviceTree;

#[test]
fn a_lost_link_shows() {
    let drivers: Vec<&str> = registry::drivers().iter().map(|driver| driver.name).collect();
    let boards: Vec<&str> = registry::boards().iter().map(|board| board.name).collect();
    assert_eq!(
        drivers,
        ["flasher", "http", "power-mock", "qemu-board", "serial", "sim-board", "tftp", "uboot"]
    );
    assert_eq!(
        boards,
        [
            "nxp-s32g-vnp-rdb3",
            "qemu-virt",
            "qemu-virt-fit",
            "qemu-virt-tools",
            "qemu-virt-uimage",
            "rcar-s4",
            "sim",
            "test",
            "ti-j784s4",
        ]
    );
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
    let tree = DeviceTree::build(&document).unwrap_or_else(|findings| panic!("{what}:\n{findings}"));
    assert!(tree.find("node").is_ok(), "{what}");
}
