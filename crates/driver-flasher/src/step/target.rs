//! Step 8: the target is one block device, known by its controller, or a partition on it: large enough and not in use.

pub(crate) mod backup;
mod sector;

use flasher_core::flash::{MediumFacts, MediumState};
use flasher_core::{Result, RootCause};

use super::keep;
use super::resolve::Resolved;
use crate::access::{MediumAccess, Target, must_fit};
use crate::job::Session;
use crate::opened::OpenedImage;

/// Where each image goes: all of them are found before the first is written.
pub(crate) async fn check(
    session: Session<'_>,
    resolved: &Resolved,
    images: &[OpenedImage],
    access: &mut dyn MediumAccess,
) -> Result<Vec<Target>> {
    let disk = disk(session, resolved, access).await?;
    let mut targets = Vec::new();
    for (index, opened) in images.iter().enumerate() {
        session.run.record.select(index);
        let mut target = look(session, resolved, &disk, opened.partition.as_deref(), access).await?;
        if let Some(length) = opened.image.decoded_length() {
            must_fit(length, target.size, &target.device)?;
        }
        sector::must_match(session, opened, &target.device, access).await?;
        target.old_table = backup::look(session, opened, &target, access).await?;
        keep::look(session, opened, &target, access).await?;
        targets.push(target);
    }
    session.run.record.select(0);
    if targets.len() > 1 {
        let devices: Vec<&str> = targets.iter().map(|target| target.device.as_str()).collect();
        access.must_be_apart(&devices).await?;
    }
    let prepare = resolved.preflash();
    let leaves_some = |opened: &OpenedImage| opened.partition.is_some() || !opened.keep.is_empty();
    match images.iter().any(leaves_some) {
        // Some wipe the partition table.
        true if !prepare.is_empty() => session.run.warn(
            "the manifest's preflash commands prepare a whole device and were not run, as partitions of it stay",
        ),
        true => {}
        false => preflash(session, prepare, access).await?,
    }
    Ok(targets)
}

/// The target of a job that reads.
pub(crate) async fn source(
    session: Session<'_>,
    resolved: &Resolved,
    partition: Option<&str>,
    access: &mut dyn MediumAccess,
) -> Result<Target> {
    let disk = disk(session, resolved, access).await?;
    look(session, resolved, &disk, partition, access).await
}

/// The device the job is about; its own commands are run before it is looked for.
async fn disk(session: Session<'_>, resolved: &Resolved, access: &mut dyn MediumAccess) -> Result<String> {
    preflash(session, &session.job.preflash, access).await?;
    access.disk(&resolved.device).await
}

/// The whole disk or a partition on it, with what the receipt says of it.
async fn look(
    session: Session<'_>,
    resolved: &Resolved,
    disk: &str,
    partition: Option<&str>,
    access: &mut dyn MediumAccess,
) -> Result<Target> {
    let device = match partition {
        None => disk.to_owned(),
        Some(label) => access.partition(disk, label).await?,
    };
    let via = access.abilities().via;
    let identity = access.identify(disk, &device).await?;
    session.run.record.set_medium(MediumFacts {
        target: resolved.target.clone(),
        via: Some(via),
        device: device.clone(),
        partition: partition.map(str::to_owned),
        disk: partition.map(|_| disk.to_owned()),
        size: identity.size,
        identity: identity.facts,
        verify: session.job.verify,
        ..MediumFacts::default()
    });
    Ok(Target { device, size: identity.size, direct: identity.direct, old_table: false })
}

/// Runs commands one after the other; the first that does not end with status 0 is named.
async fn preflash(session: Session<'_>, commands: &[String], access: &mut dyn MediumAccess) -> Result<()> {
    for command in commands {
        session.run.on_medium.leaves(MediumState::Prepared);
        let prepared = access.prepare(command, session.run.writes.permit()).await;
        prepared.map_err(|error| {
            error.with("preflash command", command.clone()).caused_by(RootCause::PreflashFailed)
        })?;
    }
    Ok(())
}
