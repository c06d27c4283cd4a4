//! Runs one command: in a process group of its own that ends with it, bounded in time and in what it may print.

use std::io;
use std::process::{ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flasher_base::safe;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::Command;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::environment::CommandEnvironment;
use crate::error::{CommandName, Error};
use crate::look::look;

/// Most of what a command prints that is kept, bytes of each stream.
const KEPT: usize = 64 * 1024;
/// How long a command may take to end once it was asked to.
const GRACE: Duration = Duration::from_secs(2);
/// How long output may still come after the end: a child in the background may hold the pipes open for ever.
const DRAIN: Duration = Duration::from_millis(300);

/// Runs `argv`, which is the command under `key`, and gives what it printed on standard output.
///
/// # Errors
/// When it cannot be started, does not end in time, or does not end with status 0.
pub async fn run(key: &'static str, argv: &[String], around: &CommandEnvironment) -> Result<String, Error> {
    let mut child = match command(argv, around).spawn() {
        Ok(child) => child,
        Err(error) => return Err(refusal(key, argv, around, &error).await),
    };
    let mut group = ProcessGroup(child.id().and_then(|id| Pid::from_raw(id.cast_signed())));
    let (out, out_task) = keep(child.stdout.take());
    let (err, err_task) = keep(child.stderr.take());
    let ended = timeout(around.timeout, child.wait()).await;
    let late = ended.is_err();
    if late {
        group.signal(Signal::TERM);
        drop(timeout(GRACE, child.wait()).await);
    } else {
        // What it left in the background is left to it: some tools start a daemon on purpose.
        group.0 = None;
    }
    drop(timeout(DRAIN, async { (out_task.finish().await, err_task.finish().await) }).await);
    let said = last_line(&[text(&err), text(&out)], &around.env);
    let command = named(key, argv, around);
    match ended {
        Err(_) => Err(Error::Late { command, seconds: around.timeout.as_secs_f64(), said }),
        Ok(Err(error)) => Err(Error::Start { command, reason: error.to_string() }),
        Ok(Ok(status)) if !status.success() => Err(Error::Failed { command, status: words(status), said }),
        Ok(Ok(_)) => Ok(text(&out)),
    }
}

fn named(key: &'static str, argv: &[String], around: &CommandEnvironment) -> CommandName {
    CommandName { key, device: around.device, program: argv.first().cloned().unwrap_or_default() }
}

fn command(argv: &[String], around: &CommandEnvironment) -> Command {
    let mut command = Command::new(argv.first().map_or("", String::as_str));
    command.args(argv.iter().skip(1)).envs(around.env.iter().cloned()).current_dir(&around.folder);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command.process_group(0).kill_on_drop(true);
    command
}

/// The system says no more than a number: it is looked for what it means.
async fn refusal(
    key: &'static str,
    argv: &[String],
    around: &CommandEnvironment,
    error: &io::Error,
) -> Error {
    let (command, reason) = (named(key, argv, around), error.to_string());
    looked(key, argv, around).await.err().unwrap_or(Error::Start { command, reason })
}

/// Whether the command could be started, as far as that can be checked without starting it.
///
/// # Errors
/// What stands in its way.
pub async fn looked(key: &'static str, argv: &[String], around: &CommandEnvironment) -> Result<(), Error> {
    let (words, of) = (argv.to_vec(), around.clone());
    let looked = tokio::task::spawn_blocking(move || look(key, &words, &of)).await;
    looked.unwrap_or_else(|error| {
        Err(Error::Start { command: named(key, argv, around), reason: error.to_string() })
    })
}

/// The processes of a command. Dropping it ends all of them.
struct ProcessGroup(Option<Pid>);

impl ProcessGroup {
    fn signal(&self, signal: Signal) {
        if let Some(group) = self.0 {
            // It fails when no process of the group is left, which is the aim.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for ProcessGroup {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
    }
}

type OutputTail = Arc<Mutex<Vec<u8>>>;

/// A task that ends when it is dropped.
struct Task(JoinHandle<()>);

impl Task {
    async fn finish(mut self) {
        // It neither panics nor is it aborted before.
        let _ = (&mut self.0).await;
    }
}

impl Drop for Task {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// Reads to the end, keeps the beginning.
fn keep(pipe: Option<impl AsyncRead + Unpin + Send + 'static>) -> (OutputTail, Task) {
    let kept = OutputTail::default();
    let to = Arc::clone(&kept);
    let task = tokio::spawn(async move {
        let Some(mut pipe) = pipe else { return };
        let mut buffer = [0; 4096];
        while let Ok(count @ 1..) = pipe.read(&mut buffer).await {
            let mut kept = to.lock().unwrap_or_else(PoisonError::into_inner);
            let room = KEPT.saturating_sub(kept.len());
            kept.extend_from_slice(&buffer[..count.min(room)]);
        }
    });
    (kept, Task(task))
}

fn text(kept: &OutputTail) -> String {
    String::from_utf8_lossy(&kept.lock().unwrap_or_else(PoisonError::into_inner)).into_owned()
}

/// The last line that says something, printable, at most 200 characters, without the values of the environment given.
pub fn last_line(texts: &[String], env: &[(String, String)]) -> String {
    let lines = texts.iter().filter_map(|text| text.lines().rev().find(|line| !line.trim().is_empty()));
    let line = lines.map(str::trim).next().unwrap_or_default();
    // Before the line is cut: half a secret would not be recognised.
    let secrets = env.iter().map(|(_, value)| value).filter(|value| value.len() > 3);
    let line = secrets.fold(line.to_owned(), |line, secret| line.replace(secret, "***"));
    safe::short(&line, 200)
}

fn words(status: ExitStatus) -> String {
    use std::os::unix::process::ExitStatusExt as _;
    match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("signal {signal}"),
        (None, None) => "no exit status".to_owned(),
    }
}
