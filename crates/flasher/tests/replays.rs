//! Failures that were recorded once end the same today: each file of `tests/replays` is played. A recording becomes a test by being put there.

#![allow(clippy::unwrap_used, clippy::panic, reason = "a test may")]

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::Mutex;

use assert_cmd::cargo::cargo_bin;
use serde_json::Value;

/// Where the recordings are.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/replays");
/// The board of the other tests, but for its faults.
const LAB: &str = "\
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { name: bench }
export:
  board: { type: sim-board, config: { medium: ./medium.img, size: 16MiB, bootdelay: 3, faults: { FAULTS } } }
  storage:
    type: flasher
    config: { flasher_bundle: ./sim-bundle, power_off_seconds: 0.1, record_failures: 2, state_dir: state,
              timeouts: { bootloader: 20, dhcp: 3, shell: 20 } }
    children:
      serial: { ref: board.serial }
      power: { ref: board.power }
      tftp: { type: tftp, config: { port: 0, root_dir: tftp } }
      http: { type: http, config: { port: 0, root_dir: http } }
";

/// The end of a job that its user stopped.
const STOPPED: &str = r#""ended":{"failure":{"class":"interrupted","step":"shell","cause":"stopped","context":{},"help":null,"console":[]}"#;

/// A folder with an exporter YAML, a bundle and an image.
struct Lab(tempfile::TempDir);

impl Lab {
    fn new(faults: &str) -> Self {
        let lab = Self(tempfile::tempdir().unwrap());
        // Started by root, the simulated board runs as another user, who must get through.
        fs::set_permissions(lab.0.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
        assert!(Command::new("cp").arg("-r").arg(bundle).arg(lab.0.path()).status().unwrap().success());
        fs::write(lab.path("lab.yaml"), LAB.replace("FAULTS", faults)).unwrap();
        let mut image = vec![7; 1 << 20];
        image[..512].fill(0);
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(lab.path("os.img"), image).unwrap();
        lab
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    fn run(&self, args: &[&str]) -> Output {
        let mut command = Command::new(cargo_bin("flasher"));
        command.args(args).current_dir(self.0.path()).env("XDG_STATE_HOME", self.path("home"));
        command.output().unwrap()
    }

    fn flash(&self, args: &[&str]) -> Output {
        let flash = ["--exporter", "lab.yaml", "flash", "os.img", "--no-ledger", "--retries", "0"];
        self.run(&[&flash, args].concat())
    }
}

fn both(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// Runs a command that must end with `code` and say all of `words`.
fn check(lab: &Lab, args: &[&str], code: i32, words: &[&str]) {
    let output = lab.run(args);
    let said = both(&output);
    assert_eq!(output.status.code(), Some(code), "{args:?}\n{said}");
    words.iter().for_each(|words| assert!(said.contains(words), "{args:?} does not say `{words}`:\n{said}"));
}

#[test]
fn recorded_failures_end_the_same() {
    let mut files: Vec<PathBuf> = fs::read_dir(FOLDER).unwrap().map(|entry| entry.unwrap().path()).collect();
    files.retain(|file| file.extension().is_some_and(|it| it == "jsonl"));
    assert!(files.len() >= 20, "{files:?}");
    files.sort();
    let left = Mutex::new(files);
    let next = || left.lock().unwrap().pop();
    let play = || {
        while let Some(file) = next() {
            let output = Command::new(cargo_bin("flasher")).arg("replay").arg(&file).output().unwrap();
            let said = both(&output);
            assert!(
                output.status.success() && said.contains("ended as it was recorded"),
                "{}\n{said}",
                file.display()
            );
        }
    };
    // They wait for most of their time.
    std::thread::scope(|scope| {
        let workers: Vec<_> = (0..8).map(|_| scope.spawn(play)).collect();
        workers.into_iter().for_each(|worker| worker.join().unwrap());
    });
}

#[test]
fn a_failure_is_recorded_and_played_again() {
    let lab = Lab::new("no_network: true");
    for _ in 0..3 {
        assert_eq!(lab.flash(&[]).status.code(), Some(5));
    }
    let kept: Vec<PathBuf> =
        fs::read_dir(lab.path("state/recordings")).unwrap().map(|entry| entry.unwrap().path()).collect();
    assert_eq!(kept.len(), 2, "{kept:?}");
    assert_eq!(fs::metadata(&kept[0]).unwrap().permissions().mode() & 0o777, 0o600);
    assert!(fs::metadata(&kept[0]).unwrap().len() < 1 << 20);
    check(
        &lab,
        &["replay", kept[0].to_str().unwrap(), "--receipt", "receipt.json"],
        0,
        &["U-Boot finds no Ethernet device", "ended as it was recorded: the same class, step and cause"],
    );
    let receipt: Value = serde_json::from_slice(&fs::read(lab.path("receipt.json")).unwrap()).unwrap();
    assert_eq!(
        (&receipt["failure"]["step"], &receipt["site"]["exporter"]),
        (&"bootloader".into(), &"bench".into())
    );
    // Where it was asked for, and as this user's list has it.
    assert_eq!(lab.flash(&["--record", "own.jsonl"]).status.code(), Some(5));
    check(&lab, &["replay", "own.jsonl"], 0, &["ended as it was recorded"]);
    check(&lab, &["replay"], 0, &["no recordings"]);
    fs::create_dir_all(lab.path("home/flasher/recordings")).unwrap();
    fs::copy(&kept[0], lab.path("home/flasher/recordings/a.jsonl")).unwrap();
    check(&lab, &["replay"], 0, &["bootloader  `dhcp` failed", "recordings/a.jsonl"]);
}

/// A server that gives the same answer to each request; gives its address. It ends with this process.
fn server(answer: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            // The request: its end is not looked for, as it comes in one piece.
            let _ = stream.read(&mut [0; 4096]);
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    address
}

/// What a server of images answers, how a flash of it ends, and what its recording has and says.
const REFUSALS: &[(&str, &str, i32, &[&str])] = &[
    (
        "http",
        "HTTP/1.1 404 Not Found\r\nServer: shelf\r\nContent-Length: 0\r\n\r\n",
        3,
        &["status 404", "server: shelf"],
    ),
    (
        "http",
        "HTTP/1.1 403 Forbidden\r\nContent-Length: 12\r\n\r\nToken is old",
        3,
        &["status 403 `Token is old`"],
    ),
    ("http", "HTTP/1.1 503 Busy\r\nContent-Length: 0\r\nRetry-After: 9\r\n\r\n", 4, &["retry-after: 9"]),
    (
        "http",
        "HTTP/1.1 302 Found\r\nLocation: /other.img?sig=Geheim\r\nContent-Length: 0\r\n\r\n",
        3,
        &["status 302", "other.img?sig=***"],
    ),
    ("http", "what is that?", 4, &["no answer: "]),
    ("https", "HTTP/1.1 400 Bad\r\nContent-Length: 0\r\n\r\n", 4, &["no answer: "]),
];

#[test]
fn what_an_images_server_refused_is_played_again() {
    let lab = Lab::new("");
    for (scheme, answer, code, words) in REFUSALS {
        let url = format!("{scheme}://ana:Geheim@{}/os.img?key=Geheim", server(answer));
        let flash = ["--exporter", "lab.yaml", "flash", &url, "--no-ledger", "--retries", "0"];
        let output = lab.run(&[&flash[..], &["--record", "own.jsonl"]].concat());
        assert_eq!(output.status.code(), Some(*code), "{answer}: {}", both(&output));
        let kept = fs::read_to_string(lab.path("own.jsonl")).unwrap();
        assert!(kept.contains("\"asked\"") && !kept.contains("Geheim"), "{kept}");
        check(
            &lab,
            &["replay", "own.jsonl"],
            0,
            &["ended as it was recorded: the same class, step and cause"],
        );
        check(&lab, &["report", "own.jsonl", "--html", "page.html"], 0, &["wrote page.html"]);
        let page = fs::read_to_string(lab.path("page.html")).unwrap();
        words.iter().for_each(|words| assert!(page.contains(words), "{answer}: `{words}`\n{kept}"));
    }
}

/// Once some of it was given, the bytes would be needed.
#[test]
fn an_image_of_which_some_was_given_is_not_played() {
    let lab = Lab::new("");
    let cut = server("HTTP/1.1 200 OK\r\nContent-Length: 4000\r\nETag: \"7\"\r\n\r\n<html>");
    let url = format!("http://{cut}/os.img");
    let flash = ["--exporter", "lab.yaml", "flash", &url, "--no-ledger", "--retries", "0"];
    let output = lab.run(&[&flash[..], &["--record", "own.jsonl"]].concat());
    assert_ne!(output.status.code(), Some(0), "{}", both(&output));
    let kept = fs::read_to_string(lab.path("own.jsonl")).unwrap();
    // Nor is what a recording from elsewhere names in the image's place: a file of this machine, a registry.
    for other in ["lab.yaml", "oci://127.0.0.1:9/os:1"] {
        let text = kept.replacen(&format!("\"image\":\"{url}\""), &format!("\"image\":\"{other}\""), 1);
        assert_ne!(text, kept);
        fs::write(lab.path("other.jsonl"), text.replace("\"status\":200", "\"status\":404")).unwrap();
        check(&lab, &["replay", "other.jsonl"], 2, &["this job failed at its image, whose bytes are not in"]);
    }
    assert!(kept.contains("\"etag\":\"\\\"7\\\"\""), "{kept}");
    check(&lab, &["replay", "own.jsonl"], 2, &["this job failed at its image, whose bytes are not in the"]);
}

#[test]
fn a_recording_is_reported_like_a_receipt() {
    let lab = Lab::new("no_network: true");
    assert_eq!(lab.flash(&["--record", "own.jsonl", "--receipt", "own.json"]).status.code(), Some(5));
    let words =
        ["failed: os.img on bench/storage", "U-Boot finds no Ethernet device", "root cause no-ethernet"];
    check(&lab, &["report", "own.jsonl"], 0, &words);
    check(&lab, &["report", "own.jsonl", "own.json", "--html", "page.html"], 0, &["wrote page.html"]);
    let page = fs::read_to_string(lab.path("page.html")).unwrap();
    for words in
        ["No ethernet found", "the switch reports that it is on", "step bootloader", "proves nothing"]
    {
        assert!(page.contains(words), "the page does not have `{words}`");
    }
    let signed = ["report", "own.jsonl", "--attest", "a.json", "--key", "key.pem"];
    check(&lab, &signed, 2, &["`own.jsonl` is a recording, and nothing in it is proven"]);
    let text = fs::read_to_string(lab.path("own.jsonl")).unwrap();
    let end = text.rfind("{\"ended\"").unwrap();
    let proven = r#"{"ended":{"failure":null,"power":"off","attempts":1}}"#;
    fs::write(lab.path("proven.jsonl"), format!("{}{proven}\n", &text[..end])).unwrap();
    check(&lab, &["report", "proven.jsonl"], 2, &["the job of the recording `proven.jsonl` did not fail"]);
    fs::write(lab.path("cut.jsonl"), &text[..end]).unwrap();
    check(&lab, &["report", "cut.jsonl"], 2, &["cut.jsonl"]);
}

#[test]
fn what_ends_otherwise_says_where() {
    let lab = Lab::new("no_network: true");
    lab.flash(&["--record", "own.jsonl"]);
    let text = fs::read_to_string(lab.path("own.jsonl")).unwrap();
    let write = |name: &str, text: &str| fs::write(lab.path(name), text).unwrap();
    // As if the program had said something else, or typed something else.
    write(
        "said.jsonl",
        &text.replace("failed with status 1: U-Boot finds no Ethernet device", "had no answer"),
    );
    check(
        &lab,
        &["replay", "said.jsonl"],
        70,
        &["did not end as it was recorded", "  recorded  board (exit 5) in step bootloader"],
    );
    write(
        "typed.jsonl",
        &text.replace("\"sent\":\"dhcp", "\"sent\":\"bootp").replace("no Ethernet", "no other"),
    );
    check(
        &lab,
        &["replay", "typed.jsonl"],
        70,
        &["the recorded job typed `bootp", "and this one types `dhcp"],
    );
}

#[test]
fn files_that_cannot_be_played() {
    let lab = Lab::new("");
    assert_eq!(lab.flash(&["--record", "proven.jsonl"]).status.code(), Some(0));
    let text = fs::read_to_string(lab.path("proven.jsonl")).unwrap();
    let write = |name: &str, text: &str| fs::write(lab.path(name), text).unwrap();
    write("newer.jsonl", &text.replacen("\"recording\":2", "\"recording\":3", 1));
    write("cut.jsonl", &text[..text.len() / 2]);
    write("line.jsonl", &text.replacen("\"step\":\"resolve\"", "\"step\":\"dance\"", 1));
    write("other.jsonl", "{}\n");
    for (file, words) in [
        ("proven.jsonl", "this job did not fail"),
        ("newer.jsonl", "has format 3, and this build knows formats up to 2"),
        ("cut.jsonl", "is cut short: it does not say how the job ended"),
        ("line.jsonl", "line 2 of the recording `line.jsonl` cannot be read"),
        ("other.jsonl", "`other.jsonl` is no recording of a job"),
        ("missing.jsonl", "cannot use the recording `missing.jsonl`: No such file"),
    ] {
        check(&lab, &["replay", file], 2, &[words]);
    }
    check(&lab, &["replay", "--receipt", "r.json"], 2, &["`--receipt` is for a recording that is played"]);
    // Before the board is touched.
    let nowhere = lab.flash(&["--record", "nowhere/own.jsonl"]);
    assert!(both(&nowhere).contains("no recording can be kept as `nowhere/own.jsonl`"), "{}", both(&nowhere));
    assert_eq!(nowhere.status.code(), Some(2));
    let stopped = text.replacen("\"ended\":{\"failure\":null", STOPPED, 1);
    assert_ne!(stopped, text);
    write("stopped.jsonl", &stopped);
    check(&lab, &["replay", "stopped.jsonl"], 2, &["this job was stopped by its user"]);
    write("long.jsonl", &text.replacen("\"is_whole\":true", "\"is_whole\":false", 1));
    check(&lab, &["replay", "long.jsonl"], 2, &["this recording is not whole"]);
    let medium = Lab::new("flip_bit: { offset: 700000, mask: 4 }");
    assert_eq!(medium.flash(&["--record", "medium.jsonl"]).status.code(), Some(6));
    check(
        &medium,
        &["replay", "medium.jsonl"],
        2,
        &["failed in step verify, and the bytes of its medium are not"],
    );
}

/// A password that flasher was given is in nothing that is kept.
#[test]
fn secrets_are_in_no_recording() {
    let lab = Lab::new("no_login: false");
    let yaml = fs::read_to_string(lab.path("lab.yaml")).unwrap();
    let board = "bootdelay: 3, username: root, password: Geheim-Eins, shell_prompt: '% ',";
    fs::write(lab.path("lab.yaml"), yaml.replace("bootdelay: 3,", board)).unwrap();
    let manifest = fs::read_to_string(lab.path("sim-bundle/manifest.yaml")).unwrap();
    let login = "username: root\n    password: Geheim-Eins";
    fs::write(lab.path("sim-bundle/manifest.yaml"), manifest.replace("username: root", login)).unwrap();
    let url = "http://ana:Geheim-Zwei@127.0.0.1:9/os.img?X-Amz-Signature=Geheim-Drei";
    for (image, more) in
        [("os.img", &["--preflash", "false"][..]), (url, &["--header", "X-Key: Geheim-Vier"])]
    {
        let args = [
            "--exporter",
            "lab.yaml",
            "flash",
            image,
            "--record",
            "own.jsonl",
            "--no-ledger",
            "--retries",
            "0",
        ];
        let output = lab.run(&[&args, more].concat());
        assert_ne!(output.status.code(), Some(0), "{}", both(&output));
        let kept = fs::read_to_string(lab.path("own.jsonl")).unwrap();
        assert!(!kept.contains("Geheim"), "{kept}");
        assert!(image == url || kept.contains("\"sent\":\"********\\n\""), "{kept}\n{}", both(&output));
    }
}
