//! Ledgers that cannot be read or written: the receipt is never lost, and the user knows where it is.

use std::fs::{self, Permissions};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::{fresh, receipt};
use crate::{Filter, Ledger, LedgerError, ReceiptPlace};

#[test]
fn what_is_no_ledger_is_set_aside() {
    let check = |content: &[u8]| {
        let (_folder, ledger) = fresh();
        fs::create_dir_all(ledger.file().parent().unwrap()).unwrap();
        fs::write(ledger.file(), content).unwrap();
        let receipt = receipt(0, |_| {});
        let kept = ledger.keep(&receipt).unwrap();
        let ReceiptPlace::Job { id, set_aside: Some(aside) } = kept else { panic!("{kept:?}") };
        assert_eq!(ledger.receipt(id).unwrap(), receipt);
        assert_eq!(fs::read(&aside).unwrap(), content, "it is as it was");
        assert!(aside.to_str().unwrap().contains("ledger.sqlite.unreadable-20"), "{aside:?}");
    };
    check(b"notes of mine, which are no database at all");
    check(&[b"SQLite format 3\0".as_slice(), &[0xff; 5000]].concat());
}

#[test]
fn an_empty_file_is_a_new_ledger() {
    let (_folder, ledger) = fresh();
    fs::create_dir_all(ledger.file().parent().unwrap()).unwrap();
    fs::write(ledger.file(), b"").unwrap();
    assert!(matches!(ledger.keep(&receipt(0, |_| {})).unwrap(), ReceiptPlace::Job { set_aside: None, .. }));
}

#[test]
fn a_ledger_of_a_newer_version_is_left_alone() {
    let (_folder, ledger) = fresh();
    ledger.keep(&receipt(0, |_| {})).unwrap();
    let connection = ledger.open().unwrap();
    connection.pragma_update(None, "user_version", 99).unwrap();
    drop(connection);
    let kept = ledger.keep(&receipt(10, |_| {})).unwrap();
    let ReceiptPlace::Waiting { file, why } = kept else { panic!("{kept:?}") };
    assert!(file.starts_with(ledger.inbox().folder()), "{file:?}");
    let expected = format!(
        "the ledger `{}` was written by a newer version of flasher: use that version; receipts of this one wait as files meanwhile",
        ledger.file().display()
    );
    assert_eq!(why, expected);
    // The newer version takes it in.
    let connection = rusqlite::Connection::open(ledger.file()).unwrap();
    connection.pragma_update(None, "user_version", 2).unwrap();
    drop(connection);
    ledger.keep(&receipt(20, |_| {})).unwrap();
    assert_eq!(ledger.history(&Filter::default()).unwrap().rows.len(), 3);
    assert!(!file.exists());
}

#[test]
fn what_waits_is_taken_in_once() {
    let (_folder, ledger) = fresh();
    let inbox = ledger.inbox();
    let waiting: Vec<_> = (0..3).map(|second| inbox.keep(&receipt(second, |_| {})).unwrap()).collect();
    fs::write(inbox.folder().join("notes.json"), "mine").unwrap();
    ledger.keep(&receipt(1, |_| {})).unwrap();
    assert_eq!(ledger.history(&Filter::default()).unwrap().rows.len(), 3);
    assert!(waiting.iter().all(|file| !file.exists()));
    assert_eq!(fs::read_to_string(inbox.folder().join("notes.json")).unwrap(), "mine");
}

#[test]
fn places_that_take_nothing_are_named() {
    let check = |make: fn(&Path), ledger: fn(&Path) -> Ledger, expected: &str| {
        let folder = tempfile::tempdir().unwrap();
        make(folder.path());
        let ledger = ledger(folder.path());
        let error = ledger.keep(&receipt(0, |_| {})).unwrap_err().to_string();
        let error = error.replace(folder.path().to_str().unwrap(), "DIR");
        assert_eq!(error, expected);
    };
    check(
        |folder| fs::write(folder.join("state"), "").unwrap(),
        |folder| Ledger::at(folder.join("state/ledger.sqlite")),
        "`DIR/state` cannot be used: File exists (os error 17)",
    );
    check(
        |_| {},
        |_| Ledger::at("/proc/no-such/ledger.sqlite"),
        "`/proc/no-such` cannot be used: No such file or directory (os error 2)",
    );
}

/// A pseudo-random sequence (Knuth's MMIX generator), so that a failure can be had again.
fn random(state: &mut u64) -> usize {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    (*state >> 33) as usize
}

#[test]
fn flipped_bytes_lose_no_new_receipt() {
    let (_folder, sound) = fresh();
    (0..20).for_each(|second| drop(sound.keep(&receipt(second, |_| {})).unwrap()));
    // Everything is in the file itself once the last connection has closed.
    let bytes = fs::read(sound.file()).unwrap();
    let mut state = 17;
    for case in 0..60 {
        let (_folder, ledger) = fresh();
        fs::create_dir_all(ledger.file().parent().unwrap()).unwrap();
        let mut damaged = bytes.clone();
        for _ in 0..=random(&mut state) % 40 {
            let place = random(&mut state) % damaged.len();
            damaged[place] ^= 1 << (random(&mut state) % 8);
        }
        if case % 3 == 0 {
            damaged.truncate(random(&mut state) % damaged.len());
        }
        fs::write(ledger.file(), &damaged).unwrap();
        let new = receipt(1000, |_| {});
        match ledger.keep(&new).unwrap_or_else(|error| panic!("case {case}: {error}")) {
            ReceiptPlace::Job { id, .. } => assert_eq!(ledger.receipt(id).unwrap(), new, "case {case}"),
            ReceiptPlace::Waiting { file, .. } => assert!(file.exists(), "case {case}"),
        }
        // What is damaged is read, or set aside; then the ledger can be used.
        if let Err(error) = ledger.history(&Filter::default()) {
            assert!(matches!(error, LedgerError::SetAside { .. }), "case {case}: {error}");
            assert_eq!(ledger.history(&Filter::default()).unwrap().rows, [], "case {case}");
        }
    }
}

#[test]
fn the_ledger_is_for_its_user_alone() {
    let (_folder, ledger) = fresh();
    ledger.keep(&receipt(0, |_| {})).unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(ledger.file()), mode(ledger.file().parent().unwrap())), (0o600, 0o700));
}

#[test]
fn a_ledger_that_is_read_only_is_still_read() {
    let (_folder, ledger) = fresh();
    ledger.keep(&receipt(0, |_| {})).unwrap();
    fs::set_permissions(ledger.file(), Permissions::from_mode(0o400)).unwrap();
    assert_eq!(ledger.history(&Filter::default()).unwrap().rows.len(), 1);
    assert_eq!(ledger.media().unwrap().rows.len(), 1);
}
