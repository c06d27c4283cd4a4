//! Block maps: made by the real tool, of every version, found beside the image, and those of another image.

use pretty_assertions::assert_eq;
use proptest::prelude::*;
use sha1::Digest as _;

use super::server::{Reply, Server};
use super::*;
use crate::{Blame, BlockMapChoice};

const UNIT: usize = 4096;

/// 10 MiB and a bit: data, a hole, data up to an odd end.
pub(super) fn sparse() -> (Vec<u8>, Vec<(usize, usize)>) {
    let image = [noise(1 << 20), vec![0; 8 << 20], noise((1 << 20) + 100)].concat();
    (image, vec![(0, 255), (9 * 256, 10 * 256)])
}

/// A block map of `version` for the `ranges` (first and last block) of `image`.
pub(super) fn map(version: &str, image: &[u8], ranges: &[(usize, usize)]) -> String {
    let sum = |bytes: &[u8]| match version {
        "2.0" => hex(&sha2::Sha256::digest(bytes)),
        _ => hex(&sha1::Sha1::digest(bytes)),
    };
    let attribute = |first: usize, last: usize| {
        let bytes = &image[first * UNIT..((last + 1) * UNIT).min(image.len())];
        match version {
            "1.0" => String::new(),
            "1.3" => format!(" sha1=\"{}\"", sum(bytes)),
            _ => format!(" chksum=\"{}\"", sum(bytes)),
        }
    };
    let line = |(first, last): &(usize, usize)| match first == last {
        true => format!("<Range{}> {first} </Range>", attribute(*first, *last)),
        false => format!("<Range{}> {first}-{last} </Range>", attribute(*first, *last)),
    };
    let lines: String = ranges.iter().map(line).collect();
    let mapped: usize = ranges.iter().map(|(first, last)| last - first + 1).sum();
    let zeros = "0".repeat(sum(b"").len());
    let own = match version {
        "1.0" => String::new(),
        "1.3" => format!("<BmapFileSHA1> {zeros} </BmapFileSHA1>"),
        _ => format!(
            "<ChecksumType> {} </ChecksumType><BmapFileChecksum> {zeros} </BmapFileChecksum>",
            if version == "2.0" { "sha256" } else { "sha1" }
        ),
    };
    let text = format!(
        "<?xml version=\"1.0\" ?><!-- a map --><bmap version=\"{version}\"><ImageSize> {} </ImageSize><BlockSize> {UNIT} </BlockSize><BlocksCount> {} </BlocksCount><MappedBlocksCount> {mapped} </MappedBlocksCount>{own}<BlockMap>{lines}</BlockMap></bmap>",
        image.len(),
        image.len().div_ceil(UNIT),
    );
    let digest = sum(text.as_bytes());
    text.replacen(&zeros, &digest, 1)
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

async fn decode_with(stored: &[u8], map: &str) -> Result<Decoded, Error> {
    let (image, map) = (file_of(stored), file_of(map.as_bytes()));
    let block_map = BlockMapChoice::At(path_of(map.path()).into());
    let decoded =
        decode(path_of(image.path()), SourceOptions { block_map, ..SourceOptions::default() }).await;
    decoded.map_err(|error| match error {
        Error::MapDiffers { start, end, .. } => {
            Error::MapDiffers { label: "X".into(), map: "M".into(), start, end }
        }
        Error::MapLength { expected, found, .. } => {
            Error::MapLength { label: "X".into(), map: "M".into(), expected, found }
        }
        Error::Map { reason, .. } => Error::Map { map: "M".into(), reason },
        other => other,
    })
}

#[tokio::test]
async fn what_a_block_map_leaves_out_is_neither_written_nor_missed() {
    let (image, ranges) = sparse();
    for version in ["1.0", "1.3", "1.4", "2.0"] {
        for format in [Format::Raw, Format::Xz] {
            let decoded = decode_with(&encode(format, &image), &map(version, &image, &ranges)).await;
            let decoded = decoded.unwrap_or_else(|e| panic!("{version} {format}: {e}"));
            assert!(decoded.bytes() == image, "{version} {format}");
            let gap = Extent::Unmapped { offset: 1 << 20, length: 8 << 20 };
            assert!(decoded.extents.contains(&gap), "{version} {format}");
            assert_eq!(decoded.summary.unmapped_length, 8 << 20, "{version} {format}");
            assert_eq!(decoded.summary.decoded_sha256, Digest::of(&image), "{version} {format}");
        }
    }
}

#[tokio::test]
async fn unmapped_data_is_written() {
    let (mut image, ranges) = sparse();
    let map = map("2.0", &image, &ranges);
    image[5 << 20] = 1; // a map of an older image would lose it
    let decoded = decode_with(&image, &map).await.unwrap();
    let data = |extent: &Extent| matches!(extent, Extent::Data { offset, .. } if *offset == 5 << 20);
    assert!(decoded.extents.iter().any(data) && decoded.bytes() == image);
}

#[tokio::test]
async fn a_block_map_of_another_image_is_told() {
    let (image, ranges) = sparse();
    let map = map("2.0", &image, &ranges);
    let mut other = image.clone();
    other[9 << 20] ^= 1;
    for format in [Format::Raw, Format::Gzip] {
        let error = decode_with(&encode(format, &other), &map).await.expect_err("another image");
        assert_eq!(
            error.to_string(),
            "block map `M` is not the one of image `X`: the checksum of bytes 9437184 to 10485859 differs; give the one that was made for the image, or none"
        );
        let error = decode_with(&encode(format, &image[..image.len() - 1]), &map).await.expect_err("shorter");
        assert_eq!(
            error.to_string(),
            "block map `M` is not the one of image `X`: it is for 10485860 bytes, the image has 10485859; give the one that was made for the image, or none"
        );
        assert_eq!(blame_of(&error), Blame::SOURCE);
    }
}

#[tokio::test]
async fn a_damaged_block_map_is_refused() {
    let (image, ranges) = sparse();
    let sound = map("2.0", &image, &ranges);
    let old = map("1.0", &image, &ranges);
    for (text, reason) in [
        (sound.replace("0-255", "0-254"), "its checksum of itself differs, so it was changed or damaged"),
        (
            sound.replace("version=\"2.0\"", "version=\"3.0\""),
            "its version is `3.0`, expected 1.0 to 1.4 or 2.x",
        ),
        (
            sound.replace(">\u{20}sha256", "> md5"),
            "its checksum type is `md5`, expected sha1, sha256 or sha512",
        ),
        (sound.replace("BmapFileChecksum", "Other"), "it has no `BmapFileChecksum`"),
        (old.replace("bmap ", "map ").replace("/bmap", "/map"), "its root is `map`, expected `bmap`"),
        (old.replace("0-255", "0-x"), "`x` is no block number"),
        (old.replace("0-255", "9-3"), "its range `9-3` is empty, out of order or outside of the image"),
        (
            old.replace("0-255", "0-2400"),
            "its range `2304-2560` is empty, out of order or outside of the image",
        ),
        (old.replace("2304-2560", "2304-99999"), "it announces 513 mapped blocks and lists 513"),
        (old.replace("> 4096 <", "> 0 <"), "2561 blocks of 0 bytes are not an image of 10485860 bytes"),
        (old.replace("> 513 <", "> 512 <"), "it announces 512 mapped blocks and lists 513"),
        (old.replace("2304-2560", "18446744073709551615"), "block 18446744073709551615 is out of reach"),
    ] {
        match decode_with(&image, &text).await {
            Err(Error::Map { reason: found, .. }) => assert_eq!(found, reason),
            Ok(_) => assert!(reason.ends_with("513 mapped blocks and lists 513"), "{reason}"), // clipped at the end
            Err(error) => panic!("{reason}: {error}"),
        }
    }
}

#[tokio::test]
async fn block_map_beside_an_image() {
    let (image, ranges) = sparse();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("os.img.xz");
    std::fs::write(&file, encode(Format::Xz, &image)).unwrap();
    for name in ["os.img.xz.bmap", "os.img.bmap", "os.bmap"] {
        let beside = folder.path().join(name);
        std::fs::write(&beside, map("2.0", &image, &ranges)).unwrap();
        let opened = Image::open(path_of(&file), SourceOptions::default()).await.unwrap();
        let described = format!("{} (version 2.0, 2 of 2 ranges with a checksum)", beside.display());
        assert_eq!(opened.block_map(), Some(described));
        assert_eq!(drain(&opened).await.unwrap().summary.unmapped_length, 8 << 20, "{name}");
        let off = SourceOptions { block_map: BlockMapChoice::Off, ..SourceOptions::default() };
        let decoded = decode(path_of(&file), off).await.unwrap();
        assert_eq!((decoded.summary.unmapped_length, decoded.summary.zero_length), (0, 8 << 20));
        std::fs::remove_file(&beside).unwrap();
    }
    let without = Image::open(path_of(&file), SourceOptions::default()).await.unwrap();
    assert_eq!(without.block_map(), None);
}

#[tokio::test]
async fn block_map_beside_a_url() {
    let (image, ranges) = sparse();
    for name in ["/a/os.img.xz.bmap", "/a/os.img.bmap", "/a/os.bmap"] {
        let (packed, text) = (encode(Format::Xz, &image), map("2.0", &image, &ranges));
        let server = Server::with_maps(move |_, head| match head.split(' ').nth(1) {
            Some("/a/os.img.xz") => Reply::ok(&packed),
            Some(path) if path == name => Reply::ok(text.as_bytes()),
            Some("/a/os.img.xz.bmap") => Reply::ok(b"<html>nothing here</html>"),
            _ => Reply::status(403),
        })
        .await;
        let decoded = decode(&server.url("/a/os.img.xz"), SourceOptions::default()).await.unwrap();
        assert_eq!(decoded.summary.unmapped_length, 8 << 20, "{name}");
        let off = SourceOptions { block_map: BlockMapChoice::Off, ..SourceOptions::default() };
        let whole = decode(&server.url("/a/os.img.xz"), off).await.unwrap();
        assert_eq!(whole.summary.unmapped_length, 0, "{name}");
        assert_eq!(whole.summary.decoded_sha256, decoded.summary.decoded_sha256, "{name}");
    }
    let named =
        SourceOptions { block_map: BlockMapChoice::At("no/os.bmap".into()), ..SourceOptions::default() };
    let error = Image::open("no/os.img", named).await.expect_err("no such map");
    assert_eq!(
        error.to_string(),
        "block map `no/os.bmap` cannot be used: there is no such file; give the one that was made for the image, or none"
    );
    // A map that is there and wrong is an error, and no reason to write more.
    let server = Server::with_maps(|_, head| match head.contains(".bmap ") {
        true => Reply::ok(b"<bmap version=\"9.0\"></bmap>"),
        false => Reply::ok(b"image"),
    })
    .await;
    let error = Image::open(&server.url("/os.img"), SourceOptions::default()).await.expect_err("wrong map");
    assert!(matches!(error, Error::Map { .. }), "{error}");
}

#[tokio::test]
async fn a_keyring_demands_a_signed_block_map() {
    if !has("gpg") || !has("gpgv") {
        return println!("skipped: gpg or gpgv is not installed");
    }
    let (image, ranges) = sparse();
    let folder = tempfile::tempdir().unwrap();
    let (file, beside) = (folder.path().join("os.img"), folder.path().join("os.img.bmap"));
    std::fs::write(&file, &image).unwrap();
    std::fs::write(&beside, map("2.0", &image, &ranges)).unwrap();
    let ours = Keys::new(&folder.path().join("ours"));
    let others = Keys::new(&folder.path().join("others"));
    let open = |keyring: &Path| {
        let options = SourceOptions { map_keyring: Some(keyring.to_owned()), ..SourceOptions::default() };
        let file = path_of(&file).to_owned();
        async move { Image::open(&file, options).await }
    };
    let error = open(&ours.ring).await.expect_err("no signature");
    assert!(matches!(error, Error::MapUnsigned { .. }), "{error}");
    for (armour, ending) in [("--no-armor", ".sig"), ("--armor", ".asc")] {
        let signature = folder.path().join(format!("os.img.bmap{ending}"));
        ours.sign(armour, &beside, &signature);
        assert!(open(&ours.ring).await.unwrap().block_map().is_some(), "{ending}");
        let error = open(&others.ring).await.expect_err("another's key");
        assert!(matches!(error, Error::MapSignature { .. }), "{error}");
        let error = open(&folder.path().join("absent")).await.expect_err("no keyring");
        assert!(matches!(error, Error::MapSignature { .. }), "{error}");
    }
    std::fs::write(&beside, map("2.0", &image, &ranges[..1])).unwrap();
    let error = open(&ours.ring).await.expect_err("another map than the one signed");
    assert!(error.to_string().contains("BAD signature"), "{error}");
}

/// A key of its own, made by gpg without a passphrase.
pub(super) struct Keys {
    home: std::path::PathBuf,
    pub(super) ring: std::path::PathBuf,
}

impl Keys {
    pub(super) fn new(home: &Path) -> Keys {
        std::fs::create_dir(home).unwrap();
        std::fs::set_permissions(home, std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        let keys = Keys { home: home.to_owned(), ring: home.join("keys.gpg") };
        keys.gpg(&[
            "--passphrase",
            "",
            "--quick-generate-key",
            "lab@example.org",
            "ed25519",
            "sign",
            "never",
        ]);
        keys.gpg(&["--output", path_of(&keys.ring), "--export"]);
        keys
    }

    pub(super) fn sign(&self, armour: &str, what: &Path, signature: &Path) {
        self.gpg(&["--yes", "--output", path_of(signature), armour, "--detach-sign", path_of(what)]);
    }

    fn gpg(&self, args: &[&str]) {
        let mut gpg = Command::new("gpg");
        gpg.arg("--homedir").arg(&self.home).args(["--batch", "--quiet", "--pinentry-mode", "loopback"]);
        let made = gpg.args(args).stdin(Stdio::null()).output().unwrap();
        assert!(made.status.success(), "{}", String::from_utf8_lossy(&made.stderr));
    }
}

impl Drop for Keys {
    /// gpg starts an agent that would outlive the test.
    fn drop(&mut self) {
        Command::new("gpgconf").arg("--homedir").arg(&self.home).args(["--kill", "all"]).status().ok();
    }
}

pub(super) fn has(tool: &str) -> bool {
    Command::new(tool).arg("--version").stdout(Stdio::null()).stderr(Stdio::null()).status().is_ok()
}

#[tokio::test]
async fn a_map_of_the_real_tool_fits() {
    let folder = tempfile::tempdir().unwrap();
    let (image, _) = sparse();
    let file = folder.path().join("os.img");
    let mut sparse = std::fs::File::create(&file).unwrap();
    sparse.set_len(image.len() as u64).unwrap();
    sparse.write_all(&image[..1 << 20]).unwrap();
    std::os::unix::fs::FileExt::write_all_at(&sparse, &image[9 << 20..], 9 << 20).unwrap();
    let made = Command::new("bmaptool")
        .args(["create", "-o"])
        .arg(folder.path().join("os.bmap"))
        .arg(&file)
        .output();
    let Ok(made) = made else { return println!("skipped: bmaptool is not installed") };
    if !made.status.success() {
        return println!(
            "skipped: bmaptool cannot map this file system: {}",
            String::from_utf8_lossy(&made.stderr)
        );
    }
    let decoded = decode(path_of(&file), SourceOptions::default()).await.unwrap();
    assert_eq!(decoded.summary.unmapped_length, 8 << 20);
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn no_text_makes_a_block_map_panic(at in any::<proptest::sample::Index>(), with in "[0-9a-f<>/&\"-]{0,20}", cut in 0usize..30) {
        let (image, ranges) = (noise(3 * UNIT), [(0, 0), (2, 2)]);
        let mut text = map("1.0", &image, &ranges);
        let at = at.index(text.len());
        text.replace_range(at..(at + cut).min(text.len()), &with);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        match runtime.block_on(decode_with(&image, &text)) {
            Ok(decoded) => prop_assert!(decoded.bytes() == image),
            Err(error) => prop_assert_eq!(blame_of(&error), Blame::SOURCE, "{}", error),
        }
    }
}

#[tokio::test]
async fn a_demanded_signature_needs_a_block_map_to_be_of() {
    let file = file_of(b"image");
    let server = Server::start(|_, _| Reply::ok(b"image")).await;
    for (source, block_map) in [
        (path_of(file.path()).to_owned(), BlockMapChoice::Beside),
        (path_of(file.path()).to_owned(), BlockMapChoice::Off),
        (server.url("/os.img"), BlockMapChoice::Beside),
    ] {
        let keyring = Some("/not/there.gpg".into());
        let options = SourceOptions { map_keyring: keyring, block_map, ..SourceOptions::default() };
        let error = Image::open(&source, options).await.expect_err("nothing to check");
        assert!(matches!(error, Error::MapAbsent { .. }), "{error}");
    }
}
