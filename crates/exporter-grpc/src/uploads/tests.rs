//! Uploads: whole or refused, private, and gone with their job.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;
use flasher_core::Class;
use sha2::{Digest as _, Sha256};

use super::*;
use crate::resource::StreamItem;

fn uploads() -> (tempfile::TempDir, Uploads) {
    let home = tempfile::tempdir().unwrap();
    let uploads = Uploads::at(home.path().join("uploads"));
    (home, uploads)
}

fn file(name: &str, length: u64) -> OrderedFile {
    OrderedFile { name: name.to_owned(), length, beside: None }
}

fn sha256(data: &[u8]) -> Vec<u8> {
    Sha256::digest(data).to_vec()
}

fn hex(digest: &[u8]) -> String {
    digest.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// What a client sends, in pieces of `step` bytes; without an end it goes away.
fn sending(data: &[u8], step: usize, ends: bool) -> DataSource {
    let (pieces, source) = DataSource::pieces();
    let data: Vec<_> = data.chunks(step).map(Bytes::copy_from_slice).collect();
    tokio::spawn(async move {
        for piece in data {
            pieces.send(StreamItem::Data(piece)).await.ok();
        }
        if ends {
            pieces.send(StreamItem::End).await.ok();
        }
    });
    source
}

#[tokio::test]
async fn a_file_is_taken_whole_or_not_at_all() {
    let whole = b"image".to_vec();
    let with = |more: &[u8]| [&whole[..], more].concat();
    let bad = |text: &str| Err((Class::Source, text.to_owned()));
    let other = "`os.img` is not what the client sent: its SHA-256 differs";
    let cases = [
        (with(&sha256(&whole)), true, Ok(whole.clone())),
        (with(&sha256(b"other")), true, bad(other)),
        ([b"imagE", &sha256(&whole)[..]].concat(), true, bad(other)),
        (with(&[]), true, bad("`os.img` was cut short: 5 of 5 bytes have come")),
        (b"ima".to_vec(), true, bad("`os.img` was cut short: 3 of 5 bytes have come")),
        (b"ima".to_vec(), false, bad("`os.img` was cut short: 3 of 5 bytes have come")),
        (with(&sha256(&whole)), false, bad("the client went away while it sent its files")),
        (with(&[&sha256(&whole)[..], b"x"].concat()), true, bad("the client sent more than its order says")),
    ];
    for (sent, ends, expected) in cases {
        for step in [1, 3, sent.len()] {
            let (_home, uploads) = uploads();
            let upload = uploads.begin(&[file("os.img", 5)]).unwrap();
            let received = upload.receive(sending(&sent, step, ends), &CancellationToken::new()).await;
            let received = received.map(|files| {
                assert_eq!(files[0].sha256, hex(&sha256(&whole)));
                fs::read(&files[0].path).unwrap()
            });
            assert_eq!(received.map_err(|error| (error.class(), error.to_string())), expected);
        }
    }
}

#[tokio::test]
async fn several_files_come_in_one_stream() {
    let contents: [&[u8]; 4] = [b"image", b"", b"map", b"another"];
    let beside = |index, file: OrderedFile| OrderedFile { beside: Some(index), ..file };
    let files = [
        file("os.img", 5),
        beside(0, file("SHA256SUMS", 0)),
        beside(0, file("os.img.bmap", 3)),
        file("os.img", 7),
    ];
    let sent: Vec<u8> = contents.iter().flat_map(|data| [data, &sha256(data)[..]].concat()).collect();
    for step in [1, 7, sent.len()] {
        let (_home, uploads) = uploads();
        let upload = uploads.begin(&files).unwrap();
        let received = upload.receive(sending(&sent, step, true), &CancellationToken::new()).await.unwrap();
        let found: Vec<_> = received.iter().map(|file| fs::read(&file.path).unwrap()).collect();
        assert_eq!(found, contents);
        let digests: Vec<&str> = received.iter().map(|file| file.sha256.as_str()).collect();
        assert_eq!(digests, contents.map(|data| hex(&sha256(data))));
        let folder = |index: usize| Path::new(&received[index].path).parent().unwrap();
        assert_eq!((folder(0), folder(1)), (folder(2), folder(2)));
        assert_ne!(folder(0), folder(3));
        let text = format!("{} and {}", received[2].path, received[3].path);
        assert_eq!(upload.names().text(&text), "os.img.bmap and os.img");
    }
}

#[tokio::test]
async fn a_job_that_is_stopped_does_not_wait_for_its_files() {
    let (_home, uploads) = uploads();
    let upload = uploads.begin(&[file("os.img", 5)]).unwrap();
    let (_pieces, source) = DataSource::pieces();
    let stop = CancellationToken::new();
    stop.cancel();
    let error = upload.receive(source, &stop).await.unwrap_err();
    assert_eq!(
        (error.class(), error.to_string().as_str()),
        (Class::Interrupted, "stopped while the files were being sent; the medium is untouched")
    );
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_lets_the_board_go() {
    let (_home, uploads) = uploads();
    let upload = uploads.begin(&[file("os.img", 5)]).unwrap();
    let (_pieces, source) = DataSource::pieces();
    let error = upload.receive(source, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(
        (error.class(), error.to_string().as_str()),
        (Class::Infrastructure, "less than 256 KiB moved in 64 s, so the transfer was ended")
    );
}

#[test]
fn an_upload_is_private_and_leaves_nothing() {
    let (_home, uploads) = uploads();
    for (name, expected) in [
        ("os.img.xz", "os.img.xz"),
        ("/srv/a/../../os.img", "os.img"),
        ("..", "file"),
        ("", "file"),
        ("a\0b\nc", "a-b-c"),
    ] {
        let upload = uploads.begin(&[file(name, 1)]).unwrap();
        let paths = [upload.files[0].path.clone(), upload.transcript(name).unwrap()];
        for path in &paths {
            assert_eq!(path.file_name().unwrap(), expected);
            for folder in path.ancestors().skip(1).take(3) {
                assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
            }
        }
        assert_ne!(paths[0].parent(), paths[1].parent());
        assert_eq!(upload.names().text(paths[1].to_str().unwrap()), expected);
        drop(upload);
        assert!(!paths[0].parent().unwrap().parent().unwrap().exists());
    }
    let long = "ü".repeat(300);
    assert!(file_name(&long).len() <= LONGEST);
    let error = uploads.begin(&[file("os.img", u64::MAX)]).unwrap_err();
    assert!(error.to_string().ends_with(&format!("and what is sent has {}", u64::MAX)), "{error}");
}

#[test]
fn two_files_of_one_name_in_one_folder_are_refused() {
    let (_home, uploads) = uploads();
    let files = [file("a", 1), OrderedFile { beside: Some(0), ..file("x/a", 1) }];
    assert_eq!(uploads.begin(&files).unwrap_err().to_string(), "two files of the order have one name");
    assert_eq!(fs::read_dir(&uploads.0).unwrap().count(), 1, "the lock alone");
}

#[test]
fn leftovers_go_and_used_folders_stay() {
    let (_home, uploads) = uploads();
    uploads.sweep().unwrap();
    let used = uploads.begin(&[file("os.img", 1)]).unwrap();
    let left = uploads.0.join("left");
    fs::create_dir(&left).unwrap();
    fs::write(left.join(LOCK), "").unwrap();
    fs::create_dir(uploads.0.join("half")).unwrap();
    uploads.sweep().unwrap();
    assert!(used.folder.exists());
    assert!(!left.exists() && !uploads.0.join("half").exists());
}

#[test]
fn a_folder_that_others_may_use_is_not_used() {
    let (home, uploads) = uploads();
    let one = [file("os.img", 1)];
    fs::create_dir(&uploads.0).unwrap();
    fs::set_permissions(&uploads.0, fs::Permissions::from_mode(0o755)).unwrap();
    let error = uploads.begin(&one).unwrap_err();
    assert_eq!(error.to_string(), format!("uploads cannot be kept in `{}`", uploads.0.display()));
    let link = Uploads::at(home.path().join("link"));
    std::os::unix::fs::symlink(home.path(), &link.0).unwrap();
    assert!(link.begin(&one).is_err() && link.sweep().is_err());
}
