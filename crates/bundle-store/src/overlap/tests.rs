//! Memory layouts, with kernels that have a header and kernels that have none.

use std::io::Write;

use insta::assert_snapshot;
use pretty_assertions::assert_eq;
use tempfile::NamedTempFile;

use super::*;

const MIB: u64 = 1 << 20;

/// The head of an arm64 `Image`, padded to 4096 bytes.
fn image(text_offset: u64, image_size: u64, flags: u64) -> Vec<u8> {
    let mut bytes = vec![0; 4096];
    bytes[8..16].copy_from_slice(&text_offset.to_le_bytes());
    bytes[16..24].copy_from_slice(&image_size.to_le_bytes());
    bytes[24..32].copy_from_slice(&flags.to_le_bytes());
    bytes[56..60].copy_from_slice(b"ARM\x64");
    bytes
}

/// A kernel with this content, said to be `length` bytes long; an initram and a dtb as (address, length).
fn check(
    content: &[u8],
    (address, length): (u64, u64),
    initram: Option<(u64, u64)>,
    dtb: Option<(u64, u64)>,
) -> Vec<Overlap> {
    let mut kernel = NamedTempFile::new().unwrap();
    kernel.write_all(content).unwrap();
    let file = |name: &str, (address, length)| File {
        path: kernel.path().into(),
        name: name.into(),
        address,
        length,
    };
    overlaps(&Files {
        kernel: file("Image", (address, length)),
        initram: initram.map(|place| file("initramfs", place)),
        dtb: dtb.map(|place| file("sim.dtb", place)),
        bootcmd: "booti".into(),
        variant: None,
    })
}

fn pairs(found: &[Overlap]) -> Vec<(&str, &str, u64)> {
    found.iter().map(|pair| (pair.first.role, pair.second.role, pair.length())).collect()
}

#[test]
fn files_overlap_only_where_both_need_the_same_bytes() {
    let (kernel, dtb) = ("kernel", "dtb");
    let cases = [
        // apart, touching, one byte in common
        ((0x1000, 0x1000), None, Some((0x3000, 1)), vec![]),
        ((0x1000, 0x1000), None, Some((0x2000, 1)), vec![]),
        ((0x1000, 0x1001), None, Some((0x2000, 1)), vec![(kernel, dtb, 1)]),
        // inside, around, same place, below
        ((0x1000, 0x1000), None, Some((0x1800, 0x10)), vec![(kernel, dtb, 0x10)]),
        ((0x1800, 0x10), None, Some((0x1000, 0x1000)), vec![(kernel, dtb, 0x10)]),
        ((0x1000, 0x1000), None, Some((0x1000, 0x1000)), vec![(kernel, dtb, 0x1000)]),
        ((0x2000, 0x1000), None, Some((0x1000, 0x1100)), vec![(kernel, dtb, 0x100)]),
        // all three
        (
            (0x1000, 0x3000),
            Some((0x2000, 0x3000)),
            Some((0x3000, 0x3000)),
            vec![(kernel, "initram", 0x2000), (kernel, dtb, 0x1000), ("initram", dtb, 0x2000)],
        ),
        // alone; at the end of memory
        ((0x1000, 0x1000), None, None, vec![]),
        ((u64::MAX - 1, 100), None, Some((0, 100)), vec![]),
        ((u64::MAX - 10, 100), None, Some((u64::MAX - 5, 100)), vec![(kernel, dtb, 5)]),
    ];
    for (place, initram, device_tree, expected) in cases {
        assert_eq!(
            pairs(&check(b"no header", place, initram, device_tree)),
            expected,
            "{place:x?} {device_tree:x?}"
        );
    }
}

#[test]
fn a_kernel_needs_what_its_header_says_and_not_only_its_file() {
    let base = 0x8200_0000;
    let dtb = |offset: u64| Some((base + offset, 0x1000));
    let anywhere = 0b1010;
    let cases = [
        ("bss after the file", image(0, 40 * MIB, anywhere), base, dtb(32 * MIB), true),
        ("just behind the bss", image(0, 40 * MIB, anywhere), base, dtb(40 * MIB), false),
        ("moved up to 2 MiB", image(0, 40 * MIB, anywhere), base + MIB, dtb(41 * MIB), true),
        (
            "text offset is part of the place",
            image(0x80000, 40 * MIB, anywhere),
            base + 0x80000,
            dtb(40 * MIB),
            true,
        ),
        (
            "and does not move the kernel",
            image(0x80000, 40 * MIB, anywhere),
            base + 0x80000,
            dtb(41 * MIB),
            false,
        ),
        ("at the base of memory", image(0, 40 * MIB, 0b0010), base + MIB, dtb(40 * MIB), true),
        ("no size: 16 MiB", image(0, 0, 0), base, dtb(15 * MIB), true),
        ("no size: not more", image(0, 0, 0), base, dtb(16 * MIB), false),
        ("hostile size", image(u64::MAX, u64::MAX, anywhere), base, dtb(900 * MIB), true),
        ("too short for a header", b"ARM\x64".to_vec(), base, dtb(32 * MIB), false),
        ("FIT: only its file", b"\xd0\x0d\xfe\xed".repeat(64), base, dtb(32 * MIB), false),
    ];
    for (story, content, address, device_tree, expected) in cases {
        let found = check(&content, (address, 20 * MIB.min(address)), None, device_tree);
        let found_header = check(&content, (address, 4096), None, device_tree);
        assert_eq!(!found_header.is_empty(), expected, "{story}: {found_header:?}");
        if expected {
            assert!(!found.is_empty(), "{story}: a longer file cannot need less");
        }
    }
}

#[test]
fn an_overlap_is_told_in_a_sentence() {
    let found = check(&image(0, 40 * MIB, 0b1010), (0x8200_0000, 4096), None, Some((0x8400_0000, 0x1000)));
    assert_snapshot!(found[0].to_string(), @"kernel `Image` (41943040 bytes from 0x82000000 up to 0x84800000) and dtb `sim.dtb` (4096 bytes from 0x84000000 up to 0x84001000) overlap by 4096 bytes: move one of their addresses in the manifest");
}
