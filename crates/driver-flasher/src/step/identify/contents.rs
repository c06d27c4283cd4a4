//! What the first bytes of a medium and of its partitions are, and which partitions are as an image has them.

use disk_image::{Partition, Range};
use flasher_core::Result;
use flasher_core::identify::{FoundPartition, Identification};

use super::known::{Candidate, Readings};
use super::system;
use crate::access::{MediumAccess, Stretch, Target};
use crate::job::Session;
use crate::step::read_back;

/// Partitions that are listed at most: as many as a GPT has room for by default (UEFI 2.10, 5.3.2).
const PARTITIONS: usize = 128;
/// File systems in which a system is looked for.
const SYSTEMS: usize = 8;
/// Partitions whose first bytes are looked at.
const LOOKED_AT: usize = 32;

/// Reads the beginning of the medium and of its partitions, where it can be sent here.
pub(super) async fn of(
    session: Session<'_>,
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Identification> {
    if !access.abilities().sends {
        session.run.note("the boot loader cannot send bytes of the medium: its partitions are not listed");
        return Ok(Identification { content: "not looked at".to_owned(), ..Identification::default() });
    }
    let look = |offset, length| Stretch { offset, length: (disk_image::LOOK as u64).min(length) };
    let head = read_back::stretches(session, target, &[look(0, target.size)], access).await?.concat();
    let fits = |part: &Partition| part.offset.checked_add(part.length).is_some_and(|end| end <= target.size);
    let partitions: Vec<Partition> =
        disk_image::partitions(&head).into_iter().filter(fits).take(PARTITIONS).collect();
    let looks: Vec<Stretch> =
        partitions.iter().take(LOOKED_AT).map(|part| look(part.offset, part.length)).collect();
    let heads = read_back::stretches(session, target, &looks, access).await?;
    let content = disk_image::content_of(&head).to_string();
    let whole = Some((0, target.size)).filter(|_| partitions.is_empty() && system::can_be_read(&head));
    let mut found = Identification { content, ..Identification::default() };
    if let Some(place) = whole {
        found.system = system::of(session, place, target, access).await?;
    }
    let mut left = SYSTEMS;
    for (index, part) in partitions.into_iter().enumerate() {
        let (head, place) = (heads.get(index).map(Vec::as_slice), (part.offset, part.length));
        let mut part = partition(part, head);
        if left > 0 && head.is_some_and(system::can_be_read) {
            left -= 1;
            part.system = system::of(session, place, target, access).await?;
        }
        found.partitions.push(part);
    }
    Ok(found)
}

fn partition(part: Partition, head: Option<&[u8]>) -> FoundPartition {
    let Partition { number, label, offset, length } = part;
    let content = head.map(|head| disk_image::content_of(head).to_string());
    FoundPartition { number, label, offset, length, content, ..FoundPartition::default() }
}

/// Notes of each partition whether it is as the image has it. A range that two partitions share and that differs says nothing of
/// either.
pub(super) fn compare_partitions(
    partitions: &mut [FoundPartition],
    image: &Candidate<'_>,
    readings: &Readings<'_>,
) {
    for part in partitions {
        let end = part.offset + part.length;
        let ends_in = |range: &&Range| range.offset < end && part.offset < range.offset + range.length;
        let counted: Vec<&Range> = image.counted().filter(ends_in).collect();
        let differing: Vec<&&Range> = counted.iter().filter(|range| !readings.is_equal(range)).collect();
        let is_inside = |range: &&Range| part.offset <= range.offset && range.offset + range.length <= end;
        part.is_equal = match differing.iter().any(|range| is_inside(range)) {
            _ if counted.is_empty() => None,
            true => Some(false),
            false if differing.is_empty() => Some(true),
            false => None,
        };
        part.differs_from = differing.first().map(|range| range.offset.max(part.offset));
    }
}
