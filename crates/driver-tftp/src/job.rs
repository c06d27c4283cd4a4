//! One request, from opening the file to the report.

use std::fs::File;
use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize};

use flasher_core::{CancellationToken, TransferLog};
use tokio::net::UdpSocket;
use tokio::sync::Notify;

use crate::address::{self, Arrival};
use crate::burst::BurstMemory;
use crate::end::End;
use crate::options::{self, BLKSIZES, Limits};
use crate::packet::{Code, FileRequest, Mode, Refusal};
use crate::report::TransferReport;
use crate::sender::PacketSender;
use crate::settings::Settings;
use crate::source::ServedFile;
use crate::timer::GiveUpLimits;
use crate::transfer::Transfer;

/// What every transfer of a server shares.
#[derive(Debug)]
pub(crate) struct Shared {
    pub(crate) root: PathBuf,
    pub(crate) log: TransferLog,
    pub(crate) settings: Settings,
    pub(crate) bursts: BurstMemory,
    /// Transfers under way.
    pub(crate) active: Arc<AtomicUsize>,
    pub(crate) stopping: CancellationToken,
}

/// One request.
pub(crate) struct Job {
    pub(crate) shared: Arc<Shared>,
    pub(crate) arrival: Arrival,
    pub(crate) request: FileRequest,
    pub(crate) report: TransferReport,
    pub(crate) answered: Arc<AtomicBool>,
    /// The client asked once more, because it has not heard us.
    pub(crate) repeated: Arc<Notify>,
    pub(crate) superseded: CancellationToken,
    pub(crate) replaced: CancellationToken,
}

impl Job {
    /// Serves the file to the end, and reports how that was.
    pub(crate) async fn run(self) {
        match self.prepare().await {
            Ok((transfer, told)) => self.transfer(transfer, told).await,
            Err(refusal) => refuse(&self.arrival, &self.report, &refusal).await,
        }
    }

    async fn prepare(&self) -> Result<(Transfer<PacketSender>, Option<u64>), Refusal> {
        let Some(mode) = self.request.mode else {
            return Err(Refusal::new(Code::IllegalOperation, "unsupported mode, expected octet or netascii"));
        };
        let (file, length) = self.open().await?;
        let local_trouble = |error: io::Error| Refusal::new(Code::NotDefined, error.to_string());
        let socket =
            address::answer_socket(self.arrival.local, self.arrival.peer).await.map_err(local_trouble)?;
        let agreed = options::negotiate(&self.request, length, self.limits(&socket))?;
        let mode_note = if mode == Mode::Netascii { ", netascii" } else { "" };
        self.report.begun(Some(length), format!("{agreed}{mode_note}"));
        let fits = agreed.blksize <= address::unfragmented(&socket, self.arrival.peer);
        let source = ServedFile::new(file, length, mode, agreed.blksize);
        let burst = self.shared.bursts.recall(self.arrival.peer.ip(), agreed.windowsize);
        let Settings { first_wait, retries, .. } = self.shared.settings;
        let limits = GiveUpLimits { first_wait, retries };
        let flags = (Arc::clone(&self.answered), Arc::clone(&self.shared.active));
        let transfer = Transfer::new(PacketSender::new(socket, fits), source, &agreed, burst, limits, flags);
        Ok((transfer, agreed.tells_size().then_some(length)))
    }

    /// The most that is agreed on with this client.
    pub(crate) fn limits(&self, socket: &UdpSocket) -> Limits {
        let settings = &self.shared.settings;
        let fitting = || address::unfragmented(socket, self.arrival.peer);
        let blksize =
            settings.blksize_limit.unwrap_or_else(fitting).clamp(*BLKSIZES.start(), *BLKSIZES.end());
        Limits { blksize, windowsize: settings.windowsize_limit.clamp(1, 64) }
    }

    async fn open(&self) -> Result<(File, u64), Refusal> {
        let (root, path) = (self.shared.root.clone(), server_kit::requested(&self.request.file));
        let opening = tokio::task::spawn_blocking(move || {
            let file = server_kit::open(&root, &path)?;
            let length = file.metadata()?.len();
            Ok((file, length))
        });
        opening.await.map_err(io::Error::other).and_then(|opened| opened).map_err(|error| refusal_of(&error))
    }

    /// `told` is the file's length when the client asked for it.
    async fn transfer(&self, mut transfer: Transfer<PacketSender>, told: Option<u64>) {
        let ended = tokio::select! {
            ended = transfer.run() => ended,
            () = self.shared.stopping.cancelled() => Err(End::Stopped),
            () = self.superseded.cancelled() => Err(End::AskedAnew),
            () = self.replaced.cancelled() => Err(End::Replaced),
        };
        self.shared.bursts.keep(self.arrival.peer.ip(), transfer.burst());
        let Err(end) = ended else { return self.report.done(transfer.tally()) };
        match (&end, told) {
            (End::Unconfirmed, _) => self.report.unconfirmed(transfer.tally()),
            (End::Client { code: 0 | 8, .. }, Some(length)) if transfer.tally().bytes == 0 => {
                self.report.size_asked(length);
            }
            _ => self.report.failed(transfer.tally().bytes, end.reason(transfer.tally())),
        }
        if let Some(refusal) = end.refusal() {
            transfer.tell(&refusal).await;
        }
    }
}

fn refusal_of(error: &io::Error) -> Refusal {
    match error.kind() {
        io::ErrorKind::NotFound => Refusal::new(Code::NotFound, "file not found"),
        io::ErrorKind::IsADirectory => Refusal::new(Code::NotFound, "not a regular file"),
        io::ErrorKind::PermissionDenied => Refusal::new(Code::AccessViolation, "access violation"),
        kind => Refusal::new(Code::NotDefined, format!("cannot open the file: {kind}")),
    }
}

/// Reports a refusal and sends it.
pub(crate) async fn refuse(arrival: &Arrival, report: &TransferReport, refusal: &Refusal) {
    report.failed(0, format!("refused: {}", refusal.text));
    answer(arrival, refusal).await;
}

/// Sends a refusal. One that cannot be sent is as good as lost: the client asks again.
pub(crate) async fn answer(arrival: &Arrival, refusal: &Refusal) {
    if let Ok(socket) = address::answer_socket(arrival.local, arrival.peer).await {
        let _ = socket.send(&refusal.packet()).await;
    }
}
