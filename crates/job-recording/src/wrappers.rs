//! A serial line and a power switch whose every byte and call is noted.

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use flasher_core::wrapper::{PowerWrapper, SerialWrapper, Wrapper};
use flasher_core::{ByteStream, PowerDriver, Result, SerialDriver};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use crate::entry::{DeviceAnswer, Moment, PowerCall};
use crate::recorder::Recorder;

/// A serial line whose bytes are noted.
#[derive(Debug)]
pub struct RecordedSerial {
    line: Arc<dyn SerialDriver>,
    recorder: Arc<Recorder>,
}

/// A power switch whose calls are noted.
#[derive(Debug)]
pub struct RecordedPower {
    power: Arc<dyn PowerDriver>,
    recorder: Arc<Recorder>,
}

impl RecordedSerial {
    /// `line`, with its bytes noted in `recorder`.
    pub fn new(line: Arc<dyn SerialDriver>, recorder: Arc<Recorder>) -> Self {
        Self { line, recorder }
    }
}

impl RecordedPower {
    /// `power`, with its calls noted in `recorder`.
    pub fn new(power: Arc<dyn PowerDriver>, recorder: Arc<Recorder>) -> Self {
        Self { power, recorder }
    }

    fn note(&self, call: PowerCall, begun: Instant, answer: DeviceAnswer, is_on: Option<bool>) {
        let seconds = (begun.elapsed().as_secs_f64() * 1000.0).round() / 1000.0;
        self.recorder.note(Moment::Power { call, answer, is_on, seconds });
    }
}

impl Wrapper for RecordedSerial {
    type Device = dyn SerialDriver;

    fn wrapped(&self) -> &Self::Device {
        self.line.as_ref()
    }
}

#[async_trait]
impl SerialWrapper for RecordedSerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        let opened = self.line.open().await;
        self.recorder.note(Moment::LineOpened(DeviceAnswer::of(&opened)));
        let recorder = Arc::clone(&self.recorder);
        opened
            .map(|line| Box::new(RecordedStream { line, recorder, has_ended: false }) as Box<dyn ByteStream>)
    }
}

impl Wrapper for RecordedPower {
    type Device = dyn PowerDriver;

    fn wrapped(&self) -> &Self::Device {
        self.power.as_ref()
    }
}

#[async_trait]
impl PowerWrapper for RecordedPower {
    async fn on(&self) -> Result<()> {
        let begun = Instant::now();
        let done = self.power.on().await;
        self.note(PowerCall::On, begun, DeviceAnswer::of(&done), None);
        done
    }

    async fn off(&self) -> Result<()> {
        let begun = Instant::now();
        let done = self.power.off().await;
        self.note(PowerCall::Off, begun, DeviceAnswer::of(&done), None);
        done
    }

    async fn state(&self) -> Result<Option<bool>> {
        let begun = Instant::now();
        let state = self.power.state().await;
        self.note(PowerCall::State, begun, DeviceAnswer::of(&state), state.as_ref().ok().copied().flatten());
        state
    }

    async fn cycle(&self, wait: Duration) -> Result<()> {
        let begun = Instant::now();
        let done = self.power.cycle(wait).await;
        self.note(PowerCall::Cycle, begun, DeviceAnswer::of(&done), None);
        done
    }
}

/// An open line whose bytes are noted.
struct RecordedStream {
    line: Box<dyn ByteStream>,
    recorder: Arc<Recorder>,
    has_ended: bool,
}

impl RecordedStream {
    fn end(&mut self, error: Option<String>) {
        if !std::mem::replace(&mut self.has_ended, true) {
            self.recorder.note(Moment::LineEnded { error });
        }
    }
}

impl AsyncRead for RecordedStream {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<std::io::Result<()>> {
        let (before, room) = (buffer.filled().len(), buffer.remaining());
        let read = ready!(Pin::new(&mut self.line).poll_read(context, buffer));
        match (&read, buffer.filled().len() - before) {
            (Err(error), _) => self.end(Some(error.to_string())),
            (Ok(()), 0) if room > 0 => self.end(None),
            (Ok(()), 0) => {}
            (Ok(()), _) => {
                let heard = buffer.filled()[before..].to_vec();
                self.recorder.note_with(|| Moment::Heard(heard));
            }
        }
        Poll::Ready(read)
    }
}

impl AsyncWrite for RecordedStream {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<std::io::Result<usize>> {
        let written = ready!(Pin::new(&mut self.line).poll_write(context, bytes));
        match &written {
            Ok(count) => self.recorder.note_with(|| Moment::Sent(bytes[..*count].to_vec())),
            Err(error) => self.end(Some(error.to_string())),
        }
        Poll::Ready(written)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.line).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<std::io::Result<()>> {
        Pin::new(&mut self.line).poll_shutdown(context)
    }
}
