//! What every driver promises, as suites to run against one: a test asserts that the list of broken promises is empty.
//!
//! ```rust,ignore
//! let make = || RelayFoo::build(config(), Wiring::default()).unwrap();
//! assert_eq!(flasher_core::testing::power(&make).await, [""; 0]);
//! ```
//!
//! `make` gives a fresh driver over the same hardware each time it is called. A driver whose hardware is absent from the machine
//! prints `skipped` in its own test and does not call the suite.

mod errors;
mod files;
pub mod media;
mod power;
mod serial;

use std::future::Future;
use std::time::Duration;

pub use errors::errors;
pub use files::file_server;
pub use power::power;
pub use serial::serial;

use crate::error::{Error, Result};

/// Bound on everything a suite waits for; far longer than a driver may take.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// Broken promises, as they are found.
#[derive(Debug, Default)]
struct Broken(Vec<String>);

impl Broken {
    /// Notes `promise` unless it is kept.
    fn unless(&mut self, kept: bool, promise: &str) {
        if !kept {
            self.0.push(promise.to_owned());
        }
    }

    /// Notes why `what` failed, or that it hung.
    async fn done<T>(&mut self, what: &str, work: impl Future<Output = Result<T>>) -> Option<T> {
        match bounded(work).await {
            Ok(done) => Some(done),
            Err(error) => {
                self.0.push(format!("{what}: {}", error.cause()));
                None
            }
        }
    }
}

async fn bounded<T>(work: impl Future<Output = Result<T>>) -> Result<T> {
    tokio::time::timeout(PATIENCE, work)
        .await
        .unwrap_or_else(|_| Err(Error::infrastructure(format!("no end within {} s", PATIENCE.as_secs()))))
}

/// Polls `work` for a moment and drops it: a future that is cancelled half-way.
async fn cut_short<T>(moment: Duration, work: impl Future<Output = T>) {
    drop(tokio::time::timeout(moment, work).await);
}

/// Moments at which futures are cut short: before anything, and somewhere in the middle.
const MOMENTS: [Duration; 3] = [Duration::ZERO, Duration::from_millis(1), Duration::from_millis(20)];
