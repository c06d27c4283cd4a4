//! What a killed job leaves behind: a board that may still be on.

use std::sync::Arc;

use flasher_core::owner::Board;
use flasher_core::tree::DriverTree;
use flasher_core::{Driver, PowerDriver, Result};

/// The sentence about a killed job that may have left the board on. None when the switch reports `state` off, and for a virtual
/// board, which ends with its process.
pub(super) async fn left_on(
    tree: &DriverTree,
    switch: &Arc<dyn PowerDriver>,
    state: Option<bool>,
) -> Result<Option<String>> {
    if state == Some(false) || switch.is_virtual() {
        return Ok(None);
    }
    let killed = Board::of(tree, &(Arc::clone(switch) as Arc<dyn Driver>)).killed_job().await?;
    Ok(killed.map(|killed| format!("a job was killed and may have left the board on: {killed}")))
}

/// How that board is switched off; `device` is the path of its switch, when it was named.
pub(super) fn switch_off(device: Option<&str>) -> String {
    match device {
        Some(path) => format!("`flasher power off --device {path}` switches it off"),
        None => "`flasher power off` switches it off".to_owned(),
    }
}
