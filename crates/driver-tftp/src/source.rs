//! The blocks of a file, translated when the mode is netascii.

use std::fs::File;
use std::io;

use bytes::{Bytes, BytesMut};
use server_kit::Reader;

use crate::packet::Mode;

/// Read at a time, bytes. Small, for many transfers hold one each.
const PIECE: usize = 64 * 1024;

/// A file being sent. One that is written to meanwhile ends with an error, for two versions must not be mixed.
#[derive(Debug)]
pub(crate) struct ServedFile {
    reader: Reader,
    mode: Mode,
    block: usize,
    /// Offset of the next byte to be read.
    at: u64,
    end: u64,
    /// Whole blocks that were read; at the end of the file, less.
    piece: Bytes,
    /// Translated text that waits for its block to be full.
    text: BytesMut,
}

impl ServedFile {
    /// The blocks of `block` bytes of the first `length` bytes of a file.
    pub(crate) fn new(file: File, length: u64, mode: Mode, block: u16) -> Self {
        let reader = Reader::new(file);
        let (piece, text) = (Bytes::new(), BytesMut::new());
        Self { reader, mode, block: block.into(), at: 0, end: length, piece, text }
    }

    /// The next block; a short or empty one is the last.
    ///
    /// # Errors
    /// When the disk fails, or the file has become shorter or was written to.
    pub(crate) async fn next(&mut self) -> io::Result<Bytes> {
        match self.mode {
            Mode::Octet => {
                if self.piece.is_empty() {
                    self.piece = self.read().await?;
                }
                Ok(self.piece.split_to(self.block.min(self.piece.len())))
            }
            Mode::Netascii => self.next_of_text().await,
        }
    }

    async fn next_of_text(&mut self) -> io::Result<Bytes> {
        while self.text.len() < self.block {
            let piece = self.read().await?;
            if piece.is_empty() {
                break;
            }
            translate(&piece, &mut self.text);
        }
        Ok(self.text.split_to(self.block.min(self.text.len())).freeze())
    }

    /// As many whole blocks as fit into a piece; nothing at the end.
    async fn read(&mut self) -> io::Result<Bytes> {
        let whole = (PIECE / self.block).max(1) * self.block;
        let wanted = usize::try_from(self.end - self.at).unwrap_or(usize::MAX).min(whole);
        let piece = self.reader.read(self.at, wanted).await?;
        self.at += wanted as u64;
        Ok(piece)
    }
}

/// Appends with the line ends of RFC 764: LF as CR LF, CR as CR NUL.
fn translate(piece: &[u8], text: &mut BytesMut) {
    for byte in piece {
        match byte {
            b'\n' => text.extend_from_slice(b"\r\n"),
            b'\r' => text.extend_from_slice(b"\r\0"),
            byte => text.extend_from_slice(&[*byte]),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    async fn blocks(content: &[u8], mode: Mode, size: u16) -> Vec<Bytes> {
        let mut file = tempfile::tempfile().unwrap();
        std::io::Write::write_all(&mut file, content).unwrap();
        let mut source = ServedFile::new(file, content.len() as u64, mode, size);
        let mut blocks = Vec::new();
        loop {
            let block = source.next().await.unwrap();
            let is_last = block.len() < usize::from(size);
            blocks.push(block);
            if is_last {
                return blocks;
            }
        }
    }

    #[tokio::test]
    async fn blocks_are_full_but_for_the_last() {
        for length in [0, 1, 511, 512, 513, 1024, PIECE, PIECE + 1, 300_000] {
            let content: Vec<u8> = (0..length).map(|at| at as u8).collect();
            let blocks = blocks(&content, Mode::Octet, 512).await;
            assert_eq!(blocks.len(), length / 512 + 1);
            assert_eq!(blocks.concat(), content);
        }
    }

    #[tokio::test]
    async fn a_block_larger_than_what_is_read_at_a_time_is_whole() {
        let content = vec![7; 65_464 * 2 + 5];
        let blocks = blocks(&content, Mode::Octet, 65_464).await;
        assert_eq!(blocks.iter().map(Bytes::len).collect::<Vec<_>>(), [65_464, 65_464, 5]);
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
        let mut source = ServedFile::new(file, 10, Mode::Octet, 512);
        let error = source.next().await.unwrap_err();
        assert_eq!(error.to_string(), "the file became shorter while it was sent");
    }

    /// What a client makes of a text in netascii.
    fn back(text: &[u8]) -> Vec<u8> {
        let text = String::from_utf8(text.to_vec()).unwrap();
        text.replace("\r\n", "\n").replace("\r\0", "\r").into_bytes()
    }

    proptest! {
        #[test]
        fn a_text_comes_back_from_netascii(text in "[a\r\n]{0,40}", size in 8u16..20) {
            let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
            let sent = runtime.block_on(blocks(text.as_bytes(), Mode::Netascii, size)).concat();
            prop_assert_eq!(back(&sent), text.into_bytes());
        }
    }
}
