//! The other way to write: the board fetches the image by itself and unpacks it with its own tools.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::Result;

use super::guest::Guest;
use super::patience::SLOWEST;
use super::watch::listen;
use super::write::must_be_written;
use crate::access::{Target, Unpacking, WriteProgress};
use crate::config::seconds;
use crate::job::WritePermit;

/// What the board's script writes between two words of it, bytes.
const PACE: u64 = 4 << 20;

/// Has the board write all but the first block of the image at `url`.
pub(super) async fn all(
    guest: &mut Guest<'_>,
    target: &Target,
    (url, unpacking): (&str, Unpacking),
    progress: Arc<dyn WriteProgress>,
    permit: WritePermit,
) -> Result<()> {
    let (_, listening) = listen(guest.session, Some(progress));
    let stall = seconds(guest.session.flasher.config.timeouts.stall) + Duration::from_secs(PACE / SLOWEST);
    let arguments = ["direct", target.device.as_str(), name(unpacking), url];
    let answers = guest.write_script(&arguments, Some(stall), permit).await;
    drop(listening);
    must_be_written(&answers?, target)
}

/// The script's word for it.
fn name(unpacking: Unpacking) -> &'static str {
    match unpacking {
        Unpacking::Raw => "raw",
        Unpacking::Gzip => "gzip",
        Unpacking::Xz => "xz",
        Unpacking::Zstd => "zstd",
        Unpacking::Bzip2 => "bzip2",
    }
}
