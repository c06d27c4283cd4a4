//! Files that are in order, and what becomes of them.

use std::any::Any;
use std::path::Path;
use std::sync::Arc;

use flasher_core::tree::{DriverTree, Notes};
use flasher_core::{Device, Driver, Kind, registry};

use super::drivers::{TestFlasher, TestSerial};
use super::{load, tree};
use crate::Document;

fn driver(tree: &DriverTree, path: &str) -> Arc<dyn Driver> {
    tree.find(path).unwrap().driver().unwrap()
}

fn with_flasher<T>(tree: &DriverTree, path: &str, look: impl Fn(&TestFlasher) -> T) -> T {
    let driver = driver(tree, path);
    let any: &dyn Any = driver.as_ref();
    look(any.downcast_ref::<TestFlasher>().unwrap())
}

fn baudrate(tree: &DriverTree, path: &str) -> u32 {
    let driver = driver(tree, path);
    let any: &dyn Any = driver.as_ref();
    any.downcast_ref::<TestSerial>().unwrap().baudrate
}

const LAB: &str = "\
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { namespace: lab, name: bench-1 }
endpoint: grpc.lab.example:443
tls: { ca: '', insecure: false }
token: secret
grpcOptions: { grpc.keepalive_time_ms: 20000 }
description: the board on the left
motd: hello
hooks: { beforeLease: { script: echo hello } }
failureDetection: { maxRapidFailures: 5 }
exitOnLeaseEnd: false
export:
  storage:
    type: test-flasher
    description: flashes the board
    methods_description: { flash: puts an image on it }
    config: { board: acme, files: boot }
    children:
      power: { ref: power }
      serial: { ref: board.uart }
  board:
    children:
      uart: { type: lab.serial.Driver, config: { url: here, baudrate: 115200, log_level: INFO, uuid: u, labels: { a: b } } }
  power: { type: lab.power.driver.Switch }
";

#[test]
fn a_file_of_a_jumpstarter_lab_loads_as_it_is() {
    let tree = tree(LAB);
    let kinds: Vec<_> =
        tree.all().into_iter().map(|(path, device)| format!("{path}: {}", device.kind())).collect();
    assert_eq!(
        kinds,
        [
            "board: group",
            "board.uart: serial",
            "power: power",
            "storage: flasher",
            "storage.power: power",
            "storage.serial: serial",
            "storage.tftp: file server",
        ]
    );
    assert_eq!(baudrate(&tree, "board.uart"), 115_200);
    let notes = Notes {
        description: Some("flashes the board".to_owned()),
        methods: [("flash".to_owned(), "puts an image on it".to_owned())].into(),
    };
    assert_eq!(tree.notes("storage"), Some(&notes));
    assert_eq!(tree.notes("").unwrap().description.as_deref(), Some("the board on the left"));
    assert_eq!((tree.notes("power"), tree.bench(), tree.motd()), (None, Some("bench-1"), Some("hello")));
}

#[test]
fn a_reference_shares_the_driver_wherever_it_stands() {
    let tree = tree(LAB);
    let power: Arc<dyn Driver> = with_flasher(&tree, "storage", |flasher| Arc::clone(&flasher.power) as _);
    let serial: Arc<dyn Driver> = with_flasher(&tree, "storage", |flasher| Arc::clone(&flasher.serial) as _);
    assert!(Arc::ptr_eq(&power, &driver(&tree, "power")));
    assert!(Arc::ptr_eq(&serial, &driver(&tree, "board.uart")));
    assert_eq!(
        tree.drivers().into_iter().map(|(path, _)| path).collect::<Vec<_>>(),
        ["power", "storage", "board.uart", "storage.tftp"]
    );
}

#[test]
fn a_child_that_is_not_given_is_made_or_done_without() {
    let tree = tree(LAB);
    let (root, spare) = with_flasher(&tree, "storage", |flasher| (flasher.tftp.root(), flasher.spare));
    assert_eq!(root, Path::new("/lab/boot"));
    assert!(!spare);
    let made: Arc<dyn Driver> = with_flasher(&tree, "storage", |flasher| Arc::clone(&flasher.tftp) as _);
    assert!(Arc::ptr_eq(&made, &driver(&tree, "storage.tftp")));
}

#[test]
fn a_reference_reaches_what_a_driver_made() {
    let tree = tree(
        "export:\n  console: { ref: sim.serial }\n  files: { ref: storage.tftp }\n  sim: { type: test-sim }\n  \
         storage:\n    type: test-flasher\n    config: { board: x }\n    children: { power: { ref: sim.power }, serial: { ref: console } }\n",
    );
    assert_eq!(baudrate(&tree, "console"), 9600);
    assert!(Arc::ptr_eq(&driver(&tree, "console"), &driver(&tree, "sim.serial")));
    assert!(Arc::ptr_eq(&driver(&tree, "files"), &driver(&tree, "storage.tftp")));
}

#[test]
fn a_reference_goes_through_groups_and_other_references() {
    let tree = tree(
        "export:\n  a: { ref: alias.deep.power }\n  alias: { ref: bench }\n  bench:\n    type: composite\n    children:\n      \
         deep: { children: { power: { type: test-power } } }\n  b: { ref: bench.deep.power }\n",
    );
    assert!(Arc::ptr_eq(&driver(&tree, "a"), &driver(&tree, "bench.deep.power")));
    assert!(Arc::ptr_eq(&driver(&tree, "a"), &driver(&tree, "b")));
    assert_eq!(tree.drivers().len(), 1);
}

#[test]
fn the_name_of_a_board_in_type_goes_to_its_flasher_driver() {
    let children =
        "children: { power: { type: test-power }, serial: { type: test-serial, config: { url: x } } }";
    for kind in ["test-board", "lab.boards.driver.TestBoard"] {
        let tree = tree(&format!("export:\n  storage: {{ type: {kind}, {children} }}\n"));
        assert_eq!(with_flasher(&tree, "storage", |flasher| flasher.board.clone()), "test-board", "{kind}");
    }
    let tree =
        tree(&format!("export:\n  s: {{ type: test-board, config: {{ board: other }}, {children} }}\n"));
    assert_eq!(with_flasher(&tree, "s", |flasher| flasher.board.clone()), "other");
}

#[test]
fn a_config_of_comments_is_an_empty_one() {
    let tree = tree("export:\n  p:\n    type: test-power\n    config:\n      # nothing to set\n");
    assert_eq!(tree.find("p").unwrap().kind(), Kind::Power);
}

#[test]
fn an_empty_node_is_an_empty_group() {
    for yaml in ["export:\n  spare: {}\n", "export:\n  spare:\n", "export: { spare: { children: {} } }\n"] {
        let tree = tree(yaml);
        assert!(matches!(tree.find("spare").unwrap(), Device::Group(below) if below.is_empty()), "{yaml}");
    }
}

#[test]
fn anchors_aliases_and_merge_keys_work_as_in_python() {
    let tree = tree(
        "export:\n  a: &line\n    type: test-serial\n    config: &config { url: here, baudrate: 9600 }\n  b: *line\n  c:\n    \
         <<: *line\n    config:\n      <<: *config\n      baudrate: 115200\n  d: { type: test-serial, config: { <<: [*config], url: there } }\n",
    );
    let rates: Vec<u32> = ["a", "b", "c", "d"].iter().map(|path| baudrate(&tree, path)).collect();
    assert_eq!(rates, [9600, 9600, 115_200, 9600]);
    assert!(!Arc::ptr_eq(&driver(&tree, "a"), &driver(&tree, "b")), "an alias is a copy, `ref` shares");
}

#[test]
fn byte_order_mark_and_windows_lines() {
    for yaml in ["---\nexport: { p: { type: test-power } }\n", "export:\r\n  p:\r\n    type: test-power\r\n"]
    {
        assert_eq!(tree(yaml).all().len(), 1, "{yaml:?}");
    }
}

#[test]
fn every_example_of_a_test_driver_that_stands_alone_loads() {
    for entry in registry::drivers().into_iter().filter(|entry| entry.children.is_empty()) {
        let indented = entry.example.replace('\n', "\n    ");
        assert!(load(&format!("export:\n  x:\n    {indented}\n")).is_ok(), "{}", entry.name);
    }
    assert_eq!(registry::collisions(), Vec::<String>::new());
}

#[test]
fn the_file_is_read_from_where_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("lab.yaml");
    std::fs::write(&file, "export: { files: { type: test-files, config: { root: here } } }\n").unwrap();
    assert_eq!(Document::read(&file).unwrap().folder(), folder.path());
    let tree = crate::load(&file).unwrap();
    let Device::FileServer(files) = tree.find("files").unwrap() else { panic!("not a file server") };
    assert_eq!(files.root(), folder.path().join("here"));
}

proptest::proptest! {
    #[test]
    fn no_text_makes_it_panic(text in "\\PC*|[ -~\t\n]{0,200}") {
        let _ = load(&text).map_err(|findings| findings.to_string());
    }

    #[test]
    fn no_yaml_like_text_makes_it_panic(
        words in proptest::collection::vec(
            proptest::sample::select(vec![
                "export", "type", "ref", "config", "children", "test-serial", "test-flasher", "power", ": ", ":\n",
                "\n", "\n  ", "\n    ", "\n      ", "- ", "{", "}", "[", "]", ", ", "&a ", "*a", "<<", "? ", "|\n", "'",
                "\"", "#", "~", "1", "\t", "é", "!t ", "---\n", ".", "url",
            ]),
            0..40,
        )
    ) {
        let _ = load(&words.concat()).map_err(|findings| findings.to_string());
    }
}
