//! `unzip` and `gzwrite` (cmd/unzip.c, lib/gunzip.c): gzip from memory to memory, and to the medium.

use flate2::{Crc, Decompress, FlushDecompress, Status};

use super::super::memory::hextoul;
use super::super::state::UBoot;
use crate::size::MIB;
use crate::storage_interface::StorageInterface;

/// Bytes of compressed input that are taken at once.
const INPUT: u64 = 256 * 1024;
/// What `inflate` gives when there is no room, and when the data is bad.
const NO_ROOM: i32 = -5;
const BAD_DATA: i32 = -3;

/// How unpacking ended.
enum Inflated {
    /// The stream has ended.
    End,
    /// There is no room, or no input, or the data is bad: what `inflate` returned.
    Stopped(i32),
}

/// A gzip file in memory that is being unpacked.
struct Inflating {
    inflate: Decompress,
    /// Where the compressed data goes on, and where it ends.
    from: u64,
    end: u64,
}

impl UBoot<'_> {
    /// `unzip SOURCE DESTINATION [SIZE]`. As the real one it does not check the sum at the end of the file.
    pub(super) async fn unzip(&mut self, arguments: &[&str]) -> i32 {
        let ([from, to] | [from, to, _]) = arguments else { return self.usage("unzip") };
        let (from, to, dram) = (hextoul(from), hextoul(to), self.layout.dram());
        if !self.touches(from, 1) || !self.touches(to, 1) {
            return 1;
        }
        let most = arguments.get(2).map_or(u64::MAX, |size| hextoul(size)).min(dram.end - to);
        let Some(data) = self.gzip_data(from) else { return self.say("Error: Bad gzipped data\n", 1) };
        let mut inflating = Inflating::new(data, dram.end);
        let mut done = 0;
        loop {
            // Behind the end there is room for one byte, to see whether the stream has more than fits.
            let room = MIB.min(most - done).max(1);
            let (piece, ended) = self.inflate(&mut inflating, room as usize);
            if done == most && !piece.is_empty() {
                return self.say(&format!("Error: inflate() returned {NO_ROOM}\n"), 1);
            }
            if self.put(to + done, &piece) != 0 {
                return 1;
            }
            done += piece.len() as u64;
            match ended {
                Some(Inflated::End) => break,
                Some(Inflated::Stopped(error)) => {
                    return self.say(&format!("Error: inflate() returned {error}\n"), 1);
                }
                None => tokio::task::yield_now().await,
            }
        }
        self.memory.claim(to, done);
        self.set("filesize", format!("{done:x}"));
        self.say(&format!("Uncompressed size: {done} = 0x{done:X}\n"), 0)
    }

    /// Up to `room` bytes, and how it ended; none when there is more to come.
    fn inflate(&self, inflating: &mut Inflating, room: usize) -> (Vec<u8>, Option<Inflated>) {
        let mut piece = vec![0; room];
        let mut filled = 0;
        let ended = loop {
            let input = self.memory.read(inflating.from, INPUT.min(inflating.end - inflating.from));
            let inflate = &mut inflating.inflate;
            let (taken, made) = (inflate.total_in(), inflate.total_out());
            let status = inflate.decompress(&input, &mut piece[filled..], FlushDecompress::None);
            let (taken, made) = (inflate.total_in() - taken, inflate.total_out() - made);
            inflating.from += taken;
            filled += made as usize;
            match status {
                Ok(Status::StreamEnd) => break Some(Inflated::End),
                Err(_) => break Some(Inflated::Stopped(BAD_DATA)),
                Ok(_) if filled == room => break None,
                Ok(_) if taken == 0 && made == 0 => break Some(Inflated::Stopped(NO_ROOM)),
                Ok(_) => {}
            }
        };
        piece.truncate(filled);
        (piece, ended)
    }

    /// Where the compressed data of the gzip file at `address` begins; none when it is none.
    fn gzip_data(&self, address: u64) -> Option<u64> {
        let header = self.memory.read(address, 1024.min(self.layout.dram().end - address));
        let flags = *header.get(3)?;
        if !header.starts_with(&[0x1f, 0x8b, 8]) || flags & 0xe0 != 0 {
            return None;
        }
        let mut at = 10;
        if flags & 4 != 0 {
            at += 2 + usize::from(u16::from_le_bytes([*header.get(at)?, *header.get(at + 1)?]));
        }
        for text in [8, 16] {
            if flags & text != 0 {
                at += header.get(at..)?.iter().position(|&byte| byte == 0)? + 1;
            }
        }
        Some(address + at as u64 + if flags & 2 == 0 { 0 } else { 2 })
    }

    /// `gzwrite INTERFACE DEVICE ADDRESS LENGTH [BUFFER [OFFSET [SIZE]]]`.
    pub(super) async fn gzwrite(&mut self, arguments: &[&str]) -> i32 {
        let [interface, device, address, length, rest @ ..] = arguments else { return self.usage("gzwrite") };
        let Some((interface, device)) = self.device(interface, device) else { return 1 };
        let number = |place: usize| rest.get(place).map(|text| hextoul(text));
        let buffer = number(0).unwrap_or(MIB);
        let job = GzipWrite {
            interface,
            device,
            address: hextoul(address),
            length: hextoul(length),
            buffer,
            offset: number(1).unwrap_or(0),
            expected: number(2).unwrap_or(0),
        };
        if !self.touches(job.address, job.length) {
            return 1;
        }
        match self.check(&job) {
            Ok((data, size, crc)) => self.write_unzipped(&job, data, size, crc).await,
            Err(text) => self.say(&format!("{text}\n"), 1),
        }
    }

    /// Where the data begins, how much it is unpacked, and its sum, by the file's own end.
    fn check(&self, job: &GzipWrite) -> Result<(u64, u64, u32), String> {
        let (sector, blocks) = (self.media.sector, self.media.blocks());
        if job.buffer == 0 || !job.buffer.is_multiple_of(sector) {
            return Err(format!("gzwrite: size {} not a multiple of {sector}", job.buffer));
        }
        if !job.offset.is_multiple_of(sector) {
            return Err(format!("gzwrite: start offset {} not a multiple of {sector}", job.offset));
        }
        let data = self.gzip_data(job.address).filter(|data| data + 8 <= job.address + job.length);
        let Some(data) = data else { return Err("Error: Bad gzipped data".to_owned()) };
        let end = self.memory.read(job.address + job.length - 8, 8);
        let word = |at: usize| u32::from_le_bytes([end[at], end[at + 1], end[at + 2], end[at + 3]]);
        let (crc, low) = (word(0), word(4));
        let size = if job.expected == 0 { low.into() } else { job.expected };
        if size as u32 != low {
            return Err(format!("size of {size:x} doesn't match trailer low bits {low:x}"));
        }
        if size / sector > blocks.saturating_sub(job.offset / sector) {
            return Err(format!("gzwrite: uncompressed size {size} exceeds device size"));
        }
        Ok((data, size, crc))
    }

    /// Writes buffer by buffer. As the real one it takes no notice of a write that fails.
    async fn write_unzipped(&mut self, job: &GzipWrite, data: u64, size: u64, crc: u32) -> i32 {
        self.print("\n");
        self.media.cache.forget(job.interface, job.device);
        let mut inflating = Inflating::new(data, job.address + job.length - 8);
        let (mut sum, mut done, mut round) = (Crc::new(), 0, 0_u64);
        let room = job.buffer.min(size + self.media.sector);
        let mut at_end = false;
        while !at_end {
            let (piece, ended) = self.inflate(&mut inflating, room as usize);
            // A buffer that is full is written before the end of the stream is seen.
            at_end = ended.is_some() && (piece.len() as u64) < room || done > size;
            sum.update(&piece);
            if piece.is_empty() && job.interface == StorageInterface::Virtio {
                // A write of no blocks: the device answers no more.
                return std::future::pending().await;
            }
            self.write_piece(job.offset + done, &piece).await;
            if self.leave.is_some() {
                return 1;
            }
            done += piece.len() as u64;
            if round.is_multiple_of(4) {
                self.print(&format!("{done}/{size}\r"));
            }
            round += 1;
        }
        if (sum.sum(), done) == (crc, size) {
            return self.say(&format!("\n\t{done} bytes, crc {crc:#010x}\n"), 0);
        }
        self.say(
            &format!("\n\tuncompressed {done} of {size}\n\tcrcs == {crc:#010x}/{:#010x}\n", sum.sum()),
            1,
        )
    }

    async fn write_piece(&mut self, offset: u64, piece: &[u8]) {
        let sector = self.media.sector as usize;
        let mut blocks = piece.to_vec();
        blocks.resize(piece.len().next_multiple_of(sector), 0);
        let room = self.media.size.saturating_sub(offset) as usize;
        blocks.truncate(room);
        // The real one does not look how many blocks were written.
        self.write_medium(offset, blocks).await.ok();
    }
}

/// The arguments of `gzwrite`.
struct GzipWrite {
    interface: StorageInterface,
    device: u32,
    address: u64,
    length: u64,
    buffer: u64,
    offset: u64,
    expected: u64,
}

impl Inflating {
    fn new(from: u64, end: u64) -> Self {
        Self { inflate: Decompress::new(false), from, end }
    }
}
