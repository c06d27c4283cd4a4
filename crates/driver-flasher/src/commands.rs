//! Which commands a U-Boot has.

use std::time::Duration;

use board_console::UBoot;
use flasher_core::Result;

use crate::trouble;

/// Time for a command that only looks something up.
const QUICK: Duration = Duration::from_secs(20);

/// Whether this U-Boot has a command. One whose `help` is missing too cannot be asked, and is believed to have it.
///
/// # Errors
/// When the console fails.
pub(crate) async fn has(uboot: &mut UBoot, command: &str) -> Result<bool> {
    let answer =
        uboot.ask(&format!("help {command}"), QUICK).await.map_err(|error| trouble::console(&error))?;
    Ok(answer.status == 0 || !answer.output.contains(&format!("'{command}'")))
}
