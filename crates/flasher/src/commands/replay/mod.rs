//! `flasher replay`: the recording of a failed flash is played again, without its board, and ends as it did or says where it differs.

mod list;
mod reading;
mod stage;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use clap::Args as ClapArgs;
use flasher_core::flash::{FormatChoice, ViaUsed};
use flasher_core::source_exchange::SourceExchanges;
use flasher_core::{
    CancellationToken, Class, Device, Error, FlashJob, Flasher, Progress, Receipt, Result, Step, Wiring,
    registry,
};
use job_recording::{Difference, FileError, PlayedSources, Player, Recording};

use super::conclude::conclude;
use crate::failure::Failure;
use crate::receipt_file::ReceiptFile;
use crate::render::message::{Message, ReplayEnd};
use crate::render::units::{shown, tame};
use crate::screen::Screen;
use crate::signals::{Brakes, Signals};
use reading::blocking;
use stage::Stage;

/// Which recording.
#[derive(ClapArgs)]
pub(crate) struct ReplayArgs {
    /// The recording, as `--record` keeps it; without it, those of this user are listed
    pub(crate) file: Option<PathBuf>,
    /// Keep the receipt of what is played
    #[arg(long, value_name = "FILE")]
    pub(crate) receipt: Option<PathBuf>,
}

/// Plays a recording; gives 0 when it ends as it did, else an error.
pub(super) async fn run(args: ReplayArgs, screen: &Screen) -> Result<u8, Failure> {
    let Some(file) = args.file else {
        return match args.receipt {
            Some(_) => Err(Error::config("`--receipt` is for a recording that is played")
                .help("name the recording; `flasher replay` lists them")
                .into()),
            None => list::run(screen).await,
        };
    };
    let read = file.clone();
    let recording = blocking(move || Recording::read(&read).map_err(unusable)).await?;
    can_be_played(&recording)?;
    let receipt_file = args.receipt.as_deref().map(ReceiptFile::prepare).transpose()?;
    let signals = Signals::install()?;
    let (receipt, player) = play(&recording, signals, screen).await?;
    conclude(&receipt, receipt_file, None, screen)?;
    judge(&recording, &receipt, &player, &shown(&file), screen)
}

/// What is played is over before a byte of the medium is read: a recording has none of them.
fn can_be_played(recording: &Recording) -> Result<()> {
    let refused = |why: String| Err(Error::config(why).help("`flasher report` shows what its receipt says"));
    if recording.head.way == ViaUsed::Host {
        return refused("this job wrote a disk of its own machine, which no recording has".to_owned());
    }
    if !recording.head.is_whole {
        return refused("this recording is not whole: its console said more than is kept".to_owned());
    }
    match &recording.end.failure {
        Some(failure) if failure.class == Class::Interrupted => {
            refused("this job was stopped by its user, which no recording does again".to_owned())
        }
        None => {
            refused("this job did not fail, and the bytes of its medium are not in the recording".to_owned())
        }
        Some(failure) if failure.step == Step::Image && PlayedSources::of(recording).is_none() => {
            refused("this job failed at its image, whose bytes are not in the recording".to_owned())
        }
        Some(failure) if failure.step > Step::Target => refused(format!(
            "this job failed in step {}, and the bytes of its medium are not in the recording",
            failure.step
        )),
        Some(_) => Ok(()),
    }
}

/// Runs the job against the devices of the recording.
async fn play(recording: &Recording, signals: Signals, screen: &Screen) -> Result<(Receipt, Player)> {
    let copy = recording.clone();
    let stage = blocking(move || Stage::set_up(&copy)).await?;
    let player = Player::new(recording);
    let flasher = flasher(recording, &player, &stage)?;
    let job = job(recording, &stage);
    let progress: Arc<dyn Progress> = screen.progress();
    signals.watch(Brakes { stop: job.stop.clone(), hurry: job.hurry.clone() }, Arc::clone(&progress));
    let receipt = flasher.flash(job, progress).await;
    Ok((receipt, player))
}

/// The flasher of the recording, with devices of the recording as its children.
fn flasher(recording: &Recording, player: &Player, stage: &Stage) -> Result<Arc<dyn Flasher>> {
    let driver = registry::driver("flasher")
        .ok_or_else(|| Error::new(Class::Internal, "this build has no driver `flasher`"))?;
    let children = player.children(recording, stage.folder().join("tftp"));
    match driver.build(stage.config(recording), Wiring::new("replay", stage.folder(), children))? {
        Device::Flasher(flasher) => Ok(flasher),
        _ => Err(Error::new(Class::Internal, "the driver `flasher` makes no flasher")),
    }
}

fn job(recording: &Recording, stage: &Stage) -> FlashJob {
    let options = recording.head.options.clone();
    let failed_at = recording.end.failure.as_ref().map(|failure| failure.step);
    let sources = PlayedSources::of(recording).filter(|_| failed_at == Some(Step::Image));
    // What the image's server refused is asked for again; where it was given, its place is taken by zeros.
    let (image, format) = match sources {
        Some(_) => (recording.head.image.clone(), FormatChoice::Auto),
        None => (shown(&stage.image()), FormatChoice::Raw),
    };
    FlashJob {
        target: options.target,
        partition: options.partition,
        via: options.via,
        preflash: options.preflash,
        retries: options.retries,
        deadline: options.deadline.and_then(|limit| Duration::try_from_secs_f64(limit).ok()),
        power_off: options.power_off,
        expect_boot: options.expect_boot,
        format,
        exchanges: sources.map(|sources| Arc::new(sources) as Arc<dyn SourceExchanges>),
        site: recording.head.site.clone(),
        stop: CancellationToken::new(),
        ..FlashJob::new(image)
    }
}

/// Says whether it ended as it did.
fn judge(
    recording: &Recording,
    receipt: &Receipt,
    player: &Player,
    file: &str,
    screen: &Screen,
) -> Result<u8, Failure> {
    let end = |failure: Option<&flasher_core::flash::Failure>| {
        failure.map(|it| ReplayEnd { class: it.class, step: it.step, cause: it.cause.clone() })
    };
    let (recorded, now) = (end(recording.end.failure.as_ref()), end(receipt.failure.as_ref()));
    let is_same = match (&recorded, &now) {
        (Some(one), Some(other)) => {
            (one.class, one.step) == (other.class, other.step) && player.is_same(&one.cause, &other.cause)
        }
        (one, other) => one == other,
    };
    let difference = player.played().difference.filter(|_| !is_same);
    let message = Message::Replayed {
        file: file.to_owned(),
        is_same,
        recorded: recorded.clone(),
        now: now.clone(),
        first_difference: difference.as_ref().map(in_words),
    };
    screen.show(&message, |_| {
        if is_same {
            return format!("{} ended as it was recorded: the same class, step and cause\n", tame(file));
        }
        let line = |name: &str, end: Option<&ReplayEnd>| {
            format!("  {name}  {}\n", tame(&end.map_or("no failure".to_owned(), in_one_line)))
        };
        let first = difference
            .as_ref()
            .map(|it| format!("  first     {}\n", tame(&in_words(it))))
            .unwrap_or_default();
        format!(
            "{} did not end as it was recorded\n{}{}{first}",
            tame(file),
            line("recorded", recorded.as_ref()),
            line("now     ", now.as_ref()),
        )
    })?;
    // The program does something else than it did.
    Ok(if is_same { 0 } else { Class::Internal.exit_code() })
}

fn in_one_line(end: &ReplayEnd) -> String {
    format!("{} (exit {}) in step {}: {}", end.class, end.class.exit_code(), end.step, end.cause)
}

fn in_words(difference: &Difference) -> String {
    let Difference { at, recorded, now } = difference;
    format!("at {at:.1} s the recorded job {recorded}, and this one {now}")
}

fn unusable(error: FileError) -> Error {
    let cause = std::error::Error::source(&error).map(ToString::to_string);
    let text = cause.map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"));
    Error::config(text).help("`flasher replay` lists the recordings of this user")
}
