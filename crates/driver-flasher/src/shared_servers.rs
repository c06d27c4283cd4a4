//! File servers that several jobs of this process use at once: boards of one lab often share the TFTP server of their exporter, as boot
//! loaders ask port 69 and no other.
//!
//! The first job starts a server, the last one stops it. Each hears of its own transfers, and of those that are of no job.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex as StdMutex, PoisonError};

use flasher_core::{FileServer, Result, Transfer, TransferLog};
use tokio::sync::Mutex;

/// Servers that run for jobs.
static RUNNING: Mutex<Vec<SharedServer>> = Mutex::const_new(Vec::new());

/// A server that runs for at least one job.
struct SharedServer {
    /// Which one it is: the place of its driver, which its flashers keep for as long as they have jobs.
    server: usize,
    users: Arc<StdMutex<Vec<User>>>,
}

/// A job that uses a server.
#[derive(Clone)]
struct User {
    /// What tells it from others; files that are served for it lie in folders with this in their name.
    token: String,
    log: TransferLog,
}

/// Has `server` run for the job with this token, which hears of its transfers through `log`.
///
/// # Errors
/// Those of the server; another job goes on with it then.
pub(crate) async fn start(server: &dyn FileServer, token: &str, log: TransferLog) -> Result<SocketAddr> {
    let (key, user) = (key(server), User { token: token.to_owned(), log });
    let mut all = RUNNING.lock().await;
    if let Some(running) = all.iter().find(|running| running.server == key)
        && let Some(address) = server.address()
    {
        let mut users = running.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|user| user.token != token);
        users.push(user);
        return Ok(address);
    }
    all.retain(|running| running.server != key);
    let users = Arc::new(StdMutex::new(vec![user]));
    let heard_by = Arc::clone(&users);
    let address = server.start(TransferLog::new(move |transfer| route(&heard_by, &transfer))).await?;
    all.push(SharedServer { server: key, users });
    Ok(address)
}

/// The job with this token does not need `server` any more.
///
/// # Errors
/// Those of the server, when this was the last job.
pub(crate) async fn stop(server: &dyn FileServer, token: &str) -> Result<()> {
    let key = key(server);
    let mut all = RUNNING.lock().await;
    if let Some(running) = all.iter().find(|running| running.server == key) {
        let mut users = running.users.lock().unwrap_or_else(PoisonError::into_inner);
        users.retain(|user| user.token != token);
        if !users.is_empty() {
            return Ok(());
        }
    }
    all.retain(|running| running.server != key);
    server.stop().await
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

fn key(server: &dyn FileServer) -> usize {
    std::ptr::from_ref(server).cast::<()>().addr()
}

#[cfg(test)]
mod tests {
    use flasher_core::TransferState;
    use flasher_core::mocks::MockServer;

    use super::*;

    /// A log, and the files that it heard of.
    fn log() -> (TransferLog, Arc<StdMutex<Vec<String>>>) {
        let heard = Arc::new(StdMutex::new(Vec::new()));
        let files = Arc::clone(&heard);
        (TransferLog::new(move |transfer| files.lock().unwrap().push(transfer.file)), heard)
    }

    #[tokio::test]
    async fn a_server_runs_from_the_first_job_to_the_last() {
        let address: SocketAddr = "127.0.0.1:69".parse().unwrap();
        let given = Arc::new(StdMutex::new(TransferLog::default()));
        let mut server = MockServer::new();
        let taken = Arc::clone(&given);
        server.expect_start().times(2).returning(move |log| {
            *taken.lock().unwrap() = log;
            Ok(address)
        });
        server.expect_address().returning(move || Some(address));
        server.expect_stop().times(2).returning(|| Ok(()));
        let [(one, first), (other, second)] = [log(), log()];
        start(&server, "1111111111111111", one).await.unwrap();
        start(&server, "2222222222222222", other).await.unwrap();
        let log = given.lock().unwrap().clone();
        for file in ["flasher-job-111111111111/kernel", "/2222222222222222/frames", "pxelinux.cfg/default"] {
            let (protocol, peer) = ("tftp".to_owned(), "192.0.2.9:1234".parse().unwrap());
            let state = TransferState::SizeAsked { length: 1 };
            log.record(Transfer { protocol, peer, file: file.to_owned(), state });
        }
        assert_eq!(*first.lock().unwrap(), ["flasher-job-111111111111/kernel", "pxelinux.cfg/default"]);
        assert_eq!(*second.lock().unwrap(), ["/2222222222222222/frames", "pxelinux.cfg/default"]);
        stop(&server, "1111111111111111").await.unwrap();
        stop(&server, "2222222222222222").await.unwrap();
        // The next job starts it anew, and one that never began may stop it.
        start(&server, "3333333333333333", TransferLog::default()).await.unwrap();
        stop(&server, "3333333333333333").await.unwrap();
    }
}
