//! The Own Two tested with mocks: order and count of what is done to its power switch.

use std::collections::BTreeMap;
use std::fs;
use std::sync::Arc;

use driver_flasher::FlasherConfig;
use flasher_core::mocks::{MockConsole, MockPower, MockSerial, MockServer};
use flasher_core::{Class, Device, DriverType, Error, FlashJob, Quiet, Wiring};
use mockall::Sequence;
use own_board::OwnFlasher;

#[tokio::test]
async fn the_supply_is_switched_on_twice() {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("bundle/data")).unwrap();
    fs::write(folder.path().join("bundle/data/flasher.itb"), [1; 100]).unwrap();
    fs::write(folder.path().join("bundle/manifest.yaml"), include_str!("../boards/own-one.yaml")).unwrap();
    fs::write(folder.path().join("image"), [0; 512]).unwrap();

    let mut order = Sequence::new();
    let mut power = MockPower::new();
    power.expect_off().times(1).in_sequence(&mut order).returning(|| Ok(()));
    power.expect_on().times(1).in_sequence(&mut order).returning(|| Ok(()));
    power.expect_off().times(1).in_sequence(&mut order).returning(|| Ok(()));
    let broken = || Err(Error::infrastructure("the relay does not answer"));
    power.expect_on().times(1).in_sequence(&mut order).returning(broken);
    power.expect_off().times(1).in_sequence(&mut order).returning(|| Ok(())); // left off after the failure

    let mut serial = MockSerial::new();
    serial.expect_open().times(1).returning(|| Ok(Box::new(tokio::io::duplex(64).0)));
    let mut uboot = MockConsole::new();
    uboot.expect_prompt().return_const("=>".to_owned());
    let server = || {
        let (mut server, root) = (MockServer::new(), folder.path().join("served"));
        server.expect_root().returning(move || root.clone());
        server.expect_start().times(1).returning(|_| Ok("127.0.0.1:6969".parse().unwrap()));
        server.expect_stop().times(1..).returning(|| Ok(()));
        server.expect_withdraw().return_const(());
        Arc::new(server)
    };
    let children = BTreeMap::from([
        ("power".to_owned(), Device::Power(Arc::new(power), None)),
        ("serial".to_owned(), Device::Serial(Arc::new(serial))),
        ("uboot".to_owned(), Device::BootConsole(Arc::new(uboot))),
        ("tftp".to_owned(), Device::FileServer(server())),
        ("http".to_owned(), Device::ContentServer(server())),
    ]);
    let config = FlasherConfig {
        flasher_bundle: Some("bundle".to_owned()),
        power_off_seconds: 0.0,
        ..FlasherConfig::default()
    };

    let built = OwnFlasher::build(config, Wiring::new("storage", folder.path(), children)).unwrap();
    let Device::Flasher(flasher) = built else { panic!("not a flasher") };
    let job = FlashJob { retries: 0, ..FlashJob::new(folder.path().join("image").to_str().unwrap()) };
    let receipt = flasher.flash(job, Arc::new(Quiet)).await;
    assert_eq!(receipt.class(), Some(Class::Infrastructure), "{:#?}", receipt.failure);
}
