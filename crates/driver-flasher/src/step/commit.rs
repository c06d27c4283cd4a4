//! Step 10: the first block is written, last of all: from here on the medium may boot. Whether it holds the image is for
//! *verify* to say.

use bytes::Bytes;
use flasher_core::{Content, Result};

use super::shell::Guest;
use super::target::Target;
use super::write::{self, Sending, Written};
use crate::frames::Frames;
use crate::job::Session;

/// Writes the first block, durably, unless the image does not care about it.
pub(crate) async fn first_block(
    session: Session<'_>,
    target: &Target,
    written: &Written,
    guest: &mut Guest,
) -> Result<()> {
    if written.kept.is_some() {
        return Ok(());
    }
    let content = Content::bytes(stream(&written.first));
    write::frames_to_board(session, content, &Sending::small(), target, guest).await?;
    session.run.medium(|medium| medium.ranges[0].writes += 1);
    Ok(())
}

fn stream(first: &Bytes) -> Vec<u8> {
    let mut frames = Frames::default();
    let mut all = frames.push(disk_image::Extent::Data { offset: 0, bytes: first.clone() });
    all.extend(frames.finish());
    all.concat()
}
