//! What is on the medium, read around every cache; how is noted on the receipt.

use std::collections::BTreeMap;

use disk_image::Digest;
use flasher_core::Result;

use crate::access::{Broken, Incoming, MediumAccess, ReadEvidence, Stretch, Target, Wanted, take_into};
use crate::job::Session;

/// Digests of the wanted ranges as the medium holds them, all of them.
pub(crate) async fn digests(
    session: Session<'_>,
    target: &Target,
    wanted: Wanted<'_>,
    access: &mut dyn MediumAccess,
) -> Result<BTreeMap<usize, Digest>> {
    let mut evidence = ReadEvidence::default();
    let read = access.digests(target, wanted, &mut evidence).await;
    session.run.record.medium(|medium| evidence.note(medium));
    read
}

/// The bytes of each of these stretches, which are few.
pub(crate) async fn stretches(
    session: Session<'_>,
    target: &Target,
    stretches: &[Stretch],
    access: &mut dyn MediumAccess,
) -> Result<Vec<Vec<u8>>> {
    if stretches.is_empty() {
        return Ok(Vec::new());
    }
    let bytes = bytes(session, target, stretches, collect, access).await?;
    let mut rest = bytes.as_slice();
    let cut = stretches.iter().map(|stretch| {
        let (part, after) = rest.split_at((stretch.length as usize).min(rest.len()));
        rest = after;
        part.to_vec()
    });
    Ok(cut.collect())
}

fn collect(mut incoming: Incoming) -> Result<Vec<u8>, Broken> {
    let mut bytes = Vec::new();
    while let Some(chunk) = incoming.next().map_err(Broken::Bytes)? {
        bytes.extend_from_slice(&chunk);
    }
    Ok(bytes)
}

/// What `take` makes of the bytes of these stretches, on a thread of its own.
pub(crate) async fn bytes<T: Send + 'static>(
    session: Session<'_>,
    target: &Target,
    stretches: &[Stretch],
    take: impl FnOnce(Incoming) -> Result<T, Broken> + Send + 'static,
    access: &mut dyn MediumAccess,
) -> Result<T> {
    let (take, taken) = take_into(take);
    let mut evidence = ReadEvidence::default();
    let read = access.read(target, stretches, take, &mut evidence).await;
    session.run.record.medium(|medium| evidence.note(medium));
    read?;
    taken.made()
}
