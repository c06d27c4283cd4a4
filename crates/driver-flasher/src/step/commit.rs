//! Step 11: the first block is written last and read back. Only here does a proof come into being.

use bytes::Bytes;
use flasher_core::flash::Wire;
use flasher_core::{Content, Result};

use super::shell::Guest;
use super::target::Target;
use super::verify::{self, Checked};
use super::write::{self, Written};
use crate::frames::Frames;
use crate::transaction::{Proof, Session};

/// How often the first block is written before the medium is called bad.
const TRIES: u32 = 2;

pub(crate) async fn first_block(
    session: Session<'_>,
    target: &Target,
    written: Written,
    _rest: Checked,
    guest: &mut Guest,
) -> Result<Proof> {
    let summary = &written.summary;
    for _ in 0..TRIES {
        let content = Content::bytes(stream(&written.first));
        write::frames_to_board(session, content, Wire::Identity, &|_, done| done, target, guest).await?;
        session.run.medium(|medium| medium.ranges[0].writes += 1);
        if verify::compare(session, target, &summary.ranges, &[0], guest).await?.is_empty() {
            session.run.medium(|medium| verify::note_whole(medium, &summary.decoded_sha256));
            return Ok(Proof { decoded: summary.decoded_sha256, length: summary.decoded_length });
        }
        session.run.warn("the first block read back differently");
    }
    Err(verify::differs(target, &summary.ranges, &[0]))
}

fn stream(first: &Bytes) -> Vec<u8> {
    let mut frames = Frames::default();
    let mut all = frames.push(disk_image::Piece::Data { offset: 0, bytes: first.clone() });
    all.extend(frames.finish());
    all.concat()
}
