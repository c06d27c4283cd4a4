//! Bytes of images and media, packed by the tools of this machine and damaged.

use std::io::Write as _;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result};
use fastrand::Rng;

use crate::case::{Case, Damage, MEDIUM, Old};

/// What a captive portal says.
pub(crate) const PAGE: &[u8] =
    b"<!DOCTYPE html>\n<html><head><title>Sign in</title></head><body>Please sign in.</body></html>\n";

/// The contents that a case is about.
#[derive(Debug)]
pub(crate) struct Contents {
    /// The image.
    pub(crate) image: Vec<u8>,
    /// Another one of the same length.
    pub(crate) other: Vec<u8>,
    /// What the medium held before.
    pub(crate) old: Vec<u8>,
    /// The source as it is given out.
    pub(crate) source: Vec<u8>,
    /// The other image, packed the same way.
    pub(crate) other_source: Vec<u8>,
    /// What the damaged source unpacks to, and whether its tool is content with it; none without damage.
    pub(crate) unpacked: Option<(Vec<u8>, bool)>,
}

impl Contents {
    /// Makes them; the same for the same case.
    pub(crate) fn of(case: &Case) -> Result<Self> {
        let too_long = case.damage() == Some(Damage::TooLong);
        let stretches = if too_long { vec![MEDIUM, 4096] } else { case.image.stretches.clone() };
        let image = disk(case.seed, &stretches);
        let other = disk(case.seed ^ 0x5eed, &stretches);
        let old = old(case, &image);
        let source = damaged(pack(case.image.packed, &image)?, case.damage());
        let other_source = pack(case.image.packed, &other)?;
        let unpacked = case.damage().map(|_| unpack(case.image.packed, &source)).transpose()?;
        Ok(Self { image, other, old, source, other_source, unpacked })
    }
}

/// Data and zeros in turn, with a partition table that has no partition.
fn disk(seed: u64, stretches: &[usize]) -> Vec<u8> {
    let mut rng = Rng::with_seed(seed);
    let mut bytes = Vec::new();
    for (number, length) in stretches.iter().enumerate() {
        let begin = bytes.len();
        bytes.resize(begin + length, 0);
        if number % 2 == 0 {
            rng.fill(&mut bytes[begin..]);
        }
    }
    if let Some(table) = bytes.get_mut(440..512) {
        table.fill(0);
        table[70..].copy_from_slice(&[0x55, 0xaa]);
    }
    bytes
}

fn old(case: &Case, image: &[u8]) -> Vec<u8> {
    let mut rng = Rng::with_seed(case.seed ^ 0x01d);
    match case.old {
        Old::Other => disk(case.seed ^ 0x01d, &[MEDIUM]),
        Old::Plain => vec![0xa5; MEDIUM],
        Old::Almost => {
            let mut old = disk(case.seed ^ 0x01d, &[MEDIUM]);
            let length = image.len().min(MEDIUM);
            old[..length].copy_from_slice(&image[..length]);
            for _ in 0..rng.usize(1..6) {
                let at = rng.usize(..length);
                let end = (at + rng.usize(1..20_000)).min(length);
                rng.fill(&mut old[at..end]);
            }
            old
        }
    }
}

fn damaged(mut bytes: Vec<u8>, damage: Option<Damage>) -> Vec<u8> {
    match damage {
        None | Some(Damage::Missing | Damage::TooLong) => {}
        Some(Damage::CutTo(thousandths)) => bytes.truncate(part(bytes.len(), thousandths)),
        Some(Damage::Flipped(thousandths)) => {
            let at = part(bytes.len(), thousandths).min(bytes.len() - 1);
            bytes[at] ^= 0x10;
        }
        Some(Damage::Behind) => bytes.extend_from_slice(b"something else stands here"),
        Some(Damage::NoMagic) => bytes[..4].fill(b'#'),
        Some(Damage::Empty) => bytes.clear(),
        Some(Damage::Page) => bytes = PAGE.to_vec(),
    }
    bytes
}

/// So many thousandths of a length.
pub(crate) fn part(length: usize, thousandths: usize) -> usize {
    length * thousandths / 1000
}

fn pack(tool: Option<&'static str>, content: &[u8]) -> Result<Vec<u8>> {
    match tool {
        None => Ok(content.to_vec()),
        Some(tool) => Ok(through(tool, &["-c", "-1"], content)?.0),
    }
}

/// What the tool itself makes of it, and whether it is content.
pub(crate) fn unpack(tool: Option<&'static str>, content: &[u8]) -> Result<(Vec<u8>, bool)> {
    match tool {
        None => Ok((content.to_vec(), true)),
        Some(tool) => through(tool, &["-d", "-c"], content),
    }
}

/// Runs a tool with this input; its output, and whether it ended well.
fn through(tool: &str, words: &[&str], input: &[u8]) -> Result<(Vec<u8>, bool)> {
    let mut command = Command::new(tool);
    command.args(words).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::null());
    let mut child = command.spawn().with_context(|| format!("`{tool}` is needed"))?;
    let stdin = child.stdin.take();
    let output = std::thread::scope(|scope| {
        // A tool that has seen enough closes its input.
        scope.spawn(move || stdin.map(|mut stdin| stdin.write_all(input).ok()));
        child.wait_with_output()
    })?;
    Ok((output.stdout, output.status.success()))
}

/// A digest as the program wants it.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}
