//! The exporter as its own process uses it, for a web page as an example: with the claims, jobs and counts that every client has, and
//! without the wire.

mod boards;
mod intake;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::owner::Board;
use flasher_core::{ByteStream, CancellationToken, Error, Result};
use futures_util::Stream;
use tokio::sync::{Semaphore, watch};
use uuid::Uuid;

pub use self::boards::BoardNodes;
pub use self::intake::ImageIntake;
use crate::capability::{Kind, find};
use crate::claims::{Claim, Key};
use crate::connection::Connection;
use crate::failure::CallResult;
use crate::jobs::{Job, texts};
use crate::order::JobOrder;
use crate::resource::Pipe;
use crate::service::Service;
use crate::session::Session;
use crate::value;

/// How long power stays off when it is cycled.
const OFF: Duration = Duration::from_secs(2);
/// Worker threads that one of these may keep busy.
const WORKERS: usize = 8;

/// One loaded tree, and what it is asked by this process.
#[derive(Clone, Debug)]
pub struct DirectClient {
    service: Service,
}

/// A serial line that is open for one user, until this is dropped.
pub struct OpenLine {
    /// The bytes both ways. Everything that is read reaches the watchers as well.
    pub stream: Box<dyn ByteStream>,
    /// Cancelled when the line has to be let go for another client.
    pub evicted: CancellationToken,
    _claim: Option<Claim>,
}

impl fmt::Debug for OpenLine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("OpenLine").finish_non_exhaustive()
    }
}

/// A job of a board, running or over.
#[derive(Clone, Debug)]
pub struct FollowedJob(Arc<Job>);

impl FollowedJob {
    /// What it does, for people: `flash os.img`.
    pub fn label(&self) -> &str {
        &self.0.label
    }

    /// Whether it is over.
    pub fn is_over(&self) -> bool {
        self.0.is_over()
    }

    /// Whether it is the same job as `other`.
    pub fn is(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// Its events as JSON, from the first that is kept to the last: those of [`flasher_core::Event`] with their times, and
    /// [`exporter_wire::notice::JobNotice`].
    pub fn events(&self) -> impl Stream<Item = Arc<str>> + Send + use<> {
        texts(Arc::clone(&self.0))
    }
}

impl DirectClient {
    pub(crate) fn new(session: Arc<Session>, peer: &str, is_local: bool) -> Self {
        let connection = Connection::new(peer.to_owned(), is_local, Arc::new(Semaphore::new(WORKERS)));
        Self { service: Service { session, connection } }
    }

    /// The same tree for another user.
    #[must_use]
    pub fn of(&self, peer: &str, is_local: bool) -> Self {
        Self::new(Arc::clone(self.session()), peer, is_local)
    }

    /// Which loaded tree it is: another one after each reload.
    pub fn tree(&self) -> Uuid {
        self.session().uuid
    }

    /// What the bench is called.
    pub fn bench(&self) -> Option<&str> {
        self.session().bench.as_deref()
    }

    /// What users are to read first.
    pub fn motd(&self) -> Option<String> {
        self.session().motd()
    }

    /// The boards, those with a flasher first.
    pub fn boards(&self) -> Vec<BoardNodes> {
        boards::boards(&self.session().tree, &self.session().nodes)
    }

    /// Whether the power is on, as the switch at `path` says; none when it cannot tell.
    ///
    /// # Errors
    /// When the switch does not answer.
    pub async fn power_state(&self, path: &str) -> Result<Option<bool>> {
        Ok(value::as_flag(&self.call(path, "state").await?))
    }

    /// Switches the power on or off.
    ///
    /// # Errors
    /// When another client or job has the board, or the switch does not obey.
    pub async fn power(&self, path: &str, on: bool) -> Result<()> {
        self.call(path, if on { "on" } else { "off" }).await?;
        Ok(())
    }

    /// Switches the power off, and on again after two seconds.
    ///
    /// # Errors
    /// As [`DirectClient::power`].
    pub async fn power_cycle(&self, path: &str) -> Result<()> {
        self.power(path, false).await?;
        tokio::time::sleep(OFF).await;
        self.power(path, true).await
    }

    /// What the owner of the serial line at `path` hears from now on.
    ///
    /// # Errors
    /// When no client or process has the line open.
    pub async fn watch(&self, path: &str) -> Result<Box<dyn ByteStream>> {
        Ok(self.connect(path, "watch").await?.stream)
    }

    /// Opens the serial line at `path`; no other client can meanwhile.
    ///
    /// # Errors
    /// When another client or job has it, or it cannot be opened.
    pub async fn open(&self, path: &str) -> Result<OpenLine> {
        Ok(self.connect(path, "connect").await?)
    }

    /// Who has the board or a part of it, in words: a client or job of this exporter, or a job of another process.
    pub async fn in_use(&self, board: &BoardNodes) -> Option<String> {
        let session = self.session();
        let paths = [&board.flasher, &board.power, &board.serial];
        let devices: Vec<_> =
            paths.into_iter().flatten().filter_map(|path| session.tree.find(path).ok()).collect();
        let mut holders =
            devices.iter().filter_map(Key::of).filter_map(|key| session.shared.claims.holder(key));
        if let Some(holder) = holders.next() {
            return Some(holder);
        }
        let drivers = devices.iter().filter_map(flasher_core::Device::driver);
        let held = Board::of_all(&session.tree, drivers).refuse_if_held().await;
        held.err().map(|error| error.cause())
    }

    /// Changes whenever a job begins.
    pub fn beginnings(&self) -> watch::Receiver<()> {
        self.session().shared.jobs.beginnings()
    }

    /// The last job of the flasher at `path`, running or over, since the tree was loaded.
    pub fn job(&self, path: &str) -> Option<FollowedJob> {
        self.session().shared.jobs.last_of(self.session().nodes.at(path)?).map(FollowedJob)
    }

    /// Begins a flash, which goes on without who ordered it. Gives where the bytes of the image go when the order has one file.
    ///
    /// # Errors
    /// When the order is wrong, or another client or job has the board.
    pub async fn flash(&self, path: &str, order: &JobOrder) -> Result<Option<ImageIntake>> {
        Ok(self.start(path, order).await?)
    }

    /// Stops the job of the flasher at `path` in good order.
    ///
    /// # Errors
    /// When none is running.
    pub fn cancel(&self, path: &str) -> Result<()> {
        match self.job(path).filter(|job| !job.is_over()) {
            Some(job) => job.0.stop.cancel(),
            None => return Err(Error::config("no job is running, so none was stopped").retryable(false)),
        }
        Ok(())
    }

    fn session(&self) -> &Arc<Session> {
        &self.service.session
    }

    fn uuid(&self, path: &str) -> CallResult<Uuid> {
        let missing =
            || crate::failure::CallFailure::argument(format!("`{path}` is no node that can be used here"));
        self.session().nodes.at(path).ok_or_else(missing)
    }

    async fn call(&self, path: &str, method: &str) -> CallResult<prost_types::Value> {
        let uuid = self.uuid(path)?.to_string();
        self.service.prepare(&uuid, method, &[], Kind::Call)?.call().await
    }

    async fn connect(&self, path: &str, method: &str) -> CallResult<OpenLine> {
        self.session().gate.pass()?;
        let (capability, call) = self.service.node(&self.uuid(path)?.to_string())?;
        let method = find(capability.methods(), method, Kind::Bytes)?;
        let line = capability.connect(method.name, &call).await?;
        let evicted = line.claim.as_ref().map(|claim| claim.evicted.clone()).unwrap_or_default();
        Ok(OpenLine { stream: line.stream, evicted, _claim: line.claim })
    }

    async fn start(&self, path: &str, order: &JobOrder) -> CallResult<Option<ImageIntake>> {
        let uuid = self.uuid(path)?;
        let (pipe, intake) = if order.files.is_empty() {
            (None, None)
        } else {
            let (pipe, ends) = Pipe::new(None);
            (Some(pipe), Some(ImageIntake::new(ends)))
        };
        let owner = crate::resource::Owner { node: uuid, connection: self.service.connection.id };
        let handle = pipe.map(|pipe| self.session().shared.resources.add(owner, pipe)).transpose()?;
        let handle = handle.map_or_else(value::null, |uuid| {
            value::record([("kind", value::text("client_stream")), ("uuid", value::text(uuid.to_string()))])
        });
        let args = [value::text("start"), value::text(order.json()), handle];
        let prepared = self.service.prepare(&uuid.to_string(), "flash_job", &args, Kind::Results)?;
        // The job goes on when its events are not followed.
        drop(prepared.capability.results(prepared.method.name, prepared.args, &prepared.call).await?);
        Ok(intake)
    }
}
