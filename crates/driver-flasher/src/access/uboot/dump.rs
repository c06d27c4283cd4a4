//! A few bytes of the medium over the console, where nothing else can send them: U-Boot's `md.b`, checked by CRC-32.

use flasher_core::{Class, Error, Result};

use super::answers;
use super::enter::{BootLoader, Window};
use super::load::unclear;
use crate::access::{ReadEvidence, Stretch, Take, Target};

/// Bytes that are printed at once.
const PIECE: u64 = 2048;
/// How often a piece is printed before the console counts as one that changes characters.
const TRIES: u32 = 3;
/// Most that is printed, bytes: a block of the image takes half a minute at 115200 baud.
const LONGEST: u64 = disk_image::BLOCK;

/// Bytes of the medium from `offset` on, at most a block of the image.
pub(super) async fn bytes(
    loader: &mut BootLoader<'_>,
    window: &Window,
    offset: u64,
    length: u64,
) -> Result<Vec<u8>> {
    if length > LONGEST {
        return Err(cannot_send());
    }
    let address = loader.read_fresh(window, offset, length).await?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        let at = bytes.len() as u64;
        bytes.extend(piece(loader, address + at, (length - at).min(PIECE)).await?);
    }
    Ok(bytes)
}

/// Refuses: a boot loader sends nothing by the network.
pub(super) async fn read(
    _loader: &mut BootLoader<'_>,
    _target: &Target,
    _stretches: &[Stretch],
    _take: Take,
    _evidence: &mut ReadEvidence,
) -> Result<()> {
    Err(cannot_send())
}

fn cannot_send() -> Error {
    Error::new(Class::Board, "a boot loader does not send what is on a medium")
        .help("take `via: linux` with a bundle")
        .retryable(false)
}

async fn piece(loader: &mut BootLoader<'_>, address: u64, length: u64) -> Result<Vec<u8>> {
    for _ in 0..TRIES {
        let printed = loader.compute(&format!("md.b {address:#x} {length:x}")).await?;
        let Some(bytes) = answers::bytes(&printed.output, address, length) else { continue };
        let mut crc = flate2::Crc::new();
        crc.update(&bytes);
        if loader.crc32(address, length, crc.sum()).await? == crc.sum() {
            return Ok(bytes);
        }
    }
    Err(unclear("md"))
}
