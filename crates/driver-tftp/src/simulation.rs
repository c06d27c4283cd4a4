//! Transfers to a model of U-Boot's client over networks that lose packets both ways: the same for each seed, in no time.
//!
//! The model is `net/tftp.c` of U-Boot 2023.01: its timer strikes when no new block came, and then it repeats its last
//! acknowledgement; it complains once about a gap, never about one before block 1; it acknowledges whole windows, counted
//! from its last complaint; it sends its last acknowledgement once and is gone.

use std::collections::VecDeque;
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bytes::Bytes;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until, timeout_at};

use crate::burst::Burst;
use crate::end::End;
use crate::options::{Limits, negotiate};
use crate::packet::{Mode, Packet, data_header, parse};
use crate::sender::ClientLink;
use crate::source::ServedFile;
use crate::timer::GiveUpLimits;
use crate::transfer::Transfer;

const BLOCK: usize = 512;
/// From one end to the other.
const DELAY: Duration = Duration::from_micros(700);
/// Longer than a network boot of anything.
const FOR_EVER: Duration = Duration::from_secs(3600);

/// One direction of the network.
struct Cable {
    queue: Mutex<VecDeque<(Instant, Vec<u8>)>>,
    arrived: Notify,
    /// Packets of a thousand that are lost, and the state of the generator.
    loss: u64,
    dice: Mutex<u64>,
    delay: Duration,
}

impl Cable {
    fn new(loss: u64, seed: u64) -> Arc<Self> {
        Self::with_delay(loss, seed, DELAY)
    }

    fn with_delay(loss: u64, seed: u64, delay: Duration) -> Arc<Self> {
        let dice = Mutex::new(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1);
        Arc::new(Self { queue: Mutex::default(), arrived: Notify::new(), loss, dice, delay })
    }

    fn send(&self, packet: Vec<u8>) {
        let mut dice = self.dice.lock().unwrap();
        *dice ^= *dice << 13;
        *dice ^= *dice >> 7;
        *dice ^= *dice << 17;
        if *dice % 1000 >= self.loss {
            self.queue.lock().unwrap().push_back((Instant::now() + self.delay, packet));
            self.arrived.notify_one();
        }
    }

    fn take(&self) -> Option<Vec<u8>> {
        let mut queue = self.queue.lock().unwrap();
        queue
            .front()
            .is_some_and(|(at, _)| *at <= Instant::now())
            .then(|| queue.pop_front())?
            .map(|(_, packet)| packet)
    }

    async fn receive(&self) -> Vec<u8> {
        loop {
            if let Some(packet) = self.take() {
                return packet;
            }
            let next = self.queue.lock().unwrap().front().map(|(at, _)| *at);
            match next {
                Some(at) => sleep_until(at).await,
                None => self.arrived.notified().await,
            }
        }
    }
}

/// The server's end.
struct Simulated {
    to_client: Arc<Cable>,
    to_server: Arc<Cable>,
}

fn put(packet: &[u8], buffer: &mut [u8]) -> usize {
    let length = packet.len().min(buffer.len());
    buffer[..length].copy_from_slice(&packet[..length]);
    length
}

impl ClientLink for Simulated {
    async fn send_blocks(&mut self, first: u64, payloads: &[Bytes], _block: usize) -> io::Result<()> {
        for (number, payload) in (first..).zip(payloads) {
            self.to_client.send([&data_header(number)[..], payload].concat());
        }
        Ok(())
    }

    async fn send(&self, packet: &[u8]) -> io::Result<()> {
        self.to_client.send(packet.to_vec());
        Ok(())
    }

    async fn receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        Ok(put(&self.to_server.receive().await, buffer))
    }

    fn try_receive(&self, buffer: &mut [u8]) -> io::Result<usize> {
        self.to_server.take().map(|packet| put(&packet, buffer)).ok_or(io::ErrorKind::WouldBlock.into())
    }

    fn poll_receive(&self, _buffer: &mut [u8]) -> nix::Result<usize> {
        // The simulated clock moves only while every task sleeps.
        Err(nix::Error::ENOTCONN)
    }
}

/// What is asked for, and how U-Boot is set.
#[derive(Clone, Copy, Debug)]
struct SimulatedSettings {
    windowsize: u16,
    /// `tftptimeout`.
    timeout: Duration,
    /// Packets of a thousand that are lost each way.
    loss: u64,
    blocks: usize,
    /// From one end to the other.
    delay: Duration,
}

/// U-Boot's client: what `net/tftp.c` keeps in its variables.
struct SimulatedClient {
    setting: SimulatedSettings,
    began: bool,
    current: u16,
    last_complaint: u16,
    next_acknowledgement: u16,
    windowsize: u16,
    got: Vec<u8>,
    /// Times its timer struck.
    strikes: u32,
    /// When it had everything.
    done: Instant,
}

impl SimulatedClient {
    fn new(setting: SimulatedSettings) -> Self {
        let got = Vec::new();
        let (current, last_complaint, windowsize) = (0, 0, 1);
        Self {
            setting,
            began: false,
            current,
            last_complaint,
            next_acknowledgement: 0,
            windowsize,
            got,
            strikes: 0,
            done: Instant::now(),
        }
    }

    fn request(&self) -> Vec<u8> {
        let mut packet = b"\0\x01file\0octet\0".to_vec();
        for (name, value) in [("timeout", "1"), ("tsize", "0"), ("blksize", "512")] {
            packet.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        if self.setting.windowsize > 1 {
            packet.extend(format!("windowsize\0{}\0", self.setting.windowsize).bytes());
        }
        packet
    }

    fn acknowledgement(&self) -> Vec<u8> {
        [[0, 4], self.current.to_be_bytes()].concat()
    }

    /// What it sends when its timer strikes.
    fn strike(&mut self) -> Vec<u8> {
        self.strikes += 1;
        if self.began { self.acknowledgement() } else { self.request() }
    }

    /// What it sends for a packet, whether its timer begins anew, and whether it has everything.
    fn hear(&mut self, packet: &[u8]) -> (Option<Vec<u8>>, bool, bool) {
        match packet[1] {
            6 => {
                (self.began, self.windowsize) = (true, self.setting.windowsize);
                self.next_acknowledgement = self.windowsize;
                (Some(self.acknowledgement()), false, false)
            }
            3 if [packet[2], packet[3]] != self.current.wrapping_add(1).to_be_bytes() => {
                if self.last_complaint == self.current {
                    return (None, false, false);
                }
                self.last_complaint = self.current;
                self.next_acknowledgement = self.current.wrapping_add(self.windowsize);
                (Some(self.acknowledgement()), false, false)
            }
            3 => {
                self.current = self.current.wrapping_add(1);
                self.got.extend_from_slice(&packet[4..]);
                let is_last = packet.len() < 4 + BLOCK;
                let is_due = self.current == self.next_acknowledgement;
                if is_due && !is_last {
                    self.next_acknowledgement = self.next_acknowledgement.wrapping_add(self.windowsize);
                }
                ((is_due || is_last).then(|| self.acknowledgement()), true, is_last)
            }
            opcode => panic!("opcode {opcode}"),
        }
    }

    async fn fetch(mut self, from_server: &Cable, to_server: &Cable, asked: &Notify) -> Self {
        let send = |packet: Vec<u8>| match packet[1] {
            // A request that is repeated is not answered again: the transfer's own timer does that.
            1 => asked.notify_one(),
            _ => to_server.send(packet),
        };
        send(self.request());
        let mut timer = Instant::now() + self.setting.timeout;
        loop {
            let Ok(packet) = timeout_at(timer, from_server.receive()).await else {
                let packet = self.strike();
                send(packet);
                timer = Instant::now() + self.setting.timeout;
                continue;
            };
            let (answer, is_new, is_last) = self.hear(&packet);
            answer.into_iter().for_each(send);
            if is_last {
                self.done = Instant::now();
                return self;
            }
            if is_new {
                timer = Instant::now() + self.setting.timeout;
            }
        }
    }
}

/// A file of that many blocks and a bit.
fn content(blocks: usize) -> Vec<u8> {
    (0..blocks * BLOCK + 7).map(|at| (at.wrapping_mul(2_654_435_761) >> 13) as u8).collect()
}

/// Serves the file to the end; gives that, and the last block that was acknowledged.
async fn serve(line: Simulated, path: &Path, windowsize: u16) -> (Result<(), End>, Option<u64>) {
    let client = SimulatedClient::new(setting(windowsize, 1, 0, 0));
    let Ok(Packet::Read(request)) = parse(&client.request()) else { panic!("no request") };
    let length = std::fs::metadata(path).unwrap().len();
    let agreed = negotiate(&request, length, Limits { blksize: 1468, windowsize: 64 }).unwrap();
    let source = ServedFile::new(File::open(path).unwrap(), length, Mode::Octet, agreed.blksize);
    let limits = GiveUpLimits { first_wait: Duration::from_millis(500), retries: 12 };
    let flags = (Arc::<AtomicBool>::default(), Arc::default());
    let burst = Burst::new(agreed.windowsize);
    let mut transfer = Transfer::new(line, source, &agreed, burst, limits, flags);
    (transfer.run().await, transfer.tally().block)
}

/// Plays one transfer; gives how it ended for the server, and the client.
async fn play(path: &Path, setting: SimulatedSettings, seed: u64) -> (Result<(), End>, SimulatedClient) {
    let [to_client, to_server] =
        [seed, !seed].map(|seed| Cable::with_delay(setting.loss, seed, setting.delay));
    let asked = Notify::new();
    let served = async {
        loop {
            asked.notified().await;
            let line = Simulated { to_client: Arc::clone(&to_client), to_server: Arc::clone(&to_server) };
            match serve(line, path, setting.windowsize).await {
                // The next request of a client that has heard nothing yet is served anew.
                (Err(End::Silence { .. }), None) => {}
                (ended, _) => return ended,
            }
        }
    };
    let fetched = SimulatedClient::new(setting).fetch(&to_client, &to_server, &asked);
    let ended = tokio::time::timeout(FOR_EVER, async { tokio::join!(served, fetched) }).await;
    ended.unwrap_or_else(|_| panic!("{setting:?} {seed}: it does not end"))
}

fn file(folder: &Path, blocks: usize) -> PathBuf {
    let path = folder.join(format!("{blocks}"));
    std::fs::write(&path, content(blocks)).unwrap();
    path
}

const fn setting(windowsize: u16, timeout: u64, loss: u64, blocks: usize) -> SimulatedSettings {
    SimulatedSettings { windowsize, timeout: Duration::from_secs(timeout), loss, blocks, delay: DELAY }
}

/// Plays so many seeds: the file always comes whole, and only the last acknowledgement may be missed.
async fn check(setting: SimulatedSettings, seeds: u64) {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), setting.blocks);
    let whole = content(setting.blocks);
    let mut unconfirmed = 0;
    for seed in 1..=seeds {
        let (ended, client) = play(&path, setting, seed).await;
        assert!(client.got == whole, "{setting:?} {seed}");
        // U-Boot gives up when its timer has struck so often: `tftptimeoutcountmax`, as the flasher sets it.
        assert!(client.strikes <= 100, "{setting:?} {seed}: {} strikes", client.strikes);
        match ended {
            Ok(()) => {}
            Err(End::Unconfirmed) => unconfirmed += 1,
            Err(end) => panic!("{setting:?} {seed}: {end:?}"),
        }
    }
    // The last acknowledgement is one packet, lost as often as others.
    let expected = seeds * setting.loss / 1000;
    assert!((expected / 3..=expected * 3 + 5).contains(&unconfirmed), "{setting:?}: {unconfirmed}");
}

#[tokio::test(start_paused = true)]
async fn lossy_network_with_flasher_settings() {
    check(setting(16, 1, 50, 64), 1500).await;
}

#[tokio::test(start_paused = true)]
async fn lossy_network_with_default_timer() {
    check(setting(16, 5, 50, 64), 1000).await;
}

#[tokio::test(start_paused = true)]
async fn a_file_of_less_than_a_window_arrives_over_a_lossy_network() {
    check(setting(16, 1, 50, 3), 1500).await;
}

#[tokio::test(start_paused = true)]
async fn lossy_network_without_windows() {
    check(setting(1, 5, 50, 30), 500).await;
}

#[tokio::test(start_paused = true)]
async fn small_and_large_windows_and_much_loss_are_mended() {
    check(setting(4, 1, 200, 30), 300).await;
    check(setting(64, 1, 10, 200), 100).await;
    check(setting(16, 1, 300, 40), 300).await;
}

#[tokio::test(start_paused = true)]
async fn a_client_that_is_gone_is_given_up_in_bounded_time() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 100);
    for (was_heard, most) in [(false, 20), (true, 40)] {
        let (to_client, to_server) = (Cable::new(0, 1), Cable::new(0, 2));
        if was_heard {
            to_server.send(vec![0, 4, 0, 0]);
        }
        let begun = Instant::now();
        let (ended, _) = serve(Simulated { to_client, to_server }, &path, 16).await;
        let Err(End::Silence { silent, .. }) = ended else { panic!("{was_heard}: {ended:?}") };
        assert!(begun.elapsed() <= Duration::from_secs(most), "{was_heard}: {:?}", begun.elapsed());
        assert!(begun.elapsed() - silent < Duration::from_secs(1), "{was_heard}: {silent:?}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_client_that_repeats_itself_for_ever_is_given_up_too() {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), 100);
    let (to_client, to_server) = (Cable::new(0, 1), Cable::new(0, 2));
    let line = Simulated { to_client, to_server: Arc::clone(&to_server) };
    let repeating = tokio::spawn(async move {
        loop {
            to_server.send(vec![0, 4, 0, 0]);
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
    });
    let begun = Instant::now();
    let (ended, block) = serve(line, &path, 16).await;
    assert!(matches!((&ended, block), (Err(End::Standstill(_)), Some(0))), "{ended:?} {block:?}");
    assert!(begun.elapsed() < Duration::from_secs(130), "{:?}", begun.elapsed());
    repeating.abort();
}

/// How long files take on average.
async fn cost(setting: SimulatedSettings, seeds: u64) -> Duration {
    let folder = tempfile::tempdir().unwrap();
    let path = file(folder.path(), setting.blocks);
    let mut took = Duration::ZERO;
    for seed in 1..=seeds {
        let begun = Instant::now();
        let (_, client) = play(&path, setting, seed).await;
        took += client.done - begun;
    }
    took / u32::try_from(seeds).unwrap()
}

/// Over a network that loses this many packets of a thousand each way, `delay` microseconds from one end to the other.
async fn check_windows(loss: u64, delay: u64) {
    let mut costs = Vec::new();
    for window in [1, 4, 16] {
        let delay = Duration::from_micros(delay);
        costs
            .push(cost(SimulatedSettings { delay, ..setting(window, 1, loss, 1000) }, 8).await.as_secs_f64());
    }
    println!("{loss} of 1000 lost, {delay} us: windows of 1, 4 and 16 take {costs:.2?} s");
    assert!(costs[2] <= costs[1].min(costs[0]) * 1.1, "{loss} {delay}: {costs:?}");
}

/// That is why smaller ones are tried only where the largest fails.
#[tokio::test(start_paused = true)]
async fn no_smaller_window_is_quicker() {
    for loss in [0, 5, 20, 50] {
        for delay in [150, 2500, 15_000] {
            check_windows(loss, delay).await;
        }
    }
}
