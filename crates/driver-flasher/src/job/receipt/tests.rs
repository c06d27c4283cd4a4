//! A receipt says `proven` only when the recorded facts bear it out.

use std::sync::Arc;

use flasher_core::flash::{
    CacheBypass, DigestsBy, JobKind, MediumFacts, PowerState, RangeFacts, RangeKind, WireUsed,
};
use flasher_core::{FlashJob, Quiet};

use super::*;

const LENGTHS: [u64; 2] = [65_536, 1000];

/// Notes that all ranges were read back, now.
fn read_all(run: &Run) {
    let writes = run.writes.so_far();
    (0..LENGTHS.len()).for_each(|index| run.record.state().read_at[0].note(index, writes));
}

/// The facts of a job that went well, changed by `change` before the receipt is made.
async fn receipt(change: impl FnOnce(&Run)) -> Receipt {
    let run = Run::new(JobKind::Flash, &FlashJob::new("image"), Arc::new(Quiet));
    run.begin(1);
    read_all(&run);
    for step in Step::ALL {
        run.step(step, async { Ok(()) }).await.unwrap();
    }
    run.record.set_power(PowerState::Off);
    let (digest, length) = (Digest::of(b"image").to_string(), LENGTHS.iter().sum());
    run.record.board(|board| {
        (board.name, board.bundle_sha256) = (Some("sim".to_owned()), Some(Digest::of(b"bundle").to_string()));
    });
    run.record.image(|image| {
        image.format = Some("raw".to_owned());
        (image.source_length, image.decoded_length) = (Some(length), Some(length));
        (image.source_sha256, image.decoded_sha256) = (Some(digest.clone()), Some(digest.clone()));
    });
    let mut offset = 0;
    let ranges = LENGTHS.map(|length| {
        let sha256 = Digest::of(length.to_le_bytes()).to_string();
        let (read_back, kind) = (Some(sha256.clone()), RangeKind::Data);
        let range = RangeFacts { offset, length, kind, sha256, read_back, writes: 1, held: false };
        offset += length;
        range
    });
    run.record.set_medium(MediumFacts {
        target: "emmc".to_owned(),
        device: "/dev/mmcblk0".to_owned(),
        size: length,
        read_back: Some(CacheBypass::Direct),
        digests_by: Some(DigestsBy::Exporter),
        wire: Some(WireUsed::Identity),
        read_back_sha256: Some(digest),
        data_written: LENGTHS[1],
        ranges: ranges.into(),
        ..MediumFacts::default()
    });
    change(&run);
    run.receipt(Ok(vec![Proof { decoded: Digest::of(b"image"), length }])).await
}

#[tokio::test]
async fn a_proof_that_the_facts_bear_out_is_proven_and_sealed() {
    let receipt = receipt(|_| {}).await;
    assert_eq!((receipt.verdict, receipt.exit_code()), (Verdict::Proven, 0), "{:?}", receipt.failure);
    Receipt::read(&serde_json::to_string(&receipt).unwrap()).unwrap();
    let [attempt] = receipt.history.as_slice() else { panic!("{:?}", receipt.history) };
    assert_eq!((&attempt.failure, attempt.power), (&None, PowerState::Off));
}

#[tokio::test]
async fn a_proof_without_evidence_is_a_bug_and_no_success() {
    let check = |change: fn(&Run), what: &'static str| async move {
        let receipt = receipt(change).await;
        assert_eq!((receipt.verdict, receipt.exit_code()), (Verdict::Failed, 70), "{what}");
        assert_eq!(receipt.failure.unwrap().cause, format!("the flash ended as proven, but {what}"));
        assert!(receipt.history.last().unwrap().failure.is_some(), "{what}");
    };
    let unread = "a range was not read back, or differs (`medium.ranges[1]`)";
    let other = "the image's digest or length is another";
    check(|run| run.record.medium(|it| it.ranges[1].read_back = None), unread).await;
    check(|run| run.record.medium(|it| it.ranges[1].writes = 0), unread).await;
    check(|run| run.record.image(|it| it.decoded_sha256 = Some(Digest::of(b"x").to_string())), other).await;
    check(|run| run.record.image(|it| it.decoded_length = Some(7)), other).await;
    check(
        |run| run.record.medium(|it| drop(it.ranges.pop())),
        "the ranges do not cover the image (`image.decoded_length`)",
    )
    .await;
    check(|run| run.record.medium(|it| it.size = 7), "the image is larger than the medium (`medium.size`)")
        .await;
    check(|run| run.begin(2), "an attempt that did not fail was followed by another (`history`)").await;
}

#[tokio::test]
async fn every_attempt_is_on_the_receipt_with_its_cause_and_power() {
    let receipt = receipt(|run| {
        // What went before the attempt that went well.
        let well = std::mem::take(&mut run.record.state().history);
        run.begin(1);
        run.record.state().step = Step::Shell;
        run.attempt_failed(&Error::new(Class::Board, "the power was cut"));
        run.attempt_failed(&Error::new(Class::Internal, "a consequence"));
        run.record.state().power = PowerState::Off;
        let steps = well[0].steps.clone();
        run.begin(2);
        run.record.state().steps = steps;
    })
    .await;
    let failure = receipt.history[0].failure.as_ref().unwrap();
    assert_eq!(
        (failure.class, failure.step, failure.cause.as_str()),
        (Class::Board, Step::Shell, "the power was cut")
    );
    assert_eq!((receipt.attempts, receipt.history.len()), (2, 2));
    assert_eq!(receipt.history[0].power, PowerState::Off);
}

#[tokio::test]
async fn a_failure_is_on_the_receipt_with_its_class_and_step() {
    let run = Run::new(JobKind::Flash, &FlashJob::new("image"), Arc::new(Quiet));
    run.record.set_step(Step::Write);
    let error = Error::new(Class::Medium, "writing failed").help("replace it");
    let receipt = run.receipt(Err(error)).await;
    let failure = receipt.failure.clone().unwrap();
    assert_eq!(
        (failure.class, failure.step.name(), failure.cause.as_str()),
        (Class::Medium, "write", "writing failed")
    );
    assert_eq!(receipt.exit_code(), 6);
}

#[tokio::test]
async fn whatever_was_written_after_a_reading_takes_its_proof_away() {
    // `w` is a write to whatever medium, a digit reads that range back.
    for (course, expected) in [
        ("w01", Verdict::Proven),
        ("01w10", Verdict::Proven),
        ("w0w1", Verdict::Failed),
        ("w01w", Verdict::Failed),
        ("w01w1", Verdict::Failed),
        ("w01w0", Verdict::Failed),
    ] {
        let play = |run: &Run| {
            for what in course.chars() {
                match what.to_digit(10) {
                    None => drop(run.writes.permit()),
                    Some(range) => run.record.state().read_at[0].note(range as usize, run.writes.so_far()),
                }
            }
        };
        assert_eq!(receipt(play).await.verdict, expected, "{course}");
    }
}
