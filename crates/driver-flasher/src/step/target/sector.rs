//! A GUID partition table counts in sectors: it is of use only on a medium with sectors of the same size.

use disk_image::{ImageContent, PartitionTable};
use flasher_core::flash::FormatChoice;
use flasher_core::{Class, Error, Result};

use crate::access::MediumAccess;
use crate::job::Session;
use crate::opened::OpenedImage;

/// Refuses a table for sectors of another size than the device has. A board that does not tell the size is believed to fit.
pub(super) async fn must_match(
    session: Session<'_>,
    opened: &OpenedImage,
    device: &str,
    access: &mut dyn MediumAccess,
) -> Result<()> {
    let Some(ImageContent::Table(PartitionTable { sector: Some(wanted), .. })) = opened.image.content()
    else {
        return Ok(());
    };
    if opened.partition.is_some() || session.job.format == FormatChoice::Raw {
        return Ok(());
    }
    match access.sector_size(device).await? {
        Some(found) => check(wanted, found, device),
        None => Ok(()),
    }
}

fn check(wanted: u64, found: u64, device: &str) -> Result<()> {
    if wanted == found {
        return Ok(());
    }
    Err(Error::new(
        Class::Source,
        format!("the image's partition table counts in sectors of {wanted} bytes, `{device}` has sectors of {found}"),
    )
    .help(format!("build the image for sectors of {found} bytes (`sfdisk --sector-size {found}`), or take another medium")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_table_of_other_sectors_is_refused_both_ways() {
        for (wanted, found, refused) in
            [(512, 512, false), (4096, 4096, false), (512, 4096, true), (4096, 512, true)]
        {
            let outcome = check(wanted, found, "/dev/sda").map_err(|error| error.to_string());
            let told = format!(
                "the image's partition table counts in sectors of {wanted} bytes, `/dev/sda` has sectors of {found}"
            );
            assert_eq!(outcome, if refused { Err(told) } else { Ok(()) });
        }
    }
}
