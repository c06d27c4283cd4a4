//! The copy of an older GUID partition table at a medium's end: an image shorter than the medium leaves it there, and tools
//! may take it for the image's own.

use flasher_core::flash::{MediumState, OldTable};
use flasher_core::{Class, Error, Result};

use crate::access::{MediumAccess, TABLE_COPY, Target};
use crate::job::Session;
use crate::opened::OpenedImage;

/// Whether the medium's end has such a copy, and the image surely or perhaps leaves it there. It is reported when no option asked for
/// its removal.
pub(super) async fn look(
    session: Session<'_>,
    opened: &OpenedImage,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<bool> {
    let reaches = opened.image.decoded_length().is_some_and(|length| length + TABLE_COPY > target.size);
    if opened.partition.is_some()
        || reaches
        || target.size < TABLE_COPY
        || !access.has_table_copy(target).await?
    {
        return Ok(false);
    }
    session.run.record.medium(|medium| medium.old_table = Some(OldTable::Left));
    if !session.job.wipe_old_table {
        session.run.warn(format!(
            "`{}` has the copy of an older partition table (GPT) at its end, and where the image does not reach it, tools may take it for the image's own; `--wipe-old-table` removes it",
            target.device
        ));
    }
    Ok(true)
}

/// Removes the copy, before the image is written: what the image has there comes afterwards.
pub(crate) async fn wipe(session: Session<'_>, target: &Target, access: &mut dyn MediumAccess) -> Result<()> {
    if !target.old_table || !session.job.wipe_old_table {
        return Ok(());
    }
    session.run.on_medium.leaves(MediumState::Prepared);
    access.wipe_table_copy(target, session.run.writes.permit()).await?;
    if access.has_table_copy(target).await? {
        return Err(Error::new(
            Class::Medium,
            format!(
                "the old partition table at the end of `{}` is still there after zeros were written over it",
                target.device
            ),
        )
        .help("the medium does not keep what is written; replace it"));
    }
    session.run.record.medium(|medium| medium.old_table = Some(OldTable::Wiped));
    session.run.note(format!("the old partition table at the end of {} is removed", target.device));
    Ok(())
}
