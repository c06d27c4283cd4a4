//! Text of others reaches no terminal as it is: every command that prints some, fed with what terminals obey.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::io::{Read, Write};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::{Duration, SystemTime};

use assert_cmd::cargo::cargo_bin;
use flasher_bundles as _;
use flasher_core::flash::{ImageFacts, JobKind, MediumFacts, Site};
use flasher_core::{Class, Error, Failure, Receipt, Step, Verdict};

/// Clears the screen, sets the title, colours by a C1 sequence, turns the writing round, and begins a line of its own.
const HOSTILE: &str = "x\x1b[2J\x1b]0;t\x07\u{9b}31m\u{202e}y\r\nFORGED: proven";

/// A word of YAML that stands for `text`.
fn quoted(text: &str) -> String {
    serde_json::to_string(text).unwrap()
}

fn receipt(schema: u32, failure: Option<Failure>) -> String {
    let text = || Some(HOSTILE.to_owned());
    let site = Site { exporter: text(), node: text(), host: text(), user: text() };
    let image = ImageFacts { source: HOSTILE.to_owned(), format: text(), ..ImageFacts::default() };
    let medium =
        MediumFacts { target: HOSTILE.to_owned(), device: HOSTILE.to_owned(), ..MediumFacts::default() };
    let verdict = if failure.is_some() { Verdict::Failed } else { Verdict::Proven };
    let blank = Receipt::blank(HOSTILE, JobKind::Flash, site, SystemTime::now(), Duration::from_secs(1));
    let warnings = vec![HOSTILE.to_owned()];
    let receipt = Receipt { schema, verdict, failure, image, medium: Some(medium), warnings, ..blank };
    serde_json::to_string(&receipt.sealed()).unwrap()
}

/// A folder in which every name and every text is hostile.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
    let write = |name: &str, text: &str| std::fs::write(folder.path().join(name), text).unwrap();
    let error = Error::new(Class::Medium, HOSTILE).with("device", HOSTILE).help(HOSTILE);
    write("failed.json", &receipt(2, Some(Failure::new(Step::Verify, &error))));
    write("former.json", &receipt(1, None));
    write("proven.json", &receipt(2, None));
    write("broken.json", &format!("{{ {}: 1 }}", quoted(HOSTILE)));
    let head = format!(
        "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: {{ name: {} }}\n",
        quoted(HOSTILE)
    );
    let name = quoted(HOSTILE);
    let node = |config: &str| format!("{head}export:\n  {name}: {config}\n");
    write("names.yaml", &node("{ type: serial, config: { url: \"loop://\" } }"));
    write("drivers.yaml", &node(&format!("{{ type: {name} }}")));
    write("keys.yaml", &node(&format!("{{ type: serial, config: {{ {name}: {name} }} }}")));
    write("ports.yaml", &node(&format!("{{ type: serial, config: {{ url: {name} }} }}")));
    let board = "it: { type: flasher, config: { flasher_bundle: ./bundle }, children: { serial: { type: serial, \
                 config: { url: \"loop://\" } }, power: { type: power-mock } } }";
    write("bench.yaml", &format!("{head}export:\n  {board}\n"));
    std::fs::create_dir(folder.path().join("bundle")).unwrap();
    write("bundle/manifest.yaml", &manifest());
    std::fs::write(folder.path().join(HOSTILE), vec![7; 70_000]).unwrap();
    folder
}

fn manifest() -> String {
    let name = quoted(HOSTILE);
    format!(
        "apiVersion: jumpstarter.dev/v1alpha1\nkind: FlashBundleManifest\nmetadata: {{ name: {name} }}\nspec:\n  \
         manufacturer: {name}\n  bootcmd: {name}\n  {name}: {name}\n  default_target: {name}\n  targets: {{ {name}: {name} }}\n  \
         kernel: {{ file: {name}, address: {name} }}\n"
    )
}

/// Runs a command; checks what it says on both streams.
fn check(folder: &Path, args: &[&str]) {
    let mut command = Command::new(cargo_bin("flasher"));
    command.args(args).current_dir(folder).env_remove("FLASHER_EXPORTER").stdin(Stdio::null());
    command.env("XDG_STATE_HOME", folder.join("state")).env("XDG_CACHE_HOME", folder.join("cache"));
    let output = command.output().unwrap();
    let mut said = 0;
    for bytes in [output.stdout, output.stderr] {
        let text = String::from_utf8(bytes).unwrap();
        said += text.len();
        let bad =
            |letter: char| (letter.is_control() && !matches!(letter, '\n' | '\t')) || letter == '\u{202e}';
        assert!(!text.contains(bad), "{args:?}: {text:?}");
        assert!(!text.lines().any(|line| line.starts_with("FORGED")), "{args:?}: {text}");
    }
    assert!(said > 0, "{args:?} says nothing, so that nothing was checked");
}

/// A server that answers everything with hostile words; gives its address.
fn server(status: &'static str, more: &'static str) -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap().to_string();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = server.accept() {
            let _ = client.read(&mut [0; 4096]);
            let words = serde_json::json!({ "errors": [{ "code": "DENIED", "message": HOSTILE }] });
            let body = if more.contains("json") { words.to_string() } else { HOSTILE.to_owned() };
            let length = body.len();
            let head = format!(
                "HTTP/1.1 {status}\r\n{more}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n"
            );
            let _ = client.write_all(format!("{head}{body}").as_bytes()); // it may have gone
        }
    });
    address
}

#[test]
fn no_words_of_a_server_reach_the_terminal_as_they_are() {
    let folder = folder();
    for (status, more) in [
        ("403 Forbidden", "Content-Type: text/plain"),
        ("403 Forbidden", "Content-Type: application/json"),
        ("404 \u{9b}31m", "Content-Type: text/plain"),
        ("400 \x1b[2J", "Content-Type: text/html"),
        ("302 Found", "Location: http://127.0.0.1:1/\u{9b}31m\u{202e}y"),
        ("200 OK", "Content-Type: text/\u{9b}31m; charset=\u{202e}"),
        ("200 OK", "Content-Encoding: \u{9b}31m\u{202e}"),
    ] {
        let address = server(status, more);
        let url = format!("http://{address}/os.img");
        let sums = ["plan", "proven.json", "--checksum-url", &url];
        for args in [
            &["plan", &url][..],
            &["flash", &url, "--retries", "0"],
            &sums,
            &["bundle", "pull", &format!("{address}/acme/os:1")],
            &["bundle", "push", "bundle", &format!("{address}/acme/os:1")],
            &["--remote", &address, "attach"],
        ] {
            let needs_bench = ["plan", "flash"].contains(&args[0]);
            let bench: &[&str] = if needs_bench { &["--exporter", "bench.yaml"] } else { &[] };
            check(folder.path(), &[bench, args].concat());
        }
    }
}

#[test]
fn no_command_hands_text_of_others_to_the_terminal_as_it_is() {
    let folder = folder();
    let commands: &[&[&str]] = &[
        &["verify-receipt", "failed.json"],
        &["verify-receipt", "former.json"],
        &["verify-receipt", "proven.json"],
        &["verify-receipt", "broken.json"],
        &["verify-receipt", HOSTILE],
        &["verify-receipt", "failed.json", HOSTILE],
        &["check", "names.yaml"],
        &["check", "drivers.yaml"],
        &["check", "keys.yaml"],
        &["check", "bench.yaml"],
        &["check", HOSTILE],
        &["--exporter", "names.yaml", "doctor"],
        &["--exporter", "ports.yaml", "doctor"],
        &["--exporter", "bench.yaml", "doctor"],
        &["--exporter", "bench.yaml", "plan", HOSTILE],
        &["--exporter", "bench.yaml", "flash", HOSTILE, "--retries", "0"],
        &["--exporter", "bench.yaml", "flash", HOSTILE, "--receipt", HOSTILE],
        &["--exporter", "bench.yaml", "dump", "out.img", "--target", HOSTILE, "--retries", "0"],
        &["--exporter", "names.yaml", "flash", "no\nFORGED.img"],
        &["--exporter", "names.yaml", "power", "--device", HOSTILE, "on"],
        &["--exporter", "names.yaml", "console", "--device", HOSTILE],
        &["--exporter", HOSTILE, "power", "on"],
        &["--remote", HOSTILE, "attach"],
        &["drivers", HOSTILE],
        &["boards", HOSTILE],
        &["bundle", "check", "bundle"],
        &["bundle", "check", HOSTILE],
        &["bundle", "pull", HOSTILE],
        &["files", HOSTILE],
        &[HOSTILE],
        &["flash", "x", "--verify", HOSTILE],
        &["flash", "x", HOSTILE],
        &["attach", HOSTILE],
        &["--log", HOSTILE, "cancel"],
        &["--exporter", "names.yaml", "serve", "--listen", HOSTILE],
    ];
    for args in commands {
        check(folder.path(), args);
        check(folder.path(), &[&["--json"], *args].concat());
    }
}
