//! Reads the XML of a block map and the checksum over itself.

use roxmltree::{Document, Node};
use sha1::Sha1;
use sha2::{Digest as _, Sha256, Sha512};

use super::map::{Map, Mapped, SumKind};
use crate::archive_map::unhex;

/// Whether a document is meant to be a block map, sound or not.
pub(super) fn is_map(bytes: &[u8]) -> bool {
    bytes.windows(5).any(|word| word == b"<bmap")
}

/// Reads a block map; gives the reason if it is none.
pub(super) fn parse(bytes: &[u8]) -> Result<Map, String> {
    let text = std::str::from_utf8(bytes).map_err(|e| e.to_string())?;
    let document = Document::parse(text).map_err(|e| e.to_string())?;
    let root = document.root_element();
    if root.tag_name().name() != "bmap" {
        return Err(format!("its root is `{}`, expected `bmap`", root.tag_name().name()));
    }
    let version = version(root)?;
    let kind = kind(root, version)?;
    check_itself(root, text, version, kind)?;
    let [image_length, block, blocks] =
        ["ImageSize", "BlockSize", "BlocksCount"].map(|name| number(root, name));
    let (image_length, block, blocks) = (image_length?, block?, blocks?);
    if block == 0 || image_length.div_ceil(block) != blocks {
        return Err(format!("{blocks} blocks of {block} bytes are not an image of {image_length} bytes"));
    }
    let ranges = ranges(root, version, block, image_length)?;
    let mapped: u64 = ranges.iter().map(|range| (range.end - range.start).div_ceil(block)).sum();
    match number(root, "MappedBlocksCount")? {
        told if told == mapped => Ok(Map { version, image_length, kind, ranges }),
        told => Err(format!("it announces {told} mapped blocks and lists {mapped}")),
    }
}

fn version(root: Node<'_, '_>) -> Result<(u32, u32), String> {
    let text = root.attribute("version").unwrap_or_default();
    let parts =
        text.split_once('.').and_then(|(major, minor)| Some((major.parse().ok()?, minor.parse().ok()?)));
    match parts {
        Some(version @ (1, 0..=4) | version @ (2, _)) => Ok(version),
        _ => Err(format!("its version is `{text}`, expected 1.0 to 1.4 or 2.x")),
    }
}

/// Whether the format is the one that 1.4 and 2.0 share.
fn is_new(version: (u32, u32)) -> bool {
    version >= (1, 4)
}

fn kind(root: Node<'_, '_>, version: (u32, u32)) -> Result<SumKind, String> {
    match is_new(version).then(|| content(root, "ChecksumType")).transpose()? {
        None | Some("sha1") => Ok(SumKind::Sha1),
        Some("sha256") => Ok(SumKind::Sha256),
        Some("sha512") => Ok(SumKind::Sha512),
        Some(other) => Err(format!("its checksum type is `{other}`, expected sha1, sha256 or sha512")),
    }
}

/// The checksum of the whole file with its own digits as zeros.
fn check_itself(root: Node<'_, '_>, text: &str, version: (u32, u32), kind: SumKind) -> Result<(), String> {
    let name = match version {
        (1, 0..=2) => return Ok(()),
        (1, 3) => "BmapFileSHA1",
        _ => "BmapFileChecksum",
    };
    let told = content(root, name)?;
    let node = root.children().find(|node| node.has_tag_name(name)).ok_or("it has no checksum of itself")?;
    let at =
        text[node.range()].find(told).map(|at| node.range().start + at).ok_or("its checksum is hidden")?;
    let zeros = "0".repeat(told.len());
    let blanked = [&text[..at], &zeros, &text[at + told.len()..]].concat();
    match unhex(told)? == sum(kind, blanked.as_bytes()) {
        true => Ok(()),
        false => Err("its checksum of itself differs, so it was changed or damaged".into()),
    }
}

fn sum(kind: SumKind, bytes: &[u8]) -> Vec<u8> {
    match kind {
        SumKind::Sha1 => Sha1::digest(bytes).to_vec(),
        SumKind::Sha256 => Sha256::digest(bytes).to_vec(),
        SumKind::Sha512 => Sha512::digest(bytes).to_vec(),
    }
}

fn ranges(root: Node<'_, '_>, version: (u32, u32), block: u64, length: u64) -> Result<Vec<Mapped>, String> {
    let list = root.children().find(|node| node.has_tag_name("BlockMap")).ok_or("it has no `BlockMap`")?;
    let attribute = if is_new(version) { "chksum" } else { "sha1" };
    let mut ranges: Vec<Mapped> = Vec::new();
    for node in list.children().filter(|node| node.has_tag_name("Range")) {
        let text = node.text().unwrap_or_default().trim();
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        let block_of =
            |text: &str| text.trim().parse::<u64>().map_err(|_| format!("`{text}` is no block number"));
        let (first, last) = (block_of(first)?, block_of(last)?);
        let start = first.checked_mul(block).ok_or_else(|| format!("block {first} is out of reach"))?;
        let end = last.checked_add(1).and_then(|last| last.checked_mul(block));
        let end = end.ok_or_else(|| format!("block {last} is out of reach"))?.min(length);
        if start >= end || ranges.last().is_some_and(|before| before.end > start) {
            return Err(format!("its range `{text}` is empty, out of order or outside of the image"));
        }
        let sum = node.attribute(attribute).map(unhex).transpose()?;
        ranges.push(Mapped { start, end, sum });
    }
    Ok(ranges)
}

fn content<'x>(root: Node<'x, '_>, name: &str) -> Result<&'x str, String> {
    let node = root.children().find(|node| node.has_tag_name(name));
    let text = node.and_then(|node| node.text()).map(str::trim).filter(|text| !text.is_empty());
    text.ok_or_else(|| format!("it has no `{name}`"))
}

fn number(root: Node<'_, '_>, name: &str) -> Result<u64, String> {
    let text = content(root, name)?;
    text.parse().map_err(|_| format!("its `{name}` is `{text}`, expected a number"))
}
