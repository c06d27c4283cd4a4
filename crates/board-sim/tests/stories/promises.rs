//! The promises every power and serial driver makes, kept by the simulated board.

use std::sync::Arc;

use board_sim::{Config, SimBoard};
use flasher_core::{Device, testing};

fn board() -> Arc<SimBoard> {
    SimBoard::new(serde_json::from_value::<Config>(serde_json::json!({"size": "1MiB"})).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_promises_of_a_power_driver() {
    let board = board();
    assert_eq!(testing::power(&|| Device::Power(board.power(), None)).await, [""; 0]);
    board.power().off().await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn it_keeps_the_promises_of_a_serial_driver() {
    let board = board();
    assert_eq!(testing::serial(&|| Device::Serial(board.serial()), false).await, [""; 0]);
}
