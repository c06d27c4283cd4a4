//! One file on its way from a client: every block is acknowledged as it comes, and nothing is sent unasked.
//!
//! U-Boot's `tftpput` takes whatever acknowledgement follows its last block for the end, and counts on with every OACK. So what is
//! lost is the client's to send again, by its own timer, and what it sends again is answered again. A window is not agreed on.

use std::io;
use std::sync::atomic::Ordering;
use std::time::Duration;

use bytes::Bytes;
use flasher_core::Upload;
use flasher_core::driver::UploadSink;
use futures_util::SinkExt;
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use crate::address;
use crate::end::End;
use crate::job::{Job, refuse};
use crate::options::{self, Limits};
use crate::packet::{self, Code, FileRequest, Mode, Refusal};
use crate::tally::Tally;
use crate::timer::SILENCE_LIMIT;
use crate::uploads::AnnouncedUpload;

/// How long a client that has not heard the last acknowledgement is answered once more.
const LINGER: Duration = Duration::from_secs(6);

/// Takes the file of a write request to the end, and reports how that was.
pub(crate) async fn run(job: Job) {
    let (mut receiving, announced) = match prepare(&job).await {
        Ok(prepared) => prepared,
        Err(refusal) => return refuse(&job.arrival, &job.report, &refusal).await,
    };
    let ended = tokio::select! {
        ended = receiving.run(&job) => ended,
        () = announced.withdrawn.cancelled() => Err(End::Withdrawn),
        end = cut(&job) => Err(end),
    };
    // A taker whose bytes were not all there learns it by this.
    receiving.sink = None;
    match ended {
        Ok(()) => {
            job.report.done(receiving.tally());
            tokio::select! {
                () = receiving.linger() => {}
                _ = cut(&job) => {}
            }
        }
        Err(end) => {
            job.report.failed(receiving.bytes, end.reason(receiving.tally()));
            if let Some(refusal) = end.refusal() {
                // A packet that cannot be sent is as good as lost.
                let _ = receiving.socket.send(&refusal.packet()).await;
            }
        }
    }
}

/// Returns when the server, or another request, ends it.
async fn cut(job: &Job) -> End {
    tokio::select! {
        () = job.shared.stopping.cancelled() => End::Stopped,
        () = job.superseded.cancelled() => End::AskedAnew,
        () = job.replaced.cancelled() => End::Replaced,
    }
}

async fn prepare(job: &Job) -> Result<(Receiving, AnnouncedUpload), Refusal> {
    if job.request.mode != Some(Mode::Octet) {
        return Err(Refusal::new(Code::IllegalOperation, "unsupported mode for sending, expected octet"));
    }
    let Some(announced) = job.shared.settings.uploads.find(&job.request.file) else {
        return Err(Refusal::new(Code::AccessViolation, "this server takes no such file"));
    };
    let limit = announced.upload.limit();
    let length = told(&job.request);
    if length.is_some_and(|length| length > limit) {
        return Err(Refusal::new(Code::DiskFull, format!("at most {limit} bytes are expected")));
    }
    let local_trouble = |error: io::Error| Refusal::new(Code::NotDefined, error.to_string());
    let socket = address::answer_socket(job.arrival.local, job.arrival.peer).await.map_err(local_trouble)?;
    let limits = Limits { windowsize: 1, ..job.limits(&socket) };
    let agreed = options::negotiate(&job.request, length.unwrap_or(0), limits)?;
    let Some(sink) = announced.upload.open() else {
        return Err(Refusal::new(Code::AccessViolation, "this file was sent already"));
    };
    job.report.begun(length, agreed.to_string());
    let receiving = Receiving {
        socket,
        sink: Some(sink),
        upload: announced.upload.clone(),
        blksize: agreed.blksize.into(),
        last_answer: agreed.option_ack().unwrap_or_else(|| packet::ack(0).to_vec()),
        last: 0,
        bytes: 0,
        repeats: 0,
    };
    Ok((receiving, announced))
}

/// The length that the client announces (RFC 2349).
fn told(request: &FileRequest) -> Option<u64> {
    request.options.iter().find(|(name, _)| name == "tsize")?.1.parse().ok()
}

/// A file that is being taken.
struct Receiving {
    socket: UdpSocket,
    /// Takes the bytes; none once it had all of them.
    sink: Option<UploadSink>,
    upload: Upload,
    blksize: usize,
    /// What was answered last: it is repeated when the client repeats itself.
    last_answer: Vec<u8>,
    /// The last block that was taken.
    last: u64,
    bytes: u64,
    repeats: u64,
}

impl Receiving {
    fn tally(&self) -> Tally {
        Tally { bytes: self.bytes, resends: self.repeats, block: Some(self.last), round_trip: None }
    }

    /// Takes blocks until the last.
    async fn run(&mut self, job: &Job) -> Result<(), End> {
        let mut buffer = vec![0; packet::HEADER + self.blksize + 1];
        self.answer().await?;
        loop {
            let until = Instant::now() + SILENCE_LIMIT;
            let length = tokio::select! {
                () = job.repeated.notified(), if self.last == 0 => {
                    self.repeats += 1;
                    self.answer().await?;
                    continue;
                }
                heard = timeout_at(until, self.socket.recv(&mut buffer)) => match heard {
                    Err(_) => return Err(End::Quiet(SILENCE_LIMIT)),
                    Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => return Err(End::PortClosed),
                    // A complaint of a router that may pass; the time that is waited bounds it.
                    Ok(Err(_)) => 0,
                    Ok(Ok(length)) => length,
                },
            };
            if self.hear(&buffer[..length], job).await? {
                return Ok(());
            }
        }
    }

    /// Takes what was heard; tells whether it was the last block.
    async fn hear(&mut self, datagram: &[u8], job: &Job) -> Result<bool, End> {
        let Some((number, payload)) = packet::data(datagram) else {
            return match packet::parse(datagram) {
                Ok(packet::Packet::Error { code, text }) => Err(End::Client { code, text }),
                _ => Ok(false),
            };
        };
        job.answered.store(true, Ordering::Relaxed);
        let ahead = number.wrapping_sub(self.last as u16);
        match ahead {
            1 if payload.len() <= self.blksize => self.take(payload).await,
            0 => {
                self.repeats += 1;
                self.answer().await.map(|()| false)
            }
            // An old block again is answered by nothing: U-Boot would count from there.
            0x8000.. => Ok(false),
            _ => Err(End::OutOfOrder { expected: self.last + 1, number }),
        }
    }

    async fn take(&mut self, payload: &[u8]) -> Result<bool, End> {
        let total = self.bytes + payload.len() as u64;
        if total > self.upload.limit() {
            return Err(End::TooLong(self.upload.limit()));
        }
        let is_last = payload.len() < self.blksize;
        if let Some(sink) = &mut self.sink {
            if !payload.is_empty() {
                sink.send(Bytes::copy_from_slice(payload)).await.map_err(End::File)?;
            }
            if is_last {
                sink.close().await.map_err(End::File)?;
            }
        }
        self.upload.count(payload.len() as u64);
        (self.bytes, self.last) = (total, self.last + 1);
        self.last_answer = packet::ack(self.last).to_vec();
        self.answer().await?;
        Ok(is_last)
    }

    /// Answers, or answers again.
    async fn answer(&mut self) -> Result<(), End> {
        match self.socket.send(&self.last_answer).await {
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => Err(End::PortClosed),
            // Any other failure to send is a loss like others: the client sends again.
            _ => Ok(()),
        }
    }

    /// Answers a client that repeats the last block because it did not hear us.
    async fn linger(&mut self) {
        let mut buffer = vec![0; packet::HEADER + self.blksize + 1];
        let until = Instant::now() + LINGER;
        while let Ok(Ok(length)) = timeout_at(until, self.socket.recv(&mut buffer)).await {
            if packet::data(&buffer[..length]).is_some_and(|(number, _)| number == self.last as u16) {
                // The client may be gone by now.
                let _ = self.answer().await;
            }
        }
    }
}
