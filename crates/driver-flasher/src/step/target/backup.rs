//! The copy of an older GUID partition table at a medium's end: an image shorter than the medium leaves it there, and tools
//! may take it for the image's own.

use std::time::Duration;

use board_console::quote;
use flasher_core::flash::{MediumState, OldTable};
use flasher_core::{Class, Error, Result};

use super::Target;
use crate::config::seconds;
use crate::job::Session;
use crate::piece::Piece;
use crate::step::shell::Guest;
use crate::trouble;

/// Bytes at the end that hold the copy's header, for sectors of 512 and of 4096 bytes. Without it the copy is none.
const HEADER: u64 = 4096;

/// Whether the medium's end has such a copy, and the image surely or perhaps leaves it there. It is told when nobody asked for
/// its removal.
pub(super) async fn look(
    session: Session<'_>,
    piece: &Piece,
    target: &Target,
    guest: &mut Guest,
) -> Result<bool> {
    let reaches = piece.image.decoded_length().is_some_and(|length| length + HEADER > target.size);
    if piece.partition.is_some()
        || reaches
        || target.size < HEADER
        || !is_there(session, target, guest).await?
    {
        return Ok(false);
    }
    session.run.medium(|medium| medium.old_table = Some(OldTable::Left));
    if !session.job.wipe_old_table {
        session.run.warn(format!(
            "`{}` has the copy of an older partition table (GPT) at its end, and where the image does not reach it, tools may take it for the image's own; `--wipe-old-table` removes it",
            target.device
        ));
    }
    Ok(true)
}

/// Removes the copy, before the image is written: what the image has there comes afterwards.
pub(crate) async fn wipe(session: Session<'_>, target: &Target, guest: &mut Guest) -> Result<()> {
    if !target.old_table || !session.job.wipe_old_table {
        return Ok(());
    }
    let command = format!(
        "dd if=/dev/zero of={} {} conv=notrunc,fsync 2>/dev/null",
        quote(&target.device),
        place("seek", target.size)
    );
    session.run.on_medium.leaves(MediumState::Prepared);
    guest.shell.check(&command, within(session)).await.map_err(|error| trouble::console(&error))?;
    if is_there(session, target, guest).await? {
        return Err(Error::new(
            Class::Medium,
            format!(
                "the old partition table at the end of `{}` is still there after zeros were written over it",
                target.device
            ),
        )
        .help("the medium does not keep what is written; replace it"));
    }
    session.run.medium(|medium| medium.old_table = Some(OldTable::Wiped));
    session.run.note(format!("the old partition table at the end of {} is removed", target.device));
    Ok(())
}

async fn is_there(session: Session<'_>, target: &Target, guest: &mut Guest) -> Result<bool> {
    let direct = if target.direct { " iflag=direct" } else { "" };
    let command = format!(
        "dd if={} {}{direct} 2>/dev/null | grep -q 'EFI PART'",
        quote(&target.device),
        place("skip", target.size)
    );
    let output =
        guest.shell.run(&command, within(session)).await.map_err(|error| trouble::console(&error))?;
    Ok(output.status == 0)
}

/// The last whole 4096 bytes, in words of `dd`.
fn place(word: &str, size: u64) -> String {
    // Only a medium with sectors of 512 bytes has another length than a multiple of 4096.
    let unit = if size.is_multiple_of(HEADER) { HEADER } else { 512 };
    let count = HEADER / unit;
    format!("bs={unit} {word}={} count={count}", size / unit - count)
}

fn within(session: Session<'_>) -> Duration {
    seconds(session.flasher.config.timeouts.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_last_4096_bytes() {
        assert_eq!(place("skip", 16 << 20), "bs=4096 skip=4095 count=1");
        assert_eq!(place("seek", 4096), "bs=4096 seek=0 count=1");
        assert_eq!(place("skip", (16 << 20) + 512), "bs=512 skip=32761 count=8");
    }
}
