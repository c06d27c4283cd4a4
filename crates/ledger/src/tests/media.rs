//! Media are known again, wear, and are found out.

use flasher_core::flash::{HoldsLess, MediumState, RangeFacts, RangeKind, ZerosBy};
use flasher_core::{Class, Receipt, Step};

use super::{failed, fresh, medium, receipt};
use crate::{Health, IdentifiedBy, MediumRecord};

/// What the ledger knows of the media of these jobs.
fn after(receipts: &[Receipt]) -> Vec<MediumRecord> {
    let (_folder, ledger) = fresh();
    receipts.iter().for_each(|it| drop(ledger.keep(it).unwrap()));
    ledger.media().unwrap().rows
}

#[test]
fn a_medium_is_known_by_the_best_it_tells() {
    let check = |identity: &[(&str, &str)], by: IdentifiedBy, key: &str, name: &str| {
        let facts = identity.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        let media = after(&[receipt(0, |it| medium(it).identity = facts)]);
        let seen = (media[0].identified_by, media[0].key.as_str(), media[0].name.as_str());
        assert_eq!(seen, (by, key, name), "{identity:?}");
    };
    let all = [("cid", "45"), ("wwid", "eui.1"), ("serial", "7"), ("model", "SSD")];
    check(&all, IdentifiedBy::Cid, "cid:45", "SSD");
    check(&all[1..], IdentifiedBy::Wwid, "wwid:eui.1", "SSD");
    check(&all[2..], IdentifiedBy::Serial, "serial:SSD/7", "SSD");
    check(&[("serial", "7"), ("name", "DG4008")], IdentifiedBy::Serial, "serial:DG4008/7", "DG4008");
    let place = "rack-3/board.storage/emmc";
    check(&[("cid", "  ")], IdentifiedBy::Place, "place:lab/rack-3/board.storage/emmc", place);
    check(&[("cid", &"é".repeat(500))], IdentifiedBy::Cid, &format!("cid:{}", "é".repeat(100)), place);
}

#[test]
fn what_jobs_wrote_is_added_up() {
    let cheap = |it: &mut Receipt| {
        medium(it).zeros_written = 1 << 30;
        medium(it).zeros_by = Some(ZerosBy::Discard);
    };
    let dear = |it: &mut Receipt| {
        medium(it).zeros_written = 1 << 20;
        medium(it).zeros_by = Some(ZerosBy::Written);
        it.steps = [(Step::Write, 65.0)].into();
    };
    let media = after(&[receipt(0, cheap), receipt(10, dear)]);
    let [medium] = &media[..] else { panic!("{media:?}") };
    assert_eq!((medium.jobs, medium.bytes_written), (2, 129 << 20));
    assert_eq!(medium.first_seen, "2026-11-18T11:06:40.000Z");
    assert_eq!(medium.last_seen, "2026-11-18T11:06:50.000Z");
    let mib = f64::from(1 << 20);
    assert_eq!((medium.last_write_rate, medium.slowest_write_rate), (Some(mib), Some(mib)));
    // Two partitions of one medium are one job of it.
    let two = receipt(0, |it| {
        let first = it.medium.clone();
        it.further = vec![flasher_core::flash::FurtherImage { medium: first, ..Default::default() }];
    });
    let media = after(&[two]);
    assert_eq!((media.len(), media[0].jobs, media[0].bytes_written), (1, 1, 128 << 20));
    assert_eq!(media[0].proven_image, None, "no one image is on all of it");
}

#[test]
fn the_proven_image_is_known_until_something_is_written() {
    let proven = || receipt(0, |_| {});
    let check = |change: fn(&mut Receipt), stays: bool| {
        let media = after(&[proven(), receipt(10, change)]);
        assert_eq!(media[0].proven_image.is_some(), stays, "{media:?}");
    };
    check(|_| {}, true);
    check(|it| it.verdict = flasher_core::Verdict::Written, false);
    check(|it| medium(it).partition = Some("root".to_owned()), false);
    check(|it| failed(it, Class::Board, MediumState::FirstBlockErased), false);
    check(
        |it| {
            failed(it, Class::Board, MediumState::Untouched);
            medium(it).data_written = 0;
        },
        true,
    );
    check(
        |it| {
            it.job = flasher_core::flash::JobKind::Dump;
            medium(it).data_written = 0;
        },
        true,
    );
}

#[test]
fn the_health_of_a_medium_has_its_evidence() {
    let check = |change: fn(&mut Receipt), health: Health, evidence: &[&str]| {
        let media = after(&[receipt(0, |_| {}), receipt(10, change)]);
        let (seen, lines) = media[0].health();
        assert_eq!((seen, lines.iter().map(String::as_str).collect::<Vec<_>>()), (health, evidence.to_vec()));
    };
    check(|_| {}, Health::Healthy, &[]);
    check(|it| failed(it, Class::Board, MediumState::Untouched), Health::Healthy, &[]);
    check(
        |it| failed(it, Class::Medium, MediumState::Differs { first_block_erased: true }),
        Health::Failing,
        &["1 job failed because of it"],
    );
    check(
        |it| {
            failed(it, Class::Medium, MediumState::FirstBlockErased);
            medium(it).holds_less = Some(HoldsLess { bytes: Some(1 << 30) });
        },
        Health::FakeCapacity,
        &["1 job found less room than it says it has", "1 job failed because of it"],
    );
    check(
        |it| {
            let range = |writes, read: &str| RangeFacts {
                offset: 0,
                length: 1,
                kind: RangeKind::Data,
                sha256: "aa".to_owned(),
                read_back: Some(read.to_owned()),
                writes,
                held: false,
            };
            medium(it).ranges = vec![range(1, "aa"), range(2, "aa"), range(1, "bb")];
        },
        Health::Failing,
        &["2 ranges were read back with other bytes than were written"],
    );
    check(
        |it| drop(medium(it).identity.insert("life_time".to_owned(), "0x02 0x0b".to_owned())),
        Health::Worn,
        &["it says that more than all of its life is used"],
    );
    check(
        |it| drop(medium(it).identity.insert("life_time".to_owned(), "0x08 0x01".to_owned())),
        Health::Healthy,
        &[],
    );
    check(
        |it| drop(medium(it).identity.insert("pre_eol_info".to_owned(), "0x02".to_owned())),
        Health::Worn,
        &["it says that four fifths of its spare blocks are used"],
    );
    for nonsense in ["", "0x", "0xff 0x00", "12", "0x-1"] {
        let media = after(&[receipt(0, |it| {
            drop(medium(it).identity.insert("life_time".to_owned(), nonsense.to_owned()))
        })]);
        assert_eq!(media[0].worn_percent, None, "{nonsense}");
    }
}
