//! `--direct`: the board fetches the image by itself, and it is proven all the same.

use std::io::Write;
use std::process::{Command, Stdio};

use flasher_core::Verdict;
use flasher_core::flash::WireUsed;

use crate::lab::{Lab, MEDIUM, Site, make_disk, sha256, text};

/// What the medium holds where nothing was written.
const OLD: u8 = 0xa5;

/// Bytes with a run of zeros, of any length.
fn image(length: usize) -> Vec<u8> {
    let mut image: Vec<u8> = (0..length).map(|at| (at * 31 % 239) as u8).collect();
    let middle = length / 2;
    image[middle..middle + length / 4].fill(0);
    make_disk(&mut image);
    image
}

/// What a tool of this machine makes of `content`; none without the tool.
fn pack(tool: &str, content: &[u8]) -> Option<Vec<u8>> {
    let child = Command::new(tool).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
    let Ok(mut child) = child else {
        println!("skipped: no `{tool}` on this machine");
        return None;
    };
    let (mut inlet, content) = (child.stdin.take().unwrap(), content.to_vec());
    let writing = std::thread::spawn(move || inlet.write_all(&content));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    Some(output.stdout)
}

fn wipe(lab: &Lab) {
    std::fs::write(lab.path("medium"), vec![OLD; MEDIUM]).unwrap();
}

#[test]
fn direct_flashes_are_proven() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let url = format!("http://{}/os", site.address);
    let cases = [("cat", 2_500_000), ("cat", 1000), ("cat", 65_536), ("gzip", 2_500_001), ("xz", 2_097_152)];
    for (tool, length) in cases.into_iter().chain([("zstd", 2_000_000), ("bzip2", 1_000_000)]) {
        let image = image(length);
        let packed = if tool == "cat" { Some(image.clone()) } else { pack(tool, &image) };
        let Some(packed) = packed else { continue };
        std::fs::write(lab.path("site/os"), packed).unwrap();
        wipe(&lab);
        let ran = lab.run("true", &["flash", &url, "--direct", "--receipt", "receipt.json"]);
        assert_eq!(ran.status.code(), Some(0), "{tool}: {}{}", text(&ran.stdout), text(&ran.stderr));
        let (receipt, medium) = (lab.receipt(), lab.medium());
        assert_eq!(receipt.verdict, Verdict::Proven, "{tool}");
        assert!(medium[..length] == image, "{tool}: the medium holds something else");
        assert!(medium[length..].iter().all(|byte| *byte == OLD), "{tool}: more than the image was written");
        assert_eq!(receipt.image.decoded_sha256, Some(sha256(&image)), "{tool}");
        let facts = receipt.medium.unwrap();
        assert_eq!(facts.wire, Some(WireUsed::Direct), "{tool}");
        // Nothing had to be written a second time from here.
        assert!(facts.ranges.iter().all(|range| range.writes == 1), "{tool}: {:?}", facts.ranges);
    }
}

#[test]
fn impossible_direct_flashes_are_refused() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    std::fs::write(lab.path("site/os.img"), image(70_000)).unwrap();
    let Some(lz4) = pack("lz4", &image(70_000)) else { return };
    std::fs::write(lab.path("site/os.lz4"), lz4).unwrap();
    let (file, url) = (lab.path("site/os.img"), |name: &str| format!("http://{}/{name}", site.address));
    let before = lab.medium();
    for (image, further, says) in [
        (file.to_str().unwrap().to_owned(), None, "`--direct` takes an http(s) URL"),
        (url("os.img?token=hunter2"), None, "would show the board a password"),
        (url("os.lz4"), None, "the board cannot unpack lz4 by itself"),
        (url("os.img"), Some("--header=X-Token: hunter2"), "cannot be used with"),
        (url("os.img"), Some("--bmap=os.bmap"), "cannot be used with"),
    ] {
        let args: Vec<&str> = ["flash", &image, "--direct"].into_iter().chain(further).collect();
        let ran = lab.run("true", &args);
        assert_eq!(ran.status.code(), Some(2), "{args:?}: {}", text(&ran.stderr));
        assert!(text(&ran.stderr).contains(says), "{args:?}: {}", text(&ran.stderr));
    }
    assert!(lab.medium() == before);
}

#[test]
fn wrong_direct_images_are_rewritten() {
    let lab = Lab::new();
    let site = Site::new(&lab);
    let url = format!("http://{}/os", site.address);
    let image = image(1_500_000);
    std::fs::write(lab.path("site/os"), &image).unwrap();
    let kept = lab.run("true", &["flash", &url]);
    assert_eq!(kept.status.code(), Some(0), "{}", text(&kept.stderr));
    // The exporter has the image by its digest; what the board fetches is another by now.
    let mut other = image.clone();
    other[1_000_000] ^= 1;
    std::fs::write(lab.path("site/os"), &other).unwrap();
    wipe(&lab);
    let digest = sha256(&image);
    let args =
        ["flash", &url, "--direct", "--sha256", &digest, "--retries", "0", "--receipt", "receipt.json"];
    let ran = lab.run("true", &args);
    assert_eq!(ran.status.code(), Some(0), "{}{}", text(&ran.stdout), text(&ran.stderr));
    assert!(lab.medium()[..image.len()] == image);
    let again: Vec<u32> = lab.receipt().medium.unwrap().ranges.iter().map(|range| range.writes).collect();
    assert!(again.contains(&2), "what differed was not written again: {again:?}");
}
