//! A few bytes of the medium over the console, where nothing else can send them: U-Boot's `md.b`, checked by CRC-32.

use flasher_core::{Class, Error, Result};

use super::answers;
use super::enter::{BootLoader, Window};
use super::load::unclear;

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
        return Err(too_long(length));
    }
    let address = loader.read_fresh(window, offset, length).await?;
    let mut bytes = Vec::new();
    while (bytes.len() as u64) < length {
        let at = bytes.len() as u64;
        bytes.extend(piece(loader, address + at, (length - at).min(PIECE)).await?);
    }
    Ok(bytes)
}

fn too_long(length: u64) -> Error {
    let text = format!(
        "the boot loader would have to print {length} bytes, and {LONGEST} are the most it is asked for"
    );
    Error::new(Class::Internal, text)
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
