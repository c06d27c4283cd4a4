//! Jobs are kept once, listed, found again, and bounded.

use flasher_core::flash::MediumState;
use flasher_core::{Class, Receipt, Verdict};

use super::{failed, fresh, receipt};
use crate::bounds::{self, Bounds};
use crate::{Filter, Ledger, LedgerError, ReceiptPlace};

fn id(kept: ReceiptPlace) -> i64 {
    match kept {
        ReceiptPlace::Job { id, set_aside: None } => id,
        other => panic!("it is not simply in the ledger: {other:?}"),
    }
}

fn ids(ledger: &Ledger, filter: &Filter) -> Vec<i64> {
    ledger.history(filter).unwrap().rows.into_iter().map(|entry| entry.id).collect()
}

#[test]
fn a_job_is_listed_and_its_receipt_is_whole() {
    let (_folder, ledger) = fresh();
    assert_eq!(ledger.history(&Filter::default()).unwrap().rows, []);
    assert!(!ledger.file().exists(), "looking makes nothing");
    let receipt = receipt(0, |_| {});
    let kept = id(ledger.keep(&receipt).unwrap());
    assert_eq!(id(ledger.keep(&receipt).unwrap()), kept, "a receipt is kept once");
    assert_eq!(ledger.receipt(kept).unwrap(), receipt);
    let entries = ledger.history(&Filter::default()).unwrap().rows;
    let [entry] = &entries[..] else { panic!("{entries:?}") };
    assert_eq!((entry.id, entry.verdict, entry.class), (kept, Verdict::Proven, None));
    assert_eq!((entry.begun.as_str(), entry.seconds), (receipt.begun.as_str(), 20.0));
    assert_eq!((entry.medium.as_deref(), entry.bytes_written), (Some("cid:4501"), 64 << 20));
    assert!(matches!(ledger.receipt(kept + 1), Err(LedgerError::NoJob(_))));
}

#[test]
fn jobs_are_found_by_board_end_and_time() {
    let (_folder, ledger) = fresh();
    let kept: Vec<Receipt> = vec![
        receipt(0, |_| {}),
        receipt(10, |it| failed(it, Class::Board, MediumState::Untouched)),
        receipt(20, |it| it.site.exporter = Some("rack-4".to_owned())),
        receipt(30, |it| it.site.node = None),
    ];
    let all: Vec<i64> = kept.iter().map(|it| id(ledger.keep(it).unwrap())).collect();
    let check = |change: fn(&mut Filter), expected: &[usize]| {
        let mut filter = Filter::default();
        change(&mut filter);
        let expected: Vec<i64> = expected.iter().map(|index| all[*index]).collect();
        assert_eq!(ids(&ledger, &filter), expected, "{filter:?}");
    };
    check(|_| {}, &[3, 2, 1, 0]);
    check(|it| it.limit = Some(2), &[3, 2]);
    check(|it| it.failed = true, &[1]);
    check(|it| it.board = Some("rack-3".to_owned()), &[3, 1, 0]);
    check(|it| it.board = Some("board.storage".to_owned()), &[2, 1, 0]);
    check(|it| it.board = Some("rack-4/board.storage".to_owned()), &[2]);
    check(|it| it.board = Some("rack".to_owned()), &[]);
    check(|it| it.since = Some("2026-11-18T11:07:00.000Z".to_owned()), &[3, 2]);
    let entry = &ledger.history(&Filter { failed: true, ..Filter::default() }).unwrap().rows[0];
    assert_eq!(entry.class, Some(Class::Board));
    assert_eq!(entry.cause.as_deref(), Some("the medium does not hold what was written"));
}

#[test]
fn the_oldest_jobs_go_and_numbers_are_not_used_again() {
    let check = |bounds: Bounds, expected: &[i64]| {
        let (_folder, ledger) = fresh();
        let day = |day: u64| receipt(day * 86_400, |_| {});
        (1..=5).for_each(|count| assert_eq!(id(ledger.keep(&day(count)).unwrap()), count as i64));
        let mut connection = ledger.open().unwrap();
        let transaction = connection.transaction().unwrap();
        bounds::trim(&transaction, bounds).unwrap();
        transaction.commit().unwrap();
        drop(connection);
        assert_eq!(ids(&ledger, &Filter::default()), expected, "{bounds:?}");
        assert_eq!(id(ledger.keep(&day(6)).unwrap()), 6);
        assert_eq!(ledger.media().unwrap().rows[0].jobs, 6, "what was added up stays");
    };
    let wide = Bounds { receipts: 100, bytes: 1 << 30, days: 1000, stay: 0 };
    check(wide, &[5, 4, 3, 2, 1]);
    check(Bounds { receipts: 2, ..wide }, &[5, 4]);
    check(Bounds { days: 2, ..wide }, &[5, 4, 3]);
    check(Bounds { days: 2, stay: 4, ..wide }, &[5, 4, 3, 2]);
    check(Bounds { bytes: 0, ..wide }, &[5]);
}

#[test]
fn a_clock_that_was_far_ahead_once_empties_nothing() {
    let (_folder, ledger) = fresh();
    for second in [0, 10, 4_000_000_000, 20] {
        ledger.keep(&receipt(second, |_| {})).unwrap();
    }
    assert_eq!(ids(&ledger, &Filter::default()), [3, 4, 2, 1]);
}
