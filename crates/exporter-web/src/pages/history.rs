//! What was done: the jobs that the ledger has.

use flasher_core::flash::JobKind;
use flasher_core::{Verdict, safe};
use ledger::HistoryEntry;
use maud::{Markup, html};
use report::units::seconds;

use super::Frame;

/// Longest name of an image that is shown, characters.
const LONGEST: usize = 120;

/// A list of jobs.
#[derive(Debug)]
pub(crate) struct HistoryPage<'a> {
    pub(crate) frame: &'a Frame,
    pub(crate) jobs: &'a [HistoryEntry],
    /// Only those that failed.
    pub(crate) failed: bool,
    /// Only those of this board.
    pub(crate) board: Option<&'a str>,
    /// Whether there are older ones.
    pub(crate) has_more: bool,
}

pub(crate) fn history(page: &HistoryPage<'_>) -> Markup {
    let content = html! {
        h1 { "History" }
        form.row method="get" action="/history" role="search" {
            label for="board" { "Board" }
            input id="board" name="board" value=[page.board] autocomplete="off" placeholder="all";
            label { input type="checkbox" name="failed" value="1" checked[page.failed]; " only failures" }
            button { "Show" }
        }
        (table(page.jobs, "No such jobs."))
        @if page.has_more { p.aside { "There are older jobs; " code { "flasher history --limit 0" } " lists all." } }
    };
    page.frame.page("History", None, &content)
}

/// The jobs, a line for each, or what is said when there are none.
pub(super) fn table(jobs: &[HistoryEntry], none: &str) -> Markup {
    html! {
        @if jobs.is_empty() { p.empty { (none) } } @else {
            div.wide { table {
                thead { tr {
                    th scope="col" { "Began (UTC)" } th scope="col" { "Board" } th scope="col" { "Image" }
                    th scope="col" { "Verdict" } th.n scope="col" { "Took" } th scope="col" { "" }
                } }
                tbody { @for job in jobs { (row(job)) } }
            } }
        }
    }
}

fn row(job: &HistoryEntry) -> Markup {
    let board = [&job.exporter, &job.node].into_iter().flatten().map(String::as_str).collect::<Vec<_>>();
    let source = safe::short(&job.source, LONGEST);
    let begun = job.begun.get(..16).unwrap_or(&job.begun).replace('T', " ");
    html! {
        tr {
            td { (begun) }
            td { (safe::short(&board.join("/"), LONGEST)) }
            td { @match job.job {
                JobKind::Flash => (source),
                JobKind::Dump => { "dump to " (source) }
                JobKind::Identify => "a look at its medium",
            } }
            td { (verdict(job)) }
            td.n { (seconds(job.seconds)) }
            td { a href=(format!("/history/{}", job.id)) aria-label=(format!("Report of job {}", job.id)) { "report" } }
        }
    }
}

fn verdict(job: &HistoryEntry) -> Markup {
    let cause = job.cause.as_deref().map(|cause| safe::short(&safe::one_line(cause), 200));
    match job.verdict {
        Verdict::Proven => html! { span.good { "proven" } },
        Verdict::Written => html! { span.fair { "written, not proven" } },
        Verdict::Identified => html! { "identified" },
        Verdict::Failed => html! {
            span.bad { "failed" } @if let Some(cause) = cause { div.aside { (cause) } }
        },
    }
}
