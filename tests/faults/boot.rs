//! What a board boots from a medium: the same medium in a board where nothing is wrong, switched on and watched.

use std::path::Path;
use std::time::Duration;

use board_sim::{Config, SimBoard, Size};
use tokio::io::AsyncReadExt;

use super::case::Boots;

/// Switches a healthy board with this medium on; gives what it boots. `new` is the beginning of the image.
pub(super) async fn boots(medium: &Path, new: &[u8]) -> Result<Boots, String> {
    let length = std::fs::metadata(medium).map_err(|error| error.to_string())?.len();
    let config =
        Config { medium: Some(medium.to_owned()), size: Size(length), bootdelay: 0, ..Config::default() };
    let board = SimBoard::new(config);
    let mut line = board.serial().open().await.map_err(|error| error.to_string())?;
    board.power().on().await.map_err(|error| error.to_string())?;
    let said = tokio::time::timeout(Duration::from_secs(30), async {
        let (mut said, mut buffer) = (String::new(), [0; 4096]);
        loop {
            let count = line.read(&mut buffer).await.map_err(|error| error.to_string())?;
            said.push_str(&String::from_utf8_lossy(&buffer[..count]));
            if said.contains("No bootable medium") || said.contains("system booted from medium") {
                return Ok::<_, String>(said);
            }
        }
    });
    let said = said.await.map_err(|_| "the board boots nothing and says nothing".to_owned())??;
    board.power().off().await.map_err(|error| error.to_string())?;
    if said.contains("No bootable medium") {
        return Ok(Boots::Nothing);
    }
    let start = std::fs::read(medium).map_err(|error| error.to_string())?;
    let is_new = !new.is_empty() && start.starts_with(&new[..new.len().min(65_536)]);
    Ok(if is_new { Boots::New } else { Boots::Old })
}
