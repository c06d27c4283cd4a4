//! The bytes of a file, block after block, read ahead and translated when the mode is netascii.

use std::fs::File;
use std::io::{self, Read};
use std::sync::Arc;

use tokio::task::JoinHandle;

use crate::packet::Mode;

/// Read at a time, bytes.
const PIECE: u64 = 128 * 1024;

/// A file being sent. Its length is that at the time of opening: bytes appended later are not sent.
#[derive(Debug)]
pub(crate) struct Source {
    file: Arc<File>,
    mode: Mode,
    /// Bytes not yet asked of the disk.
    unread: u64,
    ahead: Option<JoinHandle<io::Result<Vec<u8>>>>,
    piece: Vec<u8>,
    at: usize,
    /// Second byte of a translated line end that did not fit into the block before.
    carry: Option<u8>,
}

impl Source {
    pub(crate) fn new(file: File, length: u64, mode: Mode) -> Self {
        Self {
            file: Arc::new(file),
            mode,
            unread: length,
            ahead: None,
            piece: Vec::new(),
            at: 0,
            carry: None,
        }
    }

    /// Appends the next `size` bytes to `packet`; fewer mean the end.
    ///
    /// # Errors
    /// When the disk fails, or the file has become shorter than it was.
    pub(crate) async fn fill(&mut self, packet: &mut Vec<u8>, size: usize) -> io::Result<()> {
        let end = packet.len() + size;
        while packet.len() < end {
            if self.at == self.piece.len() && !self.next_piece().await? {
                packet.extend(self.carry.take());
                return Ok(());
            }
            match self.mode {
                Mode::Octet => self.copy(packet, end),
                Mode::Netascii => self.translate(packet, end),
            }
        }
        Ok(())
    }

    fn copy(&mut self, packet: &mut Vec<u8>, end: usize) {
        let take = (end - packet.len()).min(self.piece.len() - self.at);
        packet.extend_from_slice(&self.piece[self.at..self.at + take]);
        self.at += take;
    }

    fn translate(&mut self, packet: &mut Vec<u8>, end: usize) {
        packet.extend(self.carry.take());
        while packet.len() < end && self.at < self.piece.len() {
            let (first, second) = match self.piece[self.at] {
                b'\n' => (b'\r', Some(b'\n')),
                b'\r' => (b'\r', Some(0)),
                byte => (byte, None),
            };
            self.at += 1;
            packet.push(first);
            match second {
                Some(second) if packet.len() < end => packet.push(second),
                second => self.carry = second,
            }
        }
    }

    async fn next_piece(&mut self) -> io::Result<bool> {
        let Some(reading) = self.ahead.take().or_else(|| self.read_ahead()) else { return Ok(false) };
        self.piece = reading.await.map_err(io::Error::other)??;
        self.at = 0;
        self.ahead = self.read_ahead();
        Ok(true)
    }

    fn read_ahead(&mut self) -> Option<JoinHandle<io::Result<Vec<u8>>>> {
        let wanted = self.unread.min(PIECE);
        if wanted == 0 {
            return None;
        }
        self.unread -= wanted;
        let file = Arc::clone(&self.file);
        Some(tokio::task::spawn_blocking(move || read(&file, wanted)))
    }
}

fn read(file: &File, wanted: u64) -> io::Result<Vec<u8>> {
    let mut piece = Vec::with_capacity(usize::try_from(wanted).unwrap_or_default());
    let mut file = file;
    let read = file.by_ref().take(wanted).read_to_end(&mut piece)?;
    let short = || io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent");
    if read as u64 == wanted { Ok(piece) } else { Err(short()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn blocks(content: &[u8], mode: Mode, size: usize) -> Vec<Vec<u8>> {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, content).unwrap();
        std::io::Seek::rewind(&mut file).unwrap();
        let mut source = Source::new(file, content.len() as u64, mode);
        let mut blocks = Vec::new();
        loop {
            let mut block = Vec::new();
            source.fill(&mut block, size).await.unwrap();
            blocks.push(block);
            if blocks[blocks.len() - 1].len() < size {
                return blocks;
            }
        }
    }

    #[tokio::test]
    async fn blocks_are_full_but_for_the_last() {
        for length in [0, 1, 511, 512, 513, 1024, PIECE as usize, PIECE as usize + 1, 300_000] {
            let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let blocks = blocks(&content, Mode::Octet, 512).await;
            assert_eq!(blocks.len(), length / 512 + 1);
            assert_eq!(blocks.concat(), content);
        }
    }

    #[tokio::test]
    async fn line_ends_are_translated_also_across_blocks() {
        let cases: &[(&[u8], &[u8])] = &[
            (b"", b""),
            (b"plain", b"plain"),
            (b"a\nb\rc", b"a\r\nb\r\0c"),
            (b"\n\n\n\n", b"\r\n\r\n\r\n\r\n"),
            (b"\r\n", b"\r\0\r\n"),
            (b"1234567\n", b"1234567\r\n"),
            (b"1234567\r", b"1234567\r\0"),
        ];
        for (content, expected) in cases {
            for size in [8, 9, 512] {
                assert_eq!(blocks(content, Mode::Netascii, size).await.concat(), *expected, "{size}");
            }
        }
    }

    #[tokio::test]
    async fn a_file_that_becomes_shorter_is_an_error() {
        let file = tempfile::tempfile().unwrap();
        let mut source = Source::new(file, 10, Mode::Octet);
        let error = source.fill(&mut Vec::new(), 512).await.unwrap_err();
        assert_eq!(error.to_string(), "the file became shorter while it was sent");
    }
}
