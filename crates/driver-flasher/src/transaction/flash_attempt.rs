//! One attempt of a flash: its steps in their order, each taking what the steps before it produced.

use std::time::Duration;

use flasher_core::flash::{MediumState, Verify};
use flasher_core::{Result, Step};

use super::boot::boot;
use super::bound;
use crate::access::{MediumAccess, Target};
use crate::job::{Proof, Session};
use crate::opened::OpenedImage;
use crate::step::compare::Comparison;
use crate::step::resolve::Resolved;
use crate::step::write::Put;
use crate::step::{commit, compare, finish, image, plan, resolve, target, verify, write};

/// What touches nothing, and then the rest within its time.
pub(super) async fn run(session: Session<'_>) -> Result<Vec<Proof>> {
    let run = session.run;
    let resolved = run.step(Step::Resolve, resolve::run(session)).await?;
    let mut images = run.step(Step::Image, image::open(session)).await?;
    run.step(Step::Plan, async { plan::run(session, &resolved) }).await?;
    if let Some(first) = images.first_mut().filter(|_| !session.job.direct) {
        match compare::choose(session, &first.image) {
            // What the medium holds of it is known before any of it is fetched.
            compare::Choice::Missing => {}
            choice if choice.needs_survey() => first.begin_survey(resolved.via()),
            _ => first.begin(),
        }
    }
    let Some(longest) = attempt_bound(session, &images) else {
        return carry_out(session, &resolved, images).await;
    };
    let carried_out = tokio::time::timeout(longest, carry_out(session, &resolved, images)).await;
    carried_out.unwrap_or_else(|_| Err(bound::attempt_too_long(longest, run.record.step_now())))
}

/// From power on to the proofs.
async fn carry_out(
    session: Session<'_>,
    resolved: &Resolved,
    mut images: Vec<OpenedImage>,
) -> Result<Vec<Proof>> {
    let run = session.run;
    let ready = async {
        let mut access = boot(session, resolved).await?;
        let targets = target::check(session, resolved, &images, access.as_mut());
        Ok((run.step(Step::Target, targets).await?, access))
    };
    let (targets, mut access) = match ready.await {
        Ok(ready) => ready,
        Err(error) => {
            run.leave_open(images);
            return Err(error);
        }
    };
    let comparing = compare::all(session, &mut images, &targets, access.as_mut());
    let held = run.step(Step::Compare, comparing).await?;
    let mut puts = Vec::new();
    for (index, ((opened, target), held)) in images.iter_mut().zip(&targets).zip(held).enumerate() {
        run.record.select(index);
        puts.push(put(session, resolved, opened, (target, held), access.as_mut()).await?);
    }
    run.on_medium.leaves(MediumState::NotProven);
    let proofs = run.step(Step::Verify, verify::all(session, &puts, access.as_mut())).await?;
    if session.job.verify == Verify::Full {
        run.on_medium.leaves(MediumState::Proven);
    }
    run.step(Step::Finish, finish::boot_check(session, resolved, access)).await?;
    Ok(proofs)
}

/// Puts one image where it belongs, whole.
async fn put<'p>(
    session: Session<'_>,
    resolved: &Resolved,
    opened: &'p mut OpenedImage,
    (target, held): (&'p Target, Option<Comparison>),
    access: &mut dyn MediumAccess,
) -> Result<Put<'p>> {
    let run = session.run;
    if let Some(label) = &opened.partition {
        run.note(format!("{} goes to the partition `{label}`, {}", opened.image.label(), target.device));
    }
    let write = write::all(session, resolved, opened, (target, held), access);
    let written = run.step(Step::Write, write).await.map_err(|error| opened.about(error))?;
    let commit = async {
        match written.is_unchanged {
            true => Ok(()),
            false => commit::first_block(session, target, &written, access).await,
        }
    };
    run.step(Step::Commit, commit).await.map_err(|error| opened.about(error))?;
    if !written.is_unchanged {
        // Of several images only some are there: no single place says how far.
        run.on_medium.leaves(MediumState::PartlyWritten { to: 0 });
    }
    Ok(Put { opened, target, written })
}

/// The longest time an attempt may take, of a job that has no deadline of its own.
pub(super) fn attempt_bound(session: Session<'_>, images: &[OpenedImage]) -> Option<Duration> {
    let lengths = images.iter().map(|opened| opened.image.decoded_length());
    session.job.deadline.is_none().then(|| bound::longest(&session.flasher.config.timeouts, lengths))
}
