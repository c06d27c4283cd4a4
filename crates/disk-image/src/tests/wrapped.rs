//! Images in archives: as real tools pack them, cut, damaged, and archives that hold no one image.

use std::path::PathBuf;

use pretty_assertions::assert_eq;

use super::*;
use crate::Blame;

/// A folder with the image `os.img`, and what a shell makes of it.
struct Folder(tempfile::TempDir);

impl Folder {
    fn with(image: &[u8]) -> Folder {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("os.img"), image).unwrap();
        Folder(folder)
    }

    /// Runs `command` here; gives what is then in the file `out`.
    fn run(&self, command: &str) -> PathBuf {
        let out = self.0.path().join("out");
        let _ = std::fs::remove_file(&out); // from the command before
        let shell = Command::new("sh").args(["-ec", command]).current_dir(self.0.path()).output().unwrap();
        assert!(shell.status.success(), "{command}: {}", String::from_utf8_lossy(&shell.stderr));
        out
    }

    fn bytes(&self, command: &str) -> Vec<u8> {
        std::fs::read(self.run(command)).unwrap()
    }
}

/// Whether the first word of a command is installed; says so if not.
fn is_there(command: &str) -> bool {
    let tool = command.split(' ').next().unwrap_or_default();
    let there =
        Command::new("sh").args(["-c", &format!("command -v {tool}")]).output().unwrap().status.success();
    if !there {
        println!("skipped: `{command}`, {tool} is not installed");
    }
    there
}

#[tokio::test]
async fn archives_of_the_real_tools_give_their_one_image() {
    let disk = disk();
    let folder = Folder::with(&disk);
    for (command, formats) in [
        ("tar -cf out os.img", "tar"),
        ("tar --format=pax -cf out ./os.img", "tar"),
        ("tar --format=ustar -cf out ./os.img", "tar"),
        ("tar -czf out os.img", "gz tar"),
        ("tar -cJf out os.img", "xz tar"),
        ("mkdir -p d; cp os.img d/; tar -cf out d", "tar"),
        ("zip -q out.zip os.img; mv out.zip out", "zip"),
        ("zip -q -0 out.zip os.img; mv out.zip out", "zip"),
        ("zip -q - os.img > out", "zip"),
        ("cat os.img | zip -q - - > out", "zip"),
        ("mkdir -p e; cp os.img e/; zip -q -r out.zip e; mv out.zip out", "zip"),
        ("xz -1 -k -f os.img; zip -q out.zip os.img.xz; mv out.zip out; rm os.img.xz", "zip xz"),
        ("gzip -1 -k -f os.img; tar -cf out os.img.gz; rm os.img.gz", "tar gz"),
        ("img2simg os.img out", "simg"),
        ("img2simg os.img s; zstd -q s -o out", "zst simg"),
    ] {
        if !is_there(command.split("; ").last().unwrap()) || !is_there(command) {
            continue;
        }
        let stored = folder.bytes(command);
        let decoded = decode_bytes(&stored).await.unwrap_or_else(|e| panic!("{command}: {e}"));
        let found: Vec<String> = decoded.summary.formats.iter().map(Format::to_string).collect();
        assert_eq!(found.join(" "), formats, "{command}");
        let mut image = disk.clone();
        if formats.ends_with("simg") {
            image.resize(image.len().next_multiple_of(4096), 0); // the tool fills the last block up
        }
        assert!(decoded.bytes() == image, "{command} gives the image back");
        assert_eq!(decoded.summary.source_sha256, Digest::of(&stored), "{command}");
        assert_eq!(decoded.summary.decoded_sha256, Digest::of(&image), "{command}");
    }
}

#[tokio::test]
async fn an_archive_that_holds_no_one_image_is_refused() {
    let folder = Folder::with(&noise(700));
    for (command, reason) in [
        (
            "cp os.img b.img; tar -cf out os.img b.img",
            "tar data of image `X` cannot be used: it holds more than one image: `os.img` and `b.img`; unpack it and flash the one that is meant",
        ),
        (
            "cp os.img c.img; echo read me > README; tar -cf out os.img README b.img c.img",
            "tar data of image `X` cannot be used: it holds more than one image: `os.img`, `b.img` and `c.img`; unpack it and flash the one that is meant",
        ),
        (
            "for n in 1 2 3 4 5 6 7 8 9 10 11; do cp os.img $n.img; done; tar -cf out [1-9].img 10.img 11.img b.img c.img",
            "tar data of image `X` cannot be used: it holds more than one image: `1.img`, `2.img`, `3.img`, `4.img`, `5.img`, `6.img`, `7.img`, `8.img`, `9.img`, `10.img` and 3 more; unpack it and flash the one that is meant",
        ),
        (
            "zip -q p.zip os.img README b.img c.img; mv p.zip out",
            "zip data of image `X` cannot be used: it holds more than one image: `os.img`, `b.img` and `c.img`; unpack it and flash the one that is meant",
        ),
        ("mkdir -p empty; tar -cf out empty", "tar data of image `X` cannot be used: it holds no file"),
        (
            "ln -sf os.img link; tar -cf out link",
            "tar data of image `X` cannot be used: it holds `link`, which is no file",
        ),
        (
            "truncate -s 1M hole; echo x >> hole; tar --sparse -cf out hole",
            "tar data of image `X` cannot be used: its file is stored sparse; make it without --sparse",
        ),
        (
            "tar --format=pax --sparse -cf out hole",
            "tar data of image `X` cannot be used: its file is stored sparse; make it without --sparse",
        ),
        (
            "zip -q o.zip os.img b.img; mv o.zip out",
            "zip data of image `X` cannot be used: it holds more than one image: `os.img` and `b.img`; unpack it and flash the one that is meant",
        ),
        ("zip -q -r o.zip empty; mv o.zip out", "zip data of image `X` cannot be used: it holds no file"),
        (
            "zip -q -P secret o.zip os.img; mv o.zip out",
            "zip data of image `X` cannot be used: `os.img` in it is encrypted",
        ),
        (
            "yes | head -c 9999 > long; zip -q -Z bzip2 o.zip long; mv o.zip out",
            "zip data of image `X` cannot be used: `long` in it is compressed by method 12 (bzip2), expected deflate; pack it anew with `zip`, or unpack it and flash the image in it",
        ),
        (
            "echo read me > README; echo more > b.txt; tar -cf out README b.txt",
            "tar data of image `X` cannot be used: it holds no image, only `README` and 1 more",
        ),
        (
            "zip -q o.zip README; mv o.zip out",
            "zip data of image `X` cannot be used: it holds no image, only `README`",
        ),
    ] {
        if command.contains("zip") && !is_there("zip") {
            continue;
        }
        let path = folder.run(command);
        let error = decode(path_of(&path), SourceOptions::default()).await.expect_err(command);
        assert_eq!(error.to_string().replace(path_of(&path), "X"), reason, "{command}");
        assert_eq!(blame_of(&error), Blame::SOURCE);
    }
}

#[tokio::test]
async fn what_accompanies_the_image_in_an_archive_is_left_out() {
    let disk = disk();
    let folder = Folder::with(&disk);
    let beside = "echo 'read me' > README; echo '<?xml version=\"1.0\"?><bmap version=\"2.0\"/>' > other.bmap; : > empty; \
        sha256sum os.img > os.img.sha256; mkdir -p __MACOSX; printf '\\000\\005\\026\\007%2000s' x > __MACOSX/._os.img";
    for command in [
        "tar -cf out README other.bmap empty os.img.sha256 __MACOSX os.img",
        "tar -cf out os.img README other.bmap empty __MACOSX",
        "tar -czf out README os.img other.bmap",
        "zip -q -r o.zip README other.bmap empty os.img.sha256 __MACOSX os.img; mv o.zip out",
        "zip -q -r o.zip os.img README other.bmap empty __MACOSX; mv o.zip out",
        "zip -q -0 o.zip README os.img other.bmap; mv o.zip out",
        "zip -q - README os.img other.bmap > out",
    ] {
        if command.starts_with("zip") && !is_there("zip") {
            continue;
        }
        let stored = folder.bytes(&format!("{beside}; {command}"));
        let decoded = decode_bytes(&stored).await.unwrap_or_else(|e| panic!("{command}: {e}"));
        assert!(decoded.bytes() == disk, "{command} gives the image back");
    }
}

#[tokio::test]
async fn a_cut_archive_is_truncated_and_what_follows_one_is_garbage() {
    let folder = Folder::with(&noise(700));
    let make = ["tar -b1 -cf out os.img", "zip -q o.zip os.img; mv o.zip out", "zip -q - os.img > out"];
    for command in make {
        if command.contains("zip") && !is_there("zip") {
            continue;
        }
        let stored = folder.bytes(command);
        let end = if command.starts_with("tar") { stored.len() - 1024 } else { stored.len() };
        for length in (512..end).step_by(7) {
            let error = decode_bytes(&stored[..length]).await.expect_err("cut");
            assert!(matches!(error, Error::Truncated { offset, .. } if offset <= length as u64), "{error}");
        }
        let error = decode_bytes(&[&stored[..], b"more"].concat()).await.expect_err("garbage");
        let Error::Garbage { offset, .. } = error else { panic!("{command}: {error}") };
        assert_eq!(offset, stored.len() as u64, "{command}");
    }
}

#[tokio::test]
async fn a_flipped_bit_in_an_archive_never_yields_another_image() {
    let image = [&b"\x01some text, some text, some other text".repeat(15)[..], &noise(40)].concat();
    let folder = Folder::with(&image);
    for command in [
        "zip -q o.zip os.img; mv o.zip out",
        "zip -q - os.img > out",
        "tar -b1 -cf out os.img; gzip -n out; mv out.gz out",
    ] {
        if command.contains("zip -q") && !is_there("zip") {
            continue;
        }
        let stored = folder.bytes(command);
        for at in 4..stored.len() {
            let mut damaged = stored.clone();
            damaged[at] ^= 1 << (at % 8);
            match decode_bytes(&damaged).await {
                Ok(decoded) => {
                    assert!(decoded.bytes() == image, "{command}: flip at byte {at} went unnoticed")
                }
                Err(error) => assert_eq!(blame_of(&error), Blame::SOURCE, "{error}"),
            }
        }
    }
}

#[tokio::test]
async fn what_is_wrapped_again_and_again_is_a_trap() {
    let mut stored = b"image".to_vec();
    for _ in 0..4 {
        stored = encode(Format::Gzip, &stored);
    }
    assert_eq!(decode_bytes(&stored).await.unwrap().bytes(), b"image");
    let error = decode_bytes(&encode(Format::Gzip, &stored)).await.expect_err("a trap");
    assert!(error.to_string().contains("it is wrapped more than 4 times"), "{error}");
}
