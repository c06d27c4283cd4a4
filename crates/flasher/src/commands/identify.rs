//! `flasher identify`: what a medium holds, without writing a byte.

use std::path::{Path, PathBuf};

use clap::Args as ClapArgs;
use disk_image::{Cache, CachedImage};
use flasher_core::flash::RangeKind;
use flasher_core::identify::{KnownImage, KnownRange};
use flasher_core::{Class, Error, IdentifyJob, Result};

use super::board_job::{self, Request, Work};
use super::flash::args::source::users_cache;
use super::flash::args::way::ViaChoice;
use crate::args::job::JobArgs;
use crate::args::node::{BoardsArgs, SeveralArgs};
use crate::args::python::PythonOption;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::signals::Signals;

/// Images of the cache that a medium is compared with, at most.
const KNOWN: usize = 200;

/// What `identify` takes.
#[derive(ClapArgs)]
pub(crate) struct IdentifyArgs {
    /// Compare with this image alone, a file or a URL, instead of with the images of the ledger and the cache
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
    /// Folder in which decoded images are kept [default: flasher/images in the user's cache folder]
    #[arg(long, value_name = "DIR", env = "FLASHER_CACHE_DIR", conflicts_with = "image")]
    pub(crate) cache_dir: Option<PathBuf>,
    /// Target of the manifest; its default when not given
    #[arg(long, value_name = "NAME")]
    pub(crate) target: Option<String>,
    /// How the medium is reached [default: what the config says, else `auto`]
    #[arg(long, value_enum, value_name = "WAY")]
    pub(crate) via: Option<ViaChoice>,
    /// Only the partition on the target with this label
    #[arg(short = 't', long, value_name = "LABEL")]
    pub(crate) partition: Option<String>,
    #[command(flatten)]
    pub(crate) boards: BoardsArgs,
    #[command(flatten)]
    pub(crate) several: SeveralArgs,
    /// Device-tree variant of the bundle
    #[arg(long, value_name = "NAME")]
    pub(crate) variant: Option<String>,
    #[command(flatten)]
    pub(crate) job: JobArgs,
}

/// Looks at the medium; the exit code is the receipt's.
pub(super) async fn run(
    args: &IdentifyArgs,
    exporter: Option<&Path>,
    python: &PythonOption,
    screen: &Screen,
) -> Result<u8, Failure> {
    let signals = Signals::install()?;
    let mut job = job(args);
    job.known = known_images(args).await?;
    let request = Request {
        job: Work::Identify(Box::new(job)),
        python: python.clone(),
        device: args.boards.one().map(str::to_owned),
        variant: args.variant.clone(),
        receipt: args.job.receipt.clone(),
        ledger: args.job.ledger,
        signals,
        within: None,
    };
    Ok(board_job::execute(request, exporter, screen).await?.1)
}

/// The images of the cache that a medium is compared with; none when one image is named.
///
/// # Errors
/// When a worker thread broke.
pub(super) async fn known_images(args: &IdentifyArgs) -> Result<Vec<KnownImage>> {
    match args.image {
        Some(_) => Ok(Vec::new()),
        None => cached(args.cache_dir.clone().or_else(users_cache)).await,
    }
}

/// The images in this folder of decoded ones.
async fn cached(folder: Option<PathBuf>) -> Result<Vec<KnownImage>> {
    let Some(folder) = folder else { return Ok(Vec::new()) };
    let images = tokio::task::spawn_blocking(move || Cache { folder, limit: 0 }.images()).await;
    let images = images
        .map_err(|ended| Error::new(Class::Internal, "a worker thread ended unexpectedly").because(ended))?;
    Ok(images.into_iter().take(KNOWN).map(known).collect())
}

fn known(image: CachedImage) -> KnownImage {
    let range = |range: &disk_image::Range| KnownRange {
        offset: range.offset,
        length: range.length,
        kind: match range.kind {
            disk_image::RangeKind::Data => RangeKind::Data,
            disk_image::RangeKind::Zero => RangeKind::Zero,
            disk_image::RangeKind::Unmapped => RangeKind::Unmapped,
        },
        sha256: range.sha256.to_string(),
    };
    KnownImage {
        name: image.name,
        sha256: image.sha256.to_string(),
        length: image.length,
        ranges: image.ranges.iter().map(range).collect(),
    }
}

/// The job that `args` ask for, with no image known yet.
pub(super) fn job(args: &IdentifyArgs) -> IdentifyJob {
    IdentifyJob {
        image: args.image.clone(),
        target: args.target.clone(),
        via: args.via.map(Into::into),
        partition: args.partition.clone(),
        retries: args.job.retries,
        deadline: args.job.deadline,
        power_off: !args.job.no_power_off,
        transcript: args.job.transcript.clone(),
        ..IdentifyJob::default()
    }
}
