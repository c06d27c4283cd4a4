//! The ways zeros and data take to the medium: whichever is taken, the flash is proven.

use disk_image::Digest;
use flasher_core::flash::{Wire, WireUsed, ZerosBy};
use flasher_core::{Class, FlashJob, Receipt, Verdict};

use crate::lab::{Lab, has, sample};

fn check_proven(lab: &Lab, content: &[u8], receipt: &Receipt) {
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium()[..content.len()] == *content, "a false success");
    assert_eq!(receipt.image.decoded_sha256, Some(Digest::of(content).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn zeros_are_made_and_proven() {
    let content = sample();
    for (zeroout, by) in [("true", ZerosBy::Zeroout), ("false", ZerosBy::Written)] {
        let mut lab = Lab::new("");
        lab.board.push_str(&format!("\n      zeroout: {zeroout}"));
        let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
        check_proven(&lab, &content, &receipt);
        assert_eq!(receipt.medium.unwrap().zeros_by, Some(by));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_device_that_breaks_its_promise_of_zeros_gets_them_written() {
    let content = sample();
    let mut lab = Lab::new("flip_bit: {offset: 3000000, mask: 1, times: 1}");
    lab.board.push_str("\n      zeroout: true");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
    check_proven(&lab, &content, &receipt);
    // The first block is taken away before anything is written again, and comes last once more.
    let rewritten = receipt.medium.unwrap().ranges.into_iter().filter(|range| range.writes == 2).count();
    assert_eq!(rewritten, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_travels_as_asked_if_the_board_can_unpack_it() {
    let content = sample();
    for (without, wire, says) in [
        ("", Wire::Identity, Ok(WireUsed::Identity)),
        ("", Wire::Gzip, Ok(WireUsed::Gzip)),
        ("", Wire::Zstd, Ok(WireUsed::Zstd)),
        ("zcat", Wire::Gzip, Ok(WireUsed::Gzip)),
        ("zstd", Wire::Zstd, Err("the board cannot unpack zstd: its Linux has no working `zstd`")),
        (
            "zcat, gzip",
            Wire::Gzip,
            Err("the board cannot unpack gzip: its Linux has no working `zcat` or `gzip`"),
        ),
        ("zcat, gzip, zstd", Wire::Auto, Ok(WireUsed::Identity)),
    ] {
        if wire == Wire::Zstd && !has("zstd") {
            continue;
        }
        let mut lab = Lab::new("");
        lab.board.push_str(&format!("\n      without_tools: [{without}]"));
        let job = FlashJob { wire: Some(wire), ..lab.job(&lab.image(&content, None)) };
        let (receipt, _) = lab.flash(job).await;
        match says {
            Ok(used) => {
                check_proven(&lab, &content, &receipt);
                assert_eq!(receipt.medium.unwrap().wire, Some(used));
            }
            Err(cause) => {
                let failure = receipt.failure.unwrap();
                assert_eq!((failure.class, failure.cause.as_str()), (Class::Config, cause));
                assert!(lab.medium().iter().all(|byte| *byte == 0xa5), "{cause}: the medium was touched");
            }
        }
    }
}
