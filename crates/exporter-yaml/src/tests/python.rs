//! Nodes whose driver only Python has.

use flasher_core::python::PythonChoice;
use flasher_core::{Device, Error};

use super::tree;

const LAB: &str = "\
export:
  video: { type: jumpstarter_driver_ustreamer.driver.UStreamer, config: { args: { x: 1 } } }
  relay: { type: in_house.Relay }
  lent: { ref: relay }
  hub: { type: jumpstarter_driver_dutlink.driver.Dutlink, children: { uart: { type: lab.Uart } } }
  made: { ref: hub.power }
  uart: { ref: hub.uart }
  serial: { type: test-serial, config: { url: x } }
  board:
    type: test-flasher
    config: { board: one }
    children: { power: { ref: made }, serial: { ref: serial } }
  other:
    type: test-flasher
    config: { board: two }
    children: { power: { type: test-power }, serial: { ref: serial } }
";

fn sentence(error: &Error) -> String {
    format!("{}: {error}; help: {}", error.class(), error.next_step().unwrap_or_default())
}

#[test]
fn each_is_known_by_its_path_and_class() {
    let cases = [
        ("video", "video", "jumpstarter_driver_ustreamer.driver.UStreamer"),
        ("lent", "relay", "in_house.Relay"),
        ("made", "hub.power", "jumpstarter_driver_dutlink.driver.Dutlink"),
        ("uart", "hub.uart", "lab.Uart"),
        ("board.power", "hub.power", "jumpstarter_driver_dutlink.driver.Dutlink"),
    ];
    for (path, known_as, class) in cases {
        let Device::Python(node) = tree(LAB).find(path).unwrap() else { panic!("{path}") };
        assert_eq!((node.path(), node.class()), (known_as, class), "{path}");
    }
}

#[test]
fn only_what_needs_one_fails() {
    let tree = tree(LAB);
    let flasher = |path| tree.flasher(Some(path)).unwrap();
    tree.require(&flasher("other")).unwrap();
    let error = tree.require(&flasher("board")).unwrap_err();
    assert_eq!(
        sentence(&error),
        "config: `hub.power` is not available: this build has no driver for the Python class `jumpstarter_driver_dutlink.driver.Dutlink`; help: use a driver that `flasher drivers` lists, or name a Python that has it with `--python VENV`"
    );
    assert!(!error.is_retryable());
}

#[tokio::test]
async fn a_child_refuses_when_it_is_called() {
    let tree = tree(LAB);
    tree.probe().await.unwrap();
    let Device::Python(node) = tree.find("relay").unwrap() else { panic!("a Python driver") };
    let power: &dyn flasher_core::PowerDriver = node.as_ref();
    let serial: &dyn flasher_core::SerialDriver = node.as_ref();
    let said = "config: `relay` is not available: this build has no driver for the Python class `in_house.Relay`; help: use a driver that `flasher drivers` lists, or name a Python that has it with `--python VENV`";
    let refused = [
        power.on().await,
        power.off().await,
        power.state().await.map(drop),
        power.cycle(std::time::Duration::ZERO).await,
        serial.open().await.map(drop),
    ];
    for answer in refused {
        assert_eq!(sentence(&answer.unwrap_err()), said);
    }
}

/// A `ref` below a Python node may lead to Python's nodes only.
#[test]
fn a_reference_that_python_cannot_reach() {
    let cases = [
        ("{ type: lab.Uart }", None),
        ("{ ref: uart }", None),
        ("{ children: { deep: { ref: uart } } }", None),
        ("{ ref: group }", None),
        ("{ ref: ours }", Some("`hub.below` refers to `ours`")),
        ("{ children: { deep: { ref: ours } } }", Some("`hub.below.deep` refers to `ours`")),
        ("{ ref: mixed }", Some("`hub.below` refers to `mixed`")),
        ("{ ref: other }", Some("`hub.below` refers to `other`")),
    ];
    for (below, problem) in cases {
        let tree = tree(&format!(
            "export:
  ours: {{ type: test-power }}
  uart: {{ type: lab.Uart }}
  group: {{ children: {{ a: {{ ref: uart }} }} }}
  mixed: {{ children: {{ a: {{ ref: uart }}, b: {{ ref: ours }} }} }}
  other: {{ type: lab.Odd, children: {{ a: {{ ref: ours }} }} }}
  hub: {{ type: lab.Hub, children: {{ below: {below} }} }}
"
        ));
        let Device::Python(hub) = tree.find("hub").unwrap() else { panic!("a Python driver") };
        let refusal = sentence(&hub.refusal());
        match problem {
            None => assert_eq!(hub.obstacle(), None, "{below}"),
            Some(problem) => assert!(
                refusal.starts_with(&format!("config: `hub` is not available: {problem}, which Python cannot reach; help: write the node of `")),
                "{below}: {refusal}"
            ),
        }
    }
}

#[test]
fn a_look_up_says_what_is_not_available() {
    let tree = tree("export: { relay: { type: in_house.Relay }, lent: { ref: relay } }");
    let power = |device: &Device| matches!(device, Device::Power(..)).then_some(());
    let named = tree.pick(Some("lent"), "power", power).unwrap_err();
    assert!(named.to_string().starts_with("`relay` is not available"), "{named}");
    assert_eq!(
        sentence(&tree.pick(None, "power", power).unwrap_err()),
        "config: `lab.yaml` has no node of kind power; help: add a node of kind power; `flasher drivers` shows examples; not available, because only Python has their drivers: `relay`"
    );
}

#[test]
fn only_the_import_path_of_a_class_is_one() {
    let cases = [
        ("in_house.Relay", true),
        ("a.b.c.D", true),
        ("ü._x.D1", true),
        ("Relay", false),
        ("power-mock.Relay", false),
        ("1a.B", false),
        ("a..B", false),
        (".B", false),
        ("a.B ", false),
    ];
    for (kind, expected) in cases {
        assert_eq!(crate::kinds::is_class_path(kind), expected, "{kind}");
    }
}

#[test]
fn the_python_of_a_file() {
    let load = |line: &str| {
        let text = format!("{line}\nexport: {{ serial: {{ type: test-serial, config: {{ url: x }} }} }}\n");
        crate::build(&crate::Document::parse("lab.yaml", std::path::Path::new("/lab"), &text).unwrap())
    };
    for (line, expected) in [
        ("", None),
        ("python:", None),
        ("python: auto", Some(PythonChoice::Auto)),
        ("python: off", Some(PythonChoice::Off)),
        ("python: ./venv", Some(PythonChoice::Venv("/lab/./venv".into()))),
        ("python: /opt/jumpstarter", Some(PythonChoice::Venv("/opt/jumpstarter".into()))),
    ] {
        assert_eq!(load(line).unwrap().python_choice(), expected.as_ref(), "{line}");
    }
    for (line, found) in [
        ("python: false", "found `false`"),
        ("python: ''", "found "),
        ("python: { venv: x }", "found a mapping"),
        ("pyton: off", "unknown key `pyton`"),
    ] {
        let told = load(line).unwrap_err().to_string();
        assert!(told.contains("lab.yaml:1:") && told.contains(found), "{told}");
    }
}
