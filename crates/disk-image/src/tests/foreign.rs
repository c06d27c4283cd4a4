//! What real tools of this machine write: other formats are refused before anything is decoded, media are known.

use std::path::Path;

use super::{decode, file_of, path_of, through};
use crate::{Error, Expected, Image, SourceOptions};

/// A disk with a partition table, as far as a tool looks.
fn disk() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    disk[446..462].copy_from_slice(&[0x80, 0, 2, 0, 0x83, 0, 0, 0, 1, 0, 0, 0, 0xff, 7, 0, 0]);
    disk[510..512].copy_from_slice(&[0x55, 0xaa]);
    disk
}

/// Runs `script` in a folder that holds `disk.img`; whether it could.
fn made(folder: &Path, tool: &str, script: &str) -> bool {
    std::fs::write(folder.join("disk.img"), disk()).unwrap();
    let run = |script: &str| {
        std::process::Command::new("sh").args(["-ec", script]).current_dir(folder).output().unwrap()
    };
    if !run(&format!("command -v {tool}")).status.success() {
        println!("skipped: no `{tool}` on this machine");
        return false;
    }
    let output = run(script);
    assert!(output.status.success(), "{script}: {}", String::from_utf8_lossy(&output.stderr));
    true
}

/// What opening says of the file that `script` makes, `out`.
async fn opened(tool: &str, script: &str, expected: Expected) -> Option<Result<String, Error>> {
    let folder = tempfile::tempdir().unwrap();
    if !made(folder.path(), tool, script) {
        return None;
    }
    let options = SourceOptions { expected, ..SourceOptions::default() };
    let image = Image::open(path_of(&folder.path().join("out")), options).await;
    Some(image.map(|image| image.content().map_or_else(String::new, |content| content.to_string())))
}

#[tokio::test]
async fn what_a_tool_made_of_a_disk_is_refused_by_name() {
    let convert = |format: &str| format!("qemu-img convert -O {format} disk.img out");
    for (tool, script, name) in [
        ("qemu-img", convert("vdi"), "a VDI disk"),
        ("qemu-img", convert("vpc"), "a VHD disk"),
        ("qemu-img", convert("vpc -o subformat=fixed"), "a VHD disk"),
        ("qemu-img", convert("vhdx"), "a VHDX disk"),
        ("qemu-img", convert("qcow2"), "a qcow2 disk"),
        ("qemu-img", convert("qcow"), "a qcow2 disk"),
        ("qemu-img", convert("qed"), "a QED disk"),
        ("qemu-img", convert("parallels"), "a Parallels disk"),
        ("qemu-img", convert("vmdk"), "a VMDK disk"),
        ("qemu-img", convert("vmdk -o subformat=monolithicFlat"), "the description of a VMDK disk, without its data"),
        ("xz", "xz --format=lzma -c disk.img > out".into(), "lzma data"),
        ("cpio", "echo disk.img | cpio -o -H newc > out".into(), "a cpio archive"),
        ("cpio", "echo disk.img | cpio -o -H bin > out".into(), "a cpio archive"),
        ("cpio", "cp disk.img sw-description; echo sw-description | cpio -o -H crc > out".into(), "an update for SWUpdate (.swu)"),
        ("ar", "echo 2.0 > debian-binary; ar q out debian-binary disk.img".into(), "a Debian package (.deb)"),
        ("zip", "head -c 300000 /dev/urandom > a; zip -q -s 64k out.zip a; mv out.z01 out".into(), "a zip archive in several parts"),
        ("zip", "head -c 300000 /dev/urandom > a; zip -q -s 64k x.zip a; mv x.zip out".into(), "the last part of a zip archive, or one with something before it"),
        ("xz", "head -c 300000 /dev/urandom | xz -c | split -b 200k; mv xab out".into(), "the last part of xz data"),
        ("python3", "python3 -c 'import zlib; open(\"out\",\"wb\").write(zlib.compress(open(\"disk.img\",\"rb\").read()))'".into(), "zlib data"),
        ("compress", "compress -c disk.img > out".into(), "data of compress (.Z)"),
        ("lzip", "lzip -c disk.img > out".into(), "lzip data"),
        ("lrzip", "lrzip -q -o out disk.img".into(), "lrzip data"),
        ("sh", "cp \"$(command -v sh)\" out".into(), "an ELF program"),
    ] {
        let Some(outcome) = opened(tool, &script, Expected::Device).await else { continue };
        match outcome {
            Err(Error::Unsupported { found, .. }) => assert_eq!(found, name, "{script}"),
            other => panic!("{script}: {other:?}"),
        }
    }
    // Brotli has no mark: it is unknown, and so no device.
    let brotli = opened("brotli", "brotli -c disk.img > out", Expected::Device).await;
    assert!(matches!(brotli, None | Some(Err(Error::Unknown { .. } | Error::Tiny { .. }))), "{brotli:?}");
}

#[tokio::test]
async fn what_a_tool_made_for_a_medium_is_known() {
    let sfdisk = |label: &str| {
        format!("truncate -s 8M out; printf 'label: {label}\\nstart=1MiB, size=2MiB\\n' | sfdisk -q out")
    };
    for (tool, script, content) in [
        ("sfdisk", sfdisk("gpt"), "a GUID partition table of sectors of 512 bytes"),
        ("sfdisk", sfdisk("dos"), "an MBR partition table"),
        ("mkfs.ext4", "truncate -s 8M out; mkfs.ext4 -q out".into(), "an ext file system"),
        ("mkfs.vfat", "truncate -s 8M out; mkfs.vfat out".into(), "a FAT file system"),
        ("mksquashfs", "mkdir d; cp disk.img d; mksquashfs d out -quiet".into(), "a squashfs file system"),
        ("mkfs.btrfs", "truncate -s 200M out; mkfs.btrfs -q out".into(), "a btrfs file system"),
        ("mkswap", "truncate -s 8M out; mkswap -q out 2>/dev/null".into(), "a swap area"),
        (
            "mkimage",
            "mkimage -A arm -T kernel -C none -d disk.img out".into(),
            "a U-Boot legacy image (uImage)",
        ),
        ("gzip", "gzip -c disk.img > out".into(), "an MBR partition table"),
        ("tar", "tar --format=v7 -cf out disk.img".into(), "an MBR partition table"),
        ("tar", "tar -V label -cf out disk.img".into(), "an MBR partition table"),
        ("tar", "tar --format=ustar -cf - disk.img | gzip -c > out".into(), "an MBR partition table"),
        ("truncate", "truncate -s 1M out".into(), "zeros"),
    ] {
        let Some(outcome) = opened(tool, &script, Expected::Device).await else { continue };
        assert_eq!(outcome.map_err(|error| error.to_string()), Ok(content.to_owned()), "{script}");
    }
}

#[tokio::test]
async fn an_old_tar_archive_is_unpacked() {
    for options in ["--format=v7", "-V label --format=gnu", "--format=oldgnu"] {
        let folder = tempfile::tempdir().unwrap();
        if made(folder.path(), "tar", &format!("tar {options} -cf out disk.img")) {
            let decoded =
                decode(path_of(&folder.path().join("out")), SourceOptions::default()).await.unwrap();
            assert_eq!(decoded.bytes(), disk(), "{options}");
        }
    }
}

/// What is wrong beyond the first bytes shows when it is decoded, before the end counts as proven.
#[tokio::test]
async fn a_packed_image_is_judged_by_its_end_too() {
    let footer = [disk(), b"conectix".to_vec(), vec![0; 504]].concat();
    let cut = disk()[..900_000].to_vec();
    for (content, told) in [
        (footer, "is a VHD disk, expected"),
        (cut, "is shorter than its own partition table says: it has 900000 bytes"),
    ] {
        let packed = through(&["gzip", "-c"], &content).expect("gzip is everywhere");
        let file = file_of(&packed);
        let options = SourceOptions { expected: Expected::Device, ..SourceOptions::default() };
        let error = decode(path_of(file.path()), options).await.unwrap_err().to_string();
        assert!(error.contains(told), "{error}");
    }
}
