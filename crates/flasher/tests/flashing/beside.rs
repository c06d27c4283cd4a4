//! What lies beside the image: files of checksums in its folder, and other files in its archive.

use std::process::{Command, Output};

use flasher_core::Verdict;
use flasher_core::flash::{PowerState, RangeKind};

use crate::lab::{Lab, Site, make_disk, sha256, text};

fn image() -> Vec<u8> {
    let mut image: Vec<u8> = (0..(1 << 20) + 512).map(|at| (at * 11 % 239) as u8).collect();
    make_disk(&mut image);
    image
}

fn flash(lab: &Lab, image: &str, more: &[&str]) -> Output {
    lab.run("true", &[&["flash", image, "--receipt", "receipt.json"], more].concat())
}

/// The job was refused before the board was touched, for this reason.
fn assert_refused(lab: &Lab, ran: &Output, reason: &str) {
    let told = text(&ran.stderr);
    assert_eq!(ran.status.code(), Some(3), "{told}");
    assert!(told.contains(reason), "{reason}: {told}");
    assert_eq!(lab.receipt().power, PowerState::Untouched, "{told}");
}

fn assert_flashed(lab: &Lab, ran: &Output) {
    assert_eq!(ran.status.code(), Some(0), "{}", text(&ran.stderr));
    assert_eq!(lab.receipt().verdict, Verdict::Proven);
    assert!(lab.medium()[..image().len()] == image());
}

#[test]
fn a_file_of_checksums_beside_the_image_is_heeded_and_told() {
    let lab = Lab::new();
    let packed = zstd::encode_all(image().as_slice(), 1).unwrap();
    std::fs::write(lab.path("os.img.zst"), &packed).unwrap();
    let (of_file, of_image, wrong) = (sha256(&packed), sha256(&image()), "0".repeat(64));
    for (list, digest, name) in [
        ("os.img.zst.sha256", &of_file, "os.img.zst"),
        ("os.img.sha256", &of_image, "os.img"),
        ("SHA256SUMS", &of_file, "./os.img.zst"),
    ] {
        std::fs::write(lab.path(list), format!("{digest}  {name}\n")).unwrap();
        let plan = lab.run("true", &["plan", "os.img.zst"]);
        assert!(text(&plan.stdout).contains(&format!("as `{list}` says")), "{}", text(&plan.stdout));
        let ran = flash(&lab, "os.img.zst", &[]);
        assert_flashed(&lab, &ran);
        assert_eq!(lab.receipt().image.checksums.as_deref(), Some(list));
        assert!(text(&ran.stdout).contains(&format!("that of `{list}` equals")), "{}", text(&ran.stdout));

        std::fs::write(lab.path(list), format!("{wrong}  {name}\n")).unwrap();
        let reason = format!("expected sha256 {wrong} as `{list}` says");
        assert_refused(&lab, &flash(&lab, "os.img.zst", &[]), &reason);
        assert_flashed(&lab, &flash(&lab, "os.img.zst", &["--no-checksum"]));
        assert_flashed(&lab, &flash(&lab, "os.img.zst", &["--sha256", &of_file]));
        std::fs::remove_file(lab.path(list)).unwrap();
    }
    std::fs::write(lab.path("os.img.zst.sha256"), "no digest\n").unwrap();
    assert_refused(&lab, &flash(&lab, "os.img.zst", &[]), "it holds no sha256 digest");
    std::fs::remove_file(lab.path("os.img.zst.sha256")).unwrap();
    std::fs::write(lab.path("SHA256SUMS"), format!("{wrong}  other.img\n")).unwrap();
    assert_flashed(&lab, &flash(&lab, "os.img.zst", &[]));
    assert_eq!(lab.receipt().image.checksums, None, "a list of other files is none of its");
}

#[test]
fn a_file_of_checksums_beside_a_url_is_heeded() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let url = format!("http://{}/os.img", site.address);
    std::fs::write(lab.path("site/os.img"), image()).unwrap();
    assert_flashed(&lab, &flash(&lab, &url, &["--no-cache"]));
    assert_eq!(lab.receipt().image.checksums, None);
    let list = |digest: &str| std::fs::write(lab.path("site/SHA256SUMS"), format!("{digest} *os.img\n"));
    list(&sha256(&image())).unwrap();
    assert_flashed(&lab, &flash(&lab, &url, &["--no-cache"]));
    assert_eq!(lab.receipt().image.checksums, Some(format!("http://{}/SHA256SUMS", site.address)));
    list(&"0".repeat(64)).unwrap();
    let ran = flash(&lab, &url, &["--no-cache"]);
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("/SHA256SUMS` says"), "{}", text(&ran.stderr));
    assert_eq!(lab.receipt().verdict, Verdict::Failed);
}

#[test]
fn archives_are_checked_before_power_on() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    std::fs::write(lab.path("os.img"), image()).unwrap();
    let pack = |command: &str| {
        let more =
            "cp os.img b.img; echo 'read me' > README; echo '<?xml version=\"1.0\"?><bmap/>' > more.bmap";
        let mut shell = Command::new("sh");
        shell.args(["-ec", &format!("{more}; {command}")]).current_dir(lab.path(""));
        shell.output().unwrap().status.success()
    };
    for (command, archive) in
        [("tar -cf site/X.tar", "X.tar"), ("tar -czf site/X.tgz", "X.tgz"), ("zip -q site/X.zip", "X.zip")]
    {
        if !pack(&format!("{command} README os.img more.bmap")) {
            println!("skipped: `{command}` does not work here");
            continue;
        }
        let url = format!("http://{}/{archive}", site.address);
        for place in [format!("site/{archive}"), url.clone()] {
            assert_flashed(&lab, &flash(&lab, &place, &[]));
        }
        std::fs::remove_file(lab.path("site").join(archive)).unwrap();
        let before = lab.medium();
        assert!(pack(&format!("{command} os.img README b.img")));
        for place in [format!("site/{archive}"), url] {
            for more in [&[][..], &["--no-cache"]] {
                let ran = flash(&lab, &place, more);
                assert_refused(&lab, &ran, "it holds more than one image: `os.img` and `b.img`");
            }
        }
        assert!(lab.medium() == before);
    }
}

#[test]
fn the_block_map_in_an_archive_is_used_and_told() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    // 8 KiB of data, 2 MiB that do not matter, 8 KiB of data.
    let mut image = [vec![7; 8192], vec![0; 2 << 20], vec![9; 8192]].concat();
    make_disk(&mut image);
    std::fs::write(lab.path("os.img"), &image).unwrap();
    let map = |length: usize| {
        let blocks = length.div_ceil(4096);
        format!(
            "<?xml version=\"1.0\"?><bmap version=\"1.2\"><ImageSize>{length}</ImageSize><BlockSize>4096</BlockSize>\
             <BlocksCount>{blocks}</BlocksCount><MappedBlocksCount>4</MappedBlocksCount>\
             <BlockMap><Range>0-1</Range><Range>514-515</Range></BlockMap></bmap>"
        )
    };
    for (tool, name) in [("tar -czf site/os.tgz", "os.tgz"), ("zip -q site/os.zip", "os.zip")] {
        let pack = |length: usize| {
            std::fs::write(lab.path("os.bmap"), map(length)).unwrap();
            let command = format!("rm -f site/{name}; {tool} os.img os.bmap; rm os.bmap");
            let mut shell = Command::new("sh");
            shell.args(["-ec", &command]).current_dir(lab.path("")).output().unwrap().status.success()
        };
        if !pack(image.len()) {
            println!("skipped: `{tool}` does not work here");
            continue;
        }
        for place in [format!("site/{name}"), format!("http://{}/{name}", site.address)] {
            let plan = lab.run("true", &["plan", &place]);
            assert!(text(&plan.stdout).contains("os.bmap in "), "{}", text(&plan.stdout));
            for more in [&[][..], &["--no-cache"]] {
                let ran = flash(&lab, &place, more);
                assert_eq!(ran.status.code(), Some(0), "{place}: {}", text(&ran.stderr));
                let receipt = lab.receipt();
                let told = receipt.image.block_map.unwrap_or_default();
                assert!(told.contains("os.bmap in ") && told.contains("version 1.2"), "{place}: {told}");
                let ranges = &receipt.medium.as_ref().unwrap().ranges;
                assert!(ranges.iter().any(|range| range.kind == RangeKind::Unmapped), "{place}: {ranges:?}");
                let ran = lab.run("true", &["verify-receipt", "receipt.json", &place]);
                assert_eq!(ran.status.code(), Some(0), "{place}: {}", text(&ran.stderr));
            }
            let ran = flash(&lab, &place, &["--no-bmap"]);
            assert_eq!((ran.status.code(), lab.receipt().image.block_map), (Some(0), None), "{place}");
            let reason = "has no signature beside it";
            assert_refused(&lab, &flash(&lab, &place, &["--bmap-keyring", "keys.gpg"]), reason);
        }
        assert!(pack(image.len() + 4096));
        let ran = flash(&lab, &format!("site/{name}"), &[]);
        assert_refused(&lab, &ran, "is not the one of image");
    }
}
