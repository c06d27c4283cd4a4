//! The scripts of the lab that run before and after a lease: in a terminal of their own, bounded in time, and ended with all that
//! they started.

use std::ffi::OsString;
use std::io;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;
use std::sync::Arc;
use std::time::Duration;

use exporter_grpc::LeasedExporter;
use exporter_yaml::{HookSettings, OnFailure};
use flasher_base::safe;
use flasher_core::CancellationToken;
use pty_process::{Command, Pty};
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::AsyncReadExt;
use tokio::process::Child;
use tokio::time::timeout;

use crate::lease::{HookKind, HookOutcome, Lease};

/// How long a hook may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(5);
/// How long a client may take to connect before a failed hook ends its lease.
const CLIENT: Duration = Duration::from_secs(20);
/// How long output may still come after the end.
const DRAIN: Duration = Duration::from_millis(300);
/// Longest line that is shown whole, bytes.
const LONGEST: usize = 4096;
/// Most of what a hook may add to what users read first, bytes.
const LARGEST_MOTD: u64 = 64 * 1024;

/// One run of a hook.
#[derive(Debug)]
pub(crate) struct HookRun {
    pub(crate) kind: HookKind,
    pub(crate) settings: HookSettings,
    pub(crate) lease: Lease,
    pub(crate) exporter: Arc<LeasedExporter>,
    /// How its commands find the exporter.
    pub(crate) environment: Vec<(OsString, OsString)>,
    /// Where it may leave what users are to read first.
    pub(crate) motd: PathBuf,
}

impl HookRun {
    /// Runs it to its end; none when `over` ended it. That a lease has failed is said once its client is there to hear it.
    pub(crate) async fn run(self, over: &CancellationToken) -> Option<HookOutcome> {
        let outcome = self.outcome(over).await?;
        if matches!(outcome, HookOutcome::EndsLease(_) | HookOutcome::EndsExporter(_)) {
            // A client that does not come in time gets no reason.
            timeout(CLIENT, over.run_until_cancelled(self.exporter.until_asked())).await.ok();
        }
        Some(outcome)
    }

    async fn outcome(&self, over: &CancellationToken) -> Option<HookOutcome> {
        let (mut terminal, mut child) = match self.start() {
            Ok(started) => started,
            Err(why) => return Some(self.failed(&format!("it cannot be started: {why}"))),
        };
        let mut group = HookProcesses(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
        let mut lines =
            Lines { exporter: &self.exporter, is_before: self.kind == HookKind::Before, line: Vec::new() };
        let ended = tokio::select! {
            ended = timeout(self.settings.timeout, lines.until_end(&mut terminal, &mut child)) => ended,
            () = over.cancelled() => {
                group.end(&mut child).await;
                return None;
            }
        };
        let Ok(status) = ended else {
            group.end(&mut child).await;
            lines.flush();
            let seconds = self.settings.timeout.as_secs();
            return Some(self.failed(&format!("it did not end within {seconds} s, and was killed")));
        };
        group.0 = None;
        drop(timeout(DRAIN, lines.read(&mut terminal)).await);
        lines.flush();
        Some(match status {
            Ok(status) if status.success() => {
                self.take_motd().await;
                HookOutcome::Passed
            }
            Ok(status) => self.failed(&format!("it ended with {status}")),
            Err(error) => self.failed(&format!("its end is not known: {error}")),
        })
    }

    fn start(&self) -> io::Result<(Pty, Child)> {
        let (terminal, end) = pty_process::open().map_err(io::Error::other)?;
        let argv = argv(&self.settings);
        let client = self.lease.client.clone().unwrap_or_default();
        let command = Command::new(&argv[0])
            .args(&argv[1..])
            .envs(self.environment.iter().cloned())
            .env("LEASE_NAME", &self.lease.name)
            .env("CLIENT_NAME", client)
            .env("TERM", "dumb")
            .env("DEBIAN_FRONTEND", "noninteractive")
            .env("GIT_TERMINAL_PROMPT", "0")
            .env_remove("PS1")
            .kill_on_drop(true);
        let command = match self.kind {
            HookKind::Before => command.env("JMP_MOTD_FILE", &self.motd),
            HookKind::After => command,
        };
        Ok((terminal, command.spawn(end).map_err(io::Error::other)?))
    }

    fn failed(&self, why: &str) -> HookOutcome {
        let key = self.kind.key();
        let because = |consequence: &str| format!("{key} hook failed ({consequence}): {why}");
        match self.settings.on_failure {
            OnFailure::Warn => HookOutcome::Warned(format!("{key} hook failed: {why}")),
            OnFailure::EndLease => HookOutcome::EndsLease(because("on_failure=endLease")),
            OnFailure::Exit => HookOutcome::EndsExporter(because("on_failure=exit")),
        }
    }

    async fn take_motd(&self) {
        let path = self.motd.clone();
        let read = tokio::task::spawn_blocking(move || motd(&path)).await;
        if let Ok(Some(text)) = read {
            self.exporter.add_to_motd(text);
        }
    }
}

/// What a hook has left for users: of a regular file, and only so much.
fn motd(path: &Path) -> Option<String> {
    let found = std::fs::symlink_metadata(path).ok()?;
    if !found.is_file() || found.len() > LARGEST_MOTD {
        return None;
    }
    let text = std::fs::read_to_string(path).ok()?;
    let text = text.trim().to_owned();
    (!text.is_empty()).then_some(text)
}

/// What runs a hook: an interpreter with the script, or with the file that it names.
fn argv(hook: &HookSettings) -> Vec<String> {
    let script = hook.script.trim();
    let is_file = !script.contains('\n') && Path::new(script).is_file();
    let usual = match Path::new(script).extension() {
        Some(extension) if is_file && extension == "py" => "python3",
        _ => "/bin/sh",
    };
    let interpreter = hook.interpreter.clone().unwrap_or_else(|| usual.to_owned());
    match is_file {
        true => vec![interpreter, script.to_owned()],
        false => vec![interpreter, "-c".to_owned(), hook.script.clone()],
    }
}

/// What a hook prints, line by line.
struct Lines<'a> {
    exporter: &'a LeasedExporter,
    is_before: bool,
    line: Vec<u8>,
}

impl Lines<'_> {
    /// Shows what is printed until the hook itself ends.
    async fn until_end(&mut self, terminal: &mut Pty, child: &mut Child) -> io::Result<ExitStatus> {
        let read = async {
            self.read(terminal).await;
            std::future::pending().await
        };
        tokio::select! {
            ended = child.wait() => ended,
            ended = read => ended,
        }
    }

    /// Shows what is printed until no process has the terminal any more.
    async fn read(&mut self, terminal: &mut Pty) {
        let mut buffer = [0; 4096];
        // The terminal gives an error at its end.
        while let Ok(length @ 1..) = terminal.read(&mut buffer).await {
            for byte in &buffer[..length] {
                match byte {
                    b'\n' => self.flush(),
                    byte if self.line.len() < LONGEST => self.line.push(*byte),
                    _ => {}
                }
            }
        }
    }

    fn flush(&mut self) {
        let line = String::from_utf8_lossy(&std::mem::take(&mut self.line)).into_owned();
        let line = safe::one_line(line.trim_end_matches('\r'));
        if !line.is_empty() {
            self.exporter.hook_line(self.is_before, line);
        }
    }
}

/// The processes of a hook; killed when this is dropped.
struct HookProcesses(Option<Pid>);

impl HookProcesses {
    /// Asks all to end, then ends them.
    async fn end(&mut self, child: &mut Child) {
        self.signal(Signal::TERM);
        drop(timeout(GRACE, child.wait()).await);
        self.signal(Signal::KILL);
        self.0 = None;
        drop(timeout(GRACE, child.wait()).await);
    }

    fn signal(&self, signal: Signal) {
        if let Some(leader) = self.0 {
            kill_process_group(leader, signal).ok(); // they may have ended
        }
    }
}

impl Drop for HookProcesses {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}
