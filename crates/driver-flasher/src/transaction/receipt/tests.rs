//! A receipt says `proven` only when the recorded facts bear it out.

use std::sync::Arc;

use flasher_core::flash::RangeFacts;
use flasher_core::{FlashJob, Quiet};

use super::*;

fn range(offset: u64, length: u64, read_back: Option<&str>) -> RangeFacts {
    RangeFacts {
        offset,
        length,
        kind: RangeKind::Data,
        sha256: "right".to_owned(),
        read_back: read_back.map(str::to_owned),
        writes: 1,
    }
}

fn dont_care(offset: u64, length: u64) -> RangeFacts {
    RangeFacts { kind: RangeKind::DontCare, writes: 0, ..range(offset, length, None) }
}

async fn check(ranges: Vec<RangeFacts>, recorded: &str, expected: Option<&str>) {
    let run = Run::new(JobKind::Flash, &FlashJob::new("image"), Arc::new(Quiet));
    run.image(|image| image.decoded_sha256 = Some(recorded.to_owned()));
    run.set_medium(MediumFacts { ranges, ..MediumFacts::default() });
    let receipt = run.receipt(Ok(vec![Proof { decoded: Digest::of(b"image"), length: 100 }])).await;
    match expected {
        None => assert_eq!((receipt.verdict, receipt.exit_code()), (Verdict::Proven, 0)),
        Some(what) => {
            assert_eq!((receipt.verdict, receipt.exit_code()), (Verdict::Failed, 70));
            assert_eq!(receipt.failure.unwrap().cause, format!("the flash ended as proven, but {what}"));
        }
    }
}

#[tokio::test]
async fn a_proof_without_evidence_is_a_bug_and_no_success() {
    let digest = Digest::of(b"image").to_string();
    let whole = || vec![range(0, 60, Some("right")), range(60, 40, Some("right"))];
    let unread = Some("a range was not read back, or differs");
    check(whole(), &digest, None).await;
    check(vec![range(0, 60, Some("right")), dont_care(60, 40)], &digest, None).await;
    check(
        vec![range(0, 60, Some("right")), RangeFacts { writes: 1, ..dont_care(60, 40) }],
        &digest,
        Some("a range was not read back, or differs"),
    )
    .await;
    check(vec![range(0, 60, Some("right")), range(60, 40, None)], &digest, unread).await;
    check(whole(), "another", Some("the image's digest is another")).await;
    check(vec![range(0, 60, Some("right"))], &digest, Some("the ranges do not cover the image")).await;
    check(
        vec![range(0, 60, Some("right")), range(70, 30, Some("right"))],
        &digest,
        Some("the ranges do not cover the image"),
    )
    .await;
    check(vec![range(0, 100, None)], &digest, Some("a range was not read back, or differs")).await;
    check(vec![range(0, 100, Some("wrong"))], &digest, Some("a range was not read back, or differs")).await;
}

#[tokio::test]
async fn a_failure_is_on_the_receipt_with_its_class_and_step() {
    let run = Run::new(JobKind::Flash, &FlashJob::new("image"), Arc::new(Quiet));
    run.set_step(flasher_core::Step::Write);
    let error = Error::new(Class::Medium, "writing failed").help("replace it");
    let receipt = run.receipt(Err(error)).await;
    let failure = receipt.failure.clone().unwrap();
    assert_eq!(
        (failure.class, failure.step.name(), failure.cause.as_str()),
        (Class::Medium, "write", "writing failed")
    );
    assert_eq!(receipt.exit_code(), 6);
}
