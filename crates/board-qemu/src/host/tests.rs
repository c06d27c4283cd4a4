//! Looking for things, and making files.

use std::fs;

use crate::config::{BoardNetwork, Cache, DiskKind};

use super::*;

fn disk(kind: DiskKind, file: &Path, size: Option<Size>) -> Config {
    let disk = Disk { kind, file: file.to_owned(), size, cache: Cache::default(), blkdebug: None };
    Config { disk: Some(disk), ..Config::default() }
}

#[test]
fn a_new_medium_is_sparse_and_an_old_one_keeps_its_content() {
    use std::os::unix::fs::MetadataExt;
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("disk.img");
    let length = || fs::metadata(&file).unwrap().len();
    prepare(&disk(DiskKind::Virtio, &file, None)).unwrap();
    assert_eq!(length(), 512 << 20);
    assert!(fs::metadata(&file).unwrap().blocks() < 100);

    fs::write(&file, b"content").unwrap();
    prepare(&disk(DiskKind::Virtio, &file, None)).unwrap();
    assert_eq!(length(), 7);
    prepare(&disk(DiskKind::Virtio, &file, Some(Size(4096)))).unwrap();
    assert_eq!(length(), 4096);
    prepare(&disk(DiskKind::Virtio, &file, Some(Size(512)))).unwrap();
    assert_eq!(length(), 4096, "a medium is never shortened");
    assert!(fs::read(&file).unwrap().starts_with(b"content"));
}

#[test]
fn an_sd_card_that_exists_must_be_a_power_of_two_as_well() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("sd.img");
    fs::write(&file, [0; 1000]).unwrap();
    let refused = prepare(&disk(DiskKind::Sd, &file, None)).unwrap_err().to_string();
    assert!(refused.contains("would be 1000 bytes; the nearest are 512 and 1024"), "{refused}");
    prepare(&disk(DiskKind::Sd, &file, Some(Size(1024)))).unwrap();
}

#[test]
fn the_environment_flash_has_the_size_of_the_machines() {
    let folder = tempfile::tempdir().unwrap();
    let flash = folder.path().join("env.flash");
    prepare(&Config { environment: Some(flash.clone()), ..Config::default() }).unwrap();
    assert_eq!(fs::metadata(flash).unwrap().len(), 64 << 20);
}

#[test]
fn what_is_missing_is_named_with_its_package() {
    let absent = Path::new("/nonexistent/thing");
    let folder = tempfile::tempdir().unwrap();
    let plain = folder.path().join("plain");
    fs::write(&plain, "").unwrap();
    let check = |config: Config, expected: &str| {
        let error = flasher_core::Error::from(check(&config).unwrap_err());
        assert_eq!(format!("{}; {}", error.cause(), error.next_step().unwrap()), expected);
    };
    let emulator = |qemu: &Path| Config { qemu: Some(qemu.to_owned()), ..Config::default() };
    for program in [absent, &plain, folder.path(), Path::new("no-such-emulator")] {
        let name = program.display();
        check(
            emulator(program),
            &format!(
                "emulated board: the emulator `{name}` is not there; install it, on Debian with `apt-get install qemu-system-arm`"
            ),
        );
    }
    check(
        Config { qemu: Some("sh".into()), bios: Some(absent.to_owned()), ..Config::default() },
        "emulated board: the boot loader `/nonexistent/thing` is not there; install it, on Debian with `apt-get install u-boot-qemu`",
    );
    let tap = BoardNetwork { tap: "a b".to_owned(), ..BoardNetwork::default() };
    check(
        Config { network: Some(tap), ..Config::default() },
        "emulated board: the tap `a b` must be 1 to 15 letters, digits, `-` or `_`, for example `qtap0`; `flasher drivers qemu-board` shows every field with its default",
    );
}

#[tokio::test]
async fn a_failed_tool_says_what_it_said() {
    let refused = ip(&["link", "show", "dev", "no-such-dev"]).await.unwrap_err().to_string();
    assert!(refused.starts_with("`ip link show dev no-such-dev` failed: "), "{refused}");
    assert!(refused.contains("does not exist"), "{refused}");
}
