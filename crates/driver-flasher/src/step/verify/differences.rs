//! Where a medium differs from the image, and whether what it shows there was written somewhere else.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};

use disk_image::Extent;

/// What is compared with the whole image, bytes: no block device has smaller sectors.
const SECTOR: usize = 512;
/// So much is one place, bytes: what differs is counted in these too.
const PAGE: usize = 4096;
/// Bytes of each side that are shown.
const SHOWN: usize = 8;
/// A medium that is known to hold less than this is simply broken, bytes.
const SMALLEST: u64 = 1 << 20;
/// So many equal sectors are remembered for one page: images repeat themselves.
const REMEMBERED: usize = 8;

/// Bytes of the medium, in one stretch.
#[derive(Debug)]
pub(super) struct MediumBytes {
    /// Where it begins on the medium, bytes.
    pub(super) offset: u64,
    /// What the medium has there.
    pub(super) bytes: Vec<u8>,
}

/// The first difference, and how many there are in the first stretch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct First {
    /// The first byte that differs.
    pub(super) offset: u64,
    /// How many bytes of the first stretch differ.
    pub(super) count: u64,
    /// What the image has from there on, a few bytes.
    pub(super) expected: Vec<u8>,
    /// What the medium has there.
    pub(super) read: Vec<u8>,
}

/// What the differences say of the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Cause {
    /// It shows at `at` what was written at `from`: it holds no more than `held` bytes.
    Wraps { held: u64, at: u64, from: u64 },
    /// It shows at `at` what was written at `from` of another image of the same job.
    Shares { image: usize, at: u64, from: u64 },
    /// Nothing that was written from `held` on is there.
    Drops { held: u64 },
}

impl Cause {
    /// Bytes that the medium holds, when this says.
    pub(super) fn held(&self) -> Option<u64> {
        match self {
            Self::Wraps { held, .. } | Self::Drops { held } => Some(*held),
            Self::Shares { .. } => None,
        }
    }
}

/// A place in an image: which of the job's images, and the byte.
type ImageByte = (usize, u64);

/// A page of the medium that is looked for in the images.
struct Page {
    offset: u64,
    differs: bool,
    /// Where the first of its sectors that says anything is found.
    found: Vec<ImageByte>,
}

/// Compares stretches of one image's medium with that image, and looks for them in all images of the job.
pub(super) struct Differences {
    image: usize,
    stretches: Vec<MediumBytes>,
    first: Option<First>,
    pages: BTreeMap<u64, Page>,
    /// The pages by the hash of a sector of theirs, and where in the page the sector begins.
    sectors: HashMap<u64, Vec<(u64, usize)>>,
}

impl Differences {
    /// `stretches` are of the medium of the job's image number `image`; the first one is compared byte by byte.
    pub(super) fn new(image: usize, stretches: Vec<MediumBytes>) -> Self {
        let (mut pages, mut sectors) = (BTreeMap::new(), HashMap::<u64, Vec<_>>::new());
        for stretch in &stretches {
            for (index, bytes) in stretch.bytes.chunks(PAGE).enumerate() {
                let offset = stretch.offset + (index * PAGE) as u64;
                pages.entry(offset).or_insert(Page { offset, differs: false, found: Vec::new() });
                let mut parts = bytes.chunks_exact(SECTOR).enumerate();
                if let Some((at, sector)) = parts.find(|(_, sector)| says_anything(sector)) {
                    sectors.entry(hash(sector)).or_default().push((offset, at * SECTOR));
                }
            }
        }
        Self { image, stretches, first: None, pages, sectors }
    }

    /// Takes the next extent of the job's image number `image`, as it should be on its medium.
    pub(super) fn take(&mut self, image: usize, extent: &Extent) {
        match extent {
            Extent::Data { offset, bytes } => {
                self.find(image, *offset, bytes);
                self.compare(image, *offset, bytes.len() as u64, |at| bytes[at as usize]);
            }
            Extent::Zero { offset, length } => self.compare(image, *offset, *length, |_| 0),
            Extent::Unmapped { .. } => {}
        }
    }

    fn find(&mut self, image: usize, offset: u64, bytes: &[u8]) {
        let skip = (offset.next_multiple_of(SECTOR as u64) - offset) as usize;
        for (index, sector) in bytes.get(skip..).unwrap_or_default().chunks_exact(SECTOR).enumerate() {
            let Some(pages) = self.sectors.get(&hash(sector)) else { continue };
            let from = offset + (skip + index * SECTOR) as u64;
            for (page, within) in pages {
                let Some(page) = self.pages.get_mut(page) else { continue };
                if page.found.len() < REMEMBERED {
                    page.found.push((image, from.saturating_sub(*within as u64)));
                }
            }
        }
    }

    fn compare(&mut self, image: usize, offset: u64, length: u64, expected: impl Fn(u64) -> u8) {
        if image != self.image {
            return;
        }
        for (index, stretch) in self.stretches.iter().enumerate() {
            let from = stretch.offset.max(offset);
            let to = (stretch.offset + stretch.bytes.len() as u64).min(offset + length);
            for at in from..to {
                let (should, is) = (expected(at - offset), stretch.bytes[(at - stretch.offset) as usize]);
                if should == is {
                    continue;
                }
                let page = stretch.offset + (at - stretch.offset) / PAGE as u64 * PAGE as u64;
                self.pages.entry(page).and_modify(|page| page.differs = true);
                if index == 0 {
                    let first = self.first.get_or_insert_with(|| First { offset: at, ..First::default() });
                    first.count += 1;
                }
            }
            note_first(self.first.as_mut().filter(|_| index == 0), stretch, (from, to), |at| {
                expected(at - offset)
            });
        }
    }

    /// The first difference; none when the medium shows now what it should.
    pub(super) fn first(&self) -> Option<&First> {
        self.first.as_ref()
    }

    /// What the differences say of the medium, if they say it clearly. `to_the_end` tells that nothing that was compared
    /// elsewhere behind the first stretch was right.
    pub(super) fn cause(&self, to_the_end: bool) -> Option<Cause> {
        let differing: Vec<&Page> = self.pages.values().filter(|page| page.differs).collect();
        self.shares(&differing).or_else(|| self.wraps(&differing)).or_else(|| self.drops(to_the_end))
    }

    fn shares(&self, differing: &[&Page]) -> Option<Cause> {
        let elsewhere = |page: &&Page| {
            let found = page.found.iter().find(|(image, _)| *image != self.image);
            found.map(|(image, from)| Cause::Shares { image: *image, at: page.offset, from: *from })
        };
        let mut found = differing.iter().filter_map(elsewhere);
        let first = found.next();
        first.filter(|_| 2 * (found.count() + 1) > differing.len())
    }

    /// The shortest distance at which most of what differs was written.
    fn wraps(&self, differing: &[&Page]) -> Option<Cause> {
        let mut votes = BTreeMap::<u64, (usize, u64, u64)>::new();
        for page in differing {
            for (image, from) in &page.found {
                let distance = page.offset.abs_diff(*from);
                if *image == self.image && distance >= SMALLEST {
                    votes.entry(distance).or_insert((0, page.offset, *from)).0 += 1;
                }
            }
        }
        let with_multiples = |held: u64| -> usize {
            votes
                .iter()
                .filter(|(distance, _)| distance.is_multiple_of(held))
                .map(|(_, (count, ..))| count)
                .sum()
        };
        let enough = |held: &u64| 2 * with_multiples(*held) > differing.len() && with_multiples(*held) > 1;
        let held = votes.keys().copied().find(enough)?;
        votes.get(&held).map(|(_, at, from)| Cause::Wraps { held, at: *at, from: *from })
    }

    fn drops(&self, to_the_end: bool) -> Option<Cause> {
        let held = self.first.as_ref()?.offset / SECTOR as u64 * SECTOR as u64;
        let behind = || self.pages.range(held.next_multiple_of(PAGE as u64)..).map(|(_, page)| page);
        let all = to_the_end && behind().count() > 1 && behind().all(|page| page.differs);
        (all && held >= SMALLEST).then_some(Cause::Drops { held })
    }
}

/// Adds what both sides have from the first difference on, as far as this part of the stretch goes.
fn note_first(
    first: Option<&mut First>,
    stretch: &MediumBytes,
    (from, to): (u64, u64),
    expected: impl Fn(u64) -> u8,
) {
    let Some(first) = first else { return };
    let next = first.offset + first.expected.len() as u64;
    if next < from {
        return;
    }
    for at in (next..to).take(SHOWN - first.expected.len().min(SHOWN)) {
        first.expected.push(expected(at));
        first.read.push(stretch.bytes[(at - stretch.offset) as usize]);
    }
}

/// Whether a sector is more than one byte over and over: those are everywhere.
fn says_anything(sector: &[u8]) -> bool {
    sector.iter().any(|byte| *byte != sector[0])
}

fn hash(sector: &[u8]) -> u64 {
    let mut hasher = DefaultHasher::new();
    sector.hash(&mut hasher);
    hasher.finish()
}

#[cfg(test)]
mod tests;
