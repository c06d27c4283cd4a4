//! What lies beside the image: files of checksums in its folder, and other files in its archive.

use std::process::{Command, Output};

use flasher_core::Verdict;
use flasher_core::flash::PowerState;

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
fn whether_an_archive_holds_one_image_is_decided_before_the_board_is_touched() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    std::fs::write(lab.path("os.img"), image()).unwrap();
    let pack = |command: &str| {
        let more =
            "cp os.img b.img; echo 'read me' > README; echo '<?xml version=\"1.0\"?><bmap/>' > os.bmap";
        let mut shell = Command::new("sh");
        shell.args(["-ec", &format!("{more}; {command}")]).current_dir(lab.path(""));
        shell.output().unwrap().status.success()
    };
    for (command, archive) in
        [("tar -cf site/X.tar", "X.tar"), ("tar -czf site/X.tgz", "X.tgz"), ("zip -q site/X.zip", "X.zip")]
    {
        if !pack(&format!("{command} README os.img os.bmap")) {
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
