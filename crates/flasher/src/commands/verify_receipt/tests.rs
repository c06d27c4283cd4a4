//! What `verify-receipt` says of receipts of others: failures, former versions, other images. The audit has tests of its own.

use flasher_core::flash::{ImageFacts, JobKind, MediumFacts};
use flasher_core::{Failure as Cause, Step, Verdict};
use std::time::{Duration, SystemTime};

use super::*;
use crate::log::Chatter;

fn blank() -> Receipt {
    Receipt::blank("flasher 1", JobKind::Flash, Site::here(), SystemTime::now(), Duration::from_secs(1))
}

#[test]
fn receipts_of_former_versions() {
    let receipt = Receipt {
        schema: 1,
        verdict: Verdict::Proven,
        image: ImageFacts { decoded_length: Some(4096), ..ImageFacts::default() },
        medium: Some(MediumFacts { device: "/dev/sda".to_owned(), ..MediumFacts::default() }),
        ..blank()
    };
    let error = sound(&receipt).unwrap_err();
    assert_eq!(
        (error.class(), error.cause().as_str(), error.next_step()),
        (
            Class::Source,
            "the receipt proves nothing: a former version wrote it, without a digest over the whole, so a change cannot be detected",
            Some(
                "it says `proven` of 4096 bytes on /dev/sda; keep it as a note, and flash again where a proof is needed"
            )
        )
    );
}

#[test]
fn what_says_itself_that_it_is_no_proof_is_none() {
    let written = Receipt { verdict: Verdict::Written, ..blank() };
    let error = sound(&written).unwrap_err();
    assert_eq!(error.cause(), "the receipt proves nothing: it says `written, not proven`");
    let error = sound(&blank()).unwrap_err();
    assert_eq!(error.cause(), "the receipt proves nothing: it says `failed` (`verdict`)");
}

#[tokio::test]
async fn a_receipt_of_a_failure_ends_with_its_code_once_it_is_intact() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("receipt.json");
    let failure = Cause::new(Step::Verify, &Error::new(Class::Medium, "worn out"));
    let receipt = Receipt { failure: Some(failure), ..blank() }.sealed();
    let text = serde_json::to_string(&receipt).unwrap();
    let args = VerifyArgs { receipt: file.clone(), image: None, bmap: None, no_bmap: false };
    for (text, expected) in [(text.clone(), Ok(6)), (text.replace("worn out", "all is well"), Err(3))] {
        std::fs::write(&file, text).unwrap();
        let code = run(&args, &Screen::new(true, Chatter::Normal)).await;
        assert_eq!(code.map_err(|failure| failure.exit_code()), expected);
    }
}
