//! `flasher history`: the jobs that the ledger has, and the receipt of one.

use std::path::Path;
use std::time::{Duration, SystemTime};

use clap::{Args as ClapArgs, Subcommand};
use flasher_core::flash::JobKind;
use flasher_core::{Class, Verdict, clock};
use ledger::{BoardRecord, Filter, HistoryEntry, ImageRecord, Listed};

use super::ledger_use::LedgerSource;
use super::{ledger_use, table};
use crate::args::ledger::LedgerFileArgs;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::{trouble, units};
use crate::screen::Screen;

/// Which jobs, or the receipt of one.
#[derive(ClapArgs)]
#[command(args_conflicts_with_subcommands = true)]
pub(crate) struct HistoryArgs {
    /// Only jobs of this board: its exporter's name, its node, or EXPORTER/NODE
    #[arg(long, value_name = "BOARD")]
    pub(crate) board: Option<String>,
    /// Only jobs that failed
    #[arg(long)]
    pub(crate) failed: bool,
    /// Only jobs that began then or later: `2026-11-01`, `2026-11-01T08:00:00Z` (UTC), or a time before now such as `7d`
    #[arg(long, value_name = "WHEN", value_parser = since)]
    pub(crate) since: Option<String>,
    /// At most so many, the newest; 0 lists all
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub(crate) limit: u32,
    #[command(flatten)]
    pub(crate) ledger: LedgerFileArgs,
    #[command(subcommand)]
    pub(crate) action: Option<HistoryAction>,
}

/// What to do with one job.
#[derive(Subcommand)]
pub(crate) enum HistoryAction {
    /// Print the receipt (JSON) of a job, as `--receipt` keeps it
    Show {
        /// Its number in the list
        #[arg(value_name = "ID")]
        job: i64,
    },
    /// List the images that jobs have put on media or read from them; `identify` compares with these
    Images,
    /// List the boards of these jobs, how many jobs each had, and how many of them failed
    Boards,
}

/// A time as the ledger has it.
fn since(text: &str) -> Result<String, String> {
    let day = format!("{text}T00:00:00Z");
    if let Some(at) = clock::parse(text).or_else(|| clock::parse(&day)) {
        return Ok(clock::from_milliseconds(at));
    }
    let before: Duration = humantime::parse_duration(text).map_err(|_| {
        "expected a day (`2026-11-01`), a time (`2026-11-01T08:00:00Z`) or a time before now (`7d`)"
            .to_owned()
    })?;
    Ok(clock::milliseconds(SystemTime::now().checked_sub(before).unwrap_or(SystemTime::UNIX_EPOCH)))
}

/// Lists jobs, the newest first, or prints the receipt of one.
pub(super) async fn run(args: HistoryArgs, exporter: Option<&Path>, screen: &Screen) -> Result<u8, Failure> {
    let HistoryArgs { board, failed, since, limit, ledger, action } = args;
    let from = LedgerSource { args: &ledger, exporter };
    match action {
        Some(HistoryAction::Show { job }) => {
            let receipt = ledger_use::read(from, move |ledger| ledger.receipt(job)).await?;
            let text = serde_json::to_string_pretty(&receipt).map_err(std::io::Error::from)?;
            screen.text(&format!("{text}\n"))?;
            return Ok(0);
        }
        Some(HistoryAction::Images) => return images(from, screen).await,
        Some(HistoryAction::Boards) => return boards(from, screen).await,
        None => {}
    }
    // One more shows whether there are more.
    let asked = (limit > 0).then(|| limit.saturating_add(1));
    let filter = Filter { board, failed, since, limit: asked };
    let Listed { rows: mut entries, unreadable } =
        ledger_use::read(from, move |ledger| ledger.history(&filter)).await?;
    ledger_use::warn(unreadable, "jobs", screen);
    if limit > 0 && entries.len() > limit as usize {
        entries.truncate(limit as usize);
        screen.aside("there are older jobs: `--limit N` lists so many, `--limit 0` all\n");
    }
    if screen.is_json() {
        entries.into_iter().try_for_each(|entry| screen.message(&Message::Job(Box::new(entry))))?;
    } else if entries.is_empty() {
        screen.text("no such jobs\n")?;
    } else {
        screen.text(&list(&entries))?;
    }
    Ok(0)
}

async fn images(from: LedgerSource<'_>, screen: &Screen) -> Result<u8, Failure> {
    let Listed { rows, unreadable } = ledger_use::read(from, ledger::Ledger::images).await?;
    ledger_use::warn(unreadable, "images", screen);
    if screen.is_json() {
        rows.into_iter().try_for_each(|image| screen.message(&Message::UsedImage(Box::new(image))))?;
        return Ok(0);
    }
    let row = |image: &ImageRecord| {
        let (sha256, last) = (image.sha256.chars().take(12).collect(), minute(&image.last_used));
        [image.name.clone(), units::bytes(image.length), sha256, image.jobs.to_string(), last]
    };
    let head = ["IMAGE", "LENGTH", "SHA-256", "JOBS", "LAST (UTC)"].map(str::to_owned);
    screen.text(&table::aligned(head, rows.iter().map(row)))?;
    Ok(0)
}

async fn boards(from: LedgerSource<'_>, screen: &Screen) -> Result<u8, Failure> {
    let Listed { rows, unreadable } = ledger_use::read(from, ledger::Ledger::boards).await?;
    ledger_use::warn(unreadable, "boards", screen);
    if screen.is_json() {
        rows.into_iter().try_for_each(|board| screen.message(&Message::UsedBoard(Box::new(board))))?;
        return Ok(0);
    }
    let row = |board: &BoardRecord| {
        let last = format!("{} {}", minute(&board.last_job), verdict(board.last_verdict, None));
        let name = board_name(board.exporter.as_deref(), board.node.as_deref());
        let host = board.host.clone().unwrap_or_default();
        [name, host, board.jobs.to_string(), board.failed_jobs.to_string(), last, board.last_image.clone()]
    };
    let head = ["BOARD", "HOST", "JOBS", "FAILED", "LAST (UTC)", "IMAGE"].map(str::to_owned);
    screen.text(&table::aligned(head, rows.iter().map(row)))?;
    Ok(0)
}

fn list(entries: &[HistoryEntry]) -> String {
    let head = ["ID", "BEGUN (UTC)", "BOARD", "IMAGE", "VERDICT", "TOOK"].map(str::to_owned);
    table::aligned(head, entries.iter().map(row))
}

fn row(entry: &HistoryEntry) -> [String; 6] {
    let image = match entry.job {
        JobKind::Dump => format!("dump to {}", entry.source),
        JobKind::Flash => entry.source.clone(),
        JobKind::Identify => "a look at its medium".to_owned(),
    };
    [
        entry.id.to_string(),
        minute(&entry.begun),
        board_name(entry.exporter.as_deref(), entry.node.as_deref()),
        image,
        verdict(entry.verdict, entry.class),
        units::seconds(entry.seconds),
    ]
}

/// A time to the minute, as lists show it.
fn minute(time: &str) -> String {
    time.get(..16).unwrap_or(time).replace('T', " ")
}

fn board_name(exporter: Option<&str>, node: Option<&str>) -> String {
    [exporter, node].into_iter().flatten().collect::<Vec<_>>().join("/")
}

fn verdict(verdict: Verdict, class: Option<Class>) -> String {
    match (verdict, class) {
        (Verdict::Proven, _) => "proven".to_owned(),
        (Verdict::Written, _) => "written".to_owned(),
        (Verdict::Identified, _) => "identified".to_owned(),
        (Verdict::Failed, Some(class)) => format!("failed ({})", trouble::class_name(class)),
        (Verdict::Failed, None) => "failed".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_to_begin_at() {
        let fine = [
            ("2026-11-01", "2026-11-01T00:00:00.000Z"),
            ("2026-11-01T08:00:00Z", "2026-11-01T08:00:00.000Z"),
            ("2026-11-01T08:00:00+02:00", "2026-11-01T06:00:00.000Z"),
        ];
        for (text, expected) in fine {
            assert_eq!(since(text).as_deref(), Ok(expected), "{text}");
        }
        let (week, now) = (since("7d").unwrap(), clock::milliseconds(SystemTime::now()));
        assert!(week < now, "{week} {now}");
        for text in ["", "yesterday", "2026-13-01", "7"] {
            let refused = since(text).unwrap_err();
            assert_eq!(
                refused,
                "expected a day (`2026-11-01`), a time (`2026-11-01T08:00:00Z`) or a time before now (`7d`)",
                "{text}"
            );
        }
    }
}
