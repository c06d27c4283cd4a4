//! A flash on an exporter takes what a flash on this machine takes: options, and files of this machine.

use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::Digest as _;

use crate::lab::{Exporter, Lab, noise, said};
use crate::remote::{board, image_server};

const MIB: usize = 1 << 20;

fn sha256(data: &[u8]) -> String {
    sha2::Sha256::digest(data).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// A block map of an image of `length` bytes, which leaves out its second MiB of three.
fn map(length: usize) -> String {
    format!(
        "<bmap version=\"1.2\"><ImageSize>{length}</ImageSize><BlockSize>4096</BlockSize>\
         <BlocksCount>{}</BlocksCount><MappedBlocksCount>512</MappedBlocksCount>\
         <BlockMap><Range>0-255</Range><Range>512-767</Range></BlockMap></bmap>",
        length.div_ceil(4096)
    )
}

/// An image that the block map is of.
fn sparse(lab: &Lab) -> Vec<u8> {
    let image = [noise(MIB, 3), vec![0; MIB], noise(MIB, 4)].concat();
    fs::write(lab.path("image"), &image).unwrap();
    image
}

/// How a flash ended.
struct Ended {
    code: Option<i32>,
    complaint: String,
    receipt: Value,
}

/// Flashes on the exporter. Nothing of what was sent stays there.
fn flash(lab: &Lab, exporter: &Exporter, args: &[&str]) -> Ended {
    fs::remove_file(lab.path("receipt.json")).ok();
    let mut flasher = lab.flasher(&["--remote", &exporter.address]);
    let output = flasher.args(["flash", "--receipt", "receipt.json"]).args(args).output().unwrap();
    let receipt = fs::read(lab.path("receipt.json")).unwrap_or_default();
    assert_eq!(lab.uploads(), 0, "{args:?}: what was sent is gone");
    Ended {
        code: output.status.code(),
        complaint: String::from_utf8_lossy(&output.stderr).into_owned(),
        receipt: serde_json::from_slice(&receipt).unwrap_or_default(),
    }
}

impl Ended {
    fn check(&self, code: i32, complaint: &str, verdict: &str) {
        assert_eq!(self.code, Some(code), "{}", self.complaint);
        assert!(self.complaint.contains(complaint), "{}", self.complaint);
        assert_eq!(self.receipt["verdict"], verdict, "{}", self.receipt);
        if verdict == "failed" {
            assert_eq!(self.receipt["power"], "untouched", "{}", self.receipt);
        }
        // The client does not know the folders of the exporter.
        assert!(!self.receipt.to_string().contains("flasher-uploads"), "{}", self.receipt);
        assert!(!self.complaint.contains("flasher-uploads"), "{}", self.complaint);
    }
}

#[test]
fn what_is_beside_an_image_goes_along() {
    let (lab, exporter, _) = board("");
    let image = sparse(&lab);
    let flash = |more: &[&str]| flash(&lab, &exporter, &[&["image"], more].concat());
    fs::write(lab.path("image.bmap"), map(image.len())).unwrap();
    fs::write(lab.path("image.sha256"), format!("{}  image\n", sha256(&image))).unwrap();
    let ended = flash(&[]);
    ended.check(0, "", "proven");
    let facts = &ended.receipt["image"];
    assert_eq!((&facts["source"], &facts["checked"]), (&"image".into(), &"source".into()));
    assert_eq!(facts["checksums"], "image.sha256");
    assert!(facts["block_map"].as_str().unwrap().starts_with("image.bmap (version 1.2"), "{facts}");
    let ranges = ended.receipt["medium"]["ranges"].as_array().unwrap();
    assert!(ranges.iter().any(|range| range["kind"] == "dont-care"), "{ranges:?}");
    let checked = lab.flasher(&["verify-receipt", "receipt.json", "image"]).output().unwrap();
    said(&["verify-receipt"], &checked);
    let ended = flash(&["--no-bmap"]);
    ended.check(0, "", "proven");
    assert_eq!(ended.receipt["image"]["block_map"], Value::Null);

    // Of another image: refused before the board is touched.
    fs::write(lab.path("image.bmap"), map(image.len() + 4096)).unwrap();
    flash(&[]).check(3, "is not the one of image", "failed");
    fs::write(lab.path("image.bmap"), "<bmap version=\"9.0\"></bmap>").unwrap();
    flash(&[]).check(3, "expected 1.0 to 1.4 or 2.x", "failed");
    fs::remove_file(lab.path("image.bmap")).unwrap();
    let wrong = "0".repeat(64);
    fs::write(lab.path("image.sha256"), format!("{wrong}  image\n")).unwrap();
    for more in [&[][..], &["--checksum-url", "image.sha256"]] {
        let ended = flash(more);
        ended.check(3, &format!("expected sha256 {wrong}"), "failed");
        assert!(ended.complaint.contains("image.sha256"), "{}", ended.complaint);
    }
    flash(&["--no-checksum"]).check(0, "", "proven");
    flash(&["--sha256", &sha256(&image)]).check(0, "", "proven");
}

#[test]
fn less_is_read_back_when_that_is_asked_for() {
    let (lab, exporter, _) = board("");
    let image = sparse(&lab);
    fs::write(lab.path("os.bmap"), map(image.len())).unwrap();
    let length = (image.len() + 1).to_string();
    for (more, code, complaint, verdict) in [
        (&["--bmap", "os.bmap", "--verify", "mapped"][..], 0, "", "written, not proven"),
        (&["--verify", "off", "--wire", "gzip"], 0, "", "written, not proven"),
        (&["--length", &length], 3, "has another length", "failed"),
        (&["--bmap", "missing.bmap"], 3, "cannot read `missing.bmap`", ""),
        (&["--direct"], 2, "`--direct` takes an http(s) URL", "failed"),
    ] {
        let ended = flash(&lab, &exporter, &[&["image"], more].concat());
        match verdict {
            "" => assert!(
                ended.complaint.contains(complaint) && ended.code == Some(code),
                "{}",
                ended.complaint
            ),
            verdict => ended.check(code, complaint, verdict),
        }
    }
}

#[test]
fn images_for_partitions_go_along_with_preflash_commands() {
    let partitions =
        ", partitions: [{ label: boot, start: 1MiB, size: 2MiB }, { label: root, start: 4MiB, size: 5MiB }]";
    let (lab, exporter, image) = board(partitions);
    let boot = noise(700_000, 9);
    fs::create_dir(lab.path("boot")).unwrap();
    fs::write(lab.path("boot/image"), &boot).unwrap();
    let images = ["-t", "boot:boot/image", "-t", "root:image"];
    let ended = flash(&lab, &exporter, &[&images[..], &["--preflash", "false"]].concat());
    assert!(ended.code == Some(5) && ended.complaint.contains("`false`"), "{}", ended.complaint);
    flash(&lab, &exporter, &[&images[..], &["--preflash", "true"]].concat()).check(0, "", "proven");
    let medium = fs::read(lab.path("medium")).unwrap();
    assert!(medium[1 << 20..][..boot.len()] == boot && medium[4 << 20..][..image.len()] == image);
}

#[test]
fn the_transcript_comes_before_the_receipt() {
    let (lab, exporter, _) = board("");
    let ended = flash(&lab, &exporter, &["image", "--transcript", "console.log"]);
    ended.check(0, "", "proven");
    let transcript = fs::read(lab.path("console.log")).unwrap();
    let facts = &ended.receipt["transcript"];
    assert_eq!((&facts["file"], &facts["sha256"]), (&"console.log".into(), &sha256(&transcript).into()));
    let text = String::from_utf8(transcript).unwrap();
    assert!(text.contains(" # power on") && text.contains(" > ") && text.contains(" < U-Boot"), "{text}");
    let ended = flash(&lab, &exporter, &["image", "--transcript", "no/such/file"]);
    assert_eq!((ended.code, ended.receipt), (Some(2), Value::Null), "{}", ended.complaint);
}

#[test]
fn the_board_fetches_for_a_client() {
    let (lab, exporter, image) = board("");
    drop(exporter);
    let exporter = lab.listen(&["--listen", "127.0.0.1:0", "--fetch-from", "127.0.0.0/8"]);
    let url = format!("http://127.0.0.1:{}/image", image_server(image.clone()));
    let ended = flash(&lab, &exporter, &[&url, "--direct", "--transcript", "console.log"]);
    ended.check(0, "", "proven");
    assert_eq!(ended.receipt["medium"]["wire"], "direct");
    assert!(fs::read(lab.path("medium")).unwrap()[..image.len()] == image[..]);
    assert_eq!(ended.receipt["transcript"]["file"], "console.log");
}

#[test]
fn signatures_of_block_maps_go_along() {
    let (lab, exporter, _) = board("");
    let image = sparse(&lab);
    fs::write(lab.path("os.bmap"), map(image.len())).unwrap();
    let Some(ring) = signed(&lab.path("keys"), &lab.path("os.bmap")) else {
        println!("skipped: no `gpg` or `gpgv` on this machine");
        return;
    };
    let args = ["image", "--bmap", "os.bmap", "--bmap-keyring", ring.to_str().unwrap()];
    let ended = flash(&lab, &exporter, &args);
    ended.check(0, "", "proven");
    assert!(
        ended.receipt["image"]["block_map"].as_str().unwrap().starts_with("os.bmap "),
        "{}",
        ended.receipt
    );
    fs::write(lab.path("os.bmap"), map(image.len()) + "\n").unwrap();
    flash(&lab, &exporter, &args).check(3, "BAD signature", "failed");
    fs::remove_file(lab.path("os.bmap.sig")).unwrap();
    flash(&lab, &exporter, &args).check(3, "has no signature beside it", "failed");
}

/// Signs `map` with a new key; gives the file with the key. None without the tools.
fn signed(home: &Path, map: &Path) -> Option<std::path::PathBuf> {
    let has = |tool: &str| Command::new(tool).arg("--version").stdout(Stdio::null()).status().is_ok();
    if !has("gpg") || !has("gpgv") {
        return None;
    }
    let ring = home.join("keys.gpg");
    let (ring_text, map) = (ring.to_str().unwrap(), map.to_str().unwrap());
    let script = "set -e; mkdir -m 700 $0; export GNUPGHOME=$0; gpg() { command gpg --batch --quiet \"$@\"; }
        gpg --passphrase '' --quick-generate-key lab@example.org ed25519 sign never
        gpg --output $1 --export; gpg --output $2.sig --detach-sign $2; gpgconf --kill all";
    let ran =
        Command::new("sh").args(["-c", script, home.to_str().unwrap(), ring_text, map]).output().unwrap();
    assert!(ran.status.success(), "{}", String::from_utf8_lossy(&ran.stderr));
    Some(ring)
}
