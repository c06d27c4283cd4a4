//! `flasher media`: what jobs have seen of each medium, and what that says of its health.

use std::path::Path;

use clap::Args as ClapArgs;
use ledger::{Health, IdentifiedBy, Listed, MediumRecord};

use super::ledger_use::{self, LedgerSource};
use crate::args::ledger::LedgerFileArgs;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::paint::Paint;
use crate::render::units::{self, tame};
use crate::screen::Screen;

/// Which ledger.
#[derive(ClapArgs)]
pub(crate) struct MediaArgs {
    #[command(flatten)]
    pub(crate) ledger: LedgerFileArgs,
}

/// Shows all media, those seen last first.
pub(super) async fn run(args: &MediaArgs, exporter: Option<&Path>, screen: &Screen) -> Result<u8, Failure> {
    let from = LedgerSource { args: &args.ledger, exporter };
    let Listed { rows: media, unreadable } = ledger_use::read(from, ledger::Ledger::media).await?;
    ledger_use::warn(unreadable, "media", screen);
    if media.is_empty() && !screen.is_json() {
        screen.text("no medium was seen by a job yet\n")?;
    }
    for medium in &media {
        let (health, evidence) = medium.health();
        let message =
            Message::Medium { health, evidence: evidence.clone(), record: Box::new(medium.clone()) };
        screen.show(&message, |paint| shown(medium, health, &evidence, paint))?;
    }
    Ok(0)
}

fn shown(medium: &MediumRecord, health: Health, evidence: &[String], paint: Paint) -> String {
    let mut text = format!(
        "{}  {}  {}  {}\n",
        paint.bold(&tame(&medium.name)),
        units::bytes(medium.size),
        health_word(health),
        tame(&medium.place)
    );
    let mut fact = |name: &str, value: String| text.push_str(&format!("  {name:<9} {value}\n"));
    match medium.identified_by {
        IdentifiedBy::Place => {
            fact("known by", "its place only: the board tells no number of the medium's own".to_owned());
        }
        _ => fact("known by", tame(&medium.key).replacen(':', " ", 1)),
    }
    let jobs = if medium.jobs == 1 { "1 job".to_owned() } else { format!("{} jobs", medium.jobs) };
    let (first, last) = (day(&medium.first_seen), day(&medium.last_seen));
    fact("written", format!("{} by {jobs}, {first} to {last}", units::bytes(medium.bytes_written)));
    if let Some(rate) = medium.last_write_rate {
        let slowest = medium.slowest_write_rate.unwrap_or(rate);
        fact("rate", format!("{:.1} MB/s last, {:.1} MB/s slowest", rate / 1e6, slowest / 1e6));
    }
    if let Some(worn) = medium.worn_percent {
        fact("life", format!("{worn} % used, as it says itself"));
    }
    if let (Some(image), Some(at)) = (&medium.proven_image, &medium.proven_at) {
        fact("holds", format!("the image {} (SHA-256), proven {}", tame(image), day(at)));
    }
    evidence.iter().for_each(|line| fact("warning", tame(line)));
    text
}

fn health_word(health: Health) -> &'static str {
    match health {
        Health::Healthy => "healthy",
        Health::Worn => "worn",
        Health::FakeCapacity => "fake capacity suspected",
        Health::Failing => "failing",
    }
}

fn day(time: &str) -> &str {
    time.get(..10).unwrap_or(time)
}
