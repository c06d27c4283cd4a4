//! A client of port servers that take settings and control lines (RFC 2217), such as ser2net.

mod telnet;

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Waker, ready};

use flasher_core::ControlLines;
use serialport::{DataBits, StopBits};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use crate::error::PortError;
use crate::settings::{Flow, Parity, Settings};
use telnet::{Said, Telnet, escaped, sub};

// Commands of a client; a server answers with 100 more.
const SET_BAUDRATE: u8 = 1;
const SET_DATASIZE: u8 = 2;
const SET_PARITY: u8 = 3;
const SET_STOPSIZE: u8 = 4;
const SET_CONTROL: u8 = 5;
const ANSWER: u8 = 100;
// Values of SET_CONTROL.
const BREAK: [u8; 2] = [6, 5];
const DTR: [u8; 2] = [9, 8];
const RTS: [u8; 2] = [12, 11];

/// Most that is kept of what comes during the handshake, bytes.
const MOST: usize = 1 << 20;
/// Most that is taken of one write, bytes.
const PIECE: usize = 8 * 1024;

/// A line behind a port server.
#[derive(Debug)]
pub(crate) struct Port<S> {
    stream: S,
    telnet: Telnet,
    /// Data received and not read yet.
    data: Vec<u8>,
    read: usize,
    /// What the server said during the handshake and was not read yet.
    said: Vec<Said>,
    control: Control,
}

/// Sends commands into an open connection from beside it.
#[derive(Clone, Debug, Default)]
pub(crate) struct Control(Arc<Mutex<Queue>>);

#[derive(Debug, Default)]
struct Queue {
    /// Bytes on their way out, commands and data in order.
    out: Vec<u8>,
    reader: Option<Waker>,
}

impl Control {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn push(&self, bytes: &[u8]) {
        let mut queue = self.queue();
        queue.out.extend_from_slice(bytes);
        if let Some(reader) = queue.reader.take() {
            reader.wake();
        }
    }

    /// Sets DTR and RTS.
    pub(crate) fn set(&self, lines: ControlLines) {
        for (level, values) in [(lines.dtr, DTR), (lines.rts, RTS)] {
            if let Some(level) = level {
                self.push(&sub(SET_CONTROL, &[values[usize::from(level)]]));
            }
        }
    }

    /// Begins or ends a break.
    pub(crate) fn set_break(&self, on: bool) {
        self.push(&sub(SET_CONTROL, &[BREAK[usize::from(on)]]));
    }
}

/// Opens the conversation and has the server set up its port; each setting must be confirmed.
///
/// # Errors
/// When the server speaks something else, or its port does not run as asked.
pub(crate) async fn open<S: AsyncRead + AsyncWrite + Unpin>(
    stream: S,
    url: &str,
    settings: Settings,
    leave_lines: bool,
) -> Result<Port<S>, PortError> {
    let mut port = Port {
        stream,
        telnet: Telnet::default(),
        data: Vec::new(),
        read: 0,
        said: Vec::new(),
        control: Control::default(),
    };
    let greeting = port.telnet.greet();
    port.control.push(&greeting);
    port.wait_for(url, |said| match said {
        Said::ComPort(taken) => Some(*taken),
        Said::Sub(..) => None,
    })
    .await?
    .then_some(())
    .ok_or_else(|| PortError::NotRfc2217 {
        url: url.to_owned(),
        reason: "it refuses COM-PORT-OPTION".to_owned(),
    })?;
    port.set_up(url, settings, leave_lines).await?;
    Ok(port)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Port<S> {
    /// A handle for commands beside the data.
    pub(crate) fn control(&self) -> Control {
        self.control.clone()
    }

    async fn set_up(&mut self, url: &str, settings: Settings, leave_lines: bool) -> Result<(), PortError> {
        let baud = settings.baudrate.to_be_bytes();
        self.confirmed(url, SET_BAUDRATE, &baud, &format!("{} baud", settings.baudrate)).await?;
        let bits = match settings.data_bits {
            DataBits::Five => 5,
            DataBits::Six => 6,
            DataBits::Seven => 7,
            DataBits::Eight => 8,
        };
        self.confirmed(url, SET_DATASIZE, &[bits], &format!("{bits} data bits")).await?;
        let (parity, word) = match settings.parity {
            Parity::None => (1, "no parity"),
            Parity::Odd => (2, "odd parity"),
            Parity::Even => (3, "even parity"),
        };
        self.confirmed(url, SET_PARITY, &[parity], word).await?;
        let stop = if settings.stop_bits == StopBits::Two { 2 } else { 1 };
        self.confirmed(url, SET_STOPSIZE, &[stop], &format!("{stop} stop bits")).await?;
        if leave_lines {
            return Ok(());
        }
        let (flow, word) = match settings.flow {
            Flow::None => (1, "no flow control"),
            Flow::Software => (2, "software flow control"),
            Flow::Hardware => (3, "hardware flow control"),
        };
        self.confirmed(url, SET_CONTROL, &[flow], word).await?;
        self.control.set(ControlLines { dtr: settings.dtr, rts: settings.rts, send_break: None });
        self.flush().await.map_err(|source| lost(url, source))
    }

    async fn confirmed(
        &mut self,
        url: &str,
        command: u8,
        value: &[u8],
        asked: &str,
    ) -> Result<(), PortError> {
        self.control.push(&sub(command, value));
        let answer = self.wait_for(url, |said| match said {
            Said::Sub(answer, value) if *answer == command + ANSWER => Some(value.clone()),
            _ => None,
        });
        let answer = answer.await?;
        if answer == value {
            return Ok(());
        }
        let got =
            <[u8; 4]>::try_from(answer.as_slice()).map(|bytes| format!("{} baud", u32::from_be_bytes(bytes)));
        Err(PortError::Setting { port: url.to_owned(), asked: asked.to_owned(), got: got.ok() })
    }

    /// Sends what is due and reads on until something was said that `pick` takes. Data is kept for the reader.
    async fn wait_for<T>(&mut self, url: &str, pick: impl Fn(&Said) -> Option<T>) -> Result<T, PortError> {
        let mut buffer = [0; 1024];
        loop {
            if let Some(at) = self.said.iter().position(|said| pick(said).is_some()) {
                // What came before it answers nothing any more.
                let picked = self.said.drain(..=at).next_back();
                if let Some(picked) = picked.as_ref().and_then(&pick) {
                    return Ok(picked);
                }
            }
            self.flush().await.map_err(|source| lost(url, source))?;
            let count = self.stream.read(&mut buffer).await.map_err(|source| lost(url, source))?;
            if count == 0 {
                return Err(self.hung_up(url));
            }
            self.take(&buffer[..count]);
        }
    }

    /// Who hangs up without a word, or with one about another client, has the port taken; anything else is no port server.
    fn hung_up(&self, url: &str) -> PortError {
        let text = String::from_utf8_lossy(&self.data);
        let line = text.lines().map(str::trim).find(|it| !it.is_empty()).unwrap_or_default();
        let reason = match line.to_lowercase().contains("in use") {
            true => "its port is in use",
            false if self.data.is_empty() => "it hung up",
            false => {
                return PortError::NotRfc2217 { url: url.to_owned(), reason: "it hung up".to_owned() };
            }
        };
        lost(url, io::Error::new(io::ErrorKind::UnexpectedEof, reason))
    }

    fn take(&mut self, bytes: &[u8]) {
        let mut replies = Vec::new();
        self.said.extend(self.telnet.take(bytes, &mut self.data, &mut replies));
        self.control.push(&replies);
        // A board that talks all the time, or a server that does, must not fill the memory of a handshake.
        if self.data.len() > MOST {
            self.data.clear();
        }
        if self.said.len() > MOST / PIECE {
            self.said.clear();
        }
    }

    /// Writes what waits to go out.
    fn poll_out(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        loop {
            let mut queue = self.control.queue();
            if queue.out.is_empty() {
                return Poll::Ready(Ok(()));
            }
            let written = ready!(Pin::new(&mut self.stream).poll_write(context, &queue.out))?;
            if written == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            queue.out.drain(..written);
        }
    }

    fn hand_over(&mut self, buffer: &mut ReadBuf<'_>) -> bool {
        let waiting = &self.data[self.read..];
        let count = waiting.len().min(buffer.remaining());
        buffer.put_slice(&waiting[..count]);
        self.read += count;
        if self.read == self.data.len() {
            self.data.clear();
            self.read = 0;
        }
        count > 0
    }
}

fn lost(url: &str, source: io::Error) -> PortError {
    PortError::Connect { url: url.to_owned(), source }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Port<S> {
    fn poll_read(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        this.control.queue().reader = Some(context.waker().clone());
        loop {
            // Commands go out also while the owner writes nothing; what cannot go yet wakes us later.
            if let Poll::Ready(Err(error)) = this.poll_out(context) {
                return Poll::Ready(Err(error));
            }
            if this.hand_over(buffer) || buffer.remaining() == 0 {
                return Poll::Ready(Ok(()));
            }
            let mut raw = [0; PIECE];
            let mut raw = ReadBuf::new(&mut raw);
            ready!(Pin::new(&mut this.stream).poll_read(context, &mut raw))?;
            if raw.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            let mut replies = Vec::new();
            this.telnet.take(raw.filled(), &mut this.data, &mut replies);
            this.control.queue().out.extend_from_slice(&replies);
        }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Port<S> {
    fn poll_write(self: Pin<&mut Self>, context: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        ready!(this.poll_out(context))?;
        let bytes = &bytes[..bytes.len().min(PIECE)];
        escaped(bytes, &mut this.control.queue().out);
        // They are taken: an error shows at the next call.
        let _ = this.poll_out(context)?;
        Poll::Ready(Ok(bytes.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(context))?;
        Pin::new(&mut this.stream).poll_flush(context)
    }

    fn poll_shutdown(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(this.poll_out(context))?;
        Pin::new(&mut this.stream).poll_shutdown(context)
    }
}
