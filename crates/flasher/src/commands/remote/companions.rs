//! What is beside an image that goes to an exporter, and goes along with it: its digest and its block map.

use std::sync::Arc;

use disk_image::{Companions, Secret, SourceOptions};
use exporter_grpc::OrderedBlockMap;
use flasher_core::source::BlockMapChoice;
use flasher_core::{Error, Event, FlashJob, Progress, Result};

use super::source::refuse_other;
use crate::image_error::image_error;

/// What of an order comes from files beside the image, or from files that were named.
pub(super) struct Beside {
    /// The digest that the image must have, 64 hex digits.
    pub(super) sha256: Option<String>,
    pub(super) block_map: Option<OrderedBlockMap>,
}

/// Reads what is beside the image of `job`, on this machine, and says what was found.
///
/// # Errors
/// The image is none that an exporter takes; what is beside it cannot be used.
pub(super) async fn of(job: &FlashJob, progress: &Arc<dyn Progress>) -> Result<Beside> {
    refuse_other(&job.image)?;
    let found = disk_image::companions(&job.image, &options(job)).await.map_err(image_error)?;
    let Companions { sha256, checksums, block_map, .. } = found;
    if let Some(list) = checksums {
        let message = format!("`{list}` says which digest the image must have");
        progress.report(Event::Note { message });
    }
    let block_map = match (block_map, &job.source.block_map) {
        (Some(map), _) => {
            let message = format!("`{}` says what of the image need not be written", map.label);
            progress.report(Event::Note { message });
            Some(ordered(map)?)
        }
        (None, BlockMapChoice::Off) => Some(OrderedBlockMap::Off),
        (None, _) => None,
    };
    // One that was given was not looked for, and goes along as it was typed.
    let sha256 = job.sha256.clone().or_else(|| sha256.map(|digest| digest.to_string()));
    Ok(Beside { sha256, block_map })
}

fn ordered(map: disk_image::BlockMapFile) -> Result<OrderedBlockMap> {
    let (length, longest) = (map.text.len(), OrderedBlockMap::LONGEST);
    if length > longest {
        let text = format!("the block map `{}` has {length} bytes, an exporter takes {longest}", map.label);
        return Err(Error::config(text)
            .help("flash on the exporter's machine, or write the whole image with `--no-bmap`"));
    }
    Ok(OrderedBlockMap::File { name: map.name, text: map.text })
}

fn options(job: &FlashJob) -> SourceOptions {
    SourceOptions {
        headers: job.headers.clone(),
        bearer: job.bearer.clone().map(Secret::new),
        insecure: job.insecure,
        checksums: job.source.checksums.clone(),
        checksums_beside: job.source.checksums_beside && job.sha256.is_none(),
        block_map: match job.source.block_map.clone() {
            BlockMapChoice::Beside => disk_image::BlockMapChoice::Beside,
            BlockMapChoice::Off => disk_image::BlockMapChoice::Off,
            BlockMapChoice::At(place) => disk_image::BlockMapChoice::At(place),
        },
        map_keyring: job.source.map_keyring.clone(),
        ..SourceOptions::default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_map_that_fits_into_no_order_is_refused() {
        let job = FlashJob::new("no-such-file");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let folder = tempfile::tempdir().unwrap();
        let (image, map) = (folder.path().join("os.img"), folder.path().join("os.bmap"));
        std::fs::write(&image, "image").unwrap();
        let blank = " ".repeat(2 << 20);
        let text = format!(
            "<bmap version=\"1.2\"><ImageSize>5</ImageSize><BlockSize>4096</BlockSize><BlocksCount>1</BlocksCount>\
             <MappedBlocksCount>1</MappedBlocksCount><BlockMap><Range>0</Range></BlockMap>{blank}</bmap>"
        );
        std::fs::write(&map, &text).unwrap();
        let job = FlashJob { image: image.to_str().unwrap().to_owned(), ..job };
        let progress: Arc<dyn Progress> = Arc::new(flasher_core::Quiet);
        let error = runtime.block_on(of(&job, &progress)).err().unwrap();
        let expected =
            format!("the block map `{}` has {} bytes, an exporter takes 2097152", map.display(), text.len());
        assert_eq!(error.cause(), expected);
    }
}
