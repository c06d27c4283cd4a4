//! The copy of a GUID partition table at a medium's end, looked for and removed by the board's `dd`.

use board_console::quote;
use flasher_core::Result;

use super::guest::Guest;
use crate::access::{TABLE_COPY, Target};
use crate::job::WritePermit;

/// Whether the last bytes have the header of such a copy.
pub(super) async fn is_there(guest: &mut Guest<'_>, target: &Target) -> Result<bool> {
    let direct = if target.direct { " iflag=direct" } else { "" };
    let command = format!(
        "dd if={} {}{direct} 2>/dev/null | grep -q 'EFI PART'",
        quote(&target.device),
        place("skip", target.size)
    );
    Ok(guest.run(&command).await?.status == 0)
}

/// Makes the last bytes durable zeros.
pub(super) async fn wipe(guest: &mut Guest<'_>, target: &Target, permit: WritePermit) -> Result<()> {
    let command = format!(
        "dd if=/dev/zero of={} {} conv=notrunc,fsync 2>/dev/null",
        quote(&target.device),
        place("seek", target.size)
    );
    guest.change(&command, permit).await
}

/// The last whole 4096 bytes, in words of `dd`.
fn place(word: &str, size: u64) -> String {
    // Only a medium with sectors of 512 bytes has another length than a multiple of 4096.
    let unit = if size.is_multiple_of(TABLE_COPY) { TABLE_COPY } else { 512 };
    let count = TABLE_COPY / unit;
    format!("bs={unit} {word}={} count={count}", size / unit - count)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_place_is_the_last_4096_bytes() {
        assert_eq!(place("skip", 16 << 20), "bs=4096 skip=4095 count=1");
        assert_eq!(place("seek", 4096), "bs=4096 seek=0 count=1");
        assert_eq!(place("skip", (16 << 20) + 512), "bs=512 skip=32761 count=8");
    }
}
