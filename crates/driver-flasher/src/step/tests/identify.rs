//! Media out of known images, changed in many ways: the image is named, how much of it is there, and nothing is written.

use std::sync::Arc;

use disk_image::Digest;
use flasher_core::flash::{JobKind, RangeKind};
use flasher_core::identify::{Identification, IdentifyJob, KnownImage, KnownRange};
use flasher_core::{FlashJob, Quiet};

use super::flasher;
use super::memory::Memory;
use crate::access::Target;
use crate::job::{Purpose, Run, Session};
use crate::step::identify;

/// Bytes of a range, and ranges of an image, of which every fifth is zeros.
const PART: usize = 4096;
const PARTS: usize = 20;
const SIZE: usize = PART * (PARTS + 8);
const IMAGES: u64 = 50;
const MEDIA: u64 = 200;

/// Numbers that look random and are the same every time.
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, limit: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % limit as u64) as usize
    }

    fn part(&mut self) -> Vec<u8> {
        (0..PART).map(|_| self.below(256) as u8).collect()
    }
}

/// Version `index % 10` of a family of images, which differs from the others of it in a few ranges.
fn image(index: u64) -> Vec<Vec<u8>> {
    let (mut family, mut version) = (Numbers(1 + index / 10), Numbers(1000 + index));
    let part = |at: usize, numbers: &mut Numbers| if at % 5 == 4 { vec![0; PART] } else { numbers.part() };
    let mut parts: Vec<Vec<u8>> = (0..PARTS).map(|at| part(at, &mut family)).collect();
    for _ in 0..3 {
        let at = version.below(PARTS);
        parts[at] = part(at, &mut version);
    }
    parts
}

fn known(index: u64, parts: &[Vec<u8>]) -> KnownImage {
    let range = |(at, bytes): (usize, &Vec<u8>)| KnownRange {
        offset: (at * PART) as u64,
        length: PART as u64,
        kind: if bytes.iter().all(|byte| *byte == 0) { RangeKind::Zero } else { RangeKind::Data },
        sha256: Digest::of(bytes).to_string(),
    };
    let ranges = parts.iter().enumerate().map(range).collect();
    let sha256 = Digest::of(parts.concat()).to_string();
    KnownImage { name: format!("image {index}"), sha256, length: (PART * PARTS) as u64, ranges }
}

/// A medium with an image that was changed as `seed` says.
fn medium(seed: u64, images: &[Vec<Vec<u8>>]) -> Vec<u8> {
    let mut numbers = Numbers(seed * 77 + 1);
    let mut parts = images[numbers.below(images.len())].clone();
    let (one, other) = (numbers.below(PARTS), numbers.below(PARTS));
    match seed % 6 {
        0 => {}
        1 => parts[one][other] ^= 1,
        2 => parts.swap(one, other),
        3 => parts[0] = numbers.part(),
        4 => parts.truncate(one.max(4)),
        _ => {
            let stale = &images[numbers.below(images.len())];
            parts[PARTS - 1 - one / 2..].clone_from_slice(&stale[PARTS - 1 - one / 2..]);
        }
    }
    let mut bytes = parts.concat();
    bytes.resize(SIZE, 0xa5);
    bytes
}

/// Bytes of data of an image that a medium holds.
fn held(medium: &[u8], parts: &[Vec<u8>]) -> usize {
    let is_there = |(at, bytes): &(usize, &Vec<u8>)| {
        bytes.iter().any(|byte| *byte != 0) && medium[at * PART..][..PART] == **bytes
    };
    parts.iter().enumerate().filter(is_there).count() * PART
}

async fn look(medium: Vec<u8>, known: &[KnownImage]) -> (Identification, Memory) {
    let (flasher, job, looked) = (flasher(), FlashJob::new(""), IdentifyJob::default());
    let run = Run::new(JobKind::Identify, &job, Arc::new(Quiet));
    let session = Session { flasher: &flasher, job: &job, run: &run, purpose: Purpose::Identify(&looked) };
    let mut memory = Memory::new(SIZE, (0, 0));
    memory.bytes = medium;
    let target = Target { device: "/dev/x".to_owned(), size: SIZE as u64, direct: true, old_table: false };
    let found = identify::medium(session, &target, (None, known), &mut memory).await.unwrap();
    (found, memory)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_image_that_most_is_there_of_is_named() {
    let images: Vec<Vec<Vec<u8>>> = (0..IMAGES).map(image).collect();
    let known: Vec<KnownImage> = (0..).zip(&images).map(|(index, parts)| known(index, parts)).collect();
    let mut whole = 0;
    for seed in 0..MEDIA {
        let bytes = medium(seed, &images);
        let most = images.iter().map(|parts| held(&bytes, parts)).max().unwrap_or_default();
        let (found, memory) = look(bytes.clone(), &known).await;
        assert!(memory.done.is_empty() && memory.bytes == bytes, "{seed}: something was written");
        let named = found.image.as_ref().unwrap_or_else(|| panic!("{seed}: unknown"));
        let index: usize = named.name.trim_start_matches("image ").parse().unwrap();
        assert_eq!(held(&bytes, &images[index]), most, "{seed}: {named:?}");
        let is_there = bytes.starts_with(&images[index].concat());
        assert_eq!(named.is_whole(), is_there, "{seed}: {named:?}");
        assert_eq!(named.differs_from.is_none(), is_there, "{seed}: {named:?}");
        whole += u32::from(is_there);
    }
    assert!(whole as u64 > MEDIA / 10, "{whole} of them were whole");
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_of_no_image_is_unknown() {
    let known: Vec<KnownImage> = (0..4).map(|index| known(index, &image(index))).collect();
    let mut numbers = Numbers(5);
    for bytes in [vec![0; SIZE], vec![0xff; SIZE], (0..SIZE).map(|_| numbers.below(256) as u8).collect()] {
        let (found, _) = look(bytes, &known).await;
        assert_eq!((found.image, found.known_images), (None, 4));
    }
    let (found, _) = look(vec![0; SIZE], &[]).await;
    assert_eq!((found.image, found.known_images, found.content.as_str()), (None, 0, "zeros"));
}
