//! What is written to a medium is something that can be there: everything else is refused, unless it is said to be right.

use flasher_core::flash::{FormatChoice, OldTable, PowerState};
use flasher_core::{Class, FlashJob, Step, Verdict};

use crate::lab::{Lab, MEDIUM, has, noise, sample};

/// Bytes of no known format.
fn unknown() -> Vec<u8> {
    let mut bytes = noise(400_000, 11);
    bytes[510..512].fill(0);
    bytes
}

#[tokio::test(flavor = "multi_thread")]
async fn what_no_device_can_hold_is_refused_before_power_on() {
    let page = b"<!DOCTYPE html><html><body>please log in</body></html>".repeat(100);
    let lfs = b"version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 4\n";
    let elf = [b"\x7fELF\x02\x01\x01", &unknown()[..]].concat();
    let vhd = [sample(), b"conectix".to_vec(), vec![0; 504]].concat();
    let mut cut = sample();
    cut[446..462].copy_from_slice(&[0x80, 0, 2, 0, 0x83, 0, 0, 0, 0, 8, 0, 0, 0, 0, 1, 0]);
    for (content, tool, says) in [
        (page.clone(), None, "is a web page"),
        (page, Some("gzip"), "is a web page"),
        (lfs.to_vec(), None, "is a pointer of git-lfs"),
        (b"{}".to_vec(), None, "is the empty document that stands for no content in a registry"),
        (elf, None, "is an ELF program"),
        (vhd, None, "is a VHD disk"),
        (unknown(), None, "does not look like something a whole device can hold"),
        (unknown(), Some("xz"), "does not look like something a whole device can hold"),
        (vec![0; 100], None, "has only 100 bytes, less than one sector"),
        (cut, None, "is shorter than its own partition table says"),
    ] {
        if !tool.is_none_or(has) {
            continue;
        }
        let lab = Lab::new("");
        let (receipt, _) = lab.flash(lab.job(&lab.image(&content, tool))).await;
        let failure = receipt.failure.expect(says);
        assert!(failure.cause.contains(says), "{says}: {failure:#?}");
        assert_eq!((failure.class, failure.step), (Class::Source, Step::Image), "{says}");
        assert_eq!(receipt.power, PowerState::Untouched, "{says}");
        assert!(failure.help.is_some(), "{says}: what to do next is missing");
        assert!(lab.medium().iter().all(|byte| *byte == 0xa5), "{says}: the medium was touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_said_to_be_right_is_written_and_the_receipt_says_so() {
    for (content, seen) in [(unknown(), "unknown content"), (vec![7; 100], "unknown content")] {
        let lab = Lab::new("");
        let job = FlashJob { format: FormatChoice::Raw, ..lab.job(&lab.image(&content, None)) };
        let (receipt, _) = lab.flash(job).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
        assert!(lab.medium()[..content.len()] == content);
        assert_eq!(receipt.image.format_choice, FormatChoice::Raw);
        assert_eq!(receipt.image.content.as_deref(), Some(seen));
    }
    let lab = Lab::new("");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&sample(), Some("gzip")))).await;
    assert_eq!(receipt.image.format_choice, FormatChoice::Auto);
    assert_eq!(receipt.image.content.as_deref(), Some("an MBR partition table"));
}

/// A disk of the medium's length with one partition, in a GPT for sectors of this size (UEFI 2.10, chapter 5).
fn gpt(sector: usize) -> Vec<u8> {
    let (mut disk, last) = (noise(MEDIUM, 12), (MEDIUM / sector - 1) as u64);
    let mut entry = [1; 128];
    entry[32..48].copy_from_slice(&[40u64.to_le_bytes(), 60u64.to_le_bytes()].concat());
    disk[2 * sector..2 * sector + 128 * 128].fill(0);
    disk[2 * sector..2 * sector + 128].copy_from_slice(&entry);
    let mut header = [0; 92];
    header[..16].copy_from_slice(b"EFI PART\0\0\x01\0\x5c\0\0\0");
    header[32..40].copy_from_slice(&last.to_le_bytes());
    header[72..80].copy_from_slice(&2u64.to_le_bytes());
    header[80..88].copy_from_slice(b"\x80\0\0\0\x80\0\0\0");
    let sum = crc32(&header);
    header[16..20].copy_from_slice(&sum.to_le_bytes());
    disk[sector..sector + 92].copy_from_slice(&header);
    disk
}

fn crc32(bytes: &[u8]) -> u32 {
    let bit = |sum: u32, _| if sum & 1 == 1 { sum >> 1 ^ 0xedb8_8320 } else { sum >> 1 };
    !bytes.iter().fold(!0, |sum, byte| (0..8).fold(sum ^ u32::from(*byte), bit))
}

#[tokio::test(flavor = "multi_thread")]
async fn tables_for_other_sectors_are_refused() {
    for (image_sector, medium_sector) in [(512, 512), (4096, 4096), (512, 4096), (4096, 512)] {
        let mut lab = Lab::new("");
        lab.board = format!("{}\n      sector_size: {medium_sector}", lab.board);
        let image = lab.image(&gpt(image_sector), None);
        let (receipt, _) = lab.flash(lab.job(&image)).await;
        if image_sector == medium_sector {
            assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
            continue;
        }
        let failure = receipt.failure.expect("refused");
        assert_eq!((failure.class, failure.step), (Class::Source, Step::Target));
        assert_eq!(
            failure.cause,
            format!(
                "the image's partition table counts in sectors of {image_sector} bytes, `/dev/mmcblk0` has sectors of {medium_sector}"
            )
        );
        assert!(lab.medium().iter().all(|byte| *byte == 0xa5), "the medium was touched");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn old_tables_are_reported_and_removed() {
    for (packed, wipe) in [(false, false), (false, true), (true, true)] {
        let lab = Lab::new("");
        let mut medium = lab.medium();
        medium[MEDIUM - 512..MEDIUM - 504].copy_from_slice(b"EFI PART");
        std::fs::write(lab.path("medium"), &medium).unwrap();
        let content = sample();
        let image = lab.image(&content, packed.then_some("gzip"));
        let (receipt, _) = lab.flash(FlashJob { wipe_old_table: wipe, ..lab.job(&image) }).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
        let (old, told) = if wipe { (OldTable::Wiped, 0) } else { (OldTable::Left, 1) };
        assert_eq!(receipt.medium.unwrap().old_table, Some(old));
        assert_eq!(receipt.warnings.len(), told, "{:?}", receipt.warnings);
        if wipe {
            medium[MEDIUM - 4096..].fill(0);
        }
        medium[..content.len()].copy_from_slice(&content);
        assert!(lab.medium() == medium, "nothing else behind the image was touched");
    }
    // An image that reaches the end brings what is there.
    let lab = Lab::new("");
    let content = gpt(512);
    let job = FlashJob { wipe_old_table: true, ..lab.job(&lab.image(&content, None)) };
    let (receipt, _) = lab.flash(job).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert_eq!(receipt.medium.unwrap().old_table, None);
    assert!(lab.medium() == content);
}
