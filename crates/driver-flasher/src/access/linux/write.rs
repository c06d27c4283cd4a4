//! Writing: instructions go to the board as one stream of frames, which the script turns into writes.

use std::io;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::Poll;

use bytes::Bytes;
use flasher_core::driver::ContentStream;
use flasher_core::{Class, Content, Error, Result};
use futures_util::stream;
use tokio::sync::mpsc;

use super::ahead::{Ahead, FrameStream};
use super::frames::Frames;
use super::guest::{FRAMES, Guest, complaint, path};
use super::script::Answer;
use super::watch::{Sending, listen, watch};
use super::wire;
use crate::access::{Instruction, Instructions, Target, WriteEvidence, WriteProgress};
use crate::blocking::AbortOnDrop;
use crate::job::WritePermit;

/// Chunks of the stream waiting for the network, at most.
const WAITING: usize = 16;
/// Largest chunk handed to the network at once, bytes.
const HANDED: usize = 256 * 1024;
/// Has the board write instructions as they come.
pub(super) async fn all(
    guest: &mut Guest<'_>,
    target: &Target,
    instructions: Instructions,
    progress: Arc<dyn WriteProgress>,
    permit: WritePermit,
) -> Result<WriteEvidence> {
    let (sender, frames) = mpsc::channel(WAITING);
    let ahead = Arc::<Ahead>::default();
    let frames = ahead.pack(guest.wire, frames);
    let _framing = AbortOnDrop(tokio::spawn(frame(instructions, Arc::clone(&ahead), sender)));
    let content = stream_once(frames, Arc::clone(&progress));
    let sending =
        Sending { wire: guest.wire, left: &|delivered| ahead.done(delivered), progress: Some(progress) };
    let written = frames_to_board(guest, content, &sending, (target, permit)).await;
    guest.session.http().withdraw(&path(guest.session, FRAMES));
    written
}

/// Has the board write a few instructions. It may fetch them again when the console garbled the command.
pub(super) async fn few(
    guest: &mut Guest<'_>,
    target: &Target,
    instructions: Vec<Instruction>,
    permit: WritePermit,
) -> Result<WriteEvidence> {
    let content = Content::bytes(Frames::all(instructions));
    frames_to_board(guest, content, &Sending::small(), (target, permit)).await
}

/// Publishes a stream and has the board write it.
async fn frames_to_board(
    guest: &mut Guest<'_>,
    content: Content,
    sending: &Sending<'_>,
    (target, permit): (&Target, WritePermit),
) -> Result<WriteEvidence> {
    let session = guest.session;
    session.http().publish(&path(session, FRAMES), content.clone())?;
    let url = format!("{}{FRAMES}", guest.url);
    let promise = promise(&target.device);
    let arguments = ["write", target.device.as_str(), &promise, wire::name(sending.wire), url.as_str()];
    let (told, listening) = listen(session, sending.progress.clone());
    let answers = tokio::select! {
        answers = guest.write_script(&arguments, None, permit) => answers,
        error = watch(session, &content, target, (sending, &told)) => Err(error),
    };
    drop(listening);
    let answers = answers?;
    must_be_written(&answers, target)?;
    if let Some(progress) = &sending.progress {
        progress.reached((sending.left)(content.delivered()));
    }
    Ok(evidence(&answers))
}

/// Fails unless the board says that all was written.
pub(super) fn must_be_written(answers: &[Answer], target: &Target) -> Result<()> {
    match complaint(answers, &target.device) {
        Some(error) => Err(error),
        None if answers.contains(&Answer::Written) => Ok(()),
        None => Err(Error::new(Class::Board, "the board ended writing without saying that all was written")),
    }
}

/// How the board made zeros, last of all.
fn evidence(answers: &[Answer]) -> WriteEvidence {
    let zeros = answers.iter().rev().find_map(|answer| match answer {
        Answer::Zeros(how) => Some(*how),
        _ => None,
    });
    WriteEvidence { zeros_by: zeros }
}

/// Where kernels before 4.13 say that a device reads as zeros once discarded. Later ones always say that it does not.
fn promise(device: &str) -> String {
    let name = device.rsplit('/').next().unwrap_or(device);
    format!("/sys/class/block/{name}/queue/discard_zeroes_data")
}

/// A body that can be had once: instructions do not come again. Whatever leaves may be on the medium soon.
fn stream_once(frames: FrameStream, progress: Arc<dyn WriteProgress>) -> Content {
    let frames = Arc::new(Mutex::new(Some(frames)));
    Content::stream(None, move || {
        let mut taken = frames.lock().unwrap_or_else(PoisonError::into_inner).take()?;
        let progress = Arc::clone(&progress);
        let mut begun = false;
        let body: ContentStream = Box::pin(stream::poll_fn(move |context| {
            let chunk = taken.poll_recv(context);
            if !begun && matches!(chunk, Poll::Ready(Some(Ok(_)))) {
                begun = true;
                progress.begins();
            }
            chunk
        }));
        Some(body)
    })
}

/// Turns instructions into frames. When they end by an error, the board's download breaks; when they end in the middle, it has no
/// last line.
async fn frame(mut instructions: Instructions, ahead: Arc<Ahead>, frames: mpsc::Sender<io::Result<Bytes>>) {
    let mut framing = Frames::default();
    while let Some(instruction) = instructions.recv().await {
        let instruction = match instruction {
            Ok(instruction) => instruction,
            Err(reason) => {
                // Without a listener there is nothing to report.
                frames.send(Err(io::Error::other(reason))).await.ok();
                return;
            }
        };
        if let Instruction::Decoded(end) = instruction {
            ahead.decoded(end);
        }
        for mut frame in framing.push(instruction) {
            while !frame.is_empty() {
                let chunk = frame.split_to(frame.len().min(HANDED));
                ahead.framed(chunk.len() as u64);
                if frames.send(Ok(chunk)).await.is_err() {
                    return;
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicBool, Ordering};

    use futures_util::StreamExt;

    use super::*;

    #[derive(Default)]
    struct Begun(AtomicBool);

    impl WriteProgress for Begun {
        fn begins(&self) {
            self.0.store(true, Ordering::Relaxed);
        }

        fn reached(&self, _to: u64) {}
    }

    #[tokio::test]
    async fn a_stream_can_be_had_once() {
        let (sender, frames) = mpsc::channel(1);
        let begun = Arc::new(Begun::default());
        let content = stream_once(frames, begun.clone());
        let mut body = content.open().unwrap();
        assert!(content.open().is_none(), "a second reader would get the middle of the image");
        assert!(!begun.0.load(Ordering::Relaxed));
        sender.send(Ok(Bytes::from_static(b"data"))).await.unwrap();
        assert_eq!(body.next().await.unwrap().unwrap(), "data");
        assert!(begun.0.load(Ordering::Relaxed), "what left may be on the medium");
    }

    /// What the board gets of these instructions, and whether its download breaks.
    async fn framed(instructions: Vec<Result<Instruction, String>>) -> (String, Option<String>) {
        let (sender, waiting) = mpsc::channel(instructions.len());
        for instruction in instructions {
            sender.send(instruction).await.unwrap();
        }
        drop(sender);
        let (frames, mut stream) = mpsc::channel(WAITING);
        frame(waiting, Arc::default(), frames).await;
        let (mut text, mut broken) = (String::new(), None);
        while let Some(chunk) = stream.recv().await {
            match chunk {
                Ok(chunk) => text.push_str(&String::from_utf8_lossy(&chunk)),
                Err(error) => broken = Some(error.to_string()),
            }
        }
        (text, broken)
    }

    #[tokio::test]
    async fn only_the_last_instruction_makes_a_stream_whole() {
        let fill = || Ok(Instruction::Fill { offset: 0, length: 512 });
        let whole = "fill 512 0 1\nend 0 0 0\n";
        assert_eq!(framed(vec![fill(), Ok(Instruction::End)]).await, (whole.to_owned(), None));
        assert_eq!(framed(vec![fill()]).await, ("fill 512 0 1\n".to_owned(), None));
        let broken = framed(vec![fill(), Err("cut".to_owned())]).await;
        assert_eq!(broken, ("fill 512 0 1\n".to_owned(), Some("cut".to_owned())));
    }
}
