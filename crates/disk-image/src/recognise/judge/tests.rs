//! Every format by bytes as its specification has them. What real tools write is in `tests/foreign.rs` of this crate.

use pretty_assertions::assert_eq;

use super::*;
use crate::recognise::TAIL;

/// Judges a whole image; gives what it is, or the refusal.
fn judged(bytes: &[u8], expected: Expected) -> Result<String, String> {
    let tail = &bytes[bytes.len().saturating_sub(TAIL)..];
    let head = &bytes[..bytes.len().min(LOOK)];
    let seen = Seen { head, complete: true, tail: Some(tail), length: Some(bytes.len() as u64) };
    match judge("x", expected, seen) {
        Ok(content) => Ok(content.unwrap().to_string()),
        Err(error @ Error::Unsupported { .. }) => {
            let text = error.to_string();
            let end = text.find(", expected a raw").unwrap();
            Err(text["image `x` is ".len()..end].to_owned())
        }
        Err(error) => Err(error.to_string()),
    }
}

/// Bytes that are nothing known, 256 KiB of them.
fn unknown() -> Vec<u8> {
    (0..256 * 1024u32).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8 | 0x80).collect()
}

/// Unknown bytes with `mark` at `at`.
fn marked(at: usize, mark: &[u8]) -> Vec<u8> {
    let mut bytes = unknown();
    bytes[at..at + mark.len()].copy_from_slice(mark);
    bytes
}

/// Unknown bytes that end with `mark`, filled with zeros to `length`.
fn ended(mark: &[u8], length: usize) -> Vec<u8> {
    let mut footer = mark.to_vec();
    footer.resize(length, 0);
    [unknown(), footer].concat()
}

#[test]
fn foreign_formats_are_refused_by_name() {
    for (at, mark, name) in [
        (0, &b"PK\x05\x06"[..], "an empty zip archive"),
        (0, b"PK\x07\x08PK\x03\x04", "a zip archive in several parts"),
        (0, b"7z\xbc\xaf\x27\x1c", "a 7z archive"),
        (0, b"Rar!\x1a\x07\x01\0", "a rar archive"),
        (0, b"\x02\x21\x4c\x18", "lz4 data of the legacy format, whose end cannot be proven"),
        (0, b"LZIP\x01", "lzip data"),
        (0, b"\x89LZO\0\r\n\x1a\n", "lzop data"),
        (0, b"LRZI\0\x06", "lrzip data"),
        (0, b"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff\0", "lzma data"),
        (0, b"\x1f\x9d\x90", "data of compress (.Z)"),
        (0, b"!<arch>\ndebian-binary   ", "a Debian package (.deb)"),
        (0, b"!<arch>\nlib.o/", "an ar archive"),
        (0, b"\xed\xab\xee\xdb\x03\0", "an RPM package"),
        (0, b"070701", "a cpio archive"),
        (0, b"070707", "a cpio archive"),
        (0, b"\xc7\x71", "a cpio archive"),
        (0, b"QFI\xfb\0\0\0\x03", "a qcow2 disk"),
        (0, b"QED\0", "a QED disk"),
        (0, b"KDMV", "a VMDK disk"),
        (0, b"COWD", "a VMDK disk"),
        (0, b"vhdxfile", "a VHDX disk"),
        (0, b"conectix", "a VHD disk"),
        (0x40, b"\x7f\x10\xda\xbe", "a VDI disk"),
        (0, b"WithoutFreeSpace", "a Parallels disk"),
        (0, b"WithouFreSpacExt", "a Parallels disk"),
        (0, b"MSWIM\0\0\0", "a Windows image (WIM)"),
        (0, b"CrAU\0\0\0\0", "an Android update (OTA payload)"),
        (0, b"RKFW", "a Rockchip update package"),
        (0, b"\x30\0\0\0\0\0\0\0\xf9\x9f\x12\x7b\x9c\x4d\x82\x96", "an index of casync or desync"),
        (0, b"%PDF-1.7\n", "a PDF document"),
    ] {
        for expected in [Expected::Device, Expected::Partition] {
            assert_eq!(judged(&marked(at, mark), expected), Err(name.to_owned()), "{expected:?}");
        }
        let any = judged(&marked(at, mark), Expected::Anything);
        assert_eq!(any, Ok("unknown content".to_owned()), "{name}");
    }
    let mut update = marked(0, b"070702");
    update[110..125].copy_from_slice(b"sw-description\0");
    assert_eq!(judged(&update, Expected::Device), Err("an update for SWUpdate (.swu)".to_owned()));
}

#[test]
fn another_format_is_refused_by_its_end() {
    for (bytes, name) in [
        (ended(b"koly\0\0\0\x04\0\0\x02\0", 512), "a disk image of macOS (dmg)"),
        (ended(b"conectix", 512), "a VHD disk"),
        (ended(b"conectix", 511), "a VHD disk"),
        (ended(b"PK\x05\x06", 22), "the last part of a zip archive, or one with something before it"),
        ([unknown(), b"\x01\x02\x03\x04\x05\x06\0\0\0\x04YZ".to_vec()].concat(), "the last part of xz data"),
    ] {
        assert_eq!(judged(&bytes, Expected::Device), Err(name.to_owned()));
    }
    // A file system may end with a file of its own.
    let mut disk = [marked(1080, b"\x53\xef\x01\0"), b"PK\x05\x06".to_vec(), vec![0; 18]].concat();
    disk[1048..1052].fill(0);
    assert_eq!(judged(&disk, Expected::Device), Ok("an ext file system".to_owned()));
    // A fixed VHD is a whole disk with a footer.
    disk.extend([&b"conectix"[..], &[0; 504]].concat());
    assert_eq!(judged(&disk, Expected::Device), Err("a VHD disk".to_owned()));
}

#[test]
fn documents_and_placeholders_are_refused() {
    let utf16 = |text: &str, mark: &[u8], word: fn(u16) -> [u8; 2]| -> Vec<u8> {
        [mark.to_vec(), text.encode_utf16().flat_map(word).collect()].concat()
    };
    let page = "<!DOCTYPE html><html>log in</html>";
    let lfs = "version https://git-lfs.github.com/spec/v1\noid sha256:ab\nsize 5\n";
    let digest = "a1".repeat(32);
    for (bytes, name) in [
        (b"{}".to_vec(), "the empty document that stands for no content in a registry"),
        (b"{}\n".to_vec(), "the empty document that stands for no content in a registry"),
        (br#"{"errors": [{"code": "DENIED"}]}"#.to_vec(), "a JSON document"),
        (b"\xef\xbb\xbf[1, 2]".to_vec(), "a JSON document"),
        (utf16("{\"a\": 1}", b"\xff\xfe", u16::to_le_bytes), "a JSON document"),
        (utf16("{\"a\": 1}", b"\xfe\xff", u16::to_be_bytes), "a JSON document"),
        (utf16("{\"a\": 1}", b"", u16::to_le_bytes), "a JSON document"),
        (b"\r\n <!DOCTYPE html><html>".to_vec(), "a web page"),
        (b"<HTML><body>log in".to_vec(), "a web page"),
        (format!("\u{feff}{page}").into_bytes(), "a web page"),
        (utf16(page, b"\xff\xfe", u16::to_le_bytes), "a web page"),
        (b"<html><title>Zugriff verweigert \xfcber alles".to_vec(), "a web page"),
        (b"<?xml version='1.0'?><Error><Code>NoSuchKey</Code></Error>".to_vec(), "an XML document"),
        (b"<?xml version='1.0'?>\n<bmap version='2.0'>".to_vec(), "a block map (bmap)"),
        (b"---\nkey: value\n".to_vec(), "a YAML document"),
        (lfs.as_bytes().to_vec(), "a pointer of git-lfs"),
        (b"/annex/objects/SHA256E-s1--ab.img\n".to_vec(), "a pointer of git-annex"),
        (format!("{digest}  os.img\n").into_bytes(), "a list of checksums"),
        (format!("SHA256 (os.img) = {digest}\n").into_bytes(), "a list of checksums"),
        (b"-----BEGIN PGP SIGNATURE-----\n\niQ==\n".to_vec(), "a signature"),
        (b"untrusted comment: minisign\nRU\n".to_vec(), "a signature"),
        (b"-----BEGIN CERTIFICATE-----\n".to_vec(), "a key or certificate"),
        (b"MEUCIQDx3n0=".to_vec(), "text"), // what cosign writes
        (b"Not Found".to_vec(), "text"),
        ("nicht gefunden: Größe ".repeat(20_000).into_bytes(), "text"),
        (b"# Disk DescriptorFile\nversion=1\n".to_vec(), "the description of a VMDK disk, without its data"),
    ] {
        for expected in [Expected::Device, Expected::Partition] {
            assert_eq!(judged(&bytes, expected), Err(name.to_owned()), "{expected:?}");
        }
        assert!(judged(&bytes, Expected::Anything).is_ok(), "{name}");
    }
}

#[test]
fn what_can_be_on_a_device_is_known() {
    let fat = |name: &[u8], fields: &[u8]| {
        let mut sector = marked(510, b"\x55\xaa");
        sector[..3].copy_from_slice(b"\xeb\x58\x90");
        sector[3..11].copy_from_slice(name);
        sector[11..11 + fields.len()].copy_from_slice(fields);
        sector
    };
    for (bytes, name) in [
        (vec![0; 4096], "zeros"),
        (fat(b"MSDOS5.0", &[0, 2, 8, 32, 0, 2]), "a FAT file system"),
        (fat(b"NTFS    ", &[]), "an NTFS file system"),
        (fat(b"EXFAT   ", &[]), "an exFAT file system"),
        (marked(0x1_0040, b"_BHRfS_M"), "a btrfs file system"),
        (marked(0, b"XFSB"), "an XFS file system"),
        (marked(1024, b"\x10\x20\xf5\xf2"), "an F2FS file system"),
        (marked(0, b"hsqs"), "a squashfs file system"),
        (marked(1024, b"\xe2\xe1\xf5\xe0"), "an EROFS file system"),
        (marked(0x8001, b"CD001\x01"), "an ISO 9660 file system"),
        (marked(0, b"UBI#\x01"), "a UBI image"),
        (marked(0, b"\x85\x19\x03\x20"), "a JFFS2 file system"),
        (marked(0x218, b"LVM2 001"), "an LVM volume"),
        (marked(0, b"LUKS\xba\xbe\0\x02"), "a LUKS volume"),
        (marked(4086, b"SWAPSPACE2"), "a swap area"),
        (marked(0, b"\xd0\x0d\xfe\xed"), "a FIT or device tree"),
        (marked(0, b"\x27\x05\x19\x56"), "a U-Boot legacy image (uImage)"),
        (marked(0, b"ANDROID!"), "an Android boot image"),
        (marked(0, b"VNDRBOOT"), "an Android vendor boot image"),
        (marked(0, b"AVB0"), "an Android vbmeta image"),
        (marked(0x2004, b"eGON.BT0"), "an Allwinner boot image"),
        (marked(0x2_0004, b"eGON.BT0"), "an Allwinner boot image"),
        (marked(0x8000, b"RKNS"), "a Rockchip boot image"),
        (marked(0x8000, b"\x3b\x8c\xdc\xfc\xbe\x9f\x9d\x51"), "a Rockchip boot image"),
        (marked(0x400, b"\xd1\0\x20\x40"), "an i.MX boot image"),
        (marked(0x8400, b"\xd1\0\x20\x41"), "an i.MX boot image"),
        (marked(0x8000, b"\0\x80\x02\x87"), "an i.MX boot container"),
        (marked(0x14, b"CHSETTINGS\0\0"), "a TI boot image"),
        (marked(0, b"\x30\x82\x0a\xbc\x30\x82"), "a TI K3 boot image"),
        (marked(0x210, b"@AML"), "an Amlogic boot image"),
        (marked(56, b"ARM\x64"), "an arm64 Linux kernel"),
        (marked(56, b"RSC\x05"), "a RISC-V Linux kernel"),
        ([b"MZ".to_vec(), marked(54, b"ARM\x64")].concat(), "an arm64 Linux kernel"),
    ] {
        assert_eq!(judged(&bytes, Expected::Device), Ok(name.to_owned()));
    }
}

#[test]
fn a_whole_device_is_not_given_what_nobody_knows() {
    let refused = "image `x` does not look like something a whole device can hold: no partition table, file system or boot loader is at its beginning (it begins with ";
    for bytes in [unknown(), marked(510, b"\x55\xaa")] {
        let error = judged(&bytes, Expected::Device).unwrap_err();
        assert!(error.starts_with(refused), "{error}");
        assert_eq!(judged(&bytes, Expected::Partition), Ok("unknown content".to_owned()));
        assert_eq!(judged(&bytes, Expected::Anything), Ok("unknown content".to_owned()));
    }
    for (mark, name) in [(&b"\x7fELF\x02"[..], "an ELF program"), (b"MZ\x90", "a Windows or EFI program")] {
        assert_eq!(judged(&marked(0, mark), Expected::Device), Err(name.to_owned()));
        let partition = judged(&marked(0, mark), Expected::Partition);
        assert_eq!(partition, Ok("unknown content".to_owned()), "a boot partition may hold it");
    }
    let tiny = "image `x` has only 511 bytes, less than one sector (512 bytes)";
    for expected in [Expected::Device, Expected::Partition] {
        assert_eq!(judged(&vec![0; 511], expected), Err(tiny.to_owned()));
    }
    assert_eq!(judged(&vec![0; 511], Expected::Anything), Ok("zeros".to_owned()));
}

/// A disk of `sectors` sectors with one partition, in a GPT of this sector size.
fn gpt(sector: usize, sectors: u64) -> Vec<u8> {
    let mut disk = vec![0; sector * sectors as usize];
    disk[446..462].copy_from_slice(&[0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    let mut entry = [1; 128];
    entry[32..40].copy_from_slice(&40u64.to_le_bytes());
    entry[40..48].copy_from_slice(&(sectors - 34).to_le_bytes());
    disk[2 * sector..2 * sector + 128].copy_from_slice(&entry);
    let mut header = [0; 92];
    header[..16].copy_from_slice(b"EFI PART\0\0\x01\0\x5c\0\0\0");
    header[32..40].copy_from_slice(&(sectors - 1).to_le_bytes());
    header[72..80].copy_from_slice(&2u64.to_le_bytes());
    header[80..88].copy_from_slice(b"\x80\0\0\0\x80\0\0\0");
    let mut sum = flate2::Crc::new();
    sum.update(&header);
    header[16..20].copy_from_slice(&sum.sum().to_le_bytes());
    disk[sector..sector + 92].copy_from_slice(&header);
    disk
}

/// A disk with an MBR whose one partition has `sectors` sectors from the second on.
fn mbr(sectors: u32) -> Vec<u8> {
    let mut disk = vec![0; 512 * (1 + sectors as usize)];
    disk[446..454].copy_from_slice(&[0x80, 0, 2, 0, 0x83, 0, 0, 0]);
    disk[454..462].copy_from_slice(&[1u32.to_le_bytes(), sectors.to_le_bytes()].concat());
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

#[test]
fn an_image_holds_all_that_its_partition_table_says() {
    for (disk, name, sector) in [
        (mbr(2000), "an MBR partition table", None),
        (gpt(512, 2000), "a GUID partition table of sectors of 512 bytes", Some(512)),
        (gpt(4096, 300), "a GUID partition table of sectors of 4096 bytes", Some(4096)),
    ] {
        assert_eq!(judged(&disk, Expected::Device), Ok(name.to_owned()));
        let ImageContent::Table(table) = content::of(&disk) else { panic!("{name} is not seen") };
        assert_eq!((table.sector, table.end), (sector, disk.len() as u64), "{name}");
        let cut = &disk[..disk.len() - 1];
        let (length, end) = (cut.len(), disk.len());
        let told = format!(
            "image `x` is shorter than its own partition table says: it has {length} bytes, {name} ends at byte {end}"
        );
        assert_eq!(judged(cut, Expected::Device), Err(told));
        assert_eq!(judged(cut, Expected::Anything), Ok(name.to_owned()));
    }
    // A header that its checksum does not bear out is none, and numbers beyond all measure are no reason to panic.
    let mut damaged = gpt(512, 2000);
    damaged[512 + 40] ^= 1;
    assert_eq!(judged(&damaged, Expected::Device), Ok("an MBR partition table".to_owned()));
}
