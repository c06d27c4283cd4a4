//! The ledger as its users meet it: jobs that are listed, media that wear, ledgers that are damaged, processes that are killed.

mod damage;
mod jobs;
mod killed;
mod media;

use std::time::{Duration, UNIX_EPOCH};

use flasher_core::flash::{JobKind, MediumFacts, MediumState, Site};
use flasher_core::{Class, Error, Failure, Receipt, Step, Verdict};
use tempfile::TempDir;

use crate::Ledger;

/// A ledger in a folder of its own.
fn fresh() -> (TempDir, Ledger) {
    let folder = tempfile::tempdir().unwrap();
    let ledger = Ledger::at(folder.path().join("state/ledger.sqlite"));
    (folder, ledger)
}

/// The receipt of a proven flash that began `second` seconds into the test, with changes.
fn receipt(second: u64, change: impl FnOnce(&mut Receipt)) -> Receipt {
    let site = Site {
        exporter: Some("rack-3".to_owned()),
        node: Some("board.storage".to_owned()),
        host: Some("lab".to_owned()),
        user: Some("ann".to_owned()),
    };
    let begun = UNIX_EPOCH + Duration::from_secs(1_795_000_000 + second);
    let mut receipt = Receipt::blank("flasher 1", JobKind::Flash, site, begun, Duration::from_secs(20));
    receipt.verdict = Verdict::Proven;
    receipt.attempts = 1;
    receipt.image.source = "os.img.xz".to_owned();
    receipt.image.decoded_sha256 = Some("ab".repeat(32));
    receipt.medium = Some(MediumFacts {
        target: "emmc".to_owned(),
        device: "/dev/mmcblk0".to_owned(),
        size: 8 << 30,
        identity: [("name".to_owned(), "DG4008".to_owned()), ("cid".to_owned(), "4501".to_owned())].into(),
        data_written: 64 << 20,
        ..MediumFacts::default()
    });
    receipt.steps = [(Step::Write, 4.0)].into();
    change(&mut receipt);
    receipt.sealed()
}

/// Makes it the receipt of a failure that leaves the medium in this state.
fn failed(receipt: &mut Receipt, class: Class, left: MediumState) {
    receipt.verdict = Verdict::Failed;
    let error = Error::new(class, "the medium does not hold what was written");
    receipt.failure = Some(Failure::new(Step::Verify, &error).leaves(left));
}

fn medium(receipt: &mut Receipt) -> &mut MediumFacts {
    receipt.medium.as_mut().unwrap()
}
