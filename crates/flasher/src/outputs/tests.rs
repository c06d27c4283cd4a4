//! Files that a job must not write over, named directly, by links, and before they are there.

use std::os::unix::fs::symlink;

use super::*;

/// The line with a tab alone is refused by other readers: what `check` takes must be read here as well.
const YAML: &str = "export:\n  board: { type: sim-board, config: { medium: ./medium, size: 1MiB } }\n  \
                    storage: { type: flasher, config: { flasher_bundle: ./bundle, cacert: ca.pem } }\n\t\n";

/// A folder with an image, what belongs to it, and a bench.
fn folder() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    fs::create_dir(path("bundle")).unwrap();
    for name in
        ["os.img", "other.img", "os.bmap", "my.bmap", "medium", "ca.pem", "bundle/manifest.yaml", "old.json"]
    {
        fs::write(path(name), name).unwrap();
    }
    fs::write(path("lab.yaml"), YAML).unwrap();
    symlink("os.img", path("link")).unwrap();
    fs::hard_link(path("medium"), path("hard")).unwrap();
    symlink(".", path("here")).unwrap();
    folder
}

fn job(folder: &Path, transcript: Option<&str>) -> FlashJob {
    let name = |name: &str| folder.join(name).to_str().unwrap().to_owned();
    let also = vec![PartitionImage { label: "b".to_owned(), image: name("other.img") }];
    let mut job = FlashJob { also, ..FlashJob::new(name("os.img")) };
    job.source.block_map = BlockMapChoice::At(name("my.bmap"));
    job.transcript = transcript.map(|it| folder.join(it));
    job
}

#[test]
fn nothing_that_a_job_needs_is_written_over() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    for (name, what) in [
        ("os.img", "the image"),
        ("other.img", "the image"),
        ("link", "the image"),
        ("here/os.img", "the image"),
        ("os.bmap", "the image"),
        ("my.bmap", "the block map"),
        ("lab.yaml", "the exporter YAML"),
        ("medium", "`medium` of the exporter YAML"),
        ("hard", "`medium` of the exporter YAML"),
        ("ca.pem", "`cacert` of the exporter YAML"),
        ("bundle/manifest.yaml", "`flasher_bundle` of the exporter YAML"),
        ("bundle/new.json", "`flasher_bundle` of the exporter YAML"),
    ] {
        let before = fs::read(path(name)).ok();
        let (yaml, receipt) = (path("lab.yaml"), path(name));
        let plain = FlashJob { transcript: None, ..job(folder.path(), None) };
        let as_receipt = check_flash(&plain, Some(&receipt), Some(&yaml)).unwrap_err();
        let as_transcript = check_flash(&job(folder.path(), Some(name)), None, Some(&yaml)).unwrap_err();
        for (error, option) in [(as_receipt, "--receipt"), (as_transcript, "--transcript")] {
            let expected = format!("{option} would write over `{}`, which is {what}", receipt.display());
            assert_eq!((error.class(), error.cause()), (flasher_core::Class::Config, expected));
        }
        assert_eq!(fs::read(path(name)).ok(), before, "{name}");
    }
}

#[test]
fn outputs_are_files_of_their_own() {
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let check = |receipt: &str, transcript: &str| {
        check_flash(&job(folder.path(), Some(transcript)), Some(&path(receipt)), Some(&path("lab.yaml")))
            .map_err(|error| error.cause().replace(&path("").display().to_string(), ""))
    };
    assert_eq!(check("receipt.json", "console.log"), Ok(()));
    assert_eq!(check("old.json", "os.log"), Ok(()));
    assert!(!path("console.log").exists(), "a refused flash would leave an empty file");
    let same = "--transcript would write over `a`, which is the file of --receipt as well";
    assert_eq!(check("a", "a"), Err(same.to_owned()));
    assert_eq!(check("here/a", "a"), Err(same.to_owned()));
}

#[test]
fn a_transcript_is_a_regular_file_in_a_folder_that_is_there() {
    let folder = folder();
    let fifo = folder.path().join("fifo");
    assert!(std::process::Command::new("mkfifo").arg(&fifo).status().unwrap().success());
    for (name, expected) in [
        ("fifo", "`fifo` exists and is no regular file"),
        ("/dev/full", "`/dev/full` exists and is no regular file"),
        ("/dev/null", "`/dev/null` exists and is no regular file"),
        ("bundle", "`bundle` exists and is no regular file"),
        ("no/such", "no transcript can be kept as `no/such`"),
    ] {
        let job = FlashJob { transcript: Some(folder.path().join(name)), ..FlashJob::new("-") };
        let error = check_flash(&job, None, None).unwrap_err();
        let cause = error.cause().replace(&format!("{}/", folder.path().display()), "");
        assert!(cause.starts_with(expected), "{name}: {cause}");
        assert_eq!(error.class(), flasher_core::Class::Config);
    }
}

#[test]
fn dump_files_that_collide() {
    struct Nowhere;
    impl flasher_core::DumpSink for Nowhere {
        fn label(&self) -> String {
            String::new()
        }
        fn begin(&self, _length: u64) -> Result<()> {
            Ok(())
        }
        fn take(&self, _bytes: &[u8]) -> Result<()> {
            Ok(())
        }
        fn keep(&self) -> Result<()> {
            Ok(())
        }
    }
    let folder = folder();
    let path = |name: &str| folder.path().join(name);
    let check = |out: &str, receipt: &str| {
        let job = DumpJob::new(std::sync::Arc::new(Nowhere));
        check_dump(&job, Some(&path(out)), Some(&path(receipt)), Some(&path("lab.yaml"))).is_ok()
    };
    assert!(check("new.img", "new.json"));
    assert!(!check("new", "new"));
    assert!(!check("medium", "new.json"));
    assert!(!check("hard", "new.json"));
}
