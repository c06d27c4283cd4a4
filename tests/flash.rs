//! Flashes that end proven: the medium equals the image, whatever it was packed with, and the receipt says so.

use disk_image::Digest;
use flasher_core::flash::{CheckedDigest, DigestsBy, FormatChoice, PowerState, RangeKind, Verify};
use flasher_core::{Event, FlashJob, Step, Verdict, clock};

use crate::lab::{Lab, MEDIUM, has, noise, sample};

/// Flashes `content` packed with `tool` and looks at the medium from outside.
async fn check(content: &[u8], tool: Option<&str>, format: &str) {
    let lab = Lab::new("");
    let image = lab.image(content, tool);
    // Less than a sector is no image, unless it is said to be one.
    let choice = if content.len() < 512 { FormatChoice::Raw } else { FormatChoice::Auto };
    let (receipt, events) = lab.flash(FlashJob { format: choice, ..lab.job(&image) }).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{format}: {:#?}", receipt.failure);
    let medium = lab.medium();
    assert!(medium[..content.len()] == *content, "{format}: the medium holds something else");
    assert!(
        medium[content.len()..].iter().all(|byte| *byte == 0xa5),
        "{format}: bytes behind the image were touched"
    );
    assert_eq!(receipt.image.format.as_deref(), Some(format));
    assert_eq!(receipt.image.decoded_sha256, Some(Digest::of(content).to_string()));
    assert_eq!(receipt.image.decoded_length, Some(content.len() as u64));
    assert_eq!(receipt.image.source_sha256, Some(Digest::of(std::fs::read(&image).unwrap()).to_string()));
    assert_eq!((receipt.power, receipt.exit_code()), (PowerState::Off, 0));
    let done = events.iter().filter(|event| matches!(event, Event::StepDone { .. })).count();
    assert_eq!(done, Step::ALL.len(), "{format}: every step reports its end");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_image_is_proven() {
    check(&sample(), None, "raw").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn packed_images_are_recognised_by_their_bytes_and_proven() {
    for (tool, format) in [("gzip", "gz"), ("xz", "xz"), ("zstd", "zst"), ("bzip2", "bz2")] {
        if has(tool) {
            check(&sample(), Some(tool), format).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn any_length_is_written_exactly() {
    for length in [1, 511, 512, 65_535, 65_536, 65_537, 3_000_001, MEDIUM] {
        check(&noise(length, length as u64), None, "raw").await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_of_zeros_overwrites_what_was_there() {
    check(&vec![0; 6_000_000], None, "raw").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn zeros_do_not_travel() {
    let lab = Lab::new("");
    let content = sample();
    let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
    let medium = receipt.medium.unwrap();
    assert!(medium.zeros_written > 4_000_000, "{medium:?}");
    assert!(medium.data_written < 5_000_000, "{medium:?}");
    assert!(medium.ranges.iter().all(|range| range.writes == 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn whatever_tools_the_board_has_the_flash_is_proven() {
    let cases = [
        ("", "", DigestsBy::Exporter),
        ("wget_missing: true", "", DigestsBy::Exporter),
        ("bash_missing: true", "", DigestsBy::Exporter),
        ("bash_missing: true, curl_missing: true", "", DigestsBy::Board),
        ("", "read_back: board", DigestsBy::Board),
        ("", "read_back: network", DigestsBy::Exporter),
    ];
    for (faults, flasher, digests_by) in cases {
        let mut lab = Lab::new(faults);
        lab.flasher = flasher.to_owned();
        let content = sample();
        let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
        let case = format!("{faults} {flasher}");
        assert_eq!(receipt.verdict, Verdict::Proven, "{case}: {:#?}", receipt.failure);
        assert!(lab.medium()[..content.len()] == content, "{case}");
        assert_eq!(receipt.medium.unwrap().digests_by, Some(digests_by), "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_read_back_is_written_and_never_called_proven() {
    let lab = Lab::new("");
    let content = sample();
    for (verify, data, zeros) in [(Verify::Off, false, false), (Verify::Mapped, true, false)] {
        let job = FlashJob { verify, ..lab.job(&lab.image(&content, None)) };
        let (receipt, _) = lab.flash(job).await;
        assert_eq!((receipt.verdict, receipt.exit_code()), (Verdict::Written, 0), "{:#?}", receipt.failure);
        assert!(lab.medium()[..content.len()] == content, "{verify:?}");
        let medium = receipt.medium.unwrap();
        assert_eq!((medium.verify, medium.read_back_sha256), (verify, None));
        for range in medium.ranges.iter().skip(1) {
            let read = if range.kind == RangeKind::Data { data } else { zeros };
            assert_eq!(range.read_back.is_some(), read, "{verify:?} {range:?}");
        }
        lab.wipe();
    }
    // A medium that forgets is not noticed when nothing is read: that is what the verdict says.
    let lab = Lab::new("flip_bit: { offset: 700000, mask: 4 }");
    let job = FlashJob { verify: Verify::Mapped, ..lab.job(&lab.image(&content, None)) };
    assert_eq!(lab.flash(job).await.0.verdict, Verdict::Failed, "data is read back and differs");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_target_by_controller_address_is_found() {
    let lab = Lab::new("");
    let content = noise(400_000, 4);
    let job = FlashJob { target: Some("usd".to_owned()), ..lab.job(&lab.image(&content, None)) };
    let (receipt, _) = lab.flash(job).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert_eq!(receipt.medium.unwrap().device, "/dev/mmcblk0");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_new_system_is_seen_to_boot_when_asked_for() {
    let lab = Lab::new("");
    let job = FlashJob {
        expect_boot: Some("booted from medium".to_owned()),
        ..lab.job(&lab.image(&sample(), None))
    };
    let (receipt, _) = lab.flash(job).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_demanded_digest_is_checked_against_source_or_image() {
    let lab = Lab::new("");
    let content = sample();
    let image = lab.image(&content, Some("gzip"));
    let packed = Digest::of(std::fs::read(&image).unwrap());
    for (digest, which) in [(packed, CheckedDigest::Source), (Digest::of(&content), CheckedDigest::Decoded)] {
        let job = FlashJob { sha256: Some(digest.to_string()), ..lab.job(&image) };
        let (receipt, _) = lab.flash(job).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
        assert_eq!(receipt.image.checked, Some(which));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_noisy_console_delays_and_does_not_mislead() {
    for faults in ["kernel_lines: 40", "drop_console: 4000", "boot_delay_ms: 1500", "wget_missing: true"] {
        let lab = Lab::new(faults);
        let content = sample();
        let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{faults}: {:#?}", receipt.failure);
        assert!(lab.medium()[..content.len()] == content, "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_is_kept_and_its_digest_is_on_the_receipt() {
    let lab = Lab::new("");
    let file = lab.path("transcript.log");
    let job = FlashJob { transcript: Some(file.clone()), ..lab.job(&lab.image(&noise(100_000, 5), None)) };
    let (receipt, events) = lab.flash(job).await;
    let bytes = std::fs::read(&file).unwrap();
    let text = String::from_utf8_lossy(&bytes);
    assert!(text.contains("power on") && text.contains("Starting kernel"), "{text}");
    assert_eq!(receipt.transcript.unwrap().sha256, Digest::of(&bytes).to_string());

    // An event tells the same line with the same time. The file also has unfinished lines, such as prompts.
    let mut kept = text.lines();
    let mut told = 0;
    for event in &events {
        let Event::Console { line, heard_at: Some(at) } = event else { continue };
        let expected = format!("{} < {line}", clock::milliseconds(*at));
        assert!(kept.any(|line| line == expected), "the transcript has no `{expected}` there");
        told += 1;
    }
    assert!(told > 10, "{told} lines told");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bit_that_flips_once_is_mended_and_told() {
    let lab = Lab::new("flip_bit: { offset: 700000, mask: 4, times: 1 }");
    let content = sample();
    let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium()[..content.len()] == content);
    let rewritten: Vec<_> = receipt
        .medium
        .unwrap()
        .ranges
        .into_iter()
        .filter(|range| range.writes == 2)
        .map(|range| range.offset)
        .collect();
    // The first block is taken away before anything is written again, and comes last once more.
    assert_eq!(rewritten, [0, 65_536]);
    assert_eq!(receipt.warnings, ["1 range read back differently and is written again"]);
}
