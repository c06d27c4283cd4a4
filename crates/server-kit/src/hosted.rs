//! A server of a driver: started and stopped as often as needed, one at a time.

use std::future::Future;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Mutex as StdMutex, PoisonError};

use tokio::sync::Mutex;

use crate::Error;

/// A server that serves from the time it is bound.
pub trait RunningServer: Send {
    /// Where it is bound.
    fn address(&self) -> SocketAddr;

    /// Ends all transfers and frees the port.
    fn stop(self) -> impl Future<Output = ()> + Send;
}

/// The server of a driver, while it runs.
#[derive(Debug)]
pub struct Hosted<S> {
    running: Mutex<Option<S>>,
    address: StdMutex<Option<SocketAddr>>,
}

impl<S> Default for Hosted<S> {
    fn default() -> Self {
        Self { running: Mutex::default(), address: StdMutex::default() }
    }
}

impl<S: RunningServer> Hosted<S> {
    /// Stops the server that runs, makes the folder `root` if need be, and has `bind` bind another one.
    ///
    /// # Errors
    /// When the folder cannot be made; those of `bind`. Then none runs.
    pub async fn start<E: From<Error>>(
        &self,
        root: &Path,
        bind: impl Future<Output = Result<S, E>>,
    ) -> Result<SocketAddr, E> {
        let mut running = self.running.lock().await;
        self.end(&mut running).await;
        tokio::fs::create_dir_all(root).await.map_err(|error| Error::root(root, error))?;
        let server = bind.await?;
        let address = server.address();
        *running = Some(server);
        self.set_address(Some(address));
        Ok(address)
    }

    /// Stops the server, when one runs.
    pub async fn stop(&self) {
        let mut running = self.running.lock().await;
        self.end(&mut running).await;
    }

    /// Where it is bound, while one runs.
    pub fn address(&self) -> Option<SocketAddr> {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn end(&self, running: &mut Option<S>) {
        self.set_address(None);
        if let Some(server) = running.take() {
            server.stop().await;
        }
    }

    fn set_address(&self, address: Option<SocketAddr>) {
        *self.address.lock().unwrap_or_else(PoisonError::into_inner) = address;
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::*;

    /// Counts how many run.
    struct Counted(Arc<AtomicUsize>);

    impl RunningServer for Counted {
        fn address(&self) -> SocketAddr {
            SocketAddr::from(([127, 0, 0, 1], 7))
        }

        async fn stop(self) {
            self.0.fetch_sub(1, Ordering::Relaxed);
        }
    }

    #[tokio::test]
    async fn one_server_runs_at_a_time() {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().join("a/b");
        let (hosted, count) = (Hosted::default(), Arc::new(AtomicUsize::new(0)));
        let bind = || async {
            assert_eq!(count.fetch_add(1, Ordering::Relaxed), 0, "the one before has ended");
            Ok::<_, Error>(Counted(Arc::clone(&count)))
        };
        for _ in 0..2 {
            let address = hosted.start(&root, bind()).await.unwrap();
            assert_eq!((hosted.address(), root.is_dir()), (Some(address), true));
        }
        let refused = async { Err(Error::Host("x".to_owned(), io::ErrorKind::NotFound.into())) };
        hosted.start(&root, refused).await.unwrap_err();
        assert_eq!(
            (hosted.address(), count.load(Ordering::Relaxed)),
            (None, 0),
            "nothing runs after a failure"
        );
        hosted.start(&root, bind()).await.unwrap();
        hosted.stop().await;
        hosted.stop().await;
        assert_eq!((hosted.address(), count.load(Ordering::Relaxed)), (None, 0));
        std::fs::write(place.path().join("file"), "").unwrap();
        let error = hosted.start(&place.path().join("file"), bind()).await.unwrap_err();
        assert!(matches!(error, Error::IsFile(_)), "{error}");
    }
}
