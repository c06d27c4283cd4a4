//! Nodes whose driver only Python has: what is said of them, and what they hold up.

use std::path::Path;

use crate::{Lab, Ran, flasher};

/// Runs a command on a file with every way out at a proxy that is not there.
pub(crate) fn offline(lab: &Lab, file: &Path, command: &str) -> Ran {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let mut flasher = flasher();
    flasher.arg("--exporter").arg(file).args([command]).env("XDG_CACHE_HOME", lab.path("cache"));
    for proxy in ["HTTPS_PROXY", "https_proxy"] {
        flasher.env(proxy, format!("http://{closed}"));
    }
    flasher.env_remove("NO_PROXY").env_remove("no_proxy").output().unwrap().into()
}

/// The exporter files that Jumpstarter publishes, offline: which nodes are not available, and what to write instead.
#[test]
fn published_files_pass_the_check() {
    let cases: [(&str, &[&str], &[&str]); 3] = [
        ("flashers", &["power", "storage.power"], &["preset: ykush", "hub: \"YK112233\"", "ykushcmd"]),
        ("exporters", &["custom", "power", "reference", "storage"], &["preset: ykush"]),
        (
            "lab",
            &["power", "ssh", "ssh.tcp", "storage.power", "video"],
            &["type: power-snmp", "host: \"pdu.lab.example\"", "oid: \"1.3.6.1.4.1.13742.6.4.1.2.1.2.1.12\""],
        ),
    ];
    let lab = Lab::new();
    for (name, missing, told) in cases {
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../tests/data/published").join(name);
        let ran = offline(&lab, &file.with_extension("yaml"), "check");
        assert_eq!(ran.code, 0, "{name}: {}", ran.err);
        let warned = ran
            .err
            .lines()
            .filter_map(|line| line.strip_prefix("warning: `")?.split_once("` is not available"));
        let warned: Vec<&str> = warned.map(|(path, _)| path).collect();
        assert_eq!(warned, missing, "{name}: {}", ran.err);
        assert!(told.iter().all(|part| ran.err.contains(part)), "{name}: {}", ran.err);
        assert!(!ran.err.contains("secret"), "{name}: {}", ran.err);
        assert!(ran.out.ends_with("no board was touched\n"), "{name}: {}", ran.out);
    }
}

const MIXED: &str = "export:\n  relay: { type: in_house.Relay }\n  power: { type: power-mock }\n";

#[test]
fn what_does_not_need_it_works() {
    let lab = Lab::with(MIXED);
    let ran = lab.run(&["check"]);
    assert_eq!(ran.code, 0, "{}", ran.err);
    assert!(ran.out.contains("is fine, but for what is not available;"), "{}", ran.out);
    let ran = lab.run(&["power", "on"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "power on, not confirmed\n"), "{}", ran.err);
    let ran = lab.run(&["doctor"]);
    assert!(ran.out.contains("! relay "), "{}", ran.out);
    assert!(ran.out.contains("`relay` is not available"), "{}", ran.out);
}

#[test]
fn what_needs_it_fails_and_names_it() {
    let lab = Lab::with(
        "export:\n  relay: { type: in_house.Relay }\n  storage:\n    type: ti-j784s4\n    config: { flasher_bundle: ./bundle }\n    children:\n      serial: { type: serial, config: { url: \"loop://\" } }\n      power: { ref: relay }\n",
    );
    std::fs::write(lab.path("image.img"), vec![1; 4096]).unwrap();
    let image = lab.path("image.img");
    let named = "`relay` is not available: this build has no driver for the Python class `in_house.Relay`";
    let commands: [&[&str]; 3] =
        [&["power", "on", "--device", "relay"], &["flash", image.to_str().unwrap()], &["doctor"]];
    for args in commands {
        let ran = lab.run(args);
        assert!((ran.out.clone() + &ran.err).contains(named), "{args:?}: {}{}", ran.out, ran.err);
        assert_eq!(ran.code, 2, "{args:?}: {}{}", ran.out, ran.err);
    }
}

/// The option comes before the environment, that before the file, and a file that says nothing means `auto`.
#[test]
fn which_python_it_is() {
    let lab = Lab::with(MIXED);
    let text = std::fs::read_to_string(lab.path("lab.yaml")).unwrap();
    let said = |line: &str, environment: Option<&str>, option: &[&str]| {
        std::fs::write(lab.path("lab.yaml"), format!("{line}{text}")).unwrap();
        let mut flasher = flasher();
        flasher.env_remove("FLASHER_PYTHON").env("PATH", lab.path("no-programs"));
        flasher.envs(environment.map(|value| ("FLASHER_PYTHON", value)));
        let ran: Ran = flasher
            .arg("--exporter")
            .arg(lab.path("lab.yaml"))
            .args(option)
            .arg("check")
            .output()
            .unwrap()
            .into();
        (ran.code, ran.err)
    };
    let off = ["--python", "off"];
    for (line, environment, option, named) in [
        ("python: ./of-the-file\n", None, &[][..], Some("of-the-file")),
        ("python: ./of-the-file\n", Some("of-the-environment"), &[], Some("of-the-environment")),
        (
            "python: ./of-the-file\n",
            Some("of-the-environment"),
            &["--python", "of-the-option"],
            Some("of-the-option"),
        ),
        ("python: ./of-the-file\n", Some("of-the-environment"), &off, None),
        ("python: ./of-the-file\n", Some("off"), &[], None),
        ("python: off\n", None, &[], None),
        ("", None, &[], None),
    ] {
        let (code, told) = said(line, environment, option);
        let wrong = "is no virtual environment of Python";
        match named {
            Some(folder) => {
                assert!(code == 2 && told.contains(&format!("{folder} {wrong}")), "{line}{option:?}: {told}")
            }
            None => assert!(code == 0 && !told.contains(wrong), "{line}{option:?}: {told}"),
        }
    }
}
