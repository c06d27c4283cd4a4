//! ^C and SIGTERM: the first stops the job in good order, the second kills at once.

use std::io;
use std::sync::Arc;

use flasher_core::{CancellationToken, Class, Event, Progress};
use tokio::signal::unix::{Signal, SignalKind, signal};

/// Cancels `stop` at the first signal and says so; exits with 130 at the second.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn watch(stop: CancellationToken, progress: Arc<dyn Progress>) -> io::Result<()> {
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    tokio::spawn(async move {
        either(&mut interrupt, &mut terminate).await;
        stop.cancel();
        let message = "interrupted: stopping in good order; once more stops at once".to_owned();
        progress.report(Event::Warning { message });
        either(&mut interrupt, &mut terminate).await;
        std::process::exit(i32::from(Class::Interrupted.exit_code()));
    });
    Ok(())
}

async fn either(interrupt: &mut Signal, terminate: &mut Signal) {
    tokio::select! {
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
}
