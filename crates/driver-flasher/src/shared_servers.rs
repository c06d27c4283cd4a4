//! File servers that several jobs of this process use at once: boards of one lab often share the TFTP server of their exporter, as boot
//! loaders ask port 69 and no other. Boards that have a server each, on the same port, share the one that runs first.
//!
//! The first job starts a server, the last one stops it. Each hears of its own transfers, and of those that are of no job.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use flasher_core::{ContentServer, FileServer, Result, Transfer, TransferLog};
use tokio::sync::Mutex;

/// TFTP servers that run for jobs.
static TFTP: SharedServers<dyn FileServer> = SharedServers::new();
/// HTTP servers that run for jobs.
static HTTP: SharedServers<dyn ContentServer> = SharedServers::new();

/// The servers that one job uses, while they run for it.
pub(crate) struct JobServers {
    pub(crate) tftp: JobServer<dyn FileServer>,
    pub(crate) http: JobServer<dyn ContentServer>,
}

impl Default for JobServers {
    fn default() -> Self {
        Self { tftp: JobServer::of(&TFTP), http: JobServer::of(&HTTP) }
    }
}

/// The server of one protocol that a job uses.
pub(crate) struct JobServer<S: ?Sized + 'static> {
    all: &'static SharedServers<S>,
    running: StdMutex<Option<Arc<S>>>,
}

impl<S: FileServer + ?Sized> JobServer<S> {
    fn of(all: &'static SharedServers<S>) -> Self {
        Self { all, running: StdMutex::new(None) }
    }

    /// Has a server run for the job with this token: `own`, or one of another job that has its port. The job hears of its transfers
    /// through `log`.
    ///
    /// # Errors
    /// Those of the server; another job goes on with it then.
    pub(crate) async fn start(&self, own: &Arc<S>, token: &str, log: TransferLog) -> Result<SocketAddr> {
        let (server, address) = self.all.start(own, token, log).await?;
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = Some(server);
        Ok(address)
    }

    /// The server that runs for the job.
    pub(crate) fn running(&self) -> Option<Arc<S>> {
        self.running.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// The job does not need its server any more.
    ///
    /// # Errors
    /// Those of the server, when this was the last job.
    pub(crate) async fn stop(&self, token: &str) -> Result<()> {
        *self.running.lock().unwrap_or_else(PoisonError::into_inner) = None;
        self.all.stop(token).await
    }
}

/// All servers of one protocol.
struct SharedServers<S: ?Sized>(Mutex<Vec<SharedServer<S>>>);

/// A server that runs for at least one job.
struct SharedServer<S: ?Sized> {
    server: Arc<S>,
    users: Arc<StdMutex<Vec<User>>>,
}

/// A job that uses a server.
#[derive(Clone)]
struct User {
    /// What tells it from others; files that are served for it lie in folders with this in their name.
    token: String,
    log: TransferLog,
}

impl<S: FileServer + ?Sized> SharedServers<S> {
    const fn new() -> Self {
        Self(Mutex::const_new(Vec::new()))
    }

    async fn start(&self, own: &Arc<S>, token: &str, log: TransferLog) -> Result<(Arc<S>, SocketAddr)> {
        let user = User { token: token.to_owned(), log };
        let mut all = self.0.lock().await;
        if let Some(running) = all.iter().find(|running| running.serves_for(own))
            && let Some(address) = running.server.address()
        {
            let mut users = running.users.lock().unwrap_or_else(PoisonError::into_inner);
            users.retain(|user| user.token != token);
            users.push(user);
            return Ok((Arc::clone(&running.server), address));
        }
        all.retain(|running| !running.serves_for(own));
        let users = Arc::new(StdMutex::new(vec![user]));
        let heard_by = Arc::clone(&users);
        let address = own.start(TransferLog::new(move |transfer| route(&heard_by, &transfer))).await?;
        all.push(SharedServer { server: Arc::clone(own), users });
        Ok((Arc::clone(own), address))
    }

    async fn stop(&self, token: &str) -> Result<()> {
        let mut all = self.0.lock().await;
        let Some(index) = all.iter().position(|running| running.leave(token)) else { return Ok(()) };
        all.swap_remove(index).server.stop().await
    }
}

impl<S: FileServer + ?Sized> SharedServer<S> {
    /// Whether a job whose server is `own` is to use this one.
    fn serves_for(&self, own: &Arc<S>) -> bool {
        let wanted = own.fixed_address();
        std::ptr::addr_eq(Arc::as_ptr(&self.server), Arc::as_ptr(own))
            || (wanted.is_some() && wanted == self.server.fixed_address())
    }

    /// The job with this token uses it no longer; whether it did, and was the last one.
    fn leave(&self, token: &str) -> bool {
        let mut users = self.users.lock().unwrap_or_else(PoisonError::into_inner);
        let before = users.len();
        users.retain(|user| user.token != token);
        users.is_empty() && before > 0
    }
}

/// Tells a transfer to the job whose file it is about; one that is of no job to all.
fn route(users: &StdMutex<Vec<User>>, transfer: &Transfer) {
    // Called outside the lock: a log may take its time.
    let users: Vec<User> = users.lock().unwrap_or_else(PoisonError::into_inner).clone();
    let is_of = |user: &&User| is_of(&user.token, &transfer.file);
    match users.iter().find(is_of) {
        Some(owner) => owner.log.record(transfer.clone()),
        None => users.iter().for_each(|user| user.log.record(transfer.clone())),
    }
}

/// Whether a file is served for the job with this token.
fn is_of(token: &str, file: &str) -> bool {
    let folder = file.trim_start_matches('/').split('/').next().unwrap_or_default();
    folder == token || folder == crate::staging::folder(token)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use flasher_core::TransferState;
    use flasher_core::mocks::MockServer;

    use super::*;

    /// A log, and the files that it heard of.
    fn log() -> (TransferLog, Arc<StdMutex<Vec<String>>>) {
        let heard = Arc::new(StdMutex::new(Vec::new()));
        let files = Arc::clone(&heard);
        (TransferLog::new(move |transfer| files.lock().unwrap().push(transfer.file)), heard)
    }

    /// A server for this port that is started and stopped so often; and the log that it was given last.
    fn server(port: u16, starts: usize, folder: &str) -> (Arc<dyn FileServer>, Arc<StdMutex<TransferLog>>) {
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let given = Arc::new(StdMutex::new(TransferLog::default()));
        let (mut server, taken, folder) = (MockServer::new(), Arc::clone(&given), PathBuf::from(folder));
        server.expect_start().times(starts).returning(move |log| {
            *taken.lock().unwrap() = log;
            Ok(address)
        });
        server.expect_address().returning(move || Some(address));
        server.expect_fixed_address().returning(move || Some((String::new(), port)));
        server.expect_root().returning(move || folder.clone());
        server.expect_stop().times(starts).returning(|| Ok(()));
        (Arc::new(server), given)
    }

    #[tokio::test]
    async fn a_server_runs_from_the_first_job_to_the_last() {
        let (own, given) = server(6901, 2, "one");
        let [(one, first), (other, second)] = [log(), log()];
        let [a, b, c] = std::array::from_fn(|_| JobServers::default());
        a.tftp.start(&own, "1111111111111111", one).await.unwrap();
        b.tftp.start(&own, "2222222222222222", other).await.unwrap();
        let log = given.lock().unwrap().clone();
        for file in ["flasher-job-111111111111/kernel", "/2222222222222222/frames", "pxelinux.cfg/default"] {
            let (protocol, peer) = ("tftp".to_owned(), "192.0.2.9:1234".parse().unwrap());
            let state = TransferState::SizeAsked { length: 1 };
            log.record(Transfer { protocol, peer, file: file.to_owned(), state });
        }
        assert_eq!(*first.lock().unwrap(), ["flasher-job-111111111111/kernel", "pxelinux.cfg/default"]);
        assert_eq!(*second.lock().unwrap(), ["/2222222222222222/frames", "pxelinux.cfg/default"]);
        a.tftp.stop("1111111111111111").await.unwrap();
        a.tftp.stop("1111111111111111").await.unwrap();
        b.tftp.stop("2222222222222222").await.unwrap();
        // The next job starts it anew, and one that never began may stop it.
        c.tftp.start(&own, "3333333333333333", TransferLog::default()).await.unwrap();
        a.tftp.stop("1111111111111111").await.unwrap();
        c.tftp.stop("3333333333333333").await.unwrap();
    }

    #[tokio::test]
    async fn servers_for_one_port_are_one_while_it_runs() {
        let ((one, _), (other, _), (elsewhere, _)) =
            (server(6902, 1, "one"), server(6902, 1, "other"), server(6903, 1, "elsewhere"));
        let [a, b, c] = std::array::from_fn(|_| JobServers::default());
        a.tftp.start(&one, "a", TransferLog::default()).await.unwrap();
        b.tftp.start(&other, "b", TransferLog::default()).await.unwrap();
        c.tftp.start(&elsewhere, "c", TransferLog::default()).await.unwrap();
        let folder = |job: &JobServers| job.tftp.running().map(|server| server.root());
        assert_eq!([&a, &b, &c].map(folder), ["one", "one", "elsewhere"].map(|name| Some(name.into())));
        // It goes on for the job that is left, and the next one has its own again.
        a.tftp.stop("a").await.unwrap();
        assert_eq!([&a, &b].map(folder), [None, Some("one".into())]);
        b.tftp.stop("b").await.unwrap();
        b.tftp.start(&other, "b", TransferLog::default()).await.unwrap();
        assert_eq!(folder(&b), Some("other".into()));
        b.tftp.stop("b").await.unwrap();
        c.tftp.stop("c").await.unwrap();
    }
}
