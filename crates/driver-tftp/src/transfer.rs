//! One file on its way to one client.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::burst::Burst;
use crate::clock::Clock;
use crate::end::End;
use crate::options::Agreed;
use crate::outlet::Outlet;
use crate::packet::{self, Packet, Refusal};
use crate::source::Source;
use crate::window::{Heard, Window};

/// Whether a sign of loss at the beginning of a window has been acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Haste {
    No,
    Armed,
    Used,
}

/// How patient a transfer is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Patience {
    /// Wait until a round trip was measured.
    pub(crate) first_wait: Duration,
    /// Repetitions without any progress that end it.
    pub(crate) retries: u32,
}

/// What a transfer has come to.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Tally {
    /// Bytes of the file that were acknowledged.
    pub(crate) bytes: u64,
    /// Packets that were sent again.
    pub(crate) resends: u64,
    /// The last block that was acknowledged; 0 is the OACK.
    pub(crate) block: Option<u64>,
    /// Smoothed round trip, from the last packet of a window to its acknowledgement.
    pub(crate) round_trip: Option<Duration>,
}

/// A transfer under way. Its socket is connected to the client, so no other port is heard (RFC 1350 section 4).
#[derive(Debug)]
pub(crate) struct Transfer {
    outlet: Outlet,
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
    bytes: u64,
    resends: u64,
}

impl Transfer {
    /// `answered` is set when the client answers at all; `burst` is what its network took before.
    pub(crate) fn new(
        outlet: Outlet,
        source: Source,
        agreed: &Agreed,
        burst: Burst,
        patience: Patience,
        answered: Arc<AtomicBool>,
    ) -> Self {
        Self {
            outlet,
            source,
            blksize: agreed.blksize.into(),
            windowsize: agreed.windowsize,
            window: Window::new(agreed.windowsize, agreed.option_ack()),
            clock: Clock::new(patience.first_wait),
            burst,
            retries: patience.retries,
            in_vain: 0,
            haste: Haste::No,
            probing: false,
            deadline: Instant::now() + patience.first_wait,
            timed: None,
            answered,
            bytes: 0,
            resends: 0,
        }
    }

    /// What it has come to so far.
    pub(crate) fn tally(&self) -> Tally {
        Tally {
            bytes: self.bytes,
            resends: self.resends,
            block: self.window.acknowledged(),
            round_trip: self.clock.round_trip(),
        }
    }

    /// What the client's network takes at once.
    pub(crate) fn burst(&self) -> Burst {
        self.burst
    }

    /// Tells the client why it ends. A packet that cannot be sent is as good as lost.
    pub(crate) async fn tell(&self, refusal: &Refusal) {
        let _ = self.socket().send(&refusal.packet()).await;
    }

    /// Sends until every block is acknowledged.
    pub(crate) async fn run(&mut self) -> Result<(), End> {
        while !self.window.is_finished() {
            let pause = self.send_burst().await?;
            let until = if self.window.is_used_up() { self.deadline } else { Instant::now() + pause };
            self.listen(until).await?;
        }
        Ok(())
    }

    fn socket(&self) -> &UdpSocket {
        &self.outlet.socket
    }

    /// Gives the pause before the next burst.
    async fn send_burst(&mut self) -> Result<Duration, End> {
        let probing = std::mem::take(&mut self.probing);
        let (blocks, pause) =
            if probing { (1, self.clock.haste()) } else { (self.burst.size(), Burst::PAUSE) };
        self.make(blocks).await?;
        let due = self.window.due(blocks);
        if due.is_empty() {
            return Ok(pause);
        }
        let payloads = self.window.made(due.clone());
        let sent = match &payloads[..] {
            [option_ack] if due.start == 0 => self.socket().send(option_ack).await.map(drop),
            payloads => self.outlet.send(due.start, payloads, self.blksize).await,
        };
        // Any other failure to send is a loss like others: the timer sees to it.
        if sent.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Err(End::PortClosed);
        }
        self.count(due.end - due.start, due.end - 1);
        Ok(pause)
    }

    /// Makes the blocks that are to be sent and were not made before.
    async fn make(&mut self, most: u16) -> Result<(), End> {
        while self.window.unmade() < self.window.due(most).end {
            let payload = self.source.next().await.map_err(End::File)?;
            let is_last = payload.len() < self.blksize;
            self.window.add(payload, is_last);
        }
        Ok(())
    }

    fn count(&mut self, blocks: u64, newest: u64) {
        let now = Instant::now();
        let again = self.window.sent(blocks);
        self.resends += again;
        self.timed = (again == 0).then_some((newest, now));
        self.deadline = now + self.clock.wait();
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
            let Ok(received) = timeout_at(until, self.socket().recv(&mut buffer)).await else {
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
            match self.socket().try_recv(buffer) {
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
            Heard::All { bytes } => self.progress(bytes, None),
            Heard::Some { bytes, blocks } => self.progress(bytes, Some(blocks)),
            Heard::Again => self.hurry(),
            Heard::Foreign => {}
        }
        matches!(heard, Heard::All { .. } | Heard::Some { .. })
    }

    /// `arrived` is how many blocks of a window came before the first that did not.
    fn progress(&mut self, bytes: u64, arrived: Option<u64>) {
        self.bytes += bytes;
        let newest = self.timed.filter(|(number, _)| Some(*number) == self.window.acknowledged());
        if let Some((_, at)) = newest {
            self.clock.measure(at.elapsed());
        }
        self.timed = None;
        self.clock.progressed();
        self.in_vain = 0;
        self.haste = Haste::No;
        match arrived {
            None => self.burst.arrived(),
            Some(blocks) => self.burst.lost_after(blocks),
        }
    }

    /// The last acknowledgement came again. With a window that may mean that its first block was lost (RFC 7440 section
    /// 4); after a wait in vain, that the client's own timer has struck; otherwise nothing at all. So it never sends by
    /// itself: once between two waits in vain it shortens the wait.
    fn hurry(&mut self) {
        let may_mean_loss = self.windowsize > 1 || self.in_vain > 0;
        if may_mean_loss && self.haste == Haste::No && self.window.is_used_up() {
            self.haste = Haste::Armed;
            self.deadline = self.deadline.min(Instant::now() + self.clock.haste());
        }
    }

    fn time_is_up(&mut self) -> Result<(), End> {
        if !self.window.is_used_up() {
            return Ok(()); // only the pause between bursts is over
        }
        if self.haste == Haste::Armed {
            self.haste = Haste::Used;
        } else {
            self.in_vain += 1;
            self.haste = Haste::No;
            self.clock.waited_in_vain();
            self.burst.nothing_heard(self.in_vain);
        }
        if self.in_vain > self.retries {
            return Err(End::Silence(self.in_vain));
        }
        self.window.rewind();
        // A client that has the block says how far it has got. To send it the whole window instead would make it complain
        // about every block it has, and each complaint would call for the same blocks again.
        self.probing = true;
        Ok(())
    }
}
