//! One file on its way to one client.

use std::io;
use std::ops::Range;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use nix::errno::Errno;
use tokio::time::{Instant, timeout_at};

use crate::burst::Burst;
use crate::end::End;
use crate::options::Agreed;
use crate::packet::{self, Packet, Refusal};
use crate::sender::ClientLink;
use crate::source::ServedFile;
use crate::spare::has_spare_processors;
use crate::tally::Tally;
use crate::timer::{GiveUpLimits, NO_ANSWER_LIMIT, NO_PROGRESS_LIMIT, RetransmitTimer, SILENCE_LIMIT};
use crate::window::{AckMeaning, Window};

/// Whether a sign of loss at the beginning of a window has been acted on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum FastRetransmit {
    No,
    Armed,
    Used,
}

/// A transfer under way. Its socket is connected to the client, so no other port is heard (RFC 1350 section 4).
#[derive(Debug)]
pub(crate) struct Transfer<L> {
    line: L,
    source: ServedFile,
    blksize: usize,
    windowsize: u16,
    window: Window,
    timer: RetransmitTimer,
    burst: Burst,
    retries: u32,
    timeouts: u32,
    /// Waits in which nothing at all was heard.
    silent_timeouts: u32,
    /// When the client was last heard, whatever it said, and when it last had more than before.
    heard: Instant,
    progressed: Instant,
    fast_retransmit: FastRetransmit,
    /// When blocks went out again that the client may already have, and complain about.
    mended: Option<Instant>,
    deadline: Instant,
    /// The newest block that was sent once only, and when.
    timed: Option<(u64, Instant)>,
    answered: Arc<AtomicBool>,
    /// Transfers of the server under way.
    active: Arc<AtomicUsize>,
    /// Whether it may wait awake: looked at once, when it begins.
    waits_awake: bool,
    bytes: u64,
    resends: u64,
}

/// Round trips shorter than this are those of this machine's own network.
const LOCAL_ROUND_TRIP: Duration = Duration::from_micros(50);

impl<L: ClientLink> Transfer<L> {
    /// `answered` is set when the client answers at all, `active` counts the server's transfers; `burst` is what the
    /// client's network took before.
    pub(crate) fn new(
        line: L,
        source: ServedFile,
        agreed: &Agreed,
        burst: Burst,
        limits: GiveUpLimits,
        (answered, active): (Arc<AtomicBool>, Arc<AtomicUsize>),
    ) -> Self {
        let now = Instant::now();
        Self {
            line,
            source,
            blksize: agreed.blksize.into(),
            windowsize: agreed.windowsize,
            window: Window::new(agreed.windowsize, agreed.option_ack()),
            timer: RetransmitTimer::new(limits.first_wait),
            burst,
            retries: limits.retries,
            timeouts: 0,
            silent_timeouts: 0,
            heard: now,
            progressed: now,
            fast_retransmit: FastRetransmit::No,
            mended: None,
            deadline: now + limits.first_wait,
            timed: None,
            answered,
            active,
            waits_awake: has_spare_processors(),
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
            round_trip: self.timer.round_trip(),
        }
    }

    /// What the client's network takes at once.
    pub(crate) fn burst(&self) -> Burst {
        self.burst
    }

    /// Tells the client why it ends. A packet that cannot be sent is as good as lost.
    pub(crate) async fn tell(&self, refusal: &Refusal) {
        let _ = self.line.send(&refusal.packet()).await;
    }

    /// Sends until every block is acknowledged.
    pub(crate) async fn run(&mut self) -> Result<(), End> {
        while !self.window.is_finished() {
            self.send_burst().await?;
            let until = if self.window.is_used_up() { self.deadline } else { Instant::now() + Burst::PAUSE };
            self.listen(until).await?;
        }
        Ok(())
    }

    async fn send_burst(&mut self) -> Result<(), End> {
        let blocks = self.burst.size();
        self.make(blocks).await?;
        let due = self.window.due(blocks);
        if !due.is_empty() {
            self.send(due.clone()).await?;
            self.count(due.end - due.start, due.end - 1);
        }
        Ok(())
    }

    /// Sends blocks that were made.
    async fn send(&mut self, numbers: Range<u64>) -> Result<(), End> {
        let payloads = self.window.made(numbers.clone());
        let sent = match &payloads[..] {
            [option_ack] if numbers.start == 0 => self.line.send(option_ack).await,
            payloads => self.line.send_blocks(numbers.start, payloads, self.blksize).await,
        };
        // Any other failure to send is a loss like others: the timer sees to it.
        if sent.is_err_and(|error| error.kind() == io::ErrorKind::ConnectionRefused) {
            return Err(End::PortClosed);
        }
        Ok(())
    }

    /// Sends blocks under way once more, to hear from the client where it stands.
    async fn probe(&mut self, numbers: Range<u64>) -> Result<(), End> {
        self.send(numbers.clone()).await?;
        self.resends += numbers.end - numbers.start;
        self.timed = None;
        let now = Instant::now();
        (self.mended, self.deadline) = (Some(now), now + self.timer.wait());
        Ok(())
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
        if again > 0 {
            self.mended = Some(now);
        }
        self.timed = (again == 0).then_some((newest, now));
        let wait = if self.fast_retransmit == FastRetransmit::Armed {
            self.timer.fast_wait()
        } else {
            self.timer.wait()
        };
        self.deadline = now + wait;
    }

    /// Hears the client until something changes, or until then.
    async fn listen(&mut self, until: Instant) -> Result<(), End> {
        // One byte more than any ERROR text worth reading; longer packets are cut, which does no harm.
        let mut buffer = [0; 516];
        let mut until = until;
        if let Some(received) = self.poll_receive(&mut buffer)
            && self.hear(received, &buffer).await?
        {
            return Ok(());
        }
        loop {
            if Instant::now() >= until {
                return self.time_is_up().await;
            }
            let Ok(received) = timeout_at(until, self.line.receive(&mut buffer)).await else {
                return self.time_is_up().await;
            };
            let changed = self.hear(received, &buffer).await?;
            if changed {
                return self.drain(&mut buffer).await;
            }
            until = until.min(self.deadline);
        }
    }

    /// On this machine's own network an answer comes sooner than a thread could be put to sleep and woken: then, when
    /// this machine has processors to spare and no other client is served, it is waited for awake, for at most some ten
    /// microseconds.
    fn poll_receive(&self, buffer: &mut [u8]) -> Option<io::Result<usize>> {
        if !self.waits_awake {
            return None;
        }
        let trip = self.timer.round_trip().filter(|trip| *trip < LOCAL_ROUND_TRIP)?;
        if self.active.load(Ordering::Relaxed) > 1 {
            return None;
        }
        let begun = Instant::now();
        while begun.elapsed() < trip * 2 {
            match self.line.poll_receive(buffer) {
                Err(Errno::EAGAIN) => std::hint::spin_loop(),
                received => return Some(received.map_err(io::Error::from)),
            }
        }
        None
    }

    /// What arrived meanwhile may make sending again needless.
    async fn drain(&mut self, buffer: &mut [u8]) -> Result<(), End> {
        for _ in 0..64 {
            match self.line.try_receive(buffer) {
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
            Ok(Packet::Error { code, text }) => Err(End::Client { code, text }),
            Ok(_) | Err(_) => Ok(false),
        }
    }

    fn take(&mut self, number: u16) -> bool {
        self.answered.store(true, Ordering::Relaxed);
        (self.heard, self.silent_timeouts) = (Instant::now(), 0);
        let heard = self.window.take(number);
        match heard {
            AckMeaning::All { bytes } => {
                self.progress(bytes);
                self.mended = None;
                self.burst.arrived();
            }
            AckMeaning::Some { bytes, blocks } => {
                if self.mended.is_none() && self.fast_retransmit != FastRetransmit::Used {
                    self.burst.lost_after(blocks);
                }
                self.progress(bytes);
                self.mend();
            }
            AckMeaning::Again => self.hurry(),
            AckMeaning::Foreign => {}
        }
        matches!(heard, AckMeaning::All { .. } | AckMeaning::Some { .. })
    }

    fn progress(&mut self, bytes: u64) {
        self.bytes += bytes;
        let newest = self.timed.filter(|(number, _)| Some(*number) == self.window.acknowledged());
        if let Some((_, at)) = newest {
            self.timer.measure(at.elapsed());
        }
        self.timed = None;
        self.timer.progressed();
        self.timeouts = 0;
        self.progressed = Instant::now();
        self.fast_retransmit = FastRetransmit::No;
    }

    /// The client has some more and wants the next block. When that one went out again just now, the client may have
    /// complained before it came, or about a block it got twice: then only what is new follows, and the timer sees to the
    /// rest soon. To send the window once more for each complaint would keep every window going out twice for ever.
    fn mend(&mut self) {
        if self.mended.is_some_and(|at| at.elapsed() < self.timer.echo()) {
            self.fast_retransmit = FastRetransmit::Armed;
            self.deadline = self.deadline.min(Instant::now() + self.timer.fast_wait());
        } else {
            self.window.rewind();
        }
    }

    /// The last acknowledgement came again. With a window that may mean that its first block was lost (RFC 7440 section
    /// 4); after a wait in vain, that the client's own timer has struck; otherwise nothing at all. So it never sends by
    /// itself: once between two waits in vain it shortens the wait.
    fn hurry(&mut self) {
        let may_mean_loss = self.windowsize > 1 || self.timeouts > 0;
        if may_mean_loss && self.fast_retransmit == FastRetransmit::No && self.window.is_used_up() {
            self.fast_retransmit = FastRetransmit::Armed;
            self.deadline = self.deadline.min(Instant::now() + self.timer.fast_wait());
        }
    }

    /// A client that is merely busy must not find window after window waiting, for its receive ring would overflow. So
    /// single blocks ask for its word first. The last one is confirmed or complained about; but a client complains only once
    /// about the same gap, so when it has, it gets the block it misses with it. Most of the others follow every other time,
    /// and then the first one again, for a client that has it now says how far it got.
    async fn time_is_up(&mut self) -> Result<(), End> {
        if !self.window.is_used_up() {
            return Ok(()); // only the pause between bursts is over
        }
        let all = self.window.under_way();
        let first = all.start..all.start + 1;
        if self.fast_retransmit == FastRetransmit::Armed {
            self.fast_retransmit = FastRetransmit::Used;
            self.ask(all).await?;
            // Having got the first, the client complains about the last. That is no echo: the rest goes out.
            self.mended = None;
            return Ok(());
        }
        self.timeouts += 1;
        self.silent_timeouts += 1;
        self.fast_retransmit = FastRetransmit::No;
        self.timer.timed_out();
        self.burst.nothing_heard(self.timeouts);
        if let Some(end) = self.given_up() {
            return Err(end);
        }
        let middle = first.end..all.end.saturating_sub(2);
        match self.timeouts {
            2 | 4 | 6.. if !middle.is_empty() => {
                self.probe(middle).await?;
                self.probe(first).await
            }
            1 if self.mended.is_none() => self.probe(all.end - 1..all.end).await,
            _ => self.ask(all).await,
        }
    }

    /// Whether waiting longer is of no use. A client that still talks is waited for longer than one that is silent, and one
    /// that has never answered the shortest: it has gone, or asks again.
    fn given_up(&self) -> Option<End> {
        let (silent, times) = (self.heard.elapsed(), self.silent_timeouts);
        if self.progressed.elapsed() >= NO_PROGRESS_LIMIT {
            return Some(End::Standstill(self.progressed.elapsed()));
        }
        let was_heard = self.answered.load(Ordering::Relaxed);
        let is_last = self.window.ends_the_file() && self.window.acknowledged().is_some();
        if was_heard && is_last && silent >= NO_ANSWER_LIMIT {
            return Some(End::Unconfirmed);
        }
        let enough = if was_heard { SILENCE_LIMIT } else { NO_ANSWER_LIMIT };
        let is_over = silent >= enough || self.silent_timeouts > self.retries;
        is_over.then_some(End::Silence { times, silent })
    }

    /// The first and the last of these blocks once more.
    async fn ask(&mut self, blocks: Range<u64>) -> Result<(), End> {
        self.probe(blocks.start..blocks.start + 1).await?;
        if blocks.end > blocks.start + 1 { self.probe(blocks.end - 1..blocks.end).await } else { Ok(()) }
    }
}
