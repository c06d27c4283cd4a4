//! What a killed job leaves behind: a board that may still be on.

use std::sync::Arc;

use flasher_core::owner::{Board, Held};
use flasher_core::tree::DeviceTree;
use flasher_core::{Driver, Event, PowerDriver, Result};

/// The sentence about a killed job that may have left the board on. None when the switch reports `state` off, and for a virtual
/// board, which ends with its process.
pub(super) async fn left_on(
    tree: &DeviceTree,
    switch: &Arc<dyn PowerDriver>,
    state: Option<bool>,
) -> Result<Option<String>> {
    if state == Some(false) || switch.is_virtual() {
        return Ok(None);
    }
    let killed = Board::of(tree, &(Arc::clone(switch) as Arc<dyn Driver>)).killed_job().await?;
    Ok(killed.map(|killed| format!("a job was killed and may have left the board on: {killed}")))
}

/// What the next job says about the one before it.
pub(super) fn warning(held: &Held) -> Option<Event> {
    let killed = held.after()?;
    let message = format!(
        "the last job on this board was killed and may have left its medium partly written: {killed}"
    );
    Some(Event::Warning { message })
}
