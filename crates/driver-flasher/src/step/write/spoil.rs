//! The first block as zeros: nothing boots while the rest of the medium is not proven.

use bytes::Bytes;
use disk_image::Extent;
use flasher_core::flash::MediumState;
use flasher_core::{Content, Result};

use super::watch::Sending;
use super::{Written, frames_to_board};
use crate::config::seconds;
use crate::frames::{self, Frames};
use crate::job::Session;
use crate::step::shell::Guest;
use crate::step::target::Target;

/// Makes the first block durable zeros, unless the boot loader lives in it: then nothing boots what is not the image.
pub(crate) async fn spoil(
    session: Session<'_>,
    target: &Target,
    written: &Written,
    guest: &mut Guest,
) -> Result<()> {
    if !written.spoils {
        return Ok(());
    }
    let content = Content::bytes(spoiling(written.first.len() as u64));
    frames_to_board(session, content, &Sending::small(), target, guest).await
}

/// Makes the first `length` bytes zeros after a failure of the image, when they may be anything else: a mark of the capacity check
/// may be there, since the stream that begins with zeros broke before the board had read them.
pub(super) async fn erase(session: Session<'_>, length: u64, target: &Target, guest: &mut Guest) {
    let is_begun = !matches!(session.run.on_medium.now(), MediumState::Untouched | MediumState::Prepared);
    if length == 0 || !is_begun {
        return;
    }
    let content = Content::bytes(spoiling(length));
    let within = seconds(session.flasher.config.timeouts.command);
    let sending = Sending::small();
    let erasing = frames_to_board(session, content, &sending, target, guest);
    let problem = match tokio::time::timeout(within, erasing).await {
        Ok(Ok(())) => return,
        Ok(Err(error)) => error.cause(),
        Err(_) => "the board does not answer".to_owned(),
    };
    session.run.warn(format!("the first block may not be erased: {problem}"));
}

/// The frames that make the first block zeros, whole.
pub(super) fn spoiling(length: u64) -> Vec<u8> {
    let mut all = wipe(length);
    all.extend(Frames::default().finish());
    all.concat()
}

/// Zeros where the first block will be, durable before anything else is written. Nothing behind the image is touched.
pub(super) fn wipe(length: u64) -> Vec<Bytes> {
    let mut wipe = Frames::filling();
    let mut frames = wipe.push(Extent::Zero { offset: 0, length });
    frames.push(frames::flush());
    frames
}
