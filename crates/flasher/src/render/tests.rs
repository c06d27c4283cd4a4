//! How a proven and a failed flash look, pinned.

use std::time::{Duration, UNIX_EPOCH};

use flasher_core::flash::{
    BoardFacts, BootFile, CacheBypass, CheckedDigest, Description, Diagnosis, FormatChoice, ImageFacts,
    JobKind, KeptPartition, MediumFacts, MediumState, Observation, PowerEvidence, PowerState, RangeFacts,
    RangeKind, Site, TranscriptFacts, ViaUsed, View, WireUsed, ZerosBy,
};
use flasher_core::{Class, Error, Failure, Plan, Receipt, RootCause, Step, Verdict};

use super::paint::Paint;
use super::{plan, trouble, verdict};

fn range(offset: u64, writes: u32) -> RangeFacts {
    let sha256 = "ab".repeat(32);
    RangeFacts {
        offset,
        length: 16 << 20,
        kind: RangeKind::Data,
        sha256: sha256.clone(),
        read_back: Some(sha256),
        writes,
        held: false,
    }
}

fn receipt() -> Receipt {
    let some = |text: &str| Some(text.to_owned());
    let (exporter, node, host, user) = (some("bench 7"), some("storage"), some("lab-pi"), some("ann"));
    let site = Site { exporter, node, host, user };
    let begun = UNIX_EPOCH + Duration::from_millis(1_790_000_000_250);
    Receipt {
        verdict: Verdict::Proven,
        attempts: 2,
        image: ImageFacts {
            source: "https://***@host/os.img.xz".to_owned(),
            format: Some("xz".to_owned()),
            content: None,
            format_choice: FormatChoice::Auto,
            source_length: Some(5 << 20),
            source_sha256: Some("11".repeat(32)),
            decoded_length: Some(48 << 20),
            decoded_sha256: Some("22".repeat(32)),
            checked: Some(CheckedDigest::Decoded),
            block_map: None,
            checksums: None,
            cached: false,
            platform: None,
        },
        board: BoardFacts {
            name: Some("sim".to_owned()),
            variant: Some("sim".to_owned()),
            bundle_sha256: Some("33".repeat(32)),
            address: Some("10.0.2.15".to_owned()),
            autoboot: None,
            loads: None,
        },
        medium: Some(MediumFacts {
            target: "emmc".to_owned(),
            via: None,
            device: "/dev/mmcblk0".to_owned(),
            partition: None,
            disk: None,
            size: 64 << 20,
            identity: [("model".to_owned(), "SD64G\x1b[2J".to_owned())].into(),
            old_table: None,
            holds_less: None,
            read_back: Some(CacheBypass::Direct),
            digests_by: None,
            verify: Default::default(),
            read_back_sha256: Some("22".repeat(32)),
            data_written: 12 << 20,
            zeros_written: 36 << 20,
            zeros_by: Some(ZerosBy::Written),
            wire: Some(WireUsed::Identity),
            compare: None,
            kept: Vec::new(),
            ranges: vec![range(0, 1), range(16 << 20, 2), range(32 << 20, 1)],
        }),
        power: PowerState::Off,
        power_evidence: PowerEvidence::Reported,
        transcript: Some(TranscriptFacts { file: "console.log".to_owned(), sha256: "55".repeat(32) }),
        warnings: vec!["the image's last sector has no backup partition table".to_owned()],
        ..Receipt::blank("flasher 0.1.0", JobKind::Flash, site, begun, Duration::from_millis(83_200))
    }
}

fn failed() -> (Receipt, Failure) {
    let error = Error::new(Class::Board, "the boot loader did not load `kernel`")
        .with("file", "kernel")
        .with("address", "0x82000000")
        .console(vec!["=> tftpboot 0x82000000 kernel".to_owned(), "T T T \x1b[31m".to_owned()])
        .help("check that UDP port 69 reaches this machine");
    let failure = Failure::new(Step::Bootloader, &error).leaves(MediumState::PartlyWritten { to: 12 << 20 });
    let failed =
        Receipt { verdict: Verdict::Failed, failure: Some(failure.clone()), medium: None, ..receipt() };
    (failed, failure)
}

#[test]
fn a_proven_flash_names_its_evidence() {
    insta::assert_snapshot!(verdict::good(&receipt(), Some("receipt.json"), Paint::plain()), @r#"
    proven  48 MiB on emmc (/dev/mmcblk0) of board sim in 1 min 23 s, attempt 2
      image       https://***@host/os.img.xz, xz
      file        sha256:1111111111111111111111111111111111111111111111111111111111111111
      unpacked    sha256:2222222222222222222222222222222222222222222222222222222222222222
      --sha256    equals the digest of the unpacked image
      read back   3 ranges, all equal, read past the page cache
      read back   sha256:2222222222222222222222222222222222222222222222222222222222222222, as every range is equal
      written     12 MiB of data, 36 MiB of zeros, 1 range written again
      medium      /dev/mmcblk0, 64 MiB, model SD64G�[2J
      board       sim, variant sim, at 10.0.2.15
      bundle      sha256:3333333333333333333333333333333333333333333333333333333333333333
      bench       bench 7, node storage, host lab-pi, user ann
      when        2026-09-21T14:13:20.250Z to 2026-09-21T14:14:43.450Z
      power       off, as the switch reports
      warning     the image's last sector has no backup partition table
      transcript  console.log
      receipt     receipt.json
    "#);
}

#[test]
fn a_range_that_differs_is_never_called_equal() {
    let mut receipt = receipt();
    receipt.medium.as_mut().unwrap().ranges[1].read_back = None;
    let text = verdict::good(&receipt, None, Paint::plain());
    assert!(text.contains("3 ranges, 2 equal"), "{text}");
}

#[test]
fn what_was_kept_is_no_part_of_the_proof() {
    let mut receipt = receipt();
    let digest = "33".repeat(32);
    receipt.medium.as_mut().unwrap().kept = vec![KeptPartition {
        label: "calib".to_owned(),
        offset: 16 << 20,
        length: 2 << 20,
        before: vec![digest.clone()],
        after: vec![digest],
    }];
    let text = verdict::good(&receipt, None, Paint::plain());
    assert!(text.starts_with("proven  48 MiB but for 2 MiB kept on "), "{text}");
    assert!(text.contains("  kept        `calib`, 2 MiB, read before and after: the same\n"), "{text}");
}

#[test]
fn a_failed_flash_names_its_cause_and_the_next_step() {
    let (receipt, failure) = failed();
    insta::assert_snapshot!(trouble::failed(&receipt, &failure, Some("receipt.json"), Paint::plain()), @r#"
    error: the boot loader did not load `kernel`
       = class:      board (exit 5)
       = step:       bootloader (stops the boot loader and gives it an address), attempt 2
       = address:    0x82000000
       = file:       kernel
       = medium:     partly written: the image up to byte 12582912, as the board says, without its first block; do not boot from it
       = power:      off, as the switch reports
       = warning:    the image's last sector has no backup partition table
       = transcript: console.log
       = receipt:    receipt.json
       = console:
         | => tftpboot 0x82000000 kernel
         | T T T �[31m
       = help:       check that UDP port 69 reaches this machine
       = more:       flasher explain bootloader
    "#);
}

#[test]
fn a_diagnosed_failure_shows_its_root_cause_and_what_was_seen() {
    let (receipt, failure) = failed();
    let seen = |view, seen: &str| Observation { view, seen: seen.to_owned() };
    let diagnosis = Diagnosis {
        root_cause: RootCause::RequestLost,
        evidence: vec![
            seen(View::Console, "the board asked 10.0.0.1 and waited 5 times in vain"),
            seen(View::Servers, "no TFTP request arrived at 10.0.0.1:69"),
            seen(View::Medium, "has a line of its own"),
        ],
        next_step: None,
    };
    let failure = Failure { diagnosis: Some(diagnosis.clone()), ..failure };
    let text = trouble::failed(&receipt, &failure, None, Paint::plain());
    let lines: Vec<&str> =
        text.lines().filter(|line| line.contains("cause:") || line.contains("seen:")).collect();
    insta::assert_snapshot!(lines.join("\n"), @r#"
       = cause:      request-lost: the board's requests do not arrive, although its network is up
       = seen:       console: the board asked 10.0.0.1 and waited 5 times in vain
       = seen:       servers: no TFTP request arrived at 10.0.0.1:69
    "#);
    assert!(text.ends_with("more:       flasher explain request-lost\n"), "{text}");
    let unknown = Diagnosis { root_cause: RootCause::Unknown, ..diagnosis };
    let text =
        trouble::failed(&receipt, &Failure { diagnosis: Some(unknown), ..failure }, None, Paint::plain());
    assert!(text.ends_with("more:       flasher explain bootloader\n"), "{text}");
}

#[test]
fn an_error_of_a_command_names_class_place_and_next_step() {
    let error = Error::infrastructure("cannot open `/dev/ttyUSB0`")
        .with("node", "board.serial")
        .because(std::io::Error::from(std::io::ErrorKind::NotFound))
        .help("plug it in");
    insta::assert_snapshot!(trouble::error(&error, Paint::plain()), @r#"
    error: cannot open `/dev/ttyUSB0`: entity not found
       = class:      infrastructure (exit 4)
       = node:       board.serial
       = help:       plug it in
    "#);
}

#[test]
fn a_plan_names_what_is_booted_and_where_it_writes() {
    let file = |file: &str, length| BootFile {
        file: file.to_owned(),
        name: file.to_owned(),
        address: "0x82000000".to_owned(),
        length,
    };
    let boots = Description {
        board: "sim".to_owned(),
        targets: [("emmc", "/dev/mmcblk0"), ("usd", "/sys/class/block#4fb0000")]
            .map(|(name, device)| (name.to_owned(), device.to_owned()))
            .into(),
        default_target: "emmc".to_owned(),
        variants: vec!["sim".to_owned(), "custom".to_owned()],
        variant: Some("sim".to_owned()),
        kernel: file("data/kernel", 1 << 20),
        initram: Some(file("data/initramfs", 512 << 10)),
        dtb: None,
        bootcmd: "booti 0x82000000".to_owned(),
        bundle_sha256: "66".repeat(32),
    };
    let planned = Plan {
        image: "os.img.xz".to_owned(),
        format: "xz".to_owned(),
        content: Some("an ext file system".to_owned()),
        format_choice: FormatChoice::Raw,
        source_length: Some(5 << 20),
        decoded_length: Some(48 << 20),
        block_map: Some("os.bmap (version 2.0, 9 of 9 ranges with a checksum)".to_owned()),
        checksums: None,
        cached: true,
        platform: None,
        target: "emmc".to_owned(),
        device: "/dev/mmcblk0".to_owned(),
        partition: None,
        keep: Vec::new(),
        also: Vec::new(),
        via: ViaUsed::Linux,
        boots: Some(boots),
        attempt_limit: Some(4308.0),
        warnings: vec!["the image is larger than usual".to_owned()],
    };
    insta::assert_snapshot!(plan::plan(&planned, Paint::plain()), @r#"
    os.img.xz to emmc (/dev/mmcblk0)
      image       xz, 5 MiB, 48 MiB unpacked
      content     an ext file system, written whatever it is, as `--format raw` says
      block map   os.bmap (version 2.0, 9 of 9 ranges with a checksum)
      cache       has it, unpacked
      board       sim
      targets     emmc /dev/mmcblk0 (default), usd /sys/class/block#4fb0000
      variants    sim (in use), custom
      kernel      data/kernel at 0x82000000, 1 MiB
      initramfs   data/initramfs at 0x82000000, 512 KiB
      boots with  booti 0x82000000
      bundle      sha256:6666666666666666666666666666666666666666666666666666666666666666
      limit       1 h 11 min an attempt (`--deadline` sets another)
      warning     the image is larger than usual
    "#);
    let planned = Plan { via: ViaUsed::Uboot, boots: None, device: "mmc 1".to_owned(), ..planned };
    insta::assert_snapshot!(plan::plan(&planned, Paint::plain()), @r#"
    os.img.xz to emmc (mmc 1)
      image       xz, 5 MiB, 48 MiB unpacked
      content     an ext file system, written whatever it is, as `--format raw` says
      block map   os.bmap (version 2.0, 9 of 9 ranges with a checksum)
      cache       has it, unpacked
      via         the boot loader's own commands; nothing is booted
      limit       1 h 11 min an attempt (`--deadline` sets another)
      warning     the image is larger than usual
    "#);
    let device = "/dev/disk/by-path/usb-1".to_owned();
    let planned = Plan { via: ViaUsed::Host, device, ..planned };
    let text = plan::plan(&planned, Paint::plain());
    assert!(text.contains("  via         a disk of this machine; nothing is booted\n"), "{text}");
}
