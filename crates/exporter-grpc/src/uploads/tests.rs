//! Uploads: whole or refused, private, and gone with their job.

use std::os::unix::fs::PermissionsExt;

use bytes::Bytes;

use super::*;

fn uploads() -> (tempfile::TempDir, Uploads) {
    let home = tempfile::tempdir().unwrap();
    let uploads = Uploads::at(home.path().join("uploads"));
    (home, uploads)
}

fn sha256(data: &[u8]) -> Vec<u8> {
    Sha256::digest(data).to_vec()
}

#[tokio::test]
async fn an_image_is_taken_whole_or_not_at_all() {
    let whole = b"image".to_vec();
    let with = |more: &[u8]| [&whole[..], more].concat();
    let bad = |text: &str| Err((Class::Source, text.to_owned()));
    let other = "the image is not what the client sent: its SHA-256 differs";
    let cases = [
        (with(&sha256(&whole)), true, Ok(whole.clone())),
        (with(&sha256(b"other")), true, bad(other)),
        ([b"imagE", &sha256(&whole)[..]].concat(), true, bad(other)),
        (with(&[]), true, bad("the image was cut short: 5 of 5 bytes have come")),
        (b"ima".to_vec(), true, bad("the image was cut short: 3 of 5 bytes have come")),
        (with(&sha256(&whole)), false, bad("the image was cut short: 5 of 5 bytes have come")),
        (with(&[0; 33]), true, bad("the client sent more than it said the image has")),
    ];
    for (sent, ends, expected) in cases {
        for step in [1, 3, sent.len()] {
            let (_home, uploads) = uploads();
            let upload = uploads.begin("os.img", 5).unwrap();
            let (pieces, source) = DataSource::pieces();
            let sent: Vec<_> = sent.chunks(step).map(Bytes::copy_from_slice).collect();
            tokio::spawn(async move {
                for piece in sent {
                    pieces.send(StreamItem::Data(piece)).await.ok();
                }
                if ends {
                    pieces.send(StreamItem::End).await.ok();
                }
            });
            let received = upload.receive(source, 5, &CancellationToken::new()).await;
            let received = received.map(|digest| {
                assert_eq!(
                    digest,
                    sha256(&whole).iter().map(|byte| format!("{byte:02x}")).collect::<String>()
                );
                fs::read(upload.path().unwrap()).unwrap()
            });
            assert_eq!(received.map_err(|error| (error.class(), error.to_string())), expected);
        }
    }
}

#[tokio::test]
async fn a_job_that_is_stopped_does_not_wait_for_its_image() {
    let (_home, uploads) = uploads();
    let upload = uploads.begin("os.img", 5).unwrap();
    let (_pieces, source) = DataSource::pieces();
    let stop = CancellationToken::new();
    stop.cancel();
    let error = upload.receive(source, 5, &stop).await.unwrap_err();
    assert_eq!(error.class(), Class::Interrupted);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_sends_nothing_lets_the_board_go() {
    let (_home, uploads) = uploads();
    let upload = uploads.begin("os.img", 5).unwrap();
    let (_pieces, source) = DataSource::pieces();
    let error = upload.receive(source, 5, &CancellationToken::new()).await.unwrap_err();
    assert_eq!(
        (error.class(), error.to_string().as_str()),
        (Class::Infrastructure, "less than 256 KiB moved in 64 s, so the transfer was ended")
    );
}

#[test]
fn an_upload_is_private_and_leaves_nothing() {
    let (_home, uploads) = uploads();
    let names =
        [("os.img.xz", "os.img.xz"), ("/srv/a/../../os.img", "os.img"), ("..", "image"), ("", "image")];
    for (name, expected) in names {
        let upload = uploads.begin(name, 1).unwrap();
        let path = PathBuf::from(upload.path().unwrap());
        assert_eq!(path.file_name().unwrap(), expected);
        for folder in path.ancestors().skip(1).take(3) {
            assert_eq!(fs::metadata(folder).unwrap().permissions().mode() & 0o777, 0o700, "{folder:?}");
        }
        drop(upload);
        assert!(!path.parent().unwrap().parent().unwrap().exists());
    }
    let long = "ü".repeat(300);
    assert!(file_name(&long).len() <= LONGEST);
    let error = uploads.begin("os.img", u64::MAX).unwrap_err();
    assert!(error.to_string().contains(&format!("and the image has {}", u64::MAX)), "{error}");
}

#[test]
fn leftovers_go_and_used_folders_stay() {
    let (_home, uploads) = uploads();
    uploads.sweep().unwrap();
    let used = uploads.begin("os.img", 1).unwrap();
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
    fs::create_dir(&uploads.0).unwrap();
    fs::set_permissions(&uploads.0, fs::Permissions::from_mode(0o755)).unwrap();
    let error = uploads.begin("os.img", 1).unwrap_err();
    assert_eq!(error.to_string(), format!("uploads cannot be kept in `{}`", uploads.0.display()));
    let link = Uploads::at(home.path().join("link"));
    std::os::unix::fs::symlink(home.path(), &link.0).unwrap();
    assert!(link.begin("os.img", 1).is_err() && link.sweep().is_err());
}
