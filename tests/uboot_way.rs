//! A flash by the boot loader alone, onto a medium and over lines that go wrong: none ends in a false success.

use flasher_core::{Class, FlashJob, Receipt, Verdict};

use crate::lab::{Lab, noise};

const MIB: usize = 1 << 20;

/// Flashes 3 MiB by U-Boot alone onto a board with these `faults:`; the receipt, and whether the medium holds the image.
async fn flash(faults: &str, board: &str) -> (Receipt, bool) {
    let mut lab = Lab::new(faults);
    lab.board += board;
    lab.flasher =
        "via: uboot\n      targets: { card: mmc 0, disk: virtio 0 }\n      default_target: card".to_owned();
    let content = noise(3 * MIB, 9);
    let job: FlashJob = lab.job(&lab.image(&content, None));
    let (receipt, _) = lab.flash(job).await;
    let holds = lab.medium()[..content.len()] == content;
    (receipt, holds)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_good_board_is_proven() {
    for board in ["", "\n      drop_after_dhcp: true", "\n      without_commands: []"] {
        let (receipt, holds) = flash("", board).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{board}: {:#?}", receipt.failure);
        assert!(holds, "{board}: a false success");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_medium_is_never_proven() {
    for faults in [
        "uboot: { lost_writes: true }",
        "uboot: { stale_reads: true }",
        "uboot: { flip_read: { offset: 1000000, mask: 1 } }",
        "flip_bit: { offset: 1000000, mask: 4 }",
        "uboot: { write_error_after: 3000 }",
        "write_error: 2MiB",
        "read_error_at: 2MiB",
        "real_size: { bytes: 2MiB, beyond: wrap }",
        "real_size: { bytes: 2MiB, beyond: drop }",
    ] {
        let (receipt, holds) = flash(faults, "").await;
        let failure = receipt.failure.as_ref().map(|failure| (failure.class, failure.cause.clone()));
        assert!(receipt.verdict != Verdict::Proven || holds, "{faults}: a false success");
        assert!(failure.is_some_and(|(class, _)| class == Class::Medium), "{faults}: {:#?}", receipt.failure);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_happens_once_is_mended_or_found() {
    for faults in ["uboot: { flip_load_at: 1000000 }", "uboot: { lost_writes: 1 }"] {
        let (receipt, holds) = flash(faults, "").await;
        assert!(receipt.verdict != Verdict::Proven || holds, "{faults}: a false success");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_empty_slot_is_the_boards() {
    let (receipt, _) = flash("uboot: { absent: true }", "").await;
    let failure = receipt.failure.unwrap_or_else(|| panic!("a false success"));
    assert_eq!((failure.class, failure.cause.as_str()), (Class::Board, "the boot loader finds no `mmc 0`"));
}
