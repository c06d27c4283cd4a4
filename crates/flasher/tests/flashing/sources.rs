//! Where images come from, as a user says it: standard input, a checksum file, a block map beside a URL, a bucket.

use std::io::Write;
use std::process::Stdio;

use flasher_core::Verdict;
use flasher_core::flash::RangeKind;

use crate::lab::{Lab, MEDIUM, Site, make_disk, sha256, text};

/// Where the image has a hole that a block map leaves out.
const HOLE: std::ops::Range<usize> = 1 << 20..2 << 20;

/// 2 MiB and a bit, with a hole.
fn image() -> Vec<u8> {
    let mut image: Vec<u8> = (0..(2 << 20) + 777).map(|at| (at * 13 % 241) as u8).collect();
    image[HOLE].fill(0);
    make_disk(&mut image);
    image
}

/// A block map of the image without its hole.
fn map() -> String {
    let (unit, length) = (4096, image().len());
    let blocks = length.div_ceil(unit);
    format!(
        "<bmap version=\"1.2\"><ImageSize>{length}</ImageSize><BlockSize>{unit}</BlockSize><BlocksCount>{blocks}</BlocksCount>\
         <MappedBlocksCount>{}</MappedBlocksCount><BlockMap><Range>0-{}</Range><Range>{}-{}</Range></BlockMap></bmap>",
        blocks - HOLE.len() / unit,
        HOLE.start / unit - 1,
        HOLE.end / unit,
        blocks - 1
    )
}

fn check(lab: &Lab, ran: &std::process::Output) {
    assert_eq!(ran.status.code(), Some(0), "{}{}", text(&ran.stdout), text(&ran.stderr));
    let (image, medium) = (image(), lab.medium());
    assert!(
        medium[..HOLE.start] == image[..HOLE.start] && medium[HOLE.end..image.len()] == image[HOLE.end..]
    );
    let receipt = lab.receipt();
    assert_eq!(receipt.verdict, Verdict::Proven);
    assert_eq!(receipt.image.decoded_sha256, Some(sha256(&image)));
}

#[test]
fn an_image_comes_out_of_a_pipe() {
    let lab = Lab::new();
    let mut flash = lab.shell("true", &["flash", "-", "--receipt", "receipt.json"]);
    let mut flash =
        flash.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let packed = zstd::encode_all(image().as_slice(), 3).unwrap();
    flash.stdin.take().unwrap().write_all(&packed).unwrap();
    check(&lab, &flash.wait_with_output().unwrap());
    assert!(lab.medium()[HOLE].iter().all(|byte| *byte == 0));
    assert_eq!(
        (lab.receipt().image.source.as_str(), lab.receipt().image.source_sha256),
        ("-", Some(sha256(&packed)))
    );
}

#[test]
fn a_checksum_file_beside_a_url_is_heeded() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let (image_url, sums_url) =
        (format!("http://{}/os.img", site.address), format!("http://{}/SHA256SUMS", site.address));
    std::fs::write(lab.path("site/os.img"), image()).unwrap();
    let flash = || {
        lab.run(
            "true",
            &["flash", &image_url, "--no-cache", "--checksum-url", &sums_url, "--receipt", "receipt.json"],
        )
    };
    let line = |digest: &str| format!("{}  other.img\n{digest} *os.img\n", "1".repeat(64));
    std::fs::write(lab.path("site/SHA256SUMS"), line(&sha256(&image()))).unwrap();
    check(&lab, &flash());
    for (list, code) in [(line(&"2".repeat(64)), 3), ("no digest\n".to_owned(), 3)] {
        std::fs::write(lab.path("site/SHA256SUMS"), list).unwrap();
        let before = lab.medium();
        let ran = flash();
        assert_eq!(ran.status.code(), Some(code), "{}", text(&ran.stderr));
        assert_eq!(lab.receipt().verdict, Verdict::Failed);
        // The digest of the whole is known before the first block would be written, and often before the medium is touched.
        assert!(lab.medium() == before || lab.medium()[..65_536].iter().all(|byte| *byte == 0));
    }
}

#[test]
fn block_map_beside_a_url() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let url = format!("http://{}/os.img", site.address);
    std::fs::write(lab.path("site/os.img"), image()).unwrap();
    std::fs::write(lab.path("site/os.bmap"), map()).unwrap();
    std::fs::write(lab.path("medium"), vec![0xa5; MEDIUM]).unwrap();
    check(&lab, &lab.run("true", &["flash", &url, "--receipt", "receipt.json"]));
    assert!(lab.medium()[HOLE].iter().all(|byte| *byte == 0xa5), "what the map leaves out was written");
    let ranges = lab.receipt().medium.unwrap().ranges;
    assert!(ranges.iter().any(|range| range.kind == RangeKind::Unmapped));
    let ran = lab.run("true", &["plan", &url, "--bmap-keyring", "keys.gpg"]);
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("os.bmap` has no signature beside it"), "{}", text(&ran.stderr));
}

#[test]
fn an_image_comes_out_of_a_bucket() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    std::fs::create_dir(lab.path("site/images")).unwrap();
    std::fs::write(lab.path("site/images/os.img"), image()).unwrap();
    let flash = |key: &str| {
        let mut flash = lab.shell("true", &["flash", key, "--receipt", "receipt.json"]);
        flash.env("AWS_ENDPOINT_URL", format!("http://{}", site.address));
        flash.env("AWS_ACCESS_KEY_ID", "lab").env("AWS_SECRET_ACCESS_KEY", "hunter2").output().unwrap()
    };
    check(&lab, &flash("s3://images/os.img"));
    let said = std::fs::read_to_string(lab.path("receipt.json")).unwrap();
    assert!(
        said.contains("s3://images/os.img") && !said.contains("hunter2") && !said.contains("X-Amz"),
        "{said}"
    );
    let ran = flash("s3://images/absent.img");
    assert_eq!(ran.status.code(), Some(3), "{}", text(&ran.stderr));
    assert!(text(&ran.stderr).contains("s3://images/absent.img"), "{}", text(&ran.stderr));
}

#[test]
fn options_that_remote_jobs_refuse() {
    let lab = Lab::new();
    let flash = |option: &[&str]| {
        let args = [&["--remote", "127.0.0.1:1", "flash", "http://127.0.0.1:1/os.img"], option].concat();
        let ran = lab.run("true", &args);
        (ran.status.code(), text(&ran.stderr))
    };
    let not_kept = "an exporter keeps no decoded images of its clients";
    for (option, why) in [
        (&["--detach"][..], "a flash on an exporter goes on by itself when its client ends"),
        (&["--no-cache"], not_kept),
        (&["--cache-dir", "cache"], not_kept),
        (&["--cache-size", "1GB"], not_kept),
    ] {
        let (code, complaint) = flash(option);
        let expected = format!("`{}` does not go through `--remote`: {why}", option[0]);
        assert!(code == Some(2) && complaint.contains(&expected), "{option:?}: {complaint}");
    }
    // All others go as far as to the exporter, which is not there.
    for option in [
        &["--verify", "mapped"][..],
        &["--transcript", "console.log"],
        &["--length", "5"],
        &["--preflash", "true"],
        &["--direct"],
    ] {
        let (code, complaint) = flash(option);
        assert!(code == Some(4) && complaint.contains("no exporter answers"), "{option:?}: {complaint}");
    }
}

#[test]
fn what_is_no_image_is_refused_and_written_only_when_told_to() {
    let lab = Lab::new();
    std::fs::write(lab.path("os.img"), vec![0x91; 100_000]).unwrap();
    for command in ["plan", "flash"] {
        let refused = lab.run("true", &[command, "os.img"]);
        let told = text(&refused.stderr);
        assert_eq!(refused.status.code(), Some(3), "{told}");
        assert!(told.contains("does not look like something a whole device can hold"), "{told}");
        assert!(told.contains("`--format raw`"), "what to do is told: {told}");
    }
    let plan = lab.run("true", &["plan", "os.img", "--format", "raw"]);
    let told = text(&plan.stdout);
    assert!(told.contains("unknown content, written whatever it is, as `--format raw` says"), "{told}");
    let written = lab.run("true", &["flash", "os.img", "--format", "raw"]);
    assert!(written.status.success(), "{}", text(&written.stderr));
    assert!(lab.medium()[..100_000].iter().all(|byte| *byte == 0x91));
}
