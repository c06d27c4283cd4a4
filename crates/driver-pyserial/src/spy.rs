//! A line whose traffic is written to a file, as hex and text, with the time and the direction.

use std::io;
use std::path::Path;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::SystemTime;

use console_record::{FileEnd, FileSink};
use flasher_core::{ByteStream, clock};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::PortError;
use crate::record::unwritable;

/// Bytes of a row.
const ROW: usize = 16;

/// Lets everything through and notes it.
pub(crate) struct Spied {
    line: Box<dyn ByteStream>,
    file: FileSink,
}

impl Spied {
    /// Notes the traffic of `line` at the end of `file`. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn new(line: Box<dyn ByteStream>, file: &Path) -> Result<Self, PortError> {
        let opened = FileSink::open(file, FileEnd::Append { part_bytes: None });
        Ok(Self { line, file: opened.map_err(|error| unwritable(file, &error))? })
    }

    fn note(&self, direction: &str, bytes: &[u8]) {
        let time = clock::milliseconds(SystemTime::now());
        for (number, bytes) in bytes.chunks(ROW).enumerate() {
            self.file.line(&row(&time, direction, number * ROW, bytes));
        }
    }
}

fn row(time: &str, direction: &str, offset: usize, bytes: &[u8]) -> String {
    let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
    let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
    let text: String = bytes.iter().map(shown).collect();
    format!("{time} {direction} {offset:04x} {hex:<48}  {text}")
}

impl AsyncRead for Spied {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buffer.filled().len();
        ready!(Pin::new(&mut this.line).poll_read(context, buffer))?;
        this.note("RX", &buffer.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl AsyncWrite for Spied {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let count = ready!(Pin::new(&mut this.line).poll_write(context, bytes))?;
        this.note("TX", &bytes[..count]);
        Poll::Ready(Ok(count))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().line).poll_shutdown(context)
    }
}
