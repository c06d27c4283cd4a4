//! `flasher flash --detach`, and `attach` and `cancel` of jobs on this machine.

use std::ffi::OsString;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::time::Duration;

use flasher_core::{Class, Error, Event, Progress, Receipt, Result, Timed, Verdict, clock};

use super::conclude::conclude;
use super::flash::args::FlashArgs;
use crate::detached::{JobFolder, Tail};
use crate::failure::Failure;
use crate::receipt_file::ReceiptFile;
use crate::render::message::Message;
use crate::render::units::shown;
use crate::screen::Screen;

/// How often a job is looked at.
const POLL_INTERVAL: Duration = Duration::from_millis(100);
/// How long a new process may take to say that it runs.
const BEGINNING: Duration = Duration::from_secs(30);
/// Most of a log that is shown, bytes from its beginning.
const SHOWN: usize = 64 * 1024;

/// Starts the same command again as a job of its own, and says where it is.
pub(super) async fn start(args: &FlashArgs, screen: &Screen) -> Result<u8, Failure> {
    if args.image.as_deref() == Some("-") {
        return Err(Error::config("`--detach` and an image on standard input exclude each other")
            .help("put the image into a file first")
            .into());
    }
    let folder = JobFolder::make()?;
    let child = spawn(&folder)?;
    if let Some(ended) = begun(&folder, child).await? {
        screen.complain(|_| log(&folder));
        return Ok(ended
            .code()
            .and_then(|code| u8::try_from(code).ok())
            .unwrap_or(Class::Internal.exit_code()));
    }
    let receipt = args.job.receipt.clone().unwrap_or_else(|| folder.receipt());
    let (job, receipt, log) = (folder.id(), shown(&receipt), shown(&folder.log()));
    screen.show(&Message::Detached { job: job.clone(), receipt: receipt.clone(), log: log.clone() }, |_| {
        format!(
            "job {job} runs on without this terminal\n  follow   flasher attach {job}\n  stop     flasher cancel {job}\n  \
             receipt  {receipt}\n  log      {log}\n"
        )
    })?;
    Ok(0)
}

fn spawn(folder: &JobFolder) -> Result<Child> {
    let failed = |error: std::io::Error| {
        Error::infrastructure("the job without a terminal cannot be started").because(error)
    };
    let log = folder.create(&folder.log())?;
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.args(arguments(std::env::args_os().skip(1), folder.path()));
    command.stdin(Stdio::null()).stdout(log.try_clone().map_err(failed)?).stderr(log);
    // Until it has a session of its own, ^C here is not meant for it.
    command.process_group(0);
    command.spawn().map_err(failed)
}

/// The arguments of this process with the job's folder in place of `--detach`.
fn arguments(given: impl Iterator<Item = OsString>, folder: &Path) -> Vec<OsString> {
    let mut found = false;
    let given = given.flat_map(|argument| {
        if !found && argument == "--detach" {
            found = true;
            return vec!["--in-job".into(), folder.as_os_str().to_owned()];
        }
        vec![argument]
    });
    given.collect()
}

/// Waits until the job says that it runs; gives how it ended when it never did.
async fn begun(folder: &JobFolder, mut child: Child) -> Result<Option<ExitStatus>> {
    let deadline = tokio::time::Instant::now() + BEGINNING;
    loop {
        if folder.has_begun() {
            return Ok(None);
        }
        if let Ok(Some(ended)) = child.try_wait() {
            return Ok(Some(ended));
        }
        if tokio::time::Instant::now() > deadline {
            return Err(Error::infrastructure(format!(
                "the job `{}` does not say that it runs",
                folder.id()
            ))
            .help(format!("`{}` may tell why", folder.log().display())));
        }
        tokio::time::sleep(POLL_INTERVAL).await;
    }
}

/// Shows a job from its beginning to its end; the exit code is its receipt's.
pub(super) async fn attach(id: Option<&str>, receipt: Option<&Path>, screen: &Screen) -> Result<u8, Failure> {
    let folder = JobFolder::find(id)?;
    let receipt_file = receipt.map(ReceiptFile::prepare).transpose()?;
    show(&folder, receipt_file, screen).await
}

/// Stops a job in good order and shows it to its end.
pub(super) async fn cancel(id: Option<&str>, screen: &Screen) -> Result<u8, Failure> {
    let folder = JobFolder::find(id)?;
    if !folder.stop()? {
        let how = ended(&folder);
        return Err(Error::config(format!("nothing is running: the job `{}` is over{how}", folder.id()))
            .help(format!("`flasher attach {}` shows how it went", folder.id()))
            .into());
    }
    show(&folder, None, screen).await
}

async fn show(folder: &JobFolder, receipt_file: Option<ReceiptFile>, screen: &Screen) -> Result<u8, Failure> {
    if !folder.is_running() {
        let (job, how) = (folder.id(), ended(folder));
        screen.aside(&format!("the job {job} is over{how}; this is how it went\n"));
    }
    let progress = screen.progress();
    let receipt = follow(folder, &progress).await?;
    conclude(&receipt, receipt_file, None, screen)
}

/// Reports every event of the job until it is over, and gives the receipt of the last one.
async fn follow(folder: &JobFolder, progress: &Arc<dyn Progress>) -> Result<Receipt> {
    let unreadable = |error: std::io::Error| {
        Error::infrastructure(format!("the events of the job `{}` cannot be read", folder.id()))
            .because(error)
    };
    let (mut tail, mut receipt) = (None, None);
    loop {
        // Asked before reading, so that nothing is missed that was written before the end.
        let is_running = folder.is_running();
        if tail.is_none() {
            tail = Tail::open(&folder.events()).map_err(unreadable)?;
        }
        let lines = tail.as_mut().map_or(Ok(Vec::new()), Tail::lines).map_err(unreadable)?;
        for event in lines.iter().filter_map(|line| serde_json::from_str::<Timed>(line).ok()) {
            if let Event::Finished { receipt: last } = &event.what {
                receipt = Some((**last).clone());
            }
            progress.replay(event);
        }
        match receipt {
            Some(receipt) if !is_running => return Ok(receipt),
            None if !is_running && lines.is_empty() => return Err(died(folder)),
            _ if lines.is_empty() => tokio::time::sleep(POLL_INTERVAL).await,
            _ => {}
        }
    }
}

/// How a job that is over ended, for the end of a sentence.
fn ended(folder: &JobFolder) -> String {
    let events = std::fs::read_to_string(folder.events()).unwrap_or_default();
    let last = events.lines().rev().find_map(|line| match serde_json::from_str::<Timed>(line) {
        Ok(Timed { time, what: Event::Finished { receipt }, .. }) => Some((time, receipt.verdict)),
        _ => None,
    });
    match last {
        Some((time, verdict)) => {
            let word = match verdict {
                Verdict::Proven => "proven",
                Verdict::Written => "written, not proven",
                Verdict::Identified => "identified",
                Verdict::Failed => "failed",
            };
            format!(" since {} ({word})", clock::seconds(time))
        }
        None => ", without a receipt".to_owned(),
    }
}

fn died(folder: &JobFolder) -> Error {
    Error::infrastructure(format!("the job `{}` ended without a receipt", folder.id()))
        .with("log", log(folder))
        .help("if it was killed, its board may still be on: `flasher power off` switches it off")
}

/// The beginning of what the job reported.
fn log(folder: &JobFolder) -> String {
    let text = std::fs::read(folder.log()).unwrap_or_default();
    String::from_utf8_lossy(&text[..text.len().min(SHOWN)]).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_job_gets_the_same_arguments_and_its_folder() {
        let check = |given: &str, expected: &str| {
            let all = arguments(given.split(' ').map(OsString::from), Path::new("/j"));
            assert_eq!(all, expected.split(' ').map(OsString::from).collect::<Vec<_>>());
        };
        check("flash --detach os.img", "flash --in-job /j os.img");
        check(
            "--exporter x flash os.img --detach --retries 1",
            "--exporter x flash os.img --in-job /j --retries 1",
        );
        check("flash --detach -- --detach", "flash --in-job /j -- --detach");
    }
}
