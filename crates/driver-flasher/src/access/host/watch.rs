//! Work with a disk on a thread of its own: it ends when its step does, and a disk that does not answer is noticed.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::{CancellationToken, Class, Error, Result, RootCause};
use tokio::task::JoinError;

use super::disk::Disk;

/// How often is looked whether the disk still works.
const LOOK: Duration = Duration::from_millis(500);

/// Runs `work`, which blocks, and gives up when one operation of the disk takes longer than `patience`. The work gets a token
/// that is cancelled when its result is not wanted any more.
pub(super) async fn watched<T: Send + 'static>(
    disk: &Arc<Disk>,
    patience: Duration,
    work: impl FnOnce(&Disk, &CancellationToken) -> Result<T> + Send + 'static,
) -> Result<T> {
    let stop = CancellationToken::new();
    let _guard = stop.clone().drop_guard();
    let working = Arc::clone(disk);
    let mut thread = tokio::task::spawn_blocking(move || work(&working, &stop));
    loop {
        tokio::select! {
            done = &mut thread => return done.unwrap_or_else(|error| Err(ended(&error))),
            () = tokio::time::sleep(LOOK) => {}
        }
        if disk.busy_for().is_some_and(|time| time > patience) {
            return Err(stands_still(&disk.node, patience));
        }
    }
}

fn ended(error: &JoinError) -> Error {
    Error::new(Class::Internal, format!("a thread that works with a disk ended unexpectedly: {error}"))
}

fn stands_still(node: &str, patience: Duration) -> Error {
    Error::new(Class::Medium, format!("`{node}` did not answer within {} s", patience.as_secs()))
        .caused_by(RootCause::MediumHangs)
        .with("device", node.to_owned())
        .help("the kernel's log (`dmesg`) says more; `timeouts: { stall: … }` gives a slow medium more time")
}

/// What a thread says whose result is not wanted any more.
pub(super) fn not_wanted() -> Error {
    Error::new(Class::Interrupted, "the work was stopped")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_that_does_not_answer() {
        let error = stands_still("/dev/sdb", Duration::from_secs(20));
        assert_eq!(
            format!("{error:?}"),
            "medium error: `/dev/sdb` did not answer within 20 s [device: /dev/sdb]"
        );
    }
}
