//! Passwords in URLs are printed nowhere, also when the URL is mistyped or stands where none belongs.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use assert_cmd::cargo::cargo_bin;
use flasher_bundles as _;

/// Each has the password; no host of them answers.
const URLS: [&str; 9] = [
    "http:/lab:hunter2@127.0.0.1:1/x",
    "https//lab:hunter2@127.0.0.1:1/x",
    "HTTP://lab:hunter2@127.0.0.1:1/x",
    "http://lab:hunter2@127.0.0.1:1/x",
    "oci://lab:hunter2@127.0.0.1:1/x:1",
    "OCI://lab:hunter2@127.0.0.1:1/x:1",
    "http:////lab:hunter2@127.0.0.1:1/x",
    "//lab:hunter2@127.0.0.1:1/x",
    "lab:hunter2@127.0.0.1:1",
];

const HEAD: &str = "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: { name: lab }\n";

/// Commands with `URL` where a user may put one.
const COMMANDS: [&str; 20] = [
    "--exporter lab.yaml plan URL",
    "--exporter lab.yaml flash URL --retries 0 --receipt receipt.json",
    "--exporter lab.yaml flash -t a:URL --retries 0",
    "--exporter lab.yaml plan os.img --bmap URL",
    "--exporter lab.yaml plan os.img --checksum-url URL",
    "--exporter lab.yaml dump out.img --target URL --retries 0",
    "--exporter URL doctor",
    "check URL",
    "bundle check URL",
    "bundle pull URL",
    "bundle lock URL",
    "bundle push . URL",
    "--remote URL attach",
    "--remote 127.0.0.1:1 flash URL",
    "files . --tftp off --http URL",
    "--exporter lab.yaml serve --listen URL",
    "--exporter lab.yaml power on --device URL",
    "verify-receipt URL",
    "report URL",
    "URL",
];

/// Nodes of an exporter YAML with `URL` in them.
const NODES: [&str; 7] = [
    "type: serial, config: { url: \"URL\" }",
    "type: serial, config: { url: \"spy://URL\" }",
    "type: serial, config: { url: \"socket://URL\" }",
    "type: serial, config: { url: \"rfc2217://URL\" }",
    "type: power-http, config: { host: \"URL\", preset: tasmota }",
    "type: power-snmp, config: { host: \"URL\" }",
    "type: flasher, config: { flasher_bundle: \"URL\" }, children: { power: { type: power-mock }, \
     serial: { type: serial, config: { url: \"loop://\" } } }",
];

fn lab() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
    let yaml = format!(
        "{HEAD}export:\n  board: {{ type: sim-board, config: {{ medium: ./medium, size: 1048576 }} }}\n  storage:\n    \
         type: flasher\n    config: {{ flasher_bundle: {bundle:?} }}\n    children: {{ serial: {{ ref: board.serial }}, power: \
         {{ ref: board.power }}, tftp: {{ type: tftp, config: {{ port: 0, root_dir: tftp }} }}, http: {{ type: http, config: \
         {{ port: 0, root_dir: http }} }} }}\n"
    );
    std::fs::write(folder.path().join("lab.yaml"), yaml).unwrap();
    std::fs::write(folder.path().join("os.img"), vec![0; 65_536]).unwrap();
    folder
}

/// Every file below a folder.
fn files(folder: &Path) -> Vec<PathBuf> {
    let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
    entries.flat_map(|path| if path.is_dir() { files(&path) } else { vec![path] }).collect()
}

/// Runs a command as talkative as can be; it fails, and neither says nor keeps the password.
fn check(lab: &Path, words: &[String]) {
    let mut command = Command::new(cargo_bin("flasher"));
    command.args(["-vv", "--log", "kept.log"]).args(words).current_dir(lab).env_remove("FLASHER_EXPORTER");
    command.env("XDG_STATE_HOME", lab.join("state")).env("XDG_CACHE_HOME", lab.join("cache"));
    let output = command.stdin(Stdio::null()).output().unwrap();
    let told = [output.stdout, output.stderr].concat();
    let told = String::from_utf8_lossy(&told);
    assert!(!output.status.success() && !told.is_empty(), "{words:?}: {told}");
    assert!(!told.contains("hunter2"), "{words:?}: {told}");
}

/// The same in text, and as JSON for the first of the URLs.
fn check_both(lab: &Path, line: &str, url: &str) {
    let words: Vec<String> = line.split(' ').map(|word| word.replace("URL", url)).collect();
    check(lab, &words);
    if url == URLS[0] {
        check(lab, &[vec!["--json".to_owned()], words].concat());
    }
}

fn assert_nothing_is_kept(lab: &Path) {
    for file in files(lab).iter().filter(|file| !file.ends_with("node.yaml")) {
        let kept = std::fs::read(file).unwrap();
        assert!(!String::from_utf8_lossy(&kept).contains("hunter2"), "{}", file.display());
    }
}

#[test]
fn no_command_tells_the_password_of_a_url() {
    let lab = lab();
    for url in URLS {
        COMMANDS.iter().for_each(|line| check_both(lab.path(), line, url));
    }
    assert_nothing_is_kept(lab.path());
}

#[test]
fn no_node_tells_the_password_of_a_url() {
    let lab = lab();
    for url in URLS {
        for node in NODES {
            let yaml = format!("{HEAD}export:\n  it: {{ {} }}\n", node.replace("URL", url));
            std::fs::write(lab.path().join("node.yaml"), yaml).unwrap();
            check_both(lab.path(), "--exporter node.yaml doctor", url);
        }
    }
    assert_nothing_is_kept(lab.path());
}
