//! `flasher plan`: what a flash would do, without touching anything.

use flasher_core::tree::DeviceTree;
use flasher_core::{CancellationToken, Error, Plan, Result};

use super::driver_tree;
use super::flash::args::FlashArgs;
use crate::failure::Failure;
use crate::job;
use crate::render::message::Message;
use crate::render::plan;
use crate::screen::Screen;

/// Prints the plan.
pub(super) async fn run(args: &FlashArgs, tree: DeviceTree, screen: &Screen) -> Result<u8, Failure> {
    if args.detach {
        return Err(Error::config("`--detach` has no effect on a plan").help("leave it out").into());
    }
    let planned = make(args, &tree).await;
    driver_tree::close(&tree, screen).await;
    let message = Message::Plan(Box::new(planned?));
    let Message::Plan(planned) = &message else { return Ok(0) };
    screen.show(&message, |paint| plan::plan(planned, paint))?;
    Ok(0)
}

async fn make(args: &FlashArgs, tree: &DeviceTree) -> Result<Plan> {
    let job = job::flash_job(args, CancellationToken::new())?;
    let flasher = tree.flasher(args.node.device.as_deref())?;
    if let Some(variant) = &args.variant {
        flasher.required_bundle()?.use_variant(Some(variant.clone())).await?;
    }
    flasher.plan(job).await
}
