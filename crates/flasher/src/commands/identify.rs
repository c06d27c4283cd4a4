//! `flasher identify`: what a medium holds, without writing a byte.

use std::path::Path;

use clap::Args as ClapArgs;
use flasher_core::{IdentifyJob, Result};

use super::board_job::{self, Request, Work};
use super::flash::args::way::ViaChoice;
use crate::args::job::JobArgs;
use crate::args::node::NodeArgs;
use crate::args::python::PythonOption;
use crate::failure::Failure;
use crate::screen::Screen;
use crate::signals::Signals;

/// What `identify` takes.
#[derive(ClapArgs)]
pub(crate) struct IdentifyArgs {
    /// Compare with this image alone, a file or a URL, instead of with the images of the ledger
    #[arg(long, value_name = "IMAGE")]
    pub(crate) image: Option<String>,
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
    pub(crate) node: NodeArgs,
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
    let request = Request {
        job: Work::Identify(Box::new(job(args))),
        python: python.clone(),
        device: args.node.device.clone(),
        variant: args.variant.clone(),
        receipt: args.job.receipt.clone(),
        ledger: args.job.ledger,
        signals,
        within: None,
    };
    Ok(board_job::execute(request, exporter, screen).await?.1)
}

fn job(args: &IdentifyArgs) -> IdentifyJob {
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
