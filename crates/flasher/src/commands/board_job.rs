//! A job on a board of this machine, a flash, a dump or a look at a medium: from the exporter YAML to the receipt and the verdict.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};

use flasher_core::flash::{ImageFacts, JobKind, MediumState, Site};
use flasher_core::owner::{Board, Held};
use flasher_core::tree::DriverTree;
use flasher_core::{
    CancellationToken, Class, DumpJob, Error, Event, Failure as Cause, FlashJob, Flasher, IdentifyJob,
    Progress, Receipt, Result, Step, safe,
};

use ledger::Ledger;

use super::conclude::conclude;
use super::{driver_tree, ledger_use, python};
use crate::args::ledger::LedgerArgs;
use crate::args::python::PythonOption;
use crate::detached::InJob;
use crate::failure::Failure;
use crate::outputs;
use crate::receipt_file::ReceiptFile;
use crate::render::units::shown;
use crate::screen::Screen;
use crate::signals::{Brakes, Signals};

#[cfg(test)]
mod tests;

/// Bound on looking whether all hardware is there.
const PROBE: Duration = Duration::from_secs(60);

/// What is to be done with the board.
pub(super) enum Work {
    Flash(Box<FlashJob>),
    Dump(Box<DumpJob>),
    Identify(Box<IdentifyJob>),
}

impl Work {
    fn stop(&self) -> &CancellationToken {
        match self {
            Self::Flash(job) => &job.stop,
            Self::Dump(job) => &job.stop,
            Self::Identify(job) => &job.stop,
        }
    }

    /// What stops it, and what hurries it then.
    pub(super) fn brakes(&self) -> Brakes {
        let hurry = match self {
            Self::Flash(job) => &job.hurry,
            Self::Dump(job) => &job.hurry,
            Self::Identify(job) => &job.hurry,
        };
        Brakes { stop: self.stop().clone(), hurry: hurry.clone() }
    }

    fn site(&self) -> &Site {
        match self {
            Self::Flash(job) => &job.site,
            Self::Dump(job) => &job.site,
            Self::Identify(job) => &job.site,
        }
    }

    /// Refuses files that would be written over something the job needs.
    ///
    /// # Errors
    /// Class config; names both files.
    pub(super) fn check_outputs(&self, receipt: Option<&Path>, exporter: Option<&Path>) -> Result<()> {
        match self {
            Self::Flash(job) => outputs::check_flash(job, receipt, exporter),
            Self::Dump(job) => {
                let out = Some(job.sink.label()).filter(|label| label != "-").map(PathBuf::from);
                outputs::check_dump(job, out.as_deref(), receipt, exporter)
            }
            Self::Identify(job) => outputs::check_identify(job, receipt, exporter),
        }
    }

    /// Says who runs it and on which bench.
    fn runs_at(&mut self, site: Site) {
        match self {
            Self::Flash(job) => job.site = site,
            Self::Dump(job) => job.site = site,
            Self::Identify(job) => job.site = site,
        }
    }

    /// The image or the dump, without secrets, and what kind of job it is.
    fn label(&self) -> Label {
        match self {
            Self::Flash(job) => (disk_image::redact(&job.image), JobKind::Flash),
            Self::Dump(job) => (job.sink.label(), JobKind::Dump),
            Self::Identify(job) => {
                (disk_image::redact(job.image.as_deref().unwrap_or_default()), JobKind::Identify)
            }
        }
    }

    async fn run(self, flasher: Arc<dyn Flasher>, progress: Arc<dyn Progress>) -> Receipt {
        match self {
            Self::Flash(job) => flasher.flash(*job, progress).await,
            Self::Dump(job) => flasher.dump(*job, progress).await,
            Self::Identify(job) => flasher.identify(*job, progress).await,
        }
    }
}

/// What a receipt tells of a job that never began.
type Label = (String, JobKind);

/// A job, and what goes around it.
pub(super) struct Request {
    pub(super) job: Work,
    /// What runs the board's nodes that only Python has.
    pub(super) python: PythonOption,
    /// Dotted path of the flasher, when the tree has several.
    pub(super) device: Option<String>,
    pub(super) variant: Option<String>,
    /// Where the receipt is kept.
    pub(super) receipt: Option<PathBuf>,
    /// Whether it is kept in the ledger as well, and which.
    pub(super) ledger: LedgerArgs,
    /// Installed before anything that would be left half done.
    pub(super) signals: Signals,
    /// The job without a terminal that this is.
    pub(super) within: Option<InJob>,
}

/// Does the work, keeps the receipt, prints the verdict; gives the receipt and the exit code.
pub(super) async fn execute(
    request: Request,
    exporter: Option<&Path>,
    screen: &Screen,
) -> Result<(Receipt, u8), Failure> {
    let begun = Begun::now();
    let Request { job, python, device, variant, receipt, ledger, signals, within } = request;
    job.check_outputs(receipt.as_deref(), exporter)?;
    let progress = screen.progress();
    let progress = match &within {
        Some(within) => within.record(progress)?,
        None => progress,
    };
    signals.watch(job.brakes(), Arc::clone(&progress));
    let receipt_file = receipt.as_deref().map(ReceiptFile::prepare).transpose()?;
    let tree = match driver_tree::load(exporter) {
        Ok(tree) => tree,
        Err(failure) => {
            keep_early(&failure, job.label(), begun, receipt_file, screen)?;
            return Err(failure);
        }
    };
    let ledger = ledger.of(&tree);
    let on =
        FlasherNode { tree: &tree, python: &python, device: device.as_deref(), variant: variant.as_deref() };
    let receipt = on.do_job(job, ledger.as_ref(), (begun, progress), screen).await;
    driver_tree::close(&tree, screen).await;
    let code = conclude(&receipt, receipt_file, ledger.as_ref(), screen)?;
    Ok((receipt, code))
}

/// Which flasher does the work.
#[derive(Clone, Copy)]
pub(super) struct FlasherNode<'a> {
    pub(super) tree: &'a DriverTree,
    pub(super) python: &'a PythonOption,
    /// Dotted path of the flasher, when the tree has several.
    pub(super) device: Option<&'a str>,
    pub(super) variant: Option<&'a str>,
}

impl FlasherNode<'_> {
    /// Does the job, and always gives a receipt. A look at a medium is given the images that the ledger knows.
    pub(super) async fn do_job(
        self,
        mut job: Work,
        ledger: Option<&Ledger>,
        (begun, progress): (Begun, Arc<dyn Progress>),
        screen: &Screen,
    ) -> Receipt {
        job.runs_at(site(self.tree, self.device));
        if let (Work::Identify(job), Some(ledger)) = (&mut job, ledger) {
            ledger_use::bring_known(job, ledger, screen).await;
        }
        transact(self, job, progress, begun, screen).await
    }
}

/// This user on this machine, and the bench and flasher that `device` means.
fn site(tree: &DriverTree, device: Option<&str>) -> Site {
    let node = tree.flasher(device).ok().and_then(|flasher| tree.path_of(&flasher));
    Site { exporter: tree.bench().map(str::to_owned), node, ..Site::here() }
}

/// Probes, flashes and always gives a receipt, also when the flasher was never reached.
async fn transact(
    on: FlasherNode<'_>,
    job: Work,
    progress: Arc<dyn Progress>,
    begun: Begun,
    screen: &Screen,
) -> Receipt {
    let ready = tokio::select! {
        biased;
        () = job.stop().cancelled() => Err(Error::new(Class::Interrupted, "interrupted before the board was touched")),
        ready = ready(on, job.label(), screen) => ready,
    };
    match ready {
        Ok((flasher, held)) => {
            held.warning().into_iter().for_each(|warning| progress.report(warning));
            job.run(flasher, progress).await
        }
        Err(error) => {
            let receipt = early(&error, job.label(), job.site().clone(), begun);
            progress.report(Event::Finished { receipt: Box::new(receipt.clone()) });
            receipt
        }
    }
}

/// The flasher, with its variant set and all hardware there; and its board, which no other job has now.
async fn ready(
    on: FlasherNode<'_>,
    (label, kind): Label,
    screen: &Screen,
) -> Result<(Arc<dyn Flasher>, Held)> {
    let flasher = on.tree.flasher(on.device)?;
    let owned = Board::below(on.tree, &flasher).hold(&format!("{} {label}", verb(kind))).await?;
    // Its drivers may open the hardware.
    python::start(on.python, on.tree, &on.tree.python_below(&flasher), screen).await?;
    on.tree.require(&flasher)?;
    if let Some(variant) = on.variant {
        flasher.required_bundle()?.use_variant(Some(variant.to_owned())).await?;
    }
    probe(on.tree, &flasher).await?;
    Ok((flasher, owned))
}

/// The command that does such a job.
fn verb(kind: JobKind) -> &'static str {
    match kind {
        JobKind::Flash => "flash",
        JobKind::Dump => "dump",
        JobKind::Identify => "identify",
    }
}

/// Looks whether all hardware of a board is there.
async fn probe(tree: &DriverTree, flasher: &Arc<dyn Flasher>) -> Result<()> {
    tokio::time::timeout(PROBE, tree.probe_for(flasher)).await.unwrap_or_else(|_| {
        Err(Error::infrastructure(format!("the hardware did not answer within {} s", PROBE.as_secs()))
            .help("`flasher doctor` looks at each node by itself"))
    })
}

/// When a command began, by the wall and by the stopwatch.
#[derive(Clone, Copy, Debug)]
pub(super) struct Begun {
    clock: SystemTime,
    instant: Instant,
}

impl Begun {
    pub(super) fn now() -> Self {
        Self { clock: SystemTime::now(), instant: Instant::now() }
    }

    /// Time since then.
    pub(super) fn elapsed(self) -> Duration {
        self.instant.elapsed()
    }
}

fn keep_early(
    failure: &Failure,
    label: Label,
    begun: Begun,
    receipt_file: Option<ReceiptFile>,
    screen: &Screen,
) -> Result<()> {
    let Some(file) = receipt_file else { return Ok(()) };
    let error = match failure {
        Failure::Findings(findings) => Error::from(findings.clone()),
        Failure::Error(error) => Error::new(error.class(), error.cause()),
        Failure::Output(error) => Error::infrastructure(error.to_string()),
    };
    let path = file.write(&early(&error, label, Site::here(), begun))?;
    screen.aside(&format!("receipt: {}\n", safe::line(&shown(&path))));
    Ok(())
}

/// The receipt of a job that failed before the flasher took it.
fn early(error: &Error, (source, job): Label, site: Site, begun: Begun) -> Receipt {
    let tool = format!("flasher {}", env!("CARGO_PKG_VERSION"));
    let receipt = Receipt {
        failure: Some(Cause::new(Step::Resolve, error).leaves(MediumState::Untouched)),
        image: ImageFacts { source, ..ImageFacts::default() },
        ..Receipt::blank(&tool, job, site, begun.clock, begun.elapsed())
    };
    receipt.sealed()
}
