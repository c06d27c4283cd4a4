//! Plays a case: its folder, its server, the run, and a second run after a kill.

use std::net::UdpSocket;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::{Context as _, Result};
use sha2::{Digest as _, Sha256};

use crate::act::Act;
use crate::bench::{EXPECTED, fill, lay_out};
use crate::case::{Case, Effect, MEDIUM, Moment, MuxFault, PowerFault, Source, Via};
use crate::content::{Contents, hex, part};
use crate::disk::LoopDisk;
use crate::folder::Folder;
use crate::judge::{Judgement, judge};
use crate::mount::Mount;
use crate::observation::Observation;
use crate::origin::ImageServer;
use crate::run::{Orders, Ran, run};

/// A case that was played.
#[derive(Debug)]
pub(crate) struct Played {
    pub(crate) judgement: Judgement,
    pub(crate) seconds: f64,
    /// Where it can be looked at, when it is kept.
    pub(crate) kept: Option<PathBuf>,
}

/// Plays it; keeps its folder when it fails and `keep` says so.
pub(crate) fn play(case: &Case, program: &Path, keep: bool) -> Result<Played> {
    let contents = Contents::of(case)?;
    let folder = Folder::new()?;
    let taken = UdpSocket::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port();
    let is_taken = case.effects().any(|effect| matches!(effect, Effect::PortTaken));
    let taken = Some(taken).filter(|_| is_taken);
    lay_out(&folder, case, port, true)?;
    fill(&folder, case, &contents)?;
    let origin = origin(case, &contents)?;
    let _small = small_cache(case, &folder);
    let mut disk = disk(case, &folder)?;
    let _alone = (case.via == Via::Emulated).then(|| EMULATOR.lock().unwrap_or_else(PoisonError::into_inner));
    let ran =
        with_late_power(case, &folder, || run(&folder, orders(case, &contents, program, origin.as_ref())))?;
    drop(taken);
    disk.as_mut().into_iter().for_each(LoopDisk::release);
    wait_for_mux(case);
    let mut seen = look(&folder, case, ran)?;
    if case.effects().any(|effect| matches!(effect, Effect::Later(_, act) if act.kills()))
        && seen.ran.code.is_none()
    {
        seen.leftovers.clear();
        seen.afterwards = afterwards(&folder, case, &contents, program, port)?;
    }
    let judgement = judge(case, &contents, &seen);
    let seconds = seen.ran.seconds;
    let failed = !judgement.problems.is_empty();
    let kept = if keep && failed { Some(keep_it(folder, &seen)?) } else { None };
    Ok(Played { judgement, seconds, kept })
}

/// Emulated boards are slow enough one at a time.
static EMULATOR: Mutex<()> = Mutex::new(());

/// A small disk for the cache, where this machine lets us make one; else nothing is wrong with the cache.
fn small_cache(case: &Case, folder: &Folder) -> Option<Mount> {
    let bytes = case.effects().find_map(|effect| match effect {
        Effect::SmallCache(bytes) => Some(*bytes),
        _ => None,
    })?;
    Mount::small(folder.path("cache"), bytes)
}

/// A mux that answers before it has done its work still does it: what it leaves is its own.
fn wait_for_mux(case: &Case) {
    for effect in case.effects() {
        if let Effect::Mux(MuxFault::Late(milliseconds)) = effect {
            std::thread::sleep(Duration::from_millis(*milliseconds));
        }
    }
}

/// The medium as a disk of this machine, for a case that needs one.
fn disk(case: &Case, folder: &Folder) -> Result<Option<LoopDisk>> {
    if case.via != Via::Host {
        return Ok(None);
    }
    let options = case.effects().filter_map(|effect| match effect {
        Effect::Disk(option) => Some(*option),
        _ => None,
    });
    let disk = LoopDisk::of(&folder.path("lab/medium"), &options.collect::<Vec<_>>());
    let mut disk = disk.context("this machine gives no loop device any more")?;
    if case.effects().any(|effect| matches!(effect, Effect::DiskInUse)) {
        disk.hold()?;
    }
    folder.write("device", disk.device.display().to_string().as_bytes(), 0o644)?;
    Ok(Some(disk))
}

fn keep_it(folder: Folder, seen: &Observation) -> Result<PathBuf> {
    folder.write("stdout", seen.ran.printed.as_bytes(), 0o644)?;
    folder.write("stderr", seen.ran.errors.as_bytes(), 0o644)?;
    Ok(folder.keep())
}

fn origin(case: &Case, contents: &Contents) -> Result<Option<ImageServer>> {
    let Source::Server { parts } = case.source else { return Ok(None) };
    let answers = case.effects().find_map(|effect| match effect {
        Effect::Answers(answers) => Some(answers.clone()),
        _ => None,
    });
    let images = (contents.source.clone(), contents.other_source.clone());
    let beside = case.effects().filter_map(|effect| match effect {
        Effect::Beside(name, content) => Some((format!("/{name}"), content.clone().into_bytes())),
        _ => None,
    });
    Ok(Some(ImageServer::start(images, beside.collect(), answers.unwrap_or_default(), parts)?))
}

fn orders<'a>(
    case: &Case,
    contents: &'a Contents,
    program: &'a Path,
    origin: Option<&ImageServer>,
) -> Orders<'a> {
    let image = match (case.source, origin) {
        (Source::Pipe, _) => "-".to_owned(),
        (_, Some(origin)) => format!("http://{}/image", origin.address),
        _ => "image".to_owned(),
    };
    let mut words = flash(case, program, &image, case.retries);
    let further: Vec<String> = further_words(case);
    let own = case.options.iter().filter(|choice| !further.iter().any(|word| choice.words.contains(word)));
    let digest = hex(&Sha256::digest(&contents.image));
    words.extend(own.flat_map(|choice| &choice.words).map(|word| word.replace("@SHA256@", &digest)));
    words.extend(further);
    let acts: Vec<(Moment, Act)> = case
        .effects()
        .filter_map(|effect| match effect {
            Effect::Later(moment, act) => Some((*moment, act.clone())),
            _ => None,
        })
        .collect();
    Orders {
        program,
        words,
        pipe: pipe(case, contents),
        acts,
        other: &contents.other_source,
        bound: bound(case),
    }
}

/// The words behind the program. An emulated board has a network, so its exporter runs in namespaces of its own.
fn flash(case: &Case, program: &Path, image: &str, retries: u32) -> Vec<String> {
    let (program, retries) = (program.display().to_string(), retries.to_string());
    let sandbox = ["sandbox", "--", &program];
    let sandbox: &[&str] = if case.via == Via::Emulated { &sandbox } else { &[] };
    let words = [
        "--json",
        "--exporter",
        "lab.yaml",
        "flash",
        image,
        "--receipt",
        "receipt.json",
        "--retries",
        &retries,
    ];
    sandbox.iter().chain(&words).map(|&word| word.to_owned()).collect()
}

/// Words that faults put on the command line; they take the place of those of the same option.
fn further_words(case: &Case) -> Vec<String> {
    let words = case.effects().filter_map(|effect| match effect {
        Effect::Words(words) => Some(words.clone()),
        _ => None,
    });
    words.flatten().collect()
}

fn pipe(case: &Case, contents: &Contents) -> Option<(Vec<u8>, bool)> {
    let fault = case.effects().find_map(|effect| match effect {
        Effect::Pipe { thousandths, closes } => Some((*thousandths, *closes)),
        _ => None,
    });
    let (thousandths, closes) = fault.unwrap_or((1000, true));
    let length = part(contents.source.len(), thousandths);
    (case.source == Source::Pipe).then(|| (contents.source[..length].to_vec(), closes))
}

/// The sum of the deadlines, with a minute for what comes after them.
fn bound(case: &Case) -> Duration {
    let seconds = if case.has("deadline") { 90 } else { 260 * (u64::from(case.retries) + 1) };
    Duration::from_secs(seconds + 60)
}

/// Does it while a switch that is late follows its orders.
fn with_late_power<T>(case: &Case, folder: &Folder, work: impl FnOnce() -> T) -> T {
    let late = case.effects().find_map(|effect| match effect {
        Effect::Power(PowerFault::Late(milliseconds)) => Some(Duration::from_millis(*milliseconds)),
        _ => None,
    });
    let Some(late) = late else { return work() };
    let ended = Arc::new(AtomicBool::new(false));
    std::thread::scope(|scope| {
        let until = Arc::clone(&ended);
        let switch = scope.spawn(move || {
            let read = || std::fs::read_to_string(folder.path("lab/wanted")).unwrap_or_default();
            let mut done = String::new();
            while !(until.load(Ordering::Relaxed) && read() == done) {
                let wanted = read();
                if wanted != done {
                    std::thread::sleep(late);
                    std::fs::write(folder.path("lab/outlet"), &wanted).ok();
                    done = wanted;
                }
                std::thread::sleep(Duration::from_millis(10));
            }
        });
        let result = work();
        ended.store(true, Ordering::Relaxed);
        switch.join().ok();
        result
    })
}

fn look(folder: &Folder, case: &Case, ran: Ran) -> Result<Observation> {
    let leftovers = folder.leftovers(ran.process, EXPECTED);
    let receipt = std::fs::read(folder.path("lab/receipt.json")).ok();
    Ok(Observation {
        receipt: receipt.and_then(|bytes| serde_json::from_slice(&bytes).ok()),
        medium: std::fs::read(folder.path("lab/medium"))?,
        outlet: outlet(folder, case),
        switched: (case.via != Via::Emulated).then(|| folder.path("lab/log").exists()),
        leftovers,
        afterwards: Vec::new(),
        ran,
    })
}

/// An emulated board is on as long as its emulator runs.
fn outlet(folder: &Folder, case: &Case) -> String {
    if case.via == Via::Emulated {
        let is_on = !folder.processes_named("qemu-system").is_empty();
        return if is_on { "on" } else { "off" }.to_owned();
    }
    std::fs::read_to_string(folder.path("lab/outlet")).map_or("off".to_owned(), |it| it.trim().to_owned())
}

/// A job in a healthy lab after one that was killed: it is proven, and what that one left is gone.
fn afterwards(
    folder: &Folder,
    case: &Case,
    contents: &Contents,
    program: &Path,
    port: u16,
) -> Result<Vec<String>> {
    lay_out(folder, case, port, false)?;
    let image = &contents.image[..contents.image.len().min(MEDIUM)];
    folder.write("lab/image", image, 0o644)?;
    let bound = Duration::from_secs(300);
    let (words, other) = (flash(case, program, "image", 0), contents.other.as_slice());
    let ran = run(folder, Orders { program, words, pipe: None, acts: Vec::new(), other, bound })?;
    let seen = look(folder, case, ran)?;
    let mut problems = Vec::new();
    if seen.ran.code != Some(0) {
        problems.push(format!("the next job fails: {:?} {}", seen.ran.code, seen.ran.errors.trim()));
    } else if !seen.medium.starts_with(image) {
        problems.push("the next job does not write the image".to_owned());
    }
    if seen.outlet != "off" {
        problems.push("the next job leaves the board on".to_owned());
    }
    problems.extend(seen.leftovers.iter().map(|it| format!("after the next job is left: {it}")));
    Ok(problems)
}
