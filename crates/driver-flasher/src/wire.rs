//! How the image travels to the board: as it is, or packed where unpacking is quicker than the link.
//!
//! Packing is of the whole framed stream, so it changes nothing of what is written or proven: digests are of decoded bytes.

use std::io::{self, Write};
use std::time::Duration;

use bytes::Bytes;
use disk_image::Image;
use flasher_core::flash::Wire;
use flasher_core::{Class, Content, Error, Result};
use flate2::Compression;
use flate2::write::GzEncoder;
use tokio::sync::mpsc;

use crate::guest::{Answer, SCRIPT};
use crate::job::Session;
use crate::step::shell::{Guest, path};

/// Pieces of the packed stream waiting for the network, at most.
const WAITING: usize = 16;
/// Images shorter than this are not worth a trial, bytes.
const WORTH: u64 = 32 << 20;
/// What a trial fetches, blocks of 64 KiB.
const BLOCKS: u64 = 32;
/// A link that brings the sample within so many hundredths of a second (35 MB/s) is quicker than small processors unpack.
const QUICK: u64 = 6;
/// Bound on one trial: a link of 8 kB/s.
const LONGEST: Duration = Duration::from_secs(300);

/// The stream's next stage: takes `inlet`, gives it packed; `count` hears how many bytes were made.
pub(crate) fn packed(
    wire: Wire,
    inlet: mpsc::Receiver<io::Result<Bytes>>,
    count: impl Fn(u64) + Send + 'static,
) -> mpsc::Receiver<io::Result<Bytes>> {
    if !is_packed(wire) {
        return inlet;
    }
    let (outlet, packed) = mpsc::channel(WAITING);
    // It ends with either neighbour: a channel closes.
    tokio::task::spawn_blocking(move || pack(wire, inlet, Pieces { outlet, count: Box::new(count) }));
    packed
}

/// Whether there is something to unpack.
pub(crate) fn is_packed(wire: Wire) -> bool {
    matches!(wire, Wire::Gzip | Wire::Zstd)
}

/// The word for it in the board's script and on the receipt.
pub(crate) fn name(wire: Wire) -> &'static str {
    match wire {
        Wire::Gzip => "gzip",
        Wire::Zstd => "zstd",
        Wire::Auto | Wire::Identity => "identity",
    }
}

/// What the job or the config asks for; else whatever brings a sample to the board soonest.
///
/// # Errors
/// When the board lacks the tool for what was asked for.
pub(crate) async fn choose(session: Session<'_>, image: &Image, guest: &mut Guest) -> Result<Wire> {
    let chosen = match session.job.wire.unwrap_or(session.flasher.config.wire) {
        Wire::Auto if image.decoded_length().is_some_and(|length| length < WORTH) => Wire::Identity,
        Wire::Auto => measured(session, guest).await?,
        Wire::Identity => Wire::Identity,
        packed => match trial(session, packed, guest).await? {
            Some(_) => packed,
            None => return Err(no_tool(packed)),
        },
    };
    session.run.medium(|medium| medium.wire = Some(name(chosen).to_owned()));
    Ok(chosen)
}

async fn measured(session: Session<'_>, guest: &mut Guest) -> Result<Wire> {
    let Some(plain) = trial(session, Wire::Identity, guest).await? else { return Ok(Wire::Identity) };
    if plain <= QUICK {
        return Ok(Wire::Identity);
    }
    let mut times = vec![(Wire::Identity, plain)];
    for wire in [Wire::Zstd, Wire::Gzip] {
        times.extend(trial(session, wire, guest).await?.map(|time| (wire, time)));
    }
    let chosen = quickest(&times);
    let told: Vec<String> = times.iter().map(|(wire, time)| format!("{} {time}", name(*wire))).collect();
    session.run.note(format!(
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
async fn trial(session: Session<'_>, wire: Wire, guest: &mut Guest) -> Result<Option<u64>> {
    let packing = tokio::task::spawn_blocking(move || pack_all(wire, &sample()));
    let sample = packing
        .await
        .map_err(|error| Error::new(Class::Internal, "packing a sample ended unexpectedly").because(error))?;
    session.flasher.http.publish(&path(session, "sample"), Content::bytes(sample))?;
    let url = format!("{}sample", guest.url);
    let answers = guest.script(&["trial", name(wire), &url], LONGEST, None).await;
    session.flasher.http.withdraw(&path(session, "sample"));
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
struct Pieces {
    outlet: mpsc::Sender<io::Result<Bytes>>,
    count: Box<dyn Fn(u64) + Send>,
}

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        (self.count)(bytes.len() as u64);
        let sent = self.outlet.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

fn pack(wire: Wire, inlet: mpsc::Receiver<io::Result<Bytes>>, pieces: Pieces) {
    let outlet = pieces.outlet.clone();
    let packed = match wire {
        Wire::Zstd => pack_zstd(inlet, pieces),
        _ => pack_gzip(inlet, pieces),
    };
    if let Err(error) = packed {
        // The board's download breaks. When nobody listens any more, that is known already.
        outlet.blocking_send(Err(error)).ok();
    }
}

fn pack_gzip(mut inlet: mpsc::Receiver<io::Result<Bytes>>, pieces: Pieces) -> io::Result<()> {
    let mut encoder = GzEncoder::new(pieces, Compression::fast());
    while let Some(piece) = inlet.blocking_recv() {
        encoder.write_all(&piece?)?;
    }
    encoder.finish().map(drop)
}

fn pack_zstd(mut inlet: mpsc::Receiver<io::Result<Bytes>>, pieces: Pieces) -> io::Result<()> {
    let mut encoder = zstd::Encoder::new(pieces, ZSTD_LEVEL)?;
    while let Some(piece) = inlet.blocking_recv() {
        encoder.write_all(&piece?)?;
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
            let (outlet, inlet) = mpsc::channel(2);
            let made = Arc::new(AtomicU64::new(0));
            let counted = Arc::clone(&made);
            let mut packed = packed(wire, inlet, move |more| {
                counted.fetch_add(more, Ordering::Relaxed);
            });
            let content = sample();
            let pieces: Vec<Bytes> = content.chunks(100_000).map(Bytes::copy_from_slice).collect();
            tokio::spawn(async move {
                for piece in pieces {
                    outlet.send(Ok(piece)).await.unwrap();
                }
            });
            let mut all = Vec::new();
            while let Some(piece) = packed.recv().await {
                all.extend_from_slice(&piece.unwrap());
            }
            assert!(unpack(wire, &all) == content, "{wire:?}");
            let expected = if is_packed(wire) { all.len() as u64 } else { 0 };
            assert_eq!(made.load(Ordering::Relaxed), expected, "{wire:?}");
        }
    }

    #[tokio::test]
    async fn errors_reach_the_board() {
        for wire in [Wire::Gzip, Wire::Zstd] {
            let (outlet, inlet) = mpsc::channel(2);
            let mut broken = packed(wire, inlet, |_| {});
            outlet.send(Err(io::Error::other("no more"))).await.unwrap();
            let mut last = None;
            while let Some(piece) = broken.recv().await {
                last = Some(piece);
            }
            assert_eq!(last.unwrap().unwrap_err().to_string(), "no more", "{wire:?}");

            let (outlet, inlet) = mpsc::channel(2);
            drop(packed(wire, inlet, |_| {}));
            while outlet.send(Ok(Bytes::from(sample()))).await.is_ok() {}
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
