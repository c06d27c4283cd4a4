//! Jobs on several boards beside each other: each with its own attempts, pace and receipt. What one board does holds up no other.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flasher_core::flash::MediumState;
use flasher_core::identify::KnownImage;
use flasher_core::{CancellationToken, Class, Error, FlashJob, Progress, Receipt, Result};
use ledger::Ledger;

use super::boards::{ChosenBoard, OpenedExporter, Reached, again};
use super::end::{self, BoardEnd, JobEnd};
use super::files;
use super::pool::JobPool;
use crate::args::job::JobArgs;
use crate::args::node::SeveralArgs;
use crate::args::python::PythonOption;
use crate::args::{Args, Command};
use crate::commands::board_job::{Begun, FlasherNode, Work};
use crate::commands::conclude::{self, KeptReceipt};
use crate::commands::flash::args::FlashArgs;
use crate::commands::remote::{RemoteBoard, dump_from};
use crate::commands::{dump, identify};
use crate::dump_file::DumpFile;
use crate::failure::Failure;
use crate::job;
use crate::receipt_file::ReceiptFile;
use crate::render::board_lines::BoardLines;
use crate::screen::Screen;
use crate::signals::{Brakes, Signals};

/// The job of one board, and all it needs.
struct BoardJob {
    board: ChosenBoard,
    reached: Reached,
    work: Work,
    variant: Option<String>,
    python: PythonOption,
    receipt_file: Option<ReceiptFile>,
    ledger: Option<Ledger>,
    /// What a dump goes into, let go at its end.
    dump_file: Option<Arc<DumpFile>>,
}

/// What the jobs are made of, apart from their board.
struct Order<'a> {
    command: &'a Command,
    job: &'a JobArgs,
    variant: Option<String>,
    python: PythonOption,
    brakes: Brakes,
    /// The files of each board.
    receipts: BTreeMap<String, PathBuf>,
    transcripts: BTreeMap<String, PathBuf>,
    dumps: BTreeMap<String, PathBuf>,
    /// Images that a medium is compared with.
    known: Vec<KnownImage>,
}

/// Does the command's job on every board, and tells how each ended; the exit code is that of the worst.
pub(super) async fn run(
    args: &Args,
    places: &[OpenedExporter],
    boards: Vec<ChosenBoard>,
    options: &SeveralArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    let signals = Signals::install()?;
    let brakes = Brakes { stop: CancellationToken::new(), hurry: CancellationToken::new() };
    let order = Order::new(args, &boards, &brakes).await?;
    let names: Vec<String> = boards.iter().map(|board| board.name.clone()).collect();
    let jobs = boards.into_iter().map(|board| order.job_of(board, args, places));
    let jobs = jobs.collect::<Result<Vec<_>>>()?;
    let (screen, lines) = screen.with_lines(&names);
    signals.watch(brakes.clone(), lines.of_all());
    let pool = JobPool { limit: options.jobs.map_or(jobs.len(), usize::from), fail_fast: options.fail_fast };
    let run = |job: BoardJob| {
        let (lines, screen) = (Arc::clone(&lines), screen.clone());
        (job.board.name.clone(), async move { job.run(&lines, &screen).await })
    };
    let ended = |end: &BoardEnd| lines.end(&end.board, &end.line());
    let ends = pool.work(jobs.into_iter().map(run), &brakes.stop, ended).await;
    lines.clear();
    Ok(end::show(&ends, &screen)?)
}

impl<'a> Order<'a> {
    async fn new(args: &'a Args, boards: &[ChosenBoard], brakes: &Brakes) -> Result<Self> {
        let (job, variant) = match &args.command {
            Command::Dump(args) => (&args.job, &args.variant),
            Command::Identify(args) => (&args.job, &args.variant),
            Command::Flash(args) => {
                refuse_for_one(args)?;
                (&args.job, &args.variant)
            }
            _ => return Err(Error::new(Class::Internal, "the command runs no jobs")),
        };
        let files = |option: &str, place: Option<&PathBuf>, ending: &str| match place {
            Some(place) => files::of_boards(option, place, ending, boards),
            None => Ok(BTreeMap::new()),
        };
        let (dumps, known) = match &args.command {
            Command::Dump(args) => (files("the dump", Some(&args.out), "img")?, Vec::new()),
            Command::Identify(args) => (BTreeMap::new(), identify::known_images(args).await?),
            _ => (BTreeMap::new(), Vec::new()),
        };
        Ok(Self {
            command: &args.command,
            job,
            variant: variant.clone(),
            python: args.python.clone(),
            brakes: brakes.clone(),
            receipts: files("--receipt", job.receipt.as_ref(), "json")?,
            transcripts: files("--transcript", job.transcript.as_ref(), "log")?,
            dumps,
            known,
        })
    }

    /// The job of one board. Its files are made ready, so that one that cannot be written is an error before any board is touched.
    fn job_of(&self, board: ChosenBoard, args: &Args, places: &[OpenedExporter]) -> Result<BoardJob> {
        let reached = places[board.place].reached.clone();
        let receipt = self.receipts.get(&board.name);
        let dump_file = self.dumps.get(&board.name).map(|file| DumpFile::prepare(file)).transpose()?;
        let dump_file = dump_file.map(Arc::new);
        let work = self.work(&board.name, dump_file.as_ref())?;
        let exporter = args.exporters.get(board.place).filter(|_| matches!(reached, Reached::Here(_)));
        work.check_outputs(receipt.map(PathBuf::as_path), exporter.map(PathBuf::as_path))?;
        let ledger = match &reached {
            Reached::Here(tree) => self.job.ledger.of(tree),
            _ => self.job.ledger.ledger(),
        };
        Ok(BoardJob {
            work,
            variant: self.variant.clone(),
            python: self.python.clone(),
            receipt_file: receipt.map(|file| ReceiptFile::prepare(file)).transpose()?,
            ledger,
            dump_file,
            board,
            reached,
        })
    }

    fn work(&self, board: &str, dump_file: Option<&Arc<DumpFile>>) -> Result<Work> {
        let Brakes { stop, hurry } = &self.brakes;
        let (stop, hurry) = (stop.child_token(), hurry.child_token());
        let transcript = self.transcripts.get(board).cloned();
        Ok(match (self.command, dump_file) {
            (Command::Flash(args), _) => {
                let job = job::flash_job(args, stop)?;
                Work::Flash(Box::new(FlashJob { hurry, transcript, ..job }))
            }
            (Command::Dump(args), Some(file)) => {
                let mut job = dump::dump_job(args, Arc::clone(file) as _, stop);
                (job.hurry, job.transcript) = (hurry, transcript);
                Work::Dump(Box::new(job))
            }
            (Command::Identify(args), _) => {
                let mut job = identify::job(args);
                (job.stop, job.hurry, job.transcript) = (stop, hurry, transcript);
                job.known = self.known.clone();
                Work::Identify(Box::new(job))
            }
            _ => return Err(Error::new(Class::Internal, "the command runs no jobs")),
        })
    }
}

/// Refuses what only a flash of one board can have.
fn refuse_for_one(args: &FlashArgs) -> Result<()> {
    if args.record.is_some() {
        return Err(Error::config("`--record` is for one board")
            .help("leave it out: failures are recorded anyway, and `flasher replay` lists them"));
    }
    if args.detach || args.in_job.is_some() {
        return Err(Error::config("`--detach` and several boards exclude each other")
            .help("start a job for each board: `flasher flash --detach --device …`"));
    }
    let is_stdin = |image: &str| image == "-";
    let further = args.partitions.iter().map(|further| further.image.as_str());
    if args.image.as_deref().into_iter().chain(further).any(is_stdin) {
        return Err(Error::config("standard input can be read once, and there are several boards")
            .help("put the image into a file first"));
    }
    Ok(())
}

impl BoardJob {
    /// Does the job, and keeps its receipt at once: what comes later must not lose it.
    async fn run(self, lines: &BoardLines, screen: &Screen) -> BoardEnd {
        let Self { board, reached, work, variant, python, receipt_file, ledger, dump_file } = self;
        let (screen, progress) = (screen.about(&board.name), lines.progress(&board.name));
        let begun = Begun::now();
        let done = match (&reached, &board.path) {
            (Reached::Here(tree), path) => {
                let on = FlasherNode {
                    tree,
                    python: &python,
                    device: path.as_deref(),
                    variant: variant.as_deref(),
                };
                Ok(on.do_job(work, ledger.as_ref(), (begun, progress), &screen).await)
            }
            (Reached::Elsewhere(client), path) => match client.board(path.as_deref()) {
                Ok(board) => {
                    let board = RemoteBoard { client: client.as_ref().clone(), board };
                    elsewhere(&board, work, variant, &progress, &screen).await
                }
                Err(error) => Err(error.into()),
            },
            (Reached::Not(error), _) => Err(again(error).into()),
        };
        // A thread of a stopped job may still hold it.
        dump_file.iter().for_each(|file| file.discard());
        let outcome = match done {
            Ok(receipt) => {
                let kept: KeptReceipt = conclude::keep(&receipt, receipt_file, ledger.as_ref(), &screen);
                JobEnd::Done { receipt: Box::new(receipt), kept }
            }
            Err(failure) => JobEnd::Failed(failure),
        };
        BoardEnd { board: board.name, outcome, took: begun.elapsed(), stopped_for: None }
    }
}

/// The job on a board of another machine's exporter.
async fn elsewhere(
    board: &RemoteBoard,
    work: Work,
    variant: Option<String>,
    progress: &Arc<dyn Progress>,
    screen: &Screen,
) -> Result<Receipt, Failure> {
    let hurry = work.brakes().hurry;
    let job = async {
        match work {
            // Once the exporter has the job, it is asked to stop it.
            Work::Flash(job) => board.flash(*job, variant, || Ok(()), progress, screen).await,
            Work::Dump(job) => Ok(dump_from(board, *job, variant, progress, screen).await?),
            Work::Identify(_) => Err(Error::new(Class::Internal, "no exporter identifies for others").into()),
        }
    };
    tokio::select! {
        done = job => done,
        () = hurry.cancelled() => {
            let text = "interrupted: the exporter was asked to stop the job, and its end was not waited for";
            Err(Error::new(Class::Interrupted, text)
                .with("medium", MediumState::Unknown.to_string())
                .help("`flasher --remote … attach` tells how it stands")
                .into())
        }
    }
}
