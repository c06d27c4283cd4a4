//! A confined folder with links that lead out of it.

use std::io::ErrorKind::{InvalidInput, IsADirectory, NotFound};
use std::io::Write;
use std::os::unix::fs::symlink;

use super::*;

fn place() -> (tempfile::TempDir, Root) {
    let place = tempfile::tempdir().unwrap();
    let root = place.path().join("root");
    std::fs::create_dir_all(root.join("sub/deep")).unwrap();
    std::fs::write(root.join("sub/file"), "inside").unwrap();
    std::fs::write(place.path().join("secret"), "s").unwrap();
    symlink("sub/file", root.join("link")).unwrap();
    symlink("../secret", root.join("out")).unwrap();
    symlink("..", root.join("up")).unwrap();
    (place, Root::new(root))
}

#[test]
fn only_what_is_inside_can_be_read() {
    let (_place, root) = place();
    let cases = [
        ("sub/file", None),
        ("/sub/./file", None),
        ("link", None),
        ("out", Some(InvalidInput)),
        ("up/secret", Some(InvalidInput)),
        ("../secret", Some(InvalidInput)),
        ("/../secret", Some(InvalidInput)),
        ("sub/../../secret", Some(InvalidInput)),
        ("a\0b", Some(InvalidInput)),
        ("missing", Some(NotFound)),
        ("sub/file/below", Some(NotFound)),
        ("sub", Some(IsADirectory)),
        ("", Some(IsADirectory)),
    ];
    for (path, refused) in cases {
        assert_eq!(root.open(path).err().map(|error| error.kind()), refused, "{path:?}");
    }
    let huge = "x/".repeat(4000);
    assert_eq!(root.open(&huge).unwrap_err().kind(), InvalidInput);
}

#[test]
fn nothing_outside_can_be_written_or_removed() {
    let (place, root) = place();
    let outside = ["../new", "up/new", "/../../new"];
    for path in outside {
        assert!(root.create(path).is_err(), "{path}");
        assert!(root.create_folder(path).is_err(), "{path}");
        assert!(root.delete(path).is_err(), "{path}");
        assert!(root.remove_all(path).is_err(), "{path}");
        assert!(root.rename("sub/file", path).is_err(), "{path}");
        assert!(root.rename(path, "sub/new").is_err(), "{path}");
        assert!(root.copy("sub/file", path).is_err(), "{path}");
    }
    assert!(root.remove_all("/").is_err(), "the root itself stays");
    // A link is removed, not what it leads to.
    root.remove_all("up").unwrap();
    root.delete("out").unwrap();
    assert_eq!(std::fs::read(place.path().join("secret")).unwrap(), b"s");
    assert_eq!(root.list("/", true).unwrap(), ["/", "link", "sub/", "sub/deep/", "sub/file"]);
}

#[test]
fn uploads_appear_only_when_whole() {
    let (_place, root) = place();
    let mut upload = root.create("new/place/image").unwrap();
    upload.file.write_all(b"whole").unwrap();
    assert_eq!(root.list("new", true).unwrap(), ["new/", "new/place/"]);
    upload.keep().unwrap();
    assert_eq!(std::fs::read(root.0.join("new/place/image")).unwrap(), b"whole");
    let mut broken = root.create("new/place/image").unwrap();
    broken.file.write_all(b"half").unwrap();
    drop(broken);
    assert_eq!(std::fs::read(root.0.join("new/place/image")).unwrap(), b"whole");
    assert_eq!(std::fs::read_dir(root.0.join("new/place")).unwrap().count(), 1);
}

#[test]
fn files_are_copied_renamed_listed_and_removed() {
    let (_place, root) = place();
    root.copy("sub/file", "a/copy").unwrap();
    root.rename("a/copy", "b/moved").unwrap();
    assert_eq!(root.list("b", false).unwrap(), ["b/", "b/moved"]);
    assert_eq!(root.list("b/moved", false).unwrap(), ["b/moved"]);
    assert_eq!(root.list("nowhere", false).unwrap(), Vec::<String>::new());
    assert_eq!(root.facts("b/moved").unwrap(), EntryFacts { length: 6, is_folder: false });
    assert!(root.facts("b").unwrap().is_folder);
    assert!(root.delete("b").is_err(), "a folder that holds something");
    root.remove_all("b").unwrap();
    root.delete("b/moved").unwrap();
    assert!(!root.exists("b").unwrap());
    assert!(root.exists("/").unwrap());
}
