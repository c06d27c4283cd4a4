//! One file on its way to one client.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::clock::{Burst, Clock};
use crate::options::Agreed;
use crate::packet::{self, Code, HEADER, Packet, Refusal};
use crate::source::Source;
use crate::window::{Heard, Window};

/// How a client ended a transfer, or why the server does.
#[derive(Debug)]
pub(crate) enum End {
    /// The client sent an ERROR.
    Client(String),
    /// The client's host says that nobody listens there any more.
    PortClosed,
    /// Nothing was heard after so many repetitions.
    Silence(u32),
    /// The file could not be read.
    File(io::Error),
}

impl End {
    /// Why, for the report.
    pub(crate) fn reason(&self) -> String {
        match self {
            Self::Client(text) => format!("the client ended it: {text}"),
            Self::PortClosed => "the client closed its port".into(),
            Self::Silence(times) => format!("no answer after sending {times} times"),
            Self::File(error) => error.to_string(),
        }
    }

    /// The ERROR that tells the client, when it may still listen.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        match self {
            Self::Client(_) | Self::PortClosed => None,
            Self::Silence(_) => Some(Refusal::new(Code::NotDefined, "no acknowledgement, giving up")),
            Self::File(_) => Some(Refusal::new(Code::NotDefined, "cannot read the file")),
        }
    }
}

/// Whether a sign of loss at the beginning of a window has been acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    No,
    Armed,
    Used,
}

/// A transfer under way. Its socket is connected to the client, so no other port is heard (RFC 1350 section 4).
#[derive(Debug)]
pub(crate) struct Transfer {
    socket: UdpSocket,
    source: Source,
    blksize: usize,
    windowsize: u16,
    window: Window,
    clock: Clock,
    burst: Burst,
    retries: u32,
    in_vain: u32,
    haste: Haste,
    /// Whether one block goes out alone, to hear where the client stands before the rest follows.
    probing: bool,
    deadline: Instant,
    /// The newest block that was sent once only, and when.
    timed: Option<(u64, Instant)>,
    answered: Arc<AtomicBool>,
    acknowledged: u64,
    resends: u64,
}

impl Transfer {
    /// `first_wait` until a round trip was measured; `retries` without any progress end it. `answered` is set when the
    /// client answers at all.
    pub(crate) fn new(
        socket: UdpSocket,
        source: Source,
        agreed: &Agreed,
        first_wait: Duration,
        retries: u32,
        answered: Arc<AtomicBool>,
    ) -> Self {
        Self {
            socket,
            source,
            blksize: agreed.blksize.into(),
            windowsize: agreed.windowsize,
            window: Window::new(agreed.windowsize, agreed.option_ack()),
            clock: Clock::new(first_wait),
            burst: Burst::new(agreed.windowsize),
            retries,
            in_vain: 0,
            haste: Haste::No,
            probing: false,
            deadline: Instant::now() + first_wait,
            timed: None,
            answered,
            acknowledged: 0,
            resends: 0,
        }
    }

    /// Bytes of the file that were acknowledged.
    pub(crate) fn acknowledged(&self) -> u64 {
        self.acknowledged
    }

    /// Packets that were sent again.
    pub(crate) fn resends(&self) -> u64 {
        self.resends
    }

    /// Tells the client why it ends. A packet that cannot be sent is as good as lost.
    pub(crate) async fn tell(&self, refusal: &Refusal) {
        let _ = self.socket.send(&refusal.packet()).await;
    }

    /// Sends until every block is acknowledged.
    pub(crate) async fn run(&mut self) -> Result<(), End> {
        while !self.window.is_finished() {
            let pause = self.send_burst().await?;
            let is_sent = self.window.next().is_none();
            let until = if is_sent { self.deadline } else { Instant::now() + pause };
            self.listen(until).await?;
        }
        Ok(())
    }

    /// Gives the pause before the next burst.
    async fn send_burst(&mut self) -> Result<Duration, End> {
        let probing = std::mem::take(&mut self.probing);
        let (blocks, pause) =
            if probing { (1, self.clock.haste()) } else { (self.burst.size(), Burst::PAUSE) };
        for _ in 0..blocks {
            let Some(number) = self.window.next() else { break };
            if self.window.made().is_none() {
                self.make(number).await?;
            }
            self.send(number).await?;
        }
        Ok(pause)
    }

    async fn make(&mut self, number: u64) -> Result<(), End> {
        let mut packet = self.window.blank();
        packet::begin_data(&mut packet, number);
        self.source.fill(&mut packet, self.blksize).await.map_err(End::File)?;
        let is_last = packet.len() < HEADER + self.blksize;
        self.window.add(packet, is_last);
        Ok(())
    }

    async fn send(&mut self, number: u64) -> Result<(), End> {
        let sent = match self.window.made() {
            Some(packet) => self.socket.send(packet).await,
            None => return Ok(()),
        };
        // Any other failure to send is a loss like others: the timer sees to it.
        if sent.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Err(End::PortClosed);
        }
        let now = Instant::now();
        if self.window.sent() {
            self.resends += 1;
            self.timed = None;
        } else {
            self.timed = Some((number, now));
        }
        self.deadline = now + self.clock.wait();
        Ok(())
    }

    /// Hears the client until something changes, or until then.
    async fn listen(&mut self, until: Instant) -> Result<(), End> {
        // One byte more than any ERROR text worth reading; longer packets are cut, which does no harm.
        let mut buffer = [0; 516];
        let mut until = until;
        loop {
            if Instant::now() >= until {
                return self.time_is_up();
            }
            let Ok(received) = timeout_at(until, self.socket.recv(&mut buffer)).await else {
                return self.time_is_up();
            };
            let changed = self.hear(received, &buffer).await?;
            if changed {
                return self.drain(&mut buffer).await;
            }
            until = until.min(self.deadline);
        }
    }

    /// What arrived meanwhile may make sending again needless.
    async fn drain(&mut self, buffer: &mut [u8]) -> Result<(), End> {
        for _ in 0..64 {
            match self.socket.try_recv(buffer) {
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
                received => self.hear(received, buffer).await?,
            };
        }
        Ok(())
    }

    /// Tells whether there may be something to send now.
    async fn hear(&mut self, received: io::Result<usize>, buffer: &[u8]) -> Result<bool, End> {
        let length = match received {
            Ok(length) => length,
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(End::PortClosed),
            Err(_) => {
                // A router's complaint that may pass, for example `host unreachable`.
                tokio::time::sleep(Burst::PAUSE).await;
                return Ok(false);
            }
        };
        match packet::parse(&buffer[..length]) {
            Ok(Packet::Ack(number)) => Ok(self.take(number)),
            Ok(Packet::Error { code, text }) => Err(End::Client(format!("error {code} {text:?}"))),
            Ok(_) | Err(_) => Ok(false),
        }
    }

    fn take(&mut self, number: u16) -> bool {
        self.answered.store(true, Ordering::Relaxed);
        let heard = self.window.take(number);
        match heard {
            Heard::All { bytes } => self.progress(bytes, true),
            Heard::Some { bytes } => self.progress(bytes, false),
            Heard::Again => self.hurry(),
            Heard::Foreign => {}
        }
        matches!(heard, Heard::All { .. } | Heard::Some { .. })
    }

    fn progress(&mut self, bytes: u64, is_whole: bool) {
        self.acknowledged += bytes;
        let newest = self.timed.filter(|(number, _)| Some(*number) == self.window.acknowledged());
        if let Some((_, at)) = newest {
            self.clock.measure(at.elapsed());
        }
        self.timed = None;
        self.clock.progressed();
        self.in_vain = 0;
        self.haste = Haste::No;
        if is_whole { self.burst.arrived() } else { self.burst.lost() }
    }

    /// The last acknowledgement came again. With a window that may mean that its first block was lost (RFC 7440 section
    /// 4); after a wait in vain, that the client's own timer has struck; otherwise nothing at all. So it never sends by
    /// itself: once between two waits in vain it shortens the wait.
    fn hurry(&mut self) {
        let may_mean_loss = self.windowsize > 1 || self.in_vain > 0;
        if may_mean_loss && self.haste == Haste::No && self.window.next().is_none() {
            self.haste = Haste::Armed;
            self.deadline = self.deadline.min(Instant::now() + self.clock.haste());
        }
    }

    fn time_is_up(&mut self) -> Result<(), End> {
        if self.window.next().is_some() {
            return Ok(()); // only the pause between bursts is over
        }
        if self.haste == Haste::Armed {
            self.haste = Haste::Used;
        } else {
            self.in_vain += 1;
            self.haste = Haste::No;
            self.clock.waited_in_vain();
        }
        if self.in_vain > self.retries {
            return Err(End::Silence(self.in_vain));
        }
        self.burst.lost();
        self.window.rewind();
        // A client that has the block says how far it has got. To send it the whole window instead would make it complain
        // about every block it has, and each complaint would call for the same blocks again.
        self.probing = true;
        Ok(())
    }
}
