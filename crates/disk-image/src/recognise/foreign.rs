//! Formats that are not decoded here: written as they are, they would make a medium that never boots.

use super::foreign_format::ForeignFormat;
use super::seen::Seen;
use super::text;
use crate::{Expected, ImageContent};

/// What a server says of its answer.
pub(crate) const WEB_PAGE_BY_SERVER: ForeignFormat =
    ForeignFormat::new("a web page, as its server says (`content-type: text/html`)", text::FETCH);

const QEMU: &str = "convert it with `qemu-img convert -O raw IN OUT.img`";
const UNPACK_7Z: &str = "unpack it with `7z x FILE`, and flash the image in it";
const UNPACK_CPIO: &str = "unpack it with `cpio -idv < FILE`, and flash the image in it";

/// How sure a mark is.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Weight {
    /// It is the format, whatever else is there.
    Sure,
    /// It is the format when nothing that can be on a medium is there.
    Weak,
    /// So is this, and a partition may hold it.
    Program,
}

struct Mark {
    at: usize,
    bytes: &'static [u8],
    weight: Weight,
    /// Whether it is for people, and lies beside an image.
    is_document: bool,
    foreign: ForeignFormat,
}

const fn sure(at: usize, bytes: &'static [u8], found: &'static str, help: &'static str) -> Mark {
    Mark { at, bytes, weight: Weight::Sure, is_document: false, foreign: ForeignFormat::new(found, help) }
}

const fn weak(bytes: &'static [u8], found: &'static str, help: &'static str) -> Mark {
    Mark { at: 0, bytes, weight: Weight::Weak, is_document: false, foreign: ForeignFormat::new(found, help) }
}

const fn program(bytes: &'static [u8], found: &'static str, help: &'static str) -> Mark {
    Mark {
        at: 0,
        bytes,
        weight: Weight::Program,
        is_document: false,
        foreign: ForeignFormat::new(found, help),
    }
}

const fn document(bytes: &'static [u8], found: &'static str) -> Mark {
    Mark { is_document: true, ..sure(0, bytes, found, "give the image, not what came with it") }
}

/// By their first bytes; of two that fit, the earlier.
const MARKS: &[Mark] = &[
    sure(0, b"PK\x05\x06", "an empty zip archive", "build or fetch the archive again"),
    sure(
        0,
        b"PK\x07\x08PK",
        "a zip archive in several parts",
        "join them with `zip -s 0 FILE.zip --out WHOLE.zip`",
    ),
    sure(
        0,
        b"PK00PK",
        "a zip archive in several parts",
        "join them with `zip -s 0 FILE.zip --out WHOLE.zip`",
    ),
    sure(0, b"7z\xbc\xaf\x27\x1c", "a 7z archive", UNPACK_7Z),
    sure(0, b"Rar!\x1a\x07", "a rar archive", "unpack it with `unrar x FILE`, and flash the image in it"),
    sure(
        0,
        b"MSCF\0\0\0\0",
        "a cabinet archive",
        "unpack it with `cabextract FILE`, and flash the image in it",
    ),
    sure(0, b"xar!", "a xar archive", UNPACK_7Z),
    sure(
        0,
        b"\x02\x21\x4c\x18",
        "lz4 data of the legacy format, whose end cannot be proven",
        "pack it anew with `lz4 -dc FILE | lz4 > OUT.lz4`",
    ),
    sure(0, b"LZIP\x01", "lzip data", "unpack it with `lzip -d FILE`"),
    sure(0, b"\x89LZO\0\r\n\x1a\n", "lzop data", "unpack it with `lzop -d FILE`"),
    sure(0, b"LRZI", "lrzip data", "unpack it with `lrzip -d FILE`"),
    sure(0, b"\xff\x06\0\0sNaPpY", "snappy data", "unpack it with `snzip -d FILE`"),
    sure(0, b"\0ZCK1", "zchunk data", "unpack it with `unzck FILE`"),
    document(b"\x37\xa4\x30\xec", "a zstd dictionary"),
    sure(
        0,
        b"!<arch>\ndebian",
        "a Debian package (.deb)",
        "unpack it with `dpkg-deb -x FILE FOLDER`, and flash the image in it",
    ),
    sure(0, b"!<arch>\n", "an ar archive", "unpack it with `ar x FILE`, and flash the image in it"),
    sure(
        0,
        b"\xed\xab\xee\xdb",
        "an RPM package",
        "unpack it with `rpm2cpio FILE | cpio -idv`, and flash the image in it",
    ),
    sure(0, b"070701", "a cpio archive", UNPACK_CPIO),
    sure(0, b"070702", "a cpio archive", UNPACK_CPIO),
    sure(0, b"070707", "a cpio archive", UNPACK_CPIO),
    sure(0, b"QFI\xfb", "a qcow2 disk", QEMU),
    sure(0, b"QED\0", "a QED disk", QEMU),
    sure(0, b"KDMV", "a VMDK disk", QEMU),
    sure(0, b"COWD", "a VMDK disk", QEMU),
    sure(
        0,
        b"# Disk DescriptorFile",
        "the description of a VMDK disk, without its data",
        "convert it with `qemu-img convert -O raw IN.vmdk OUT.img`, where the files are that it names",
    ),
    sure(0, b"vhdxfile", "a VHDX disk", QEMU),
    sure(0, b"conectix", "a VHD disk", QEMU),
    sure(0x40, b"\x7f\x10\xda\xbe", "a VDI disk", QEMU),
    sure(0, b"WithoutFreeSpace", "a Parallels disk", QEMU),
    sure(0, b"WithouFreSpacExt", "a Parallels disk", QEMU),
    sure(0, b"EVF\x09\x0d\x0a\xff\0", "an EnCase image", "convert it with `ewfexport FILE`"),
    sure(0, b"MSWIM\0\0\0", "a Windows image (WIM)", "apply it with `wimapply FILE TARGET`"),
    sure(0, b"#!/bin/sh\n#V2.0 Format", "a cloop image", QEMU),
    sure(
        0,
        b"encrcdsa",
        "an encrypted disk image of macOS",
        "convert it with `hdiutil convert IN -format UDTO -o OUT`",
    ),
    sure(
        0,
        b"partclone-image",
        "a partclone image",
        "restore it with `partclone.restore -C -s IN -O OUT.img`",
    ),
    sure(0, b"PaRtImAgE-VoLuMe", "a partimage image", "restore it with `partimage`"),
    sure(0, b"SignedImage ", "a full flash update (FFU)", "apply it with the vendor's tool"),
    sure(4, b"SignedImage ", "a full flash update (FFU)", "apply it with the vendor's tool"),
    sure(
        0,
        b"\0\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\0",
        "an image of raw CD sectors",
        "convert it with `bchunk FILE.bin FILE.cue OUT`",
    ),
    sure(0, b"UF2\nWQ\x5d\x9e", "a UF2 file", "copy it to the board's boot drive"),
    sure(0, b"RKFW", "a Rockchip update package", "unpack it with `rkImageMaker -unpack FILE FOLDER`"),
    sure(0, b"RKAF", "a Rockchip update package", "unpack it with `afptool -unpack FILE FOLDER`"),
    sure(0, b"IMAGEWTY", "an Allwinner update package", "unpack it with `awimage FILE`"),
    sure(0, b"CrAU", "an Android update (OTA payload)", "unpack it with `payload-dumper-go FILE`"),
    sure(
        8,
        b"\xf9\x9f\x12\x7b\x9c\x4d\x82\x96",
        "an index of casync or desync",
        "assemble the image with `casync extract FILE OUT.img` or `desync extract`",
    ),
    sure(
        8,
        b"\x51\xbb\x5b\xea\xbc\xfa\x96\x13",
        "an archive of casync",
        "unpack it with `casync extract FILE FOLDER`",
    ),
    document(b"%PDF-", "a PDF document"),
    document(b"%!PS", "a PostScript document"),
    document(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1", "an office document"),
    document(b"SQLite format 3\0", "an SQLite database"),
    document(b"\x89PNG\r\n\x1a\n", "a PNG picture"),
    document(b"GIF8", "a GIF picture"),
    document(b"\xff\xd8\xff", "a JPEG picture"),
    program(
        b"\x7fELF",
        "an ELF program",
        "flash the image it belongs to; `objcopy -O binary IN OUT` takes the headers away",
    ),
    program(b"MZ", "a Windows or EFI program", "flash the image it belongs to"),
    weak(b"\x1f\x9d", "data of compress (.Z)", "unpack it with `uncompress FILE`"),
    weak(b"\x1f\xa0", "data of lzh", UNPACK_7Z),
    weak(b"\x1f\x1e", "data of pack (.z)", "unpack it with `unpack FILE` or `7z x FILE`"),
    weak(b"\xc7\x71", "a cpio archive", UNPACK_CPIO),
    weak(b"\x71\xc7", "a cpio archive", UNPACK_CPIO),
    weak(b"bvx", "lzfse data", "unpack it with `lzfse -decode -i IN -o OUT`"),
];

/// What the image is, if it is something known that must not be written where it is meant for.
pub(super) fn of(seen: Seen<'_>, content: ImageContent, expected: Expected) -> Option<ForeignFormat> {
    let unknown = content == ImageContent::Unknown;
    let by_mark =
        MARKS.iter().filter(|mark| seen.head.get(mark.at..).is_some_and(|it| it.starts_with(mark.bytes)));
    let mut by_mark = by_mark.filter(|mark| match mark.weight {
        Weight::Sure => true,
        Weight::Weak => unknown,
        Weight::Program => unknown && expected == Expected::Device,
    });
    let marked = by_mark.next().map(|mark| swupdate(seen.head).unwrap_or(mark.foreign));
    let by_end = || seen.tail.and_then(|tail| footer(tail, unknown));
    let by_rule = || {
        if unknown {
            lzma(seen.head).or_else(|| zlib(seen.head)).or_else(|| text::of(seen.head))
        } else {
            None
        }
    };
    marked.or_else(by_end).or_else(by_rule)
}

/// Whether these are the first bytes of a document for people.
pub(super) fn is_document(head: &[u8]) -> bool {
    let documents = MARKS.iter().filter(|mark| mark.is_document);
    documents.into_iter().any(|mark| head.get(mark.at..).is_some_and(|it| it.starts_with(mark.bytes)))
}

/// An update for SWUpdate is a cpio archive that begins with its description.
fn swupdate(head: &[u8]) -> Option<ForeignFormat> {
    let is_cpio = head.starts_with(b"07070");
    (is_cpio && head.get(110..).is_some_and(|name| name.starts_with(b"sw-description\0"))).then_some(
        ForeignFormat::new(
            "an update for SWUpdate (.swu)",
            "unpack it with `cpio -idv < FILE`, and flash the image in it",
        ),
    )
}

/// What stands at the end of an image. The last two are in many a file, which may be the last of a file system.
fn footer(tail: &[u8], unknown: bool) -> Option<ForeignFormat> {
    let footer =
        |mark: &[u8], length: usize| tail.len() >= length && tail[tail.len() - length..].starts_with(mark);
    if footer(b"koly\0\0\0\x04\0\0\x02\0", 512) {
        return Some(ForeignFormat::new(
            "a disk image of macOS (dmg)",
            "convert it with `dmg2img IN.dmg OUT.img` or `qemu-img convert -O raw IN.dmg OUT.img`",
        ));
    }
    if footer(b"conectix", 512) || footer(b"conectix", 511) {
        return Some(ForeignFormat::new("a VHD disk", QEMU));
    }
    if unknown && footer(b"PK\x05\x06", 22) {
        return Some(ForeignFormat::new(
            "the last part of a zip archive, or one with something before it",
            "join all parts with `zip -s 0 FILE.zip --out WHOLE.zip`",
        ));
    }
    let xz = unknown && tail.len() >= 12 && tail.ends_with(b"YZ") && tail[tail.len() - 4] == 0;
    xz.then_some(ForeignFormat::new(
        "the last part of xz data",
        "join the parts with `cat PART... > WHOLE.xz`",
    ))
}

/// The header of the format before xz: properties of `xz` and `lzma`, a dictionary of a usual size, a length or none (LZMA SDK, lzma.txt).
fn lzma(head: &[u8]) -> Option<ForeignFormat> {
    let dictionary = u32::from_le_bytes(head.get(1..5)?.try_into().ok()?);
    let length = u64::from_le_bytes(head.get(5..13)?.try_into().ok()?);
    let usual = dictionary >= 1 << 12 && (dictionary.is_power_of_two() || (dictionary / 3).is_power_of_two());
    let is_lzma =
        head[0] < 225 && usual && (length == u64::MAX || length < 1 << 40) && head.get(13) == Some(&0);
    is_lzma.then_some(ForeignFormat::new("lzma data", "unpack it with `xz --format=lzma -d FILE`"))
}

/// A header that its checksum bears out, and data that inflates (RFC 1950).
fn zlib(head: &[u8]) -> Option<ForeignFormat> {
    let [method, flags, ..] = *head else { return None };
    let is_header =
        method & 0x0f == 8 && method >> 4 <= 7 && (u16::from(method) << 8 | u16::from(flags)) % 31 == 0;
    if !is_header || flags & 0x20 != 0 {
        return None;
    }
    let mut inflate = flate2::Decompress::new(true);
    let mut output = vec![0; 4096];
    inflate.decompress(head, &mut output, flate2::FlushDecompress::None).ok()?;
    (inflate.total_out() > 0)
        .then_some(ForeignFormat::new("zlib data", "unpack it with `zlib-flate -uncompress < IN > OUT`"))
}
