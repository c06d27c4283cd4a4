//! Whole blocks between memory and medium. Bytes that begin or end within a block are written with the rest of it as it was.

use flasher_core::{Class, Error, Result, RootCause};

use super::enter::{BootLoader, Window, last_line};
use crate::config::seconds;

/// The blocks that bytes lie in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Span {
    /// First block, counted from the beginning of the device.
    pub(super) first: u64,
    /// Blocks.
    pub(super) count: u64,
    /// Bytes of the first block before the bytes meant.
    pub(super) head: u64,
    /// Bytes of the last block behind them.
    pub(super) tail: u64,
}

impl Window {
    /// The blocks of `length` bytes from `offset` on.
    ///
    /// # Errors
    /// When they are not on the device: a bug, as everything was checked to fit.
    pub(super) fn span(&self, offset: u64, length: u64) -> Result<Span> {
        let end = offset.checked_add(length).filter(|end| *end <= self.length && length > 0);
        let Some(end) = end else {
            let text = format!("{length} bytes from byte {offset} on are not on `{}`", self.device);
            return Err(Error::new(Class::Internal, text));
        };
        let (start, end) = (self.start + offset, self.start + end);
        let (first, behind) = (start / self.block, end.div_ceil(self.block));
        Ok(Span {
            first,
            count: behind - first,
            head: start - first * self.block,
            tail: behind * self.block - end,
        })
    }
}

impl Span {
    /// Whether the bytes are whole blocks.
    pub(super) fn is_whole(&self) -> bool {
        self.head == 0 && self.tail == 0
    }
}

impl BootLoader<'_> {
    /// Reads blocks into memory at `address`.
    pub(super) async fn read_blocks(&mut self, window: &Window, span: Span, address: u64) -> Result<()> {
        self.transfer("read", window, span, address).await
    }

    /// Writes blocks out of memory at `address`.
    pub(super) async fn write_blocks(&mut self, window: &Window, span: Span, address: u64) -> Result<()> {
        self.transfer("write", window, span, address).await
    }

    /// Brings the first and the last block to where they will be written from, when only a part of them is to change.
    pub(super) async fn read_edges(&mut self, window: &Window, span: Span, address: u64) -> Result<()> {
        if span.head > 0 {
            self.read_blocks(window, Span { count: 1, ..span }, address).await?;
        }
        if span.tail > 0 && (span.count > 1 || span.head == 0) {
            let last = Span { first: span.first + span.count - 1, count: 1, ..span };
            self.read_blocks(window, last, address + (span.count - 1) * window.block).await?;
        }
        Ok(())
    }

    async fn transfer(&mut self, verb: &str, window: &Window, span: Span, address: u64) -> Result<()> {
        let within = seconds(self.session.flasher.config.timeouts.read_back);
        let interface = window.device.interface.command();
        let command = format!("{interface} {verb} {address:#x} {:x} {:x}", span.first, span.count);
        let answer = self.ask(&command, within).await?;
        if answer.status == 0 {
            return Ok(());
        }
        let from = span.first * window.block;
        let to = from + span.count * window.block - 1;
        let (verbed, root) =
            if verb == "read" { ("read", RootCause::ReadError) } else { ("written", RootCause::WriteError) };
        Err(Error::new(
            Class::Medium,
            format!("bytes {from}-{to} of `{}` could not be {verbed} by the boot loader", window.device),
        )
        .with("device", window.device.to_string())
        .with("answer", last_line(&answer.output))
        .help("the medium is bad or has come loose; try another one")
        .caused_by(root))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_lie_in_whole_blocks() {
        let window = Window { device: "mmc 0".parse().unwrap(), start: 1024, length: 1 << 20, block: 512 };
        let check = |(offset, length), (first, count, head, tail)| {
            let span = window.span(offset, length).unwrap();
            assert_eq!(span, Span { first, count, head, tail }, "{offset} {length}");
        };
        check((0, 512), (2, 1, 0, 0));
        check((0, 1), (2, 1, 0, 511));
        check((511, 2), (2, 2, 511, 511));
        check((512, 1024), (3, 2, 0, 0));
        check(((1 << 20) - 512, 512), (2049, 1, 0, 0));
        for beyond in [(1 << 20, 1), (0, (1 << 20) + 1), (u64::MAX, 2), (0, 0)] {
            assert_eq!(window.span(beyond.0, beyond.1).unwrap_err().class(), Class::Internal);
        }
    }
}
