//! Reports of real flashes, of files that are no receipts, and those that the CI examples make.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;

use crate::lab::{Lab, MEDIUM, make_disk, text};

/// A key for this test alone.
const KEY: &str = "-----BEGIN PRIVATE KEY-----\nMC4CAQAwBQYDK2VwBCIEIBMNiUmTJmDpjZOhu2GbliQc4SNh1BYNVNL4Xl3Fvc/l\n\
                   -----END PRIVATE KEY-----\n";

/// A lab in which one flash was proven and one failed, with receipts and transcripts.
fn flashed() -> Lab {
    let lab = Lab::new();
    let mut image: Vec<u8> = (0..MEDIUM / 2).map(|at| (at * 3 % 241) as u8).collect();
    make_disk(&mut image);
    fs::write(lab.path("image"), image).unwrap();
    fs::write(lab.path("key.pem"), KEY).unwrap();
    let ran =
        lab.run("true", &["flash", "image", "--receipt", "receipt.json", "--transcript", "console.log"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let ran = lab.run("true", &["flash", "no-such-image", "--receipt", "failed.json"]);
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    lab
}

fn reported(lab: &Lab, args: &[&str]) -> Output {
    lab.run("unset FLASHER_EXPORTER", &[&["report"], args].concat())
}

fn read(lab: &Lab, name: &str) -> String {
    fs::read_to_string(lab.path(name)).unwrap_or_else(|error| panic!("{name}: {error}"))
}

#[test]
fn every_report_of_a_flash() {
    let lab = flashed();
    let short = reported(&lab, &["receipt.json", "failed.json"]);
    let short = text(&short.stdout);
    assert!(short.starts_with("1 of 2 proven\n\nproven: "), "{short}");
    assert!(short.contains("\nfailed: no-such-image on lab/storage\n  to blame   the image"), "{short}");
    let files = [
        "--html",
        "page.html",
        "--junit",
        "junit.xml",
        "--kcidb",
        "kcidb.json",
        "--attest",
        "signed",
        "--key",
        "key.pem",
    ];
    let ran = reported(&lab, &[&["receipt.json"][..], &files].concat());
    assert_eq!((ran.status.code(), text(&ran.stdout).as_str()), (Some(0), ""), "{}", text(&ran.stderr));
    assert_eq!(text(&ran.stderr).lines().filter(|line| line.starts_with("wrote ")).count(), 4);
    let page = read(&lab, "page.html");
    for words in
        ["<h1>proven</h1>", "<h2>Rates", "<h2>Transfers", "kernel", "<h2>Console", "power on", "<h2>Evidence"]
    {
        assert!(page.contains(words), "{words}: {page}");
    }
    assert!(read(&lab, "junit.xml").contains("failures=\"0\" errors=\"0\""));
    assert!(read(&lab, "kcidb.json").contains("\"PASS\""));
    assert!(read(&lab, "signed").starts_with("{\"payload\""));
    // The same out of the ledger, where it is a number; its transcript is still there.
    let ran = reported(&lab, &["1", "2", "--html", "both.html"]);
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    let both = read(&lab, "both.html");
    assert!(both.contains("1 of 2 proven") && both.contains("job 1 of the ledger"), "{both}");
    fs::write(lab.path("console.log"), "other\n").unwrap();
    let ran = reported(&lab, &["receipt.json", "--html", "page.html"]);
    assert_eq!(ran.status.code(), Some(0));
    assert!(read(&lab, "page.html").contains("was changed after the job"));
    lab.assert_nothing_unfinished();
}

#[test]
fn what_no_report_is_made_of() {
    let lab = flashed();
    let receipt = read(&lab, "receipt.json");
    fs::write(lab.path("cut.json"), &receipt[..receipt.len() / 2]).unwrap();
    fs::write(lab.path("empty.json"), "").unwrap();
    fs::write(lab.path("other.json"), "{\"schema\": 2}").unwrap();
    fs::write(lab.path("newer.json"), receipt.replacen("\"schema\": 3", "\"schema\": 4", 1)).unwrap();
    fs::write(lab.path("bytes.json"), [0xff; 9]).unwrap();
    fs::write(lab.path("changed.json"), receipt.replace("\"attempts\": 1", "\"attempts\": 2")).unwrap();
    let big = fs::File::create(lab.path("big.json")).unwrap();
    big.set_len((64 << 20) + 1).unwrap();
    let cases: [(&[&str], i32, &str); 14] = [
        (&["cut.json"], 2, "cut.json"),
        (&["empty.json"], 2, "empty.json"),
        (&["other.json"], 2, "other.json"),
        (&["newer.json"], 2, "the receipt has schema 4, expected 1 to 3"),
        (&["bytes.json"], 2, "bytes.json"),
        (&["big.json"], 2, "`big.json` is larger than any receipt"),
        (&["no-such-file"], 2, "cannot read the receipt `no-such-file`"),
        (&["."], 2, "cannot read the receipt `.`"),
        (&["77"], 2, "77"),
        (&["changed.json"], 3, "the receipt was changed after it was written"),
        (&["receipt.json", "cut.json"], 2, "cut.json"),
        (&["receipt.json", "--attest", "signed"], 2, "--key"),
        (
            &["receipt.json", "--kcidb", "k.json", "--kcidb-origin", "My Lab"],
            2,
            "lowercase letters, digits and `_`",
        ),
        (&["failed.json", "--attest", "signed", "--key", "key.pem"], 3, "names no digest of an image"),
    ];
    for (args, code, expected) in cases {
        let ran = reported(&lab, &[args, &["--html", "page.html"]].concat());
        let said = text(&ran.stderr);
        assert_eq!(ran.status.code(), Some(code), "{args:?}: {said}");
        assert!(said.contains(expected), "{args:?}: {said}");
        assert!(!lab.path("page.html").exists(), "{args:?}");
    }
    let ran = reported(&lab, &["receipt.json", "--html", "no-such-folder/page.html"]);
    assert_eq!(ran.status.code(), Some(4), "{}", text(&ran.stderr));
    let ran = reported(&lab, &["receipt.json", "--attest", "signed", "--key", "image"]);
    assert!(text(&ran.stderr).contains("this key cannot sign"), "{}", text(&ran.stderr));
    assert_eq!(ran.status.code(), Some(2));
}

/// The validators' programs; none, with a word about it, when `cargo xtask test` has not installed them. In CI they must be there.
fn validators() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    let folder = target.join("validators-1");
    if folder.join("stamp").exists() {
        return Some(folder.join("bin"));
    }
    assert!(std::env::var_os("CI").is_none(), "no validators in {}", folder.display());
    println!("skipped: no validators in {}; `cargo xtask test` installs them", folder.display());
    None
}

/// The scripts of a CI file, in their order.
const SCRIPTS: &str = "
import json, ruamel.yaml, sys
file = ruamel.yaml.YAML(typ='safe').load(open(sys.argv[1]))
if 'runs' in file:
    scripts = [step['run'] for step in file['runs']['steps'] if 'run' in step]
else:
    scripts = ['\\n'.join(file['.flash'][key]) for key in ('script', 'after_script')]
print(json.dumps(scripts))";

/// Runs a script as CI does: `bash` that ends at the first error, with `flasher` in its search path.
fn as_in_ci(lab: &Lab, script: &str, variables: &[(&str, &str)]) -> (Option<i32>, String) {
    let mut command = Command::new("bash");
    command.args(["-eo", "pipefail", "-c", script]).current_dir(lab.path("")).envs(variables.iter().copied());
    let bin = cargo_bin("flasher");
    let path = format!("{}:{}", bin.parent().unwrap().display(), std::env::var("PATH").unwrap());
    let ran = command.env("PATH", path).env("XDG_STATE_HOME", lab.path("state")).output().unwrap();
    (ran.status.code(), text(&ran.stdout) + &text(&ran.stderr))
}

#[test]
fn the_ci_examples_are_sound() {
    let Some(bin) = validators() else { return };
    let examples = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/ci");
    let lab = flashed();
    fs::write(lab.path("secret"), "a passphrase of some length").unwrap();
    let folder = lab.path("").to_str().unwrap().to_owned();
    // Nothing listens there: the lab is to blame, and there is no receipt.
    let variables = [
        ("IMAGE", "image"),
        ("REMOTE", "127.0.0.1:1"),
        ("PASSPHRASE", "a passphrase of some length"),
        ("CACERT", ""),
        ("OPTIONS", "--retries 0"),
        ("RUNNER_TEMP", &folder),
        ("GITHUB_OUTPUT", "output"),
        ("GITHUB_STEP_SUMMARY", "summary"),
        ("FOLDER", "flasher"),
        ("FLASHER_LAB", "127.0.0.1:1"),
        ("FLASHER_IMAGE", "image"),
        ("FLASHER_PASSPHRASE_FILE", "secret"),
        ("FLASHER_OPTIONS", "--retries 0"),
    ];
    let cases = [
        ("github/action.yml", "vendor.github-actions", &[][..]),
        ("gitlab/flasher.yml", "vendor.gitlab-ci", &["--data-transform", "gitlab-ci"][..]),
    ];
    for (name, schema, more) in cases {
        let file = examples.join(name);
        let checked = Command::new(bin.join("check-jsonschema"))
            .args(["--builtin-schema", schema])
            .args(more)
            .arg(&file)
            .output()
            .unwrap();
        assert!(checked.status.success(), "{name}: {}", text(&checked.stdout));
        let scripts = Command::new(bin.join("python")).args(["-c", SCRIPTS]).arg(&file).output().unwrap();
        let scripts: Vec<String> = serde_json::from_slice(&scripts.stdout).unwrap();
        let [flash, report] = &scripts[..] else { panic!("{name}: {scripts:?}") };
        let _ = fs::remove_dir_all(lab.path("flasher"));
        let (code, said) = as_in_ci(&lab, flash, &variables);
        assert_eq!(code, Some(4), "{name}: {said}");
        let (code, said) = as_in_ci(&lab, report, &variables);
        assert_eq!(code, Some(0), "{name}: {said}");
        fs::create_dir_all(lab.path("flasher")).unwrap();
        fs::copy(lab.path("receipt.json"), lab.path("flasher/receipt.json")).unwrap();
        let (code, said) = as_in_ci(&lab, report, &variables);
        assert_eq!(code, Some(0), "{name}: {said}");
        assert!(read(&lab, "flasher/report.html").contains("<h1>proven</h1>"), "{name}");
        assert!(read(&lab, "flasher/junit.xml").contains("verdict"), "{name}");
    }
    assert!(read(&lab, "summary").starts_with("    proven: "), "{}", read(&lab, "summary"));
}
