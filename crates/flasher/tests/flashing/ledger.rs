//! The ledger as a user meets it: jobs are listed and shown, media have a record, and nothing that is wrong with it fails a flash.

use std::fs;
use std::os::unix::fs::PermissionsExt;

use serde_json::Value;

use crate::lab::{Lab, MEDIUM, events, make_disk, text};

/// An image of another length than the medium, so that the two differ.
fn with_image() -> Lab {
    let lab = Lab::new();
    let mut image: Vec<u8> = (0..MEDIUM / 2).map(|at| (at * 3 % 241) as u8).collect();
    make_disk(&mut image);
    fs::write(lab.path("image"), image).unwrap();
    lab
}

fn flash(lab: &Lab, more: &[&str], code: i32) -> String {
    let ran = lab.run("true", &[&["flash"], more].concat());
    assert_eq!(ran.status.code(), Some(code), "{}", text(&ran.stderr));
    text(&ran.stderr) + &text(&ran.stdout)
}

/// The lines of a list.
fn listed(lab: &Lab, args: &[&str]) -> Vec<Value> {
    let ran = lab.run("true", &[&["--json"], args].concat());
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    events(&ran)
}

#[test]
fn jobs_are_listed_and_their_receipts_are_shown() {
    let lab = with_image();
    assert_eq!(text(&lab.run("true", &["history"]).stdout), "no such jobs\n");
    assert_eq!(text(&lab.run("true", &["media"]).stdout), "no medium was seen by a job yet\n");
    let said = flash(&lab, &["image", "--receipt", "receipt.json"], 0);
    assert!(said.contains("receipt.json"), "{said}");
    let said = flash(&lab, &["no-such-image"], 3);
    assert!(said.contains("flasher history show 2"), "{said}");
    flash(&lab, &["image", "--no-ledger"], 0);
    lab.run("true", &["dump", "dump.img"]);

    let jobs = listed(&lab, &["history"]);
    let ends: Vec<_> =
        jobs.iter().map(|it| (it["id"].as_i64(), it["job"].as_str(), it["verdict"].as_str())).collect();
    let expected = [(3, "dump", "proven"), (2, "flash", "failed"), (1, "flash", "proven")];
    assert_eq!(ends, expected.map(|(id, job, verdict)| (Some(id), Some(job), Some(verdict))));
    let shown = lab.run("true", &["history", "show", "1"]);
    assert_eq!(shown.stdout, fs::read(lab.path("receipt.json")).unwrap(), "as `--receipt` keeps it");
    assert_eq!(listed(&lab, &["history", "--failed"]).len(), 1);
    assert_eq!(listed(&lab, &["history", "--board", "lab/storage", "--limit", "2"]).len(), 2);
    assert_eq!(listed(&lab, &["history", "--limit", "0"]).len(), listed(&lab, &["history"]).len());
    let newest = lab.run("true", &["history", "--limit", "1"]);
    assert_eq!(text(&newest.stdout).lines().count(), 2, "its head and one job");
    let more = "there are older jobs: `--limit N` lists so many, `--limit 0` all\n";
    assert_eq!(text(&newest.stderr), more);
    assert_eq!(listed(&lab, &["history", "--since", "2999-01-01"]).len(), 0);
    let table = text(&lab.run("true", &["history"]).stdout);
    let lines: Vec<&str> = table.lines().collect();
    assert!(lines[0].starts_with("ID  BEGUN (UTC)       BOARD        IMAGE"), "{table}");
    assert!(
        lines[2].contains("lab/storage  no-such-image") && lines[2].contains("failed (image)"),
        "{table}"
    );
    let missing = lab.run("true", &["history", "show", "77"]);
    assert_eq!(missing.status.code(), Some(2));

    let media = listed(&lab, &["media"]);
    let [medium] = &media[..] else { panic!("{media:?}") };
    let image = lab.receipt().image.decoded_sha256.unwrap();
    assert_eq!((&medium["jobs"], &medium["health"]), (&2.into(), &"healthy".into()));
    assert_eq!((&medium["size"], &medium["proven_image"]), (&MEDIUM.into(), &image.into()));
}

#[test]
fn nothing_that_is_wrong_with_the_ledger_fails_a_flash() {
    let file = |lab: &Lab| lab.path("state/flasher/ledger.sqlite");
    let check = |spoil: &dyn Fn(&Lab), expected: &str| {
        let lab = with_image();
        flash(&lab, &["image"], 0);
        spoil(&lab);
        let said = flash(&lab, &["image"], 0);
        let warned = said.lines().find(|line| line.starts_with("warning: ")).unwrap_or_default();
        let warned = warned.replace(lab.path("").to_str().unwrap(), "DIR/");
        assert!(warned.starts_with(&format!("warning: {expected}")), "{said}");
        lab
    };
    let spoiled = |lab: &Lab| fs::write(file(lab), "no ledger").unwrap();
    let lab = check(
        &spoiled,
        "the ledger `DIR/state/flasher/ledger.sqlite` could not be read; it is now `DIR/state/flasher/ledger.sqlite.unreadable-20",
    );
    assert_eq!(listed(&lab, &["history"]).len(), 1, "a new one was begun");

    // In the place of the file is a folder: nothing of it is renamed, and the receipt waits.
    let folder = |lab: &Lab| {
        fs::remove_file(file(lab)).unwrap();
        fs::create_dir(file(lab)).unwrap();
    };
    let lab = check(
        &folder,
        "`DIR/state/flasher/ledger.sqlite` cannot be used: Is a directory (os error 21); the receipt waits for it in `DIR/state/flasher/receipts/20",
    );
    fs::remove_dir(file(&lab)).unwrap();
    flash(&lab, &["image"], 0);
    assert_eq!(listed(&lab, &["history"]).len(), 2, "what waited was taken in");

    // No place for either.
    let nowhere = |lab: &Lab| {
        fs::remove_dir_all(lab.path("state/flasher")).unwrap();
        fs::write(lab.path("state/flasher"), "").unwrap();
    };
    check(&nowhere, "no receipt was kept: `DIR/state/flasher` cannot be used: File exists (os error 17)");
}

#[test]
fn the_ledger_is_for_its_user_alone() {
    let lab = with_image();
    flash(&lab, &["image"], 0);
    for (name, expected) in [("state/flasher", 0o700), ("state/flasher/ledger.sqlite", 0o600)] {
        let mode = fs::metadata(lab.path(name)).unwrap().permissions().mode() & 0o777;
        assert_eq!(mode, expected, "{name}");
    }
}

#[test]
fn a_medium_is_named_by_what_the_ledger_knows() {
    let lab = with_image();
    let look = |args: &[&str]| {
        let ran = lab.run("true", &[&["identify"], args].concat());
        assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
        text(&ran.stdout)
    };
    let said = look(&["--no-ledger"]);
    assert!(said.contains("unknown  ") && said.contains("with no image"), "{said}");
    flash(&lab, &["image"], 0);
    let before = fs::read(lab.path("medium")).unwrap();
    let said = look(&["--receipt", "receipt.json"]);
    assert!(said.contains("whole  image") && said.contains("nothing was written"), "{said}");
    let found = lab.receipt().found.unwrap();
    assert_eq!((found.known_images, found.image.unwrap().name.as_str()), (1, "image"));
    assert!(fs::read(lab.path("medium")).unwrap() == before);
    let refused = lab.run("true", &["verify-receipt", "receipt.json"]);
    assert_eq!(refused.status.code(), Some(3), "{}", text(&refused.stderr));

    let images = listed(&lab, &["history", "images"]);
    assert_eq!((images.len(), &images[0]["name"], &images[0]["jobs"]), (1, &"image".into(), &1.into()));
    let boards = listed(&lab, &["history", "boards"]);
    assert_eq!((&boards[0]["jobs"], &boards[0]["last_verdict"]), (&2.into(), &"identified".into()));
    let table = text(&lab.run("true", &["history"]).stdout);
    assert!(table.contains("a look at its medium  identified"), "{table}");
}
