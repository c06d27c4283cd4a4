//! A TFTP client to measure servers with: as a boot loader asks and acknowledges, with loss and slowness on purpose.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// What to fetch, and how.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch<'f> {
    pub(super) server: SocketAddr,
    pub(super) file: &'f str,
    /// Own address.
    pub(super) from: Ipv4Addr,
    pub(super) blksize: usize,
    pub(super) window: u64,
    /// Of 1000 packets each way, so many are lost.
    pub(super) loss: u64,
    /// Before each acknowledgement.
    pub(super) delay: Duration,
    /// Wait for a packet before the last acknowledgement is repeated.
    pub(super) patience: Duration,
    /// Wait for the whole file.
    pub(super) bound: Duration,
}

/// What came.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Got {
    pub(super) bytes: usize,
    pub(super) seconds: f64,
    /// Whether the file came whole within the bound.
    pub(super) whole: bool,
}

impl<'f> Fetch<'f> {
    pub(super) fn new(server: SocketAddr, file: &'f str) -> Self {
        Self {
            server,
            file,
            from: Ipv4Addr::LOCALHOST,
            blksize: 512,
            window: 1,
            loss: 0,
            delay: Duration::ZERO,
            patience: Duration::from_secs(1),
            bound: Duration::from_secs(20),
        }
    }

    /// Fetches; what comes is compared with `expected`.
    pub(super) fn run(&self, expected: Option<&[u8]>) -> Result<Got> {
        let begun = Instant::now();
        let socket = UdpSocket::bind((self.from, 0))?;
        socket.set_read_timeout(Some(self.patience))?;
        let mut state = State {
            fetch: *self,
            socket,
            peer: None,
            good: 0,
            due: 0,
            complained: None,
            got: Got::default(),
            dice: 1,
        };
        state.ask()?;
        let mut packet = vec![0; 66_000];
        while !state.got.whole && begun.elapsed() < self.bound {
            match state.socket.recv_from(&mut packet) {
                Ok((length, from)) => state.take(&packet[..length], from, expected)?,
                Err(_) => state.repeat()?,
            }
        }
        state.got.seconds = begun.elapsed().as_secs_f64();
        Ok(state.got)
    }
}

struct State<'f> {
    fetch: Fetch<'f>,
    socket: UdpSocket,
    peer: Option<SocketAddr>,
    /// The last block that came in order.
    good: u64,
    /// The block that ends the window.
    due: u64,
    /// A gap after this block was complained about.
    complained: Option<u64>,
    got: Got,
    dice: u64,
}

impl State<'_> {
    fn ask(&self) -> Result<()> {
        let mut packet = [&[0, 1], self.fetch.file.as_bytes(), b"\0octet\0"].concat();
        let blksize = (self.fetch.blksize != 512).then(|| ("blksize", self.fetch.blksize.to_string()));
        let window = (self.fetch.window > 1).then(|| ("windowsize", self.fetch.window.to_string()));
        for (name, value) in [blksize, window].into_iter().flatten() {
            packet.extend([name.as_bytes(), b"\0", value.as_bytes(), b"\0"].concat());
        }
        self.socket.send_to(&packet, self.fetch.server)?;
        Ok(())
    }

    /// The answer to silence. A lost acknowledgement is lost without a word.
    fn repeat(&mut self) -> Result<()> {
        if self.peer.is_none() { self.ask() } else { self.acknowledge() }
    }

    fn acknowledge(&mut self) -> Result<()> {
        self.due = self.good + self.fetch.window;
        if !self.fetch.delay.is_zero() {
            std::thread::park_timeout(self.fetch.delay);
        }
        if self.is_lost() {
            return Ok(());
        }
        let [high, low] = (self.good as u16).to_be_bytes();
        // A server that has gone is noticed by the bound.
        let _ = self.socket.send(&[0, 4, high, low]);
        Ok(())
    }

    fn is_lost(&mut self) -> bool {
        self.dice = self.dice.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % 1000 < self.fetch.loss
    }

    fn take(&mut self, packet: &[u8], from: SocketAddr, expected: Option<&[u8]>) -> Result<()> {
        if self.peer.is_none() {
            self.peer = Some(from);
            self.socket.connect(from)?;
            self.due = self.fetch.window;
        }
        match packet {
            [0, 3, high, low, data @ ..] => self.data(u16::from_be_bytes([*high, *low]), data, expected),
            [0, 6, options @ ..] if self.good == 0 => {
                self.agree(options)?;
                self.acknowledge()
            }
            [0, 5, ..] => bail!("{}: {}", self.fetch.file, String::from_utf8_lossy(&packet[4..])),
            _ => Ok(()),
        }
    }

    fn agree(&mut self, options: &[u8]) -> Result<()> {
        let mut words = options.split(|byte| *byte == 0).map(String::from_utf8_lossy);
        let (mut blksize, mut window) = (512, 1);
        while let (Some(name), Some(value)) = (words.next(), words.next()) {
            match &*name.to_ascii_lowercase() {
                "blksize" => blksize = value.parse().context("blksize")?,
                "windowsize" => window = value.parse().context("windowsize")?,
                _ => {}
            }
        }
        (self.fetch.blksize, self.fetch.window) = (blksize, window);
        Ok(())
    }

    fn data(&mut self, number: u16, data: &[u8], expected: Option<&[u8]>) -> Result<()> {
        if self.is_lost() {
            return Ok(());
        }
        if number != (self.good as u16).wrapping_add(1) {
            // As U-Boot: one complaint for each gap.
            if self.complained != Some(self.good) {
                self.complained = Some(self.good);
                return self.acknowledge();
            }
            return Ok(());
        }
        let at = self.got.bytes;
        if expected.is_some_and(|expected| expected.get(at..at + data.len()) != Some(data)) {
            bail!("{}: block {} is not what it should be", self.fetch.file, self.good + 1);
        }
        self.good += 1;
        self.got.bytes += data.len();
        self.got.whole = data.len() < self.fetch.blksize;
        if self.got.whole || self.good >= self.due {
            self.acknowledge()?;
        }
        Ok(())
    }
}
