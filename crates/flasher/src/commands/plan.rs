//! `flasher plan`: what a flash would do, without touching anything.

use std::io;
use std::path::Path;

use flasher_core::tree::DriverTree;
use flasher_core::{CancellationToken, Error, Plan, Result};

use super::flash::args::FlashArgs;
use super::{driver_tree, remote};
use crate::args::remote::RemoteArgs;
use crate::failure::Failure;
use crate::job;
use crate::render::message::Message;
use crate::render::plan;
use crate::screen::Screen;

/// Prints the plan: of this machine, or of the exporter of `--remote`.
pub(super) async fn run(
    args: &FlashArgs,
    exporter: Option<&Path>,
    remote: &RemoteArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    if args.detach {
        return Err(Error::config("`--detach` has no effect on a plan").help("leave it out").into());
    }
    let planned = match remote.is_elsewhere() {
        true => remote::plan(args, remote, screen).await,
        false => {
            let tree = driver_tree::load(exporter)?;
            let planned = make(args, &tree, args.boards.one()).await;
            driver_tree::close(&tree, screen).await;
            planned
        }
    };
    show(planned?, screen)?;
    Ok(0)
}

/// Prints a plan.
pub(super) fn show(planned: Plan, screen: &Screen) -> io::Result<()> {
    let message = Message::Plan(Box::new(planned));
    let Message::Plan(planned) = &message else { return Ok(()) };
    screen.show(&message, |paint| plan::plan(planned, paint))
}

/// The plan of a board of this machine.
///
/// # Errors
/// Everything that can be found out without touching the board.
pub(super) async fn make(args: &FlashArgs, tree: &DriverTree, device: Option<&str>) -> Result<Plan> {
    let job = job::flash_job(args, CancellationToken::new())?;
    let flasher = tree.flasher(device)?;
    if let Some(variant) = &args.variant {
        flasher.required_bundle()?.use_variant(Some(variant.clone())).await?;
    }
    flasher.plan(job).await
}
