//! Signals: the first stops the job in good order, a further one hurries it. Only SIGKILL skips the switch-off and the receipt.

use std::io;
use std::sync::Arc;

use flasher_core::{CancellationToken, Class, Error, Event, Progress};
use rustix::process::Signal;
use tokio::signal::unix::{self, SignalKind, signal};
use tokio::sync::mpsc;

use crate::failure::Failure;

/// Every signal that comes from outside and would end a process.
const STOPS: [(Signal, &str); 12] = [
    (Signal::HUP, "SIGHUP"),
    (Signal::INT, "SIGINT"),
    (Signal::QUIT, "SIGQUIT"),
    (Signal::TERM, "SIGTERM"),
    (Signal::USR1, "SIGUSR1"),
    (Signal::USR2, "SIGUSR2"),
    (Signal::ALARM, "SIGALRM"),
    (Signal::VTALARM, "SIGVTALRM"),
    (Signal::PROF, "SIGPROF"),
    (Signal::IO, "SIGIO"),
    (Signal::POWER, "SIGPWR"),
    (Signal::XCPU, "SIGXCPU"),
];

/// Signals since [`Signals::install`]. From then on none of them ends the process by itself.
#[derive(Debug)]
pub(crate) struct Signals(mpsc::UnboundedReceiver<Stop>);

/// A signal and its name.
type Stop = (Signal, &'static str);

/// How a job is asked to stop, and to be quick about it.
#[derive(Clone)]
pub(crate) struct Brakes {
    pub(crate) stop: CancellationToken,
    pub(crate) hurry: CancellationToken,
}

impl Signals {
    /// Installs the handlers. What the process that started us had ignored (`nohup`, a shell's background job) stays ignored.
    ///
    /// # Errors
    /// When the handlers cannot be installed.
    pub(crate) fn install() -> io::Result<Self> {
        Self::install_for(|_| true)
    }

    /// The same for those signals of which `is_meant` says so; the others end the process as they always do.
    fn install_for(is_meant: impl Fn(Signal) -> bool) -> io::Result<Self> {
        let ignored = ignored(&std::fs::read_to_string("/proc/self/status").unwrap_or_default());
        let (sender, signals) = mpsc::unbounded_channel();
        // A file that may not grow is an error of writing then, and no reason to die.
        drop(signal(kind(Signal::XFSZ))?);
        let is_heard = |of: Signal| ignored & (1 << (of.as_raw() - 1)) == 0;
        for (of, name) in STOPS.into_iter().filter(|(of, _)| is_meant(*of) && is_heard(*of)) {
            tokio::spawn(pass_on(signal(kind(of))?, (of, name), sender.clone()));
        }
        Ok(Self(signals))
    }

    /// The name of the next signal.
    pub(crate) async fn next(&mut self) -> &'static str {
        self.next_stop().await.1
    }

    /// The next signal.
    pub(crate) async fn next_signal(&mut self) -> Signal {
        self.next_stop().await.0
    }

    async fn next_stop(&mut self) -> Stop {
        match self.0.recv().await {
            Some(stop) => stop,
            None => std::future::pending().await, // every signal is ignored
        }
    }

    /// Brakes at each signal and says so.
    pub(crate) fn watch(mut self, brakes: Brakes, progress: Arc<dyn Progress>) {
        tokio::spawn(async move {
            let Some((_, name)) = self.0.recv().await else { return };
            brakes.stop.cancel();
            let message = format!("{name}: stopping in good order; a second signal hurries");
            progress.report(Event::Warning { message });
            let Some((_, name)) = self.0.recv().await else { return };
            brakes.hurry.cancel();
            let message =
                format!("{name}: in a hurry; the board is still switched off and the receipt still kept");
            progress.report(Event::Warning { message });
        });
    }
}

fn kind(of: Signal) -> SignalKind {
    SignalKind::from_raw(of.as_raw())
}

async fn pass_on(mut signal: unix::Signal, stop: Stop, to: mpsc::UnboundedSender<Stop>) {
    while signal.recv().await.is_some() && to.send(stop).is_ok() {}
}

/// The signals that are ignored, a bit each, out of `/proc/self/status`; none when it does not tell.
fn ignored(status: &str) -> u64 {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0)
}

/// Does `work` to its end, or until a signal comes: what it holds can be freed then.
///
/// # Errors
/// Those of the work; class interrupted at a signal.
pub(crate) async fn interruptible<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let mut signals = Signals::install()?;
    tokio::select! {
        done = work => done,
        name = signals.next() => Err(Error::new(Class::Interrupted, format!("interrupted by {name}")).into()),
    }
}

/// For work that holds no board: cancels `stop` at the first ^C or SIGTERM and says so; exits with 130 at the second.
///
/// # Errors
/// When the handlers cannot be installed.
pub(crate) fn watch(stop: CancellationToken, progress: Arc<dyn Progress>) -> io::Result<()> {
    watch_held(stop, progress, false)
}

/// The same; when `is_held`, who called has something to give back: any signal counts, and who called ends at the second by itself.
///
/// # Errors
/// As [`watch`].
pub(crate) fn watch_held(
    stop: CancellationToken,
    progress: Arc<dyn Progress>,
    is_held: bool,
) -> io::Result<()> {
    // A job on another machine outlives the client's terminal; what the client holds must be given back whatever ends it.
    let is_meant = |signal| is_held || [Signal::INT, Signal::TERM].contains(&signal);
    let mut signals = Signals::install_for(is_meant)?;
    tokio::spawn(async move {
        let name = signals.next().await;
        stop.cancel();
        let message = format!("{name}: stopping in good order; once more stops at once");
        progress.report(Event::Warning { message });
        if is_held {
            return;
        }
        signals.next().await;
        std::process::exit(i32::from(Class::Interrupted.exit_code()));
    });
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn signals_ignored_at_the_start() {
        for (status, expected) in [
            ("Name:\tflasher\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\tff\n", 0x1001),
            ("SigIgn:\tnonsense\n", 0),
            ("", 0),
        ] {
            assert_eq!(ignored(status), expected, "{status}");
        }
    }
}
