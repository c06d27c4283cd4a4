//! A line whose traffic is written to a file, as hex and text, with the seconds since opening and the direction.

use std::fs::{File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::Path;
use std::pin::Pin;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::task::{Context, Poll, ready};
use std::time::Instant;

use flasher_core::ByteStream;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::error::PortError;

/// Bytes of a row.
const ROW: usize = 16;
/// Pieces that wait for the disk at most; more are counted and left out, and the file says so.
const WAITING: usize = 1024;

/// Lets everything through and notes it.
pub(crate) struct Spied {
    line: Box<dyn ByteStream>,
    begun: Instant,
    to: SyncSender<String>,
    missed: usize,
}

impl Spied {
    /// Notes the traffic of `line` at the end of `file`. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(crate) fn new(line: Box<dyn ByteStream>, file: &Path) -> Result<Self, PortError> {
        let wrong = |error: io::Error| PortError::File {
            file: file.display().to_string(),
            reason: error.to_string(),
        };
        let opened = OpenOptions::new().create(true).append(true).mode(0o600).open(file).map_err(wrong)?;
        let (to, rows) = sync_channel(WAITING);
        let name = file.display().to_string();
        std::thread::Builder::new().spawn(move || write(&name, opened, &rows)).map_err(wrong)?;
        Ok(Self { line, begun: Instant::now(), to, missed: 0 })
    }

    fn note(&mut self, direction: &str, bytes: &[u8]) {
        let mut text = String::new();
        if self.missed > 0 {
            text = format!(
                "{:>12.3} -- {} pieces left out: the disk was too slow\n",
                self.seconds(),
                self.missed
            );
        }
        for (row, bytes) in bytes.chunks(ROW).enumerate() {
            text += &self.row(direction, row * ROW, bytes);
        }
        match self.to.try_send(text) {
            Ok(()) => self.missed = 0,
            Err(TrySendError::Full(_)) => self.missed += 1,
            // The thread has said why it ended.
            Err(TrySendError::Disconnected(_)) => {}
        }
    }

    fn seconds(&self) -> f64 {
        self.begun.elapsed().as_secs_f64()
    }

    fn row(&self, direction: &str, offset: usize, bytes: &[u8]) -> String {
        let hex: String = bytes.iter().map(|byte| format!(" {byte:02x}")).collect();
        let shown = |byte: &u8| if (b' '..=b'~').contains(byte) { char::from(*byte) } else { '.' };
        let text: String = bytes.iter().map(shown).collect();
        format!("{:>12.3} {direction} {offset:04x} {hex:<48}  {text}\n", self.seconds())
    }
}

fn write(name: &str, mut file: File, rows: &Receiver<String>) {
    for row in rows {
        if let Err(error) = file.write_all(row.as_bytes()) {
            tracing::warn!(file = name, %error, "the traffic is no longer written");
            return;
        }
    }
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
