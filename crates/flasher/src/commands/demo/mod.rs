//! `flasher demo`: a virtual board flashed end to end, and its medium compared by other means afterwards.

mod bench;
mod emulated;
mod fault;
mod image;
mod qemu;

use std::fs::File;
use std::io::{self, Read};
use std::path::{Path, PathBuf};

use clap::builder::PossibleValuesParser;
use clap::{Args as ClapArgs, ValueEnum};
use flasher_core::{Class, Error, FlashJob, Receipt, Result};
use sha2::{Digest, Sha256};

use super::board_job::{self, Request, Work};
use super::flash::args::way::CompareChoice;
use crate::args::ledger::LedgerArgs;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::units::shown;
use crate::sandbox;
use crate::screen::Screen;
use crate::signals::Signals;
use bench::{Bench, Board, absolute};
use emulated::EmulatedBoard;
use fault::Fault;
use flasher_core::python::PythonChoice;

/// The board of a demo.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DemoBoard {
    /// A simulated board in this process
    Sim,
    /// QEMU's arm64 board with a real U-Boot and a real Linux, in a sandbox
    Qemu,
    /// QEMU's 32-bit Arm board
    QemuArmhf,
    /// QEMU's RISC-V board; only with `--via uboot`
    QemuRiscv64,
    /// QEMU's PC
    #[value(name = "qemu-x86_64")]
    QemuX86,
    /// An Orange Pi PC, whose boot loader lies on its card; slow
    QemuOrangepi,
}

impl DemoBoard {
    /// The board that QEMU emulates.
    fn emulated(self) -> Option<EmulatedBoard> {
        match self {
            Self::Sim => None,
            Self::Qemu => Some(emulated::ARM64),
            Self::QemuArmhf => Some(emulated::ARMHF),
            Self::QemuRiscv64 => Some(emulated::RISCV64),
            Self::QemuX86 => Some(emulated::X86_64),
            Self::QemuOrangepi => Some(emulated::ORANGEPI),
        }
    }
}

/// The way to the medium of a demo.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum DemoVia {
    /// A small Linux is booted, and writes the image
    Linux,
    /// The boot loader writes the image; no bundle is needed
    Uboot,
}

/// What is flashed in a demo, and onto what.
#[derive(ClapArgs)]
pub(crate) struct DemoArgs {
    /// Which virtual board
    #[arg(long, value_enum, default_value = "sim")]
    pub(crate) board: DemoBoard,
    /// How the medium is reached
    #[arg(long, value_enum, value_name = "WAY", default_value = "linux")]
    pub(crate) via: DemoVia,
    /// Compare the image with what the medium holds already, and write what differs
    #[arg(long, value_enum, value_name = "WHEN", default_value = "auto")]
    pub(crate) compare: CompareChoice,
    /// Image to flash instead of one made up on the spot
    #[arg(long, value_name = "FILE")]
    pub(crate) image: Option<PathBuf>,
    /// Where the receipt is kept
    #[arg(long, value_name = "FILE", default_value = "flasher-demo-receipt.json")]
    pub(crate) receipt: PathBuf,
    /// Have something go wrong on the simulated board, to see how it fails and what mends it
    #[arg(long, value_name = "NAME", value_parser = PossibleValuesParser::new(fault::names()), hide_possible_values = true,
        conflicts_with = "image")]
    pub(crate) fault: Option<String>,
    /// List what can go wrong
    #[arg(long, conflicts_with_all = ["fault", "image"])]
    pub(crate) list_faults: bool,
}

/// Sets up a bench in a temporary folder, flashes, compares, and removes the folder.
pub(super) async fn run(args: DemoArgs, screen: &Screen) -> Result<u8, Failure> {
    if args.list_faults {
        screen.text(&fault::list())?;
        return Ok(0);
    }
    let fault = args.fault.as_deref().and_then(fault::named);
    let by_boot_loader =
        matches!(args.via, DemoVia::Uboot) || fault.is_some_and(|fault| fault.by_boot_loader);
    let board = match args.board.emulated() {
        None => Board::Sim { by_boot_loader, fault },
        Some(_) if fault.is_some() => {
            return Err(Error::config("only the simulated board has faults")
                .help("leave `--board` out")
                .into());
        }
        Some(emulated) => {
            let bundle = if by_boot_loader { None } else { Some(bundle_of(emulated)?) };
            if !sandbox::is_inside() {
                args.image.as_deref().map(absolute).transpose()?; // before anything that takes long
                return Ok(qemu::enter(emulated, bundle, screen).await?);
            }
            Board::Qemu { emulated, bundle: bundle.map(qemu::folder).transpose()? }
        }
    };
    flash(args, board, fault, screen).await
}

/// Name of the bundle with the board's Linux.
fn bundle_of(emulated: EmulatedBoard) -> Result<&'static str> {
    emulated.bundle.ok_or_else(|| {
        Error::config(format!("there is no bundle for the emulated board {}", emulated.model))
            .help("add `--via uboot`: its boot loader writes the image by itself")
    })
}

/// Flashes the board, and compares its medium with the image where that is proven.
async fn flash(
    args: DemoArgs,
    board: Board,
    fault: Option<&'static Fault>,
    screen: &Screen,
) -> Result<u8, Failure> {
    let (given, kept) = (args.image.clone(), shown(&args.receipt));
    let signals = Signals::install()?;
    let bench = blocking(move || Bench::set_up(&board, given.as_deref())).await?;
    if let Some(fault) = fault {
        screen.aside(&format!("fault: {}\n", fault.what));
    }
    let job = FlashJob {
        compare: Some(args.compare.into()),
        sha256: bench.sha256.clone(),
        ..FlashJob::new(shown(&bench.image))
    };
    let job = FlashJob { retries: fault.map_or(job.retries, |fault| fault.retries), ..job };
    let request = Request {
        job: Work::Flash(Box::new(job)),
        python: Some(PythonChoice::Off),
        device: None,
        variant: None,
        receipt: Some(args.receipt),
        ledger: LedgerArgs { no_ledger: true },
        signals,
        within: None,
    };
    let (receipt, code) = board_job::execute(request, Some(&bench.exporter), screen).await?;
    if code != 0 {
        fault.into_iter().for_each(|fault| screen.aside(&after(fault)));
        return Ok(code);
    }
    let (image, medium) = (bench.image.clone(), bench.medium.clone());
    let message = blocking(move || compare(&receipt, &image, &medium)).await?;
    screen.show(&message, |paint| {
        let Message::Compared { medium_sha256, .. } = &message else { return String::new() };
        format!("{} sha256:{medium_sha256} (the medium's file)\n", paint.dim("  compared   "))
    })?;
    screen.aside(&next(&kept));
    Ok(0)
}

/// What the demo left, and what to try after it.
fn next(receipt: &str) -> String {
    format!(
        "\nkept: `{receipt}`; everything else was temporary and is removed\n\
         next: `flasher verify-receipt {receipt}` checks the receipt\n      \
         `flasher init` describes a board of yours\n"
    )
}

/// How a real board with this fault is mended.
fn after(fault: &Fault) -> String {
    format!("\nthe fault of this demo: {}\nmended by: {}\n", fault.what, fault.mended_by)
}

/// Compares what the medium's file holds with the image, without any of the code that flashed it.
fn compare(receipt: &Receipt, image: &Path, medium: &Path) -> Result<Message> {
    let decoded = receipt.image.decoded_length.zip(receipt.image.decoded_sha256.clone());
    let (length, decoded_sha256) = decoded.ok_or_else(|| {
        Error::new(Class::Internal, "the receipt of a proven flash lacks the image's digest")
    })?;
    let is_raw = std::fs::metadata(image).is_ok_and(|metadata| metadata.len() == length);
    let image_sha256 = if is_raw { digest(image, length)? } else { decoded_sha256 };
    let medium_sha256 = digest(medium, length)?;
    if image_sha256 != medium_sha256 {
        let message = format!("the medium has sha256:{medium_sha256}, the image sha256:{image_sha256}");
        return Err(Error::new(Class::Medium, message)
            .help("the receipt says proven and is wrong: please report this"));
    }
    Ok(Message::Compared { length, image_sha256, medium_sha256 })
}

/// SHA-256 of the first `length` bytes of a file, in hex.
fn digest(path: &Path, length: u64) -> Result<String> {
    let unreadable = |error: io::Error| {
        Error::infrastructure(format!("cannot read `{}` to compare it", path.display())).because(error)
    };
    let (mut hash, mut buffer) = (Sha256::new(), vec![0; 1 << 20]);
    let mut file = File::open(path).map_err(unreadable)?.take(length);
    loop {
        let count = file.read(&mut buffer).map_err(unreadable)?;
        if count == 0 {
            break;
        }
        hash.update(&buffer[..count]);
    }
    if file.limit() > 0 {
        return Err(Error::new(Class::Medium, format!("`{}` is shorter than the image", path.display())));
    }
    Ok(hash.finalize().iter().map(|byte| format!("{byte:02x}")).collect())
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|error| {
        Err(Error::new(Class::Internal, "the demo's own work broke off").because(error))
    })
}
