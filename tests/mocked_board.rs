//! A board tested with mocks: order and count of what is done to it. CONTRIBUTING.md shows this file.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;

use driver_flasher::{BaseFlasher, FlasherConfig};
use flasher_core::mocks::{MockConsole, MockPower, MockSerial, MockServer};
use flasher_core::{ByteStream, Class, Device, DriverType, FlashJob, Quiet, Wiring};
use mockall::Sequence;

/// A flasher whose board never says a word.
fn flasher(power: MockPower, folder: &Path) -> Device {
    let mut serial = MockSerial::new();
    serial.expect_open().times(1).returning(|| {
        let (ours, theirs) = tokio::io::duplex(4096);
        // The far end stays open and silent for as long as the test runs.
        std::mem::forget(theirs);
        Ok(Box::new(ours) as Box<dyn ByteStream>)
    });
    let mut uboot = MockConsole::new();
    uboot.expect_prompt().return_const("=>".to_owned());
    let children = BTreeMap::from([
        ("power".to_owned(), Device::Power(Arc::new(power), None)),
        ("serial".to_owned(), Device::Serial(Arc::new(serial))),
        ("tftp".to_owned(), Device::FileServer(Arc::new(server(folder)))),
        ("http".to_owned(), Device::ContentServer(Arc::new(server(folder)))),
        ("uboot".to_owned(), Device::BootConsole(Arc::new(uboot))),
    ]);
    let mut config = FlasherConfig { flasher_bundle: Some("bundle".to_owned()), ..FlasherConfig::default() };
    config.power_off_seconds = 0.0;
    config.timeouts.bootloader = 0.2;
    BaseFlasher::build(config, Wiring::new("storage", folder, children)).unwrap()
}

/// A file server that is started once, and stopped when the job ends.
fn server(folder: &Path) -> MockServer {
    let root = folder.join("tftp");
    let mut server = MockServer::new();
    server.expect_root().returning(move || root.clone());
    server.expect_start().times(1).returning(|_| Ok("127.0.0.1:6969".parse().unwrap()));
    server.expect_stop().times(1..).returning(|| Ok(()));
    server.expect_withdraw().return_const(());
    server
}

#[tokio::test]
async fn power_is_cycled_exactly_once_off_before_on_and_left_off() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(folder.path().join("bundle/data")).unwrap();
    for name in ["kernel", "initramfs", "sim.dtb"] {
        std::fs::write(folder.path().join("bundle/data").join(name), [1; 100]).unwrap();
    }
    let manifest = flasher_core::registry::board("sim").unwrap().manifest;
    std::fs::write(folder.path().join("bundle/manifest.yaml"), manifest).unwrap();
    std::fs::write(folder.path().join("image"), [0; 512]).unwrap();

    let mut order = Sequence::new();
    let mut power = MockPower::new();
    power.expect_off().times(1).in_sequence(&mut order).returning(|| Ok(()));
    power.expect_on().times(1).in_sequence(&mut order).returning(|| Ok(()));
    power.expect_off().times(1).in_sequence(&mut order).returning(|| Ok(()));

    let Device::Flasher(flasher) = flasher(power, folder.path()) else { panic!("not a flasher") };
    let job = FlashJob { retries: 0, ..FlashJob::new(folder.path().join("image").to_str().unwrap()) };
    let receipt = flasher.flash(job, Arc::new(Quiet)).await;
    assert_eq!(receipt.class(), Some(Class::Board), "{:#?}", receipt.failure);
}
