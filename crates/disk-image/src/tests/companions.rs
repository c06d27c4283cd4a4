//! What is sent along with an image that another machine decodes.

use pretty_assertions::assert_eq;

use crate::{CompanionKinds, companion_files, local_path, signature_files};

#[tokio::test]
async fn an_image_is_sent_with_what_is_beside_it() {
    let folder = tempfile::tempdir().unwrap();
    let files =
        ["os.img.xz", "os.img.bmap", "os.img.bmap.asc", "os.img.xz.sha256", "SHA256SUMS", "other.bmap"];
    for name in files {
        std::fs::write(folder.path().join(name), "").unwrap();
    }
    std::fs::create_dir(folder.path().join("os.img.sha256")).unwrap();
    let names = |found: Vec<std::path::PathBuf>| -> Vec<String> {
        found.iter().map(|path| path.file_name().unwrap().to_str().unwrap().to_owned()).collect()
    };
    let (map, sums) = (&["os.img.bmap.asc", "os.img.bmap"], &["os.img.xz.sha256", "SHA256SUMS"]);
    for (block_map, checksums, image, expected) in [
        (true, true, "os.img.xz", [&map[..], &sums[..]].concat()),
        (true, false, "os.img.xz", map.to_vec()),
        (false, true, "os.img.xz", sums.to_vec()),
        (false, false, "os.img.xz", vec![]),
        (true, false, "none", vec![]),
        // No file is its own companion.
        (true, true, "SHA256SUMS", vec![]),
        (true, false, "other.bmap", vec![]),
    ] {
        let kinds = CompanionKinds { block_map, checksums };
        let found = companion_files(&folder.path().join(image), kinds).await;
        assert_eq!(names(found), expected, "{image} {kinds:?}");
    }
    let found = signature_files(&folder.path().join("os.img.bmap")).await;
    assert_eq!(names(found), ["os.img.bmap.asc"]);
}

#[test]
fn a_source_that_is_a_file() {
    for (source, path) in [
        ("os.img", Some("os.img")),
        ("a:b/os.img", Some("a:b/os.img")),
        ("file:///srv/os%20a.img", Some("/srv/os a.img")),
        ("file://host/os.img", None),
        ("-", None),
        ("http://h/os.img", None),
        ("s3://b/os.img", None),
        ("oci://h/os:1", None),
    ] {
        assert_eq!(local_path(source), path.map(Into::into), "{source}");
    }
}
