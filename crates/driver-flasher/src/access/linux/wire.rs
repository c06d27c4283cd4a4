//! How the image travels to the board: as it is, or packed where unpacking is quicker than the link.
//!
//! Packing is of the whole framed stream, so it changes nothing of what is written or proven: digests are of decoded bytes.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use flasher_core::flash::{Wire, WireUsed};
use flasher_core::{Class, Content, Error, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::mpsc;

use super::guest::{Guest, SAMPLE, path};
use super::script::{Answer, SCRIPT};

/// Chunks of the packed stream waiting for the network, at most.
const WAITING: usize = 16;
/// Images shorter than this are not worth a trial, bytes.
const WORTH: u64 = 32 << 20;
/// What a trial fetches, blocks of 64 KiB.
const BLOCKS: u64 = 32;
/// A link that brings the sample within so many hundredths of a second (35 MB/s) is quicker than small processors unpack.
const QUICK: u64 = 6;
/// Bound on one trial: a link of 8 kB/s.
const LONGEST: Duration = Duration::from_secs(300);

/// The stream's next stage: takes `frames`, gives them packed; `count` hears how many bytes were made.
pub(super) fn packed(
    wire: Wire,
    frames: mpsc::Receiver<io::Result<Bytes>>,
    count: impl Fn(u64) + Send + 'static,
) -> mpsc::Receiver<io::Result<Bytes>> {
    if !is_packed(wire) {
        return frames;
    }
    let (sender, packed) = mpsc::channel(WAITING);
    // It ends with either neighbour: a channel closes.
    tokio::task::spawn_blocking(move || pack(wire, frames, Chunks { sender, count: Box::new(count) }));
    packed
}

/// Whether there is something to unpack.
pub(super) fn is_packed(wire: Wire) -> bool {
    matches!(wire, Wire::Gzip | Wire::Zstd)
}

/// The same on the receipt.
pub(super) fn used(wire: Wire) -> WireUsed {
    match wire {
        Wire::Gzip => WireUsed::Gzip,
        Wire::Zstd => WireUsed::Zstd,
        Wire::Auto | Wire::Identity => WireUsed::Identity,
    }
}

/// The word for it in the board's script and in notes.
pub(super) fn name(wire: Wire) -> &'static str {
    match wire {
        Wire::Gzip => "gzip",
        Wire::Zstd => "zstd",
        Wire::Auto | Wire::Identity => "identity",
    }
}

/// How an image of `length` bytes travels: what the job or the config asks for; else whatever brings a sample to the board soonest.
///
/// # Errors
/// When the board lacks the tool for what was asked for.
pub(super) async fn choose(guest: &mut Guest<'_>, length: Option<u64>) -> Result<Wire> {
    let session = guest.session;
    match session.job.wire.unwrap_or(session.flasher.config.wire) {
        Wire::Auto if length.is_some_and(|length| length < WORTH) => Ok(Wire::Identity),
        Wire::Auto => measured(guest).await,
        Wire::Identity => Ok(Wire::Identity),
        packed => match trial(guest, packed).await? {
            Some(_) => Ok(packed),
            None => Err(no_tool(packed)),
        },
    }
}

async fn measured(guest: &mut Guest<'_>) -> Result<Wire> {
    let Some(plain) = trial(guest, Wire::Identity).await? else { return Ok(Wire::Identity) };
    if plain <= QUICK {
        return Ok(Wire::Identity);
    }
    let mut times = vec![(Wire::Identity, plain)];
    for wire in [Wire::Zstd, Wire::Gzip] {
        times.extend(trial(guest, wire).await?.map(|time| (wire, time)));
    }
    let chosen = quickest(&times);
    let told: Vec<String> = times.iter().map(|(wire, time)| format!("{} {time}", name(*wire))).collect();
    guest.session.run.note(format!(
        "the image travels as {}; 2 MiB took, in hundredths of a second: {}",
        name(chosen),
        told.join(", ")
    ));
    Ok(chosen)
}

/// The first, unless another takes at most four fifths of its time: a sample packs better than some images.
fn quickest(times: &[(Wire, u64)]) -> Wire {
    let Some(&(first, plain)) = times.first() else { return Wire::Identity };
    let best = times.iter().min_by_key(|(_, time)| *time);
    best.filter(|(_, time)| time * 5 <= plain * 4).map_or(first, |(wire, _)| *wire)
}

/// How long the board takes to fetch and unpack the sample, hundredths of a second; none when it cannot.
async fn trial(guest: &mut Guest<'_>, wire: Wire) -> Result<Option<u64>> {
    let session = guest.session;
    let packing = tokio::task::spawn_blocking(move || pack_all(wire, &sample()));
    let sample = packing
        .await
        .map_err(|error| Error::new(Class::Internal, "packing a sample ended unexpectedly").because(error))?;
    session.http().publish(&path(session, SAMPLE), Content::bytes(sample))?;
    let url = format!("{}sample", guest.url);
    let answers = guest.script(&["trial", name(wire), &url], LONGEST, None).await;
    session.http().withdraw(&path(session, SAMPLE));
    Ok(answers?.iter().find_map(|answer| match answer {
        Answer::Trial(hundredths, BLOCKS) => Some(*hundredths),
        _ => None,
    }))
}

fn no_tool(wire: Wire) -> Error {
    let tools = if wire == Wire::Gzip { "`zcat` or `gzip`" } else { "`zstd`" };
    Error::config(format!("the board cannot unpack {}: its Linux has no working {tools}", name(wire)))
        .help("choose another `--wire`, or put the tool into the bundle's initramfs")
}

/// Noise and text in turns, so that about half of it goes when it is packed, as with the files of a system.
fn sample() -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15_u64;
    let mut noise = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state as u8
    });
    let mut text = SCRIPT.bytes().cycle();
    let mut sample = Vec::with_capacity(BLOCKS as usize * 65536);
    while sample.len() < BLOCKS as usize * 65536 {
        sample.extend(noise.by_ref().take(4096));
        sample.extend(text.by_ref().take(4096));
    }
    sample
}

/// Bytes that are packed in memory.
fn pack_all(wire: Wire, bytes: &[u8]) -> Vec<u8> {
    let packed = match wire {
        Wire::Gzip => {
            let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish())
        }
        Wire::Zstd => zstd::bulk::compress(bytes, ZSTD_LEVEL),
        Wire::Auto | Wire::Identity => Ok(bytes.to_vec()),
    };
    // Memory takes all there is. If it ever did not, the board would count too few blocks and the trial would fail.
    packed.unwrap_or_default()
}

/// The quickest that still halves a system's files.
const ZSTD_LEVEL: i32 = 1;

/// Hands on what an encoder makes.
struct Chunks {
    sender: mpsc::Sender<io::Result<Bytes>>,
    count: Box<dyn Fn(u64) + Send>,
}

impl Write for Chunks {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.count)(bytes.len() as u64);
        let sent = self.sender.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pack(wire: Wire, frames: mpsc::Receiver<io::Result<Bytes>>, chunks: Chunks) {
    let sender = chunks.sender.clone();
    let packed = match wire {
        Wire::Zstd => pack_zstd(frames, chunks),
        _ => pack_gzip(frames, chunks),
    };
    if let Err(error) = packed {
        // The board's download breaks. When the listener is gone, that is known already.
        sender.blocking_send(Err(error)).ok();
    }
}

fn pack_gzip(mut frames: mpsc::Receiver<io::Result<Bytes>>, chunks: Chunks) -> io::Result<()> {
    let mut encoder = GzEncoder::new(chunks, Compression::fast());
    while let Some(chunk) = frames.blocking_recv() {
        encoder.write_all(&chunk?)?;
    }
    encoder.finish().map(drop)
}

fn pack_zstd(mut frames: mpsc::Receiver<io::Result<Bytes>>, chunks: Chunks) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(chunks, ZSTD_LEVEL)?;
    while let Some(chunk) = frames.blocking_recv() {
        encoder.write_all(&chunk?)?;
    }
    encoder.finish().map(drop)
}

#[cfg(test)]
mod tests {
    use std::io::Read;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicU64, Ordering};

    use super::*;

    fn unpack(wire: Wire, bytes: &[u8]) -> Vec<u8> {
        let mut all = Vec::new();
        match wire {
            Wire::Gzip => {
                flate2::read::MultiGzDecoder::new(bytes).read_to_end(&mut all).unwrap();
            }
            Wire::Zstd => {
                zstd::Decoder::new(bytes).unwrap().read_to_end(&mut all).unwrap();
            }
            _ => all.extend_from_slice(bytes),
        };
        all
    }

    #[tokio::test]
    async fn streams_round_trip_with_their_length() {
        for wire in [Wire::Identity, Wire::Gzip, Wire::Zstd] {
            let (sender, frames) = mpsc::channel(2);
            let made = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&made);
            let mut packed = packed(wire, frames, move |more| {
                counted.fetch_add(more, Ordering::Relaxed);
            });
            let content = sample();
            let chunks: Vec<Bytes> = content.chunks(100_000).map(Bytes::copy_from_slice).collect();
            tokio::spawn(async move {
                for chunk in chunks {
                    sender.send(Ok(chunk)).await.unwrap();
                }
            });
            let mut all = Vec::new();
            while let Some(chunk) = packed.recv().await {
                all.extend_from_slice(&chunk.unwrap());
            }
            assert!(unpack(wire, &all) == content, "{wire:?}");
            let expected = if is_packed(wire) { all.len() as u64 } else { 0 };
            assert_eq!(made.load(Ordering::Relaxed), expected, "{wire:?}");
        }
    }

    #[tokio::test]
    async fn errors_reach_the_board() {
        for wire in [Wire::Gzip, Wire::Zstd] {
            let (sender, frames) = mpsc::channel(2);
            let mut broken = packed(wire, frames, |_| {});
            sender.send(Err(io::Error::other("no more"))).await.unwrap();
            let mut last = None;
            while let Some(chunk) = broken.recv().await {
                last = Some(chunk);
            }
            assert_eq!(last.unwrap().unwrap_err().to_string(), "no more", "{wire:?}");

            let (sender, frames) = mpsc::channel(2);
            drop(packed(wire, frames, |_| {}));
            while sender.send(Ok(Bytes::from(sample()))).await.is_ok() {}
        }
    }

    #[test]
    fn a_sample_has_its_length_and_packs_to_about_half() {
        let sample = sample();
        assert_eq!(sample.len() as u64, BLOCKS * 65536);
        for wire in [Wire::Gzip, Wire::Zstd] {
            let packed = pack_all(wire, &sample);
            assert!((sample.len() / 3..sample.len() * 2 / 3).contains(&packed.len()), "{wire:?}");
            assert!(unpack(wire, &packed) == sample, "{wire:?}");
        }
    }

    #[test]
    fn packing_must_be_clearly_quicker() {
        use Wire::{Gzip, Identity, Zstd};
        for (times, expected) in [
            (vec![], Identity),
            (vec![(Identity, 100)], Identity),
            (vec![(Identity, 100), (Zstd, 81)], Identity),
            (vec![(Identity, 100), (Zstd, 80)], Zstd),
            (vec![(Identity, 100), (Zstd, 60), (Gzip, 55)], Gzip),
            (vec![(Identity, 10), (Zstd, 30), (Gzip, 40)], Identity),
        ] {
            assert_eq!(quickest(&times), expected, "{times:?}");
        }
    }

    #[test]
    fn a_board_without_the_tool_is_told_by_name() {
        assert_eq!(
            no_tool(Wire::Zstd).to_string(),
            "the board cannot unpack zstd: its Linux has no working `zstd`"
        );
        assert_eq!(
            no_tool(Wire::Gzip).to_string(),
            "the board cannot unpack gzip: its Linux has no working `zcat` or `gzip`"
        );
        assert_eq!(no_tool(Wire::Gzip).class(), Class::Config);
    }
}
