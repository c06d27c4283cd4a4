//! Flashes that must fail: each in the right class, with the cause in words, and nothing that says success.

use std::path::PathBuf;

use flasher_core::flash::{PowerState, View};
use flasher_core::{Class, Failure, FlashJob, Receipt, RootCause, Step, Verdict};

use crate::lab::{Lab, MEDIUM, has, noise, pack, sample};

/// What a failed flash must look like.
struct Expected {
    class: Class,
    step: Step,
    /// Words of the cause.
    says: &'static str,
}

fn assert_failed(case: &str, receipt: &Receipt, expected: &Expected) -> Failure {
    assert_eq!(receipt.verdict, Verdict::Failed, "{case}: a false success");
    let failure = receipt.failure.clone().unwrap();
    assert_eq!((failure.class, failure.step), (expected.class, expected.step), "{case}: {failure:#?}");
    assert!(failure.cause.contains(expected.says), "{case}: {}", failure.cause);
    assert_eq!(receipt.exit_code(), expected.class.exit_code(), "{case}");
    failure
}

/// Whether the first block of the medium is still the old one.
fn is_untouched(lab: &Lab) -> bool {
    lab.medium().iter().all(|byte| *byte == 0xa5)
}

/// A medium that nothing would boot from: the old system's first block is gone, the new one's never came.
fn is_unbootable(lab: &Lab) -> bool {
    lab.medium()[..65_536].iter().all(|byte| *byte == 0)
}

/// Nothing new: what is wrong with the image showed before the medium was touched, or after.
fn is_safe(lab: &Lab) -> bool {
    is_untouched(lab) || is_unbootable(lab)
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_no_image_is_found_before_power_on() {
    let packed = has("xz").then(|| pack("xz", &sample()));
    let cases: Vec<(&str, Option<Vec<u8>>, &str)> = vec![
        ("missing", None, "does not exist"),
        ("empty", Some(Vec::new()), "empty"),
        ("larger than the target", Some(noise(MEDIUM + 1, 1)), "larger than the target"),
        ("a zip archive", Some(b"PK\x03\x04 and then some more bytes".to_vec()), "zip"),
        ("cut xz", packed.map(|bytes| bytes[..bytes.len() / 2].to_vec()), ""),
    ];
    for (case, content, says) in cases {
        let lab = Lab::new("");
        let image = match &content {
            Some(content) => lab.image(content, None),
            None => PathBuf::from("/nowhere/image.raw"),
        };
        let job = FlashJob { check_first: true, ..lab.job(&image) };
        let (receipt, _) = lab.flash(job).await;
        let step = if case.starts_with("larger") { Step::Target } else { Step::Image };
        assert_failed(case, &receipt, &Expected { class: Class::Source, step, says });
        assert!(is_untouched(&lab), "{case}");
        let power = if step == Step::Image { PowerState::Untouched } else { PowerState::Off };
        assert_eq!(receipt.power, power, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_image_never_becomes_bootable() {
    for tool in ["gzip", "xz", "zstd", "bzip2"] {
        if !has(tool) {
            continue;
        }
        let whole = pack(tool, &sample());
        let truncated = whole[..whole.len() - 1000].to_vec();
        let mut flipped = whole.clone();
        flipped[whole.len() / 2] ^= 0x10;
        let garbage = [whole.as_slice(), b"something else"].concat();
        for (damage, bytes) in [("truncated", truncated), ("flipped", flipped), ("garbage", garbage)] {
            let case = format!("{tool} {damage}");
            let lab = Lab::new("");
            let (receipt, _) = lab.flash(lab.job(&lab.image(&bytes, None))).await;
            assert_failed(
                &case,
                &receipt,
                &Expected { class: Class::Source, step: Step::Write, says: "image" },
            );
            assert!(is_safe(&lab), "{case}: the first block must not be there");
            assert_eq!(receipt.power, PowerState::Off, "{case}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_does_not_fit_is_stopped_when_its_length_shows() {
    let lab = Lab::new("");
    let image = lab.image(&[noise(512, 1), vec![7; MEDIUM + 70_000]].concat(), Some("gzip"));
    let (receipt, _) = lab.flash(lab.job(&image)).await;
    assert_failed(
        "packed",
        &receipt,
        &Expected { class: Class::Source, step: Step::Write, says: "larger than the target" },
    );
    assert!(is_safe(&lab));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_digest_that_differs_never_becomes_bootable() {
    let lab = Lab::new("");
    let job = FlashJob { sha256: Some("00".repeat(32)), ..lab.job(&lab.image(&sample(), None)) };
    let (receipt, _) = lab.flash(job).await;
    assert_failed("digest", &receipt, &Expected { class: Class::Source, step: Step::Image, says: "digest" });
    assert!(is_safe(&lab));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bad_medium_is_named_with_its_bytes() {
    let lab = Lab::new("flip_bit: { offset: 700000, mask: 4 }");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&sample(), None))).await;
    let expected =
        Expected { class: Class::Medium, step: Step::Verify, says: "bytes 65536-8500122 differ, twice" };
    assert_failed("flipped bit", &receipt, &expected);
    assert!(is_unbootable(&lab));
    let hex = |bytes: &[u8]| bytes.iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().join(" ");
    let (expected, mut read) = (sample()[700_000..700_008].to_vec(), sample()[700_000..700_008].to_vec());
    read[0] ^= 4;
    let context = &receipt.failure.as_ref().unwrap().context;
    assert_eq!(context["first byte"], "700000 is the first that differs");
    assert_eq!((context["expected"].as_str(), context["read"].as_str()), (&*hex(&expected), &*hex(&read)));
    assert_eq!(context["differing"], "1 of 8434587 bytes in 65536-8500122");

    let lab = Lab::new("flip_bit: { offset: 100, mask: 4 }");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&sample(), None))).await;
    let expected = Expected { class: Class::Medium, step: Step::Verify, says: "bytes 0-65535 differ, twice" };
    assert_failed("flipped bit in the first block", &receipt, &expected);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_medium_that_fails_is_a_medium_failure() {
    let cases = [
        ("full_at: 2MiB", Step::Write, "writing `/dev/mmcblk0` failed"),
        ("write_error: 1MiB", Step::Write, "writing `/dev/mmcblk0` failed"),
        ("read_error_at: 1MiB", Step::Verify, "cannot be read back"),
    ];
    for (faults, step, says) in cases {
        let lab = Lab::new(faults);
        let (receipt, _) = lab.flash(lab.job(&lab.image(&sample(), None))).await;
        assert_failed(faults, &receipt, &Expected { class: Class::Medium, step, says });
        assert!(is_unbootable(&lab), "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn board_failures_show_the_console() {
    let cases = [
        ("no_autoboot_stop: true", "timeouts: { bootloader: 8 }", Class::Board, Step::Bootloader, ""),
        ("no_login: true", "timeouts: { shell: 4 }", Class::Board, Step::Shell, "within 4 s"),
        ("reset_on_boot: true", "timeouts: { shell: 10 }", Class::Board, Step::Shell, "boot"),
        ("dhcp_fail: true", "timeouts: { dhcp: 5 }", Class::Infrastructure, Step::Bootloader, ""),
        ("tftp_missing: true", "", Class::Infrastructure, Step::Bootloader, "no such file"),
        ("power_stuck: true", "", Class::Infrastructure, Step::Power, ""),
    ];
    for (faults, flasher, class, step, says) in cases {
        let mut lab = Lab::new(faults);
        lab.flasher = flasher.to_owned();
        if faults.starts_with("no_autoboot_stop") {
            lab.make_bootable();
        }
        let before = lab.medium();
        let (receipt, _) = lab.flash(lab.job(&lab.image(&noise(100_000, 3), None))).await;
        let failure = assert_failed(faults, &receipt, &Expected { class, step, says });
        let silent = step == Step::Power;
        assert!(silent || !failure.console.is_empty(), "{faults}: the last console lines are missing");
        assert!(lab.medium() == before, "{faults}: the medium was touched");
        let off = if silent { PowerState::Unknown } else { PowerState::Off };
        assert_eq!(receipt.power, off, "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_mends_what_a_retry_can_mend() {
    for faults in ["reset_on_boot: 1", "cut_power_after_bytes: 2MiB", "power_stuck: 1"] {
        let mut lab = Lab::new(faults);
        lab.flasher = "timeouts: { shell: 15, stall: 4, bootloader: 15 }".to_owned();
        let content = sample();
        let job = FlashJob { retries: 2, ..lab.job(&lab.image(&content, None)) };
        let (receipt, _) = lab.flash(job).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{faults}: {:#?}", receipt.failure);
        assert_eq!(receipt.attempts, 2, "{faults}");
        assert!(lab.medium()[..content.len()] == content, "{faults}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_missing_server_file_is_seen_from_both_sides() {
    let lab = Lab::new("tftp_missing: true");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&noise(1000, 3), None))).await;
    let failure = receipt.failure.unwrap();
    let found = failure.diagnosis.unwrap();
    assert_eq!(found.root_cause, RootCause::OtherServerAnswers, "{found:#?}");
    let views: Vec<View> = found.evidence.iter().map(|seen| seen.view).collect();
    assert_eq!(views, [View::Console, View::Servers], "{found:#?}");
    assert_eq!(failure.help, found.next_step);
}

#[tokio::test(flavor = "multi_thread")]
async fn unknown_targets_and_variants() {
    let lab = Lab::new("");
    let job = FlashJob { target: Some("emcm".to_owned()), ..lab.job(&lab.image(&sample(), None)) };
    let (receipt, _) = lab.flash(job).await;
    let failure = assert_failed(
        "target",
        &receipt,
        &Expected { class: Class::Config, step: Step::Resolve, says: "emcm" },
    );
    assert!(format!("{failure:?}").contains("emmc"), "{failure:#?}");
    assert_eq!(receipt.power, PowerState::Untouched);
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_load_addresses_are_found_before_power_on() {
    let lab = Lab::new("");
    let manifest = lab.path("bundle/manifest.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap().replace("0x83000000", "0x82001000");
    std::fs::write(&manifest, text).unwrap();
    let (receipt, _) = lab.flash(lab.job(&lab.image(&sample(), None))).await;
    assert_failed("overlap", &receipt, &Expected { class: Class::Config, step: Step::Plan, says: "overlap" });
    assert_eq!(receipt.power, PowerState::Untouched);
}

/// An http server that gives every request the same answer and then closes.
fn server(answer: Vec<u8>) -> std::net::SocketAddr {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            // A client that is gone is the test's own business.
            let _ = stream.read(&mut [0; 4096]).and_then(|_| stream.write_all(&answer));
        }
    });
    address
}

#[tokio::test(flavor = "multi_thread")]
async fn missing_images_are_source_failures() {
    let cut =
        [b"HTTP/1.1 200 OK\r\nContent-Length: 9000000\r\n\r\n".as_slice(), &noise(3_000_000, 1)].concat();
    let cases = [
        ("404", b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n".to_vec(), Class::Source, Step::Image),
        (
            "401",
            b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n".to_vec(),
            Class::Source,
            Step::Image,
        ),
        ("connection cut", cut, Class::Infrastructure, Step::Write),
    ];
    for (case, answer, class, step) in cases {
        let lab = Lab::new("");
        let url = format!("http://{}/image?token=secret", server(answer));
        let (receipt, _) = lab.flash(FlashJob { retries: 0, ..FlashJob::new(url) }).await;
        let failure = assert_failed(case, &receipt, &Expected { class, step, says: "" });
        assert!(!format!("{receipt:?}").contains("secret"), "{case}: {failure:#?}");
        // A cut may come before the old first block was wiped.
        assert!(is_untouched(&lab) || (step == Step::Write && is_unbootable(&lab)), "{case}");
    }
}
