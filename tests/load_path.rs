//! How files come into the boot loader's memory: another way is taken where the best one fails or crawls, and remembered.

use flasher_core::flash::{LoadFacts, LoadedBy};
use flasher_core::{Event, Receipt, TransferState, Verdict};

use crate::lab::{Lab, sample};

/// A flasher without a bundle.
const WITHOUT_BUNDLE: &str = "via: uboot\n      targets: { emmc: mmc 0 }";

/// A lab whose board has these faults and further keys, and which remembers in a folder of its own.
fn lab(faults: &str, board: &str, flasher: &str) -> Lab {
    let mut lab = Lab::new(faults);
    lab.board = format!("{}\n      {board}", lab.board);
    lab.flasher = format!("state_dir: ./state\n      {flasher}");
    lab
}

async fn flash(lab: &Lab) -> Receipt {
    flash_and_hear(lab).await.0
}

/// Flashes, and tells what the servers did.
async fn flash_and_hear(lab: &Lab) -> (Receipt, Vec<Event>) {
    let content = sample();
    lab.wipe();
    let (receipt, events) = lab.flash(lab.job(&lab.image(&content, None))).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium()[..content.len()] == content, "a false success");
    (receipt, events)
}

/// Warnings that a load failed.
fn failed_loads(receipt: &Receipt) -> Vec<&String> {
    receipt.warnings.iter().filter(|warning| warning.starts_with("a load by")).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_window_that_is_too_large_is_made_smaller() {
    for flasher in [WITHOUT_BUNDLE, ""] {
        let lab = lab("tftp_stall_above_window: 4", "", flasher);
        let receipt = flash(&lab).await;
        assert_eq!(
            failed_loads(&receipt),
            [
                "a load by TFTP with blocks of 1468 bytes and a window of 16 failed; TFTP with blocks of 1468 bytes and a window of 4 is tried"
            ]
        );
        let good = LoadFacts { by: LoadedBy::Tftp, block_size: Some(1468), window_size: Some(4) };
        assert_eq!(receipt.board.loads, Some(good));
        let again = flash(&lab).await;
        assert_eq!(failed_loads(&again), [""; 0], "it begins with what was good");
        assert_eq!(again.board.loads, Some(good));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn loads_that_crawl_are_tried_by_http() {
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let sends = "without_commands: [hash, sha256sum]";
    for (faults, board) in [
        ("tftp_delay_ms: 80", sends.to_owned()),
        ("tftp_delay_ms: 8", format!("network: lwip\n      tftp_port: {port}\n      {sends}")),
    ] {
        let mut lab = lab(faults, &board, WITHOUT_BUNDLE);
        lab.tftp = format!("host: 127.0.0.1, port: {port}");
        // How quick it is then depends on this machine.
        let (_, events) = flash_and_hear(&lab).await;
        let came = |event: &Event| matches!(event, Event::Transfer(it) if it.protocol == "http" && matches!(it.state, TransferState::Done { .. }));
        let transfers = events.iter().filter(|event| matches!(event, Event::Transfer(_)));
        assert!(events.iter().any(came), "{faults}: {:#?}", transfers.collect::<Vec<_>>());
    }
}

/// U-Boot's second network stack takes the port of our server in the command alone, and each interface has its own variables.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_network_stack_asks_any_port() {
    for (board, flasher) in [
        ("network: lwip\n      network_interface: 2", WITHOUT_BUNDLE),
        ("network: lwip\n      network_interface: 1", ""),
        // Without DHCP it is not known which stack it is.
        (
            "network: lwip",
            "network: { address: 127.0.0.1, netmask: 255.0.0.0 }\n      via: uboot\n      targets: { emmc: mmc 0 }",
        ),
    ] {
        let receipt = flash(&lab("", board, flasher)).await;
        let lock_step = LoadFacts { by: LoadedBy::Tftp, block_size: None, window_size: None };
        assert_eq!(receipt.board.loads, Some(lock_step), "{board}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_remembered_may_be_unreadable() {
    let lab = lab("", "", WITHOUT_BUNDLE);
    std::fs::create_dir_all(lab.path("state")).unwrap();
    std::fs::write(lab.path("state/load-paths.json"), "{").unwrap();
    let receipt = flash(&lab).await;
    let warned = receipt
        .warnings
        .iter()
        .any(|warning| warning.contains("remembers how boards load best, is unreadable"));
    assert!(warned, "{:?}", receipt.warnings);
    assert!(lab.path("state/load-paths.json.unreadable").exists());
}
