//! The recording of a flash: what was noted while it ran, kept where it was asked for, or with those of the last failures.

use std::fs::{self, DirBuilder, OpenOptions};
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use bundle_store::Bundle;
use flasher_core::{Class, Error, Event, Progress, Receipt, Result, clock};
use job_recording::{
    DeviceAnswer, FORMAT, HIDDEN, Head, JobOptions, Moment, RecordedEnd, Recorder, Recording, ServerName,
    StopKeysSeen,
};
use serde_json::{Value, json};

use crate::blocking::blocking;
use crate::job::Session;
use crate::load_path;
use crate::staging;

/// The folder of recordings, below the one for what is remembered.
const FOLDER: &str = "recordings";
/// How long the bundle may take to be found once more.
const BUNDLE_WITHIN: Duration = Duration::from_secs(5);

/// Begins to record; gives a progress that also notes what belongs into the recording.
pub(crate) fn begin(recorder: &Arc<Recorder>, further: Arc<dyn Progress>) -> Arc<dyn Progress> {
    recorder.begin();
    let recorder = Arc::clone(recorder);
    Arc::new(move |event: Event| {
        match &event {
            Event::StepBegun { step } => recorder.note(Moment::Step(*step)),
            Event::Transfer(transfer) => recorder.note(Moment::Transfer(transfer.clone())),
            _ => {}
        }
        further.report(event);
    })
}

/// Notes that a server was started, or was not.
pub(crate) fn started(session: Session<'_>, server: ServerName, started: &Result<SocketAddr>) {
    let address = started.as_ref().ok().copied();
    session.flasher.recorder.note(Moment::Started { server, answer: DeviceAnswer::of(started), address });
}

/// Notes where the board reaches a server.
pub(crate) fn faces(session: Session<'_>, server: ServerName, address: SocketAddr) {
    session.run.views.faces(server, address);
    session.flasher.recorder.note(Moment::Faces { server, address });
}

/// Keeps the recording of a job that is over, where it is wanted. What fails there is a warning: the job has ended.
pub(crate) async fn keep(session: Session<'_>, receipt: &Receipt) {
    let words = words(session);
    let (entries, is_whole) = session.flasher.recorder.end(&words);
    let keep = session.flasher.config.record_failures;
    let file = session.job.recording.clone();
    // A job that a person stopped tells nothing of its board, and who hurries does not wait.
    let is_failure = receipt.failure.as_ref().is_some_and(|failure| failure.class != Class::Interrupted);
    if session.job.hurry.is_cancelled() || file.is_none() && (keep == 0 || !is_failure) {
        return;
    }
    let head = head(session, receipt, words, is_whole).await;
    let recording = Recording { head, entries, end: end(receipt) };
    let folder = load_path::state_folder(session).map(|folder| folder.join(FOLDER));
    let kept = blocking(move || match (file, folder) {
        (Some(file), _) => write(&recording, &file).map_err(|error| unwritable(&file, error)),
        (None, Some(folder)) => {
            write_among_others(&recording, &folder, keep).map_err(|error| unwritable(&folder, error))
        }
        // No folder of this user is known, and nothing was asked for.
        (None, None) => Ok(()),
    });
    if let Err(error) = kept.await {
        session.run.report(Event::Warning { message: error.cause() });
    }
}

/// The random words of the job.
fn words(session: Session<'_>) -> Vec<String> {
    let token = &session.run.token;
    let mut words = session.run.console.transcript().map(|transcript| transcript.words()).unwrap_or_default();
    words.push(token.clone());
    words.extend(staging::folder(token).rsplit('-').next().map(str::to_owned));
    words
}

async fn head(session: Session<'_>, receipt: &Receipt, words: Vec<String>, is_whole: bool) -> Head {
    let (flasher, job) = (session.flasher, session.job);
    // A registry that did not give the bundle is not asked for long again.
    let bundle = tokio::time::timeout(BUNDLE_WITHIN, flasher.bundle()).await.ok().and_then(Result::ok);
    let variant = flasher.variant();
    let keys = flasher
        .uboot
        .interrupt()
        .map(|keys| StopKeysSeen { bytes: hidden(&keys.bytes, keys.password.as_deref()), shown: keys.shown });
    let wanted = variant.clone();
    let read =
        blocking(
            move || Ok(bundle.map(|bundle| (manifest(&bundle), boot_files(&bundle, wanted.as_deref())))),
        );
    let (manifest, files) = read.await.ok().flatten().unzip();
    Head {
        recording: FORMAT,
        tool: receipt.tool.clone(),
        time: UNIX_EPOCH + Duration::from_secs(receipt.started),
        site: job.site.clone(),
        image: receipt.image.source.clone(),
        image_length: receipt.image.decoded_length.or(receipt.image.source_length),
        options: JobOptions {
            target: job.target.clone(),
            partition: job.partition.clone(),
            via: job.via,
            preflash: job.preflash.clone(),
            retries: job.retries,
            deadline: job.deadline.map(|limit| limit.as_secs_f64()),
            power_off: job.power_off,
            expect_boot: job.expect_boot.clone(),
        },
        config: serde_json::to_value(flasher.source().0).unwrap_or_default(),
        manifest,
        files: files.unwrap_or_default(),
        way: flasher.way(job.via),
        variant,
        prompt: flasher.uboot.prompt(),
        stop_keys: keys,
        is_virtual: flasher.power.as_ref().is_some_and(|power| power.is_virtual()),
        is_by_hand: flasher.power.as_ref().is_some_and(|power| power.is_by_hand()),
        words,
        is_whole,
    }
}

fn end(receipt: &Receipt) -> RecordedEnd {
    let mut failure = receipt.failure.clone();
    failure.iter_mut().for_each(|failure| failure.console.clear());
    RecordedEnd { failure, power: receipt.power, attempts: receipt.attempts }
}

/// The manifest. No password is ever written with one, so a word stands for it.
fn manifest(bundle: &Bundle) -> Value {
    let mut manifest = serde_json::to_value(bundle.manifest()).unwrap_or_default();
    if bundle.manifest().spec.login.password.is_some() {
        manifest["spec"]["login"]["password"] = json!(HIDDEN);
    }
    manifest
}

/// The paths of the boot files in the bundle, and their lengths.
fn boot_files(bundle: &Bundle, variant: Option<&str>) -> Vec<(String, u64)> {
    let (Ok(files), Ok(boot)) = (bundle.files(variant), bundle.manifest().boot(variant)) else {
        return Vec::new();
    };
    let names = [
        Some(boot.kernel.file.clone()),
        boot.initram.map(|file| file.file.clone()),
        boot.dtb.map(|(file, _)| file.to_owned()),
    ];
    let lengths = [Some(&files.kernel), files.initram.as_ref(), files.dtb.as_ref()];
    names.into_iter().zip(lengths).filter_map(|(name, file)| Some((name?, file?.length))).collect()
}

fn hidden(keys: &[u8], password: Option<&str>) -> Vec<u8> {
    let Some(password) = password.filter(|password| !password.is_empty()) else { return keys.to_vec() };
    String::from_utf8_lossy(keys).replace(password, HIDDEN).into_bytes()
}

/// Writes a recording that only its user reads: a console may show more than one means to show.
fn write(recording: &Recording, file: &Path) -> io::Result<()> {
    let open = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(file)?;
    recording.write(io::BufWriter::new(open))
}

/// Writes a recording of a failure; the oldest of more than `keep` go.
fn write_among_others(recording: &Recording, folder: &Path, keep: usize) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(folder)?;
    let time = clock::milliseconds(SystemTime::now()).replace([':', '.'], "-");
    let own = recording.head.words.last().map(String::as_str).unwrap_or_default();
    write(recording, &folder.join(format!("{time}-{own}.jsonl")))?;
    let names = fs::read_dir(folder)?.filter_map(|entry| entry.ok().map(|entry| entry.path()));
    let mut all: Vec<PathBuf> =
        names.filter(|path| path.extension().is_some_and(|it| it == "jsonl")).collect();
    all.sort();
    let excess = all.len().saturating_sub(keep);
    all.into_iter().take(excess).try_for_each(|oldest| match fs::remove_file(oldest) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error), // another job removed it
        _ => Ok(()),
    })
}

fn unwritable(path: &Path, error: io::Error) -> Error {
    Error::infrastructure(format!("the job was not recorded in `{}`", path.display())).because(error)
}
