//! Several receipts: a line for each, and their steps side by side.

use std::collections::BTreeSet;

use flasher_core::Step;
use flasher_core::flash::Moved;
use maud::{Markup, html};

use super::parts::{anchor, left_out};
use super::steps::sane;
use super::verdict::mood;
use crate::bounds::{MOST_IN_FULL, sentence};
use crate::job::ReportedJob;
use crate::standing::Standing;
use crate::units::{bytes, rate, seconds};
use crate::words::class_name;

/// Most receipts of which there is a line.
const MOST_LINES: usize = 1000;

pub(super) fn section(jobs: &[ReportedJob]) -> Markup {
    let count = |is: fn(&Standing) -> bool| jobs.iter().filter(|job| is(&job.standing)).count();
    let proven = count(|it| *it == Standing::Proven);
    let written = count(|it| *it == Standing::Written);
    let shown = &jobs[..jobs.len().min(MOST_LINES)];
    html! {
        header class=(if proven == jobs.len() { "good" } else if proven + written == jobs.len() { "fair" } else { "bad" }) {
            h1 { (proven) " of " (jobs.len()) " proven" }
            p.what { @if written > 0 { (written) " written, not proven; " } (same_image(jobs)) }
        }
        section {
            h2 { "Receipts" }
            div.wide { table {
                thead { tr {
                    th { "Board" } th { "Verdict" } th { "Image" } th { "Medium" } th { "Began" } th.n { "Took" }
                    th.n { "Attempts" } th.n { "Write" } th.n { "Read back" } th { "To blame" }
                } }
                tbody { @for (index, job) in shown.iter().enumerate() { (row(job, index)) } }
            } }
            (left_out(jobs.len() - shown.len(), "receipts"))
        }
        @if jobs.len() > 1 { (side_by_side(&jobs[..jobs.len().min(MOST_IN_FULL)])) }
        @if jobs.len() > MOST_IN_FULL { p.aside { "The first " (MOST_IN_FULL) " receipts follow in full" } }
    }
}

fn same_image(jobs: &[ReportedJob]) -> String {
    let digests: BTreeSet<_> =
        jobs.iter().filter_map(|job| job.receipt.image.decoded_sha256.as_deref()).collect();
    match digests.len() {
        0 => "no image was decoded to its end".to_owned(),
        1 => "all of the same image".to_owned(),
        count => format!("{count} different images"),
    }
}

fn row(job: &ReportedJob, index: usize) -> Markup {
    let receipt = &job.receipt;
    let medium = receipt.medium.as_ref();
    let took = |of, step| average(job, of).or_else(|| by_step(job, step)).unwrap_or_default();
    html! {
        tr {
            td { @if index < MOST_IN_FULL { a href=(format!("#{}", anchor(index))) { (job.board()) } } @else { (job.board()) } }
            td class=(mood(&job.standing)) { (job.standing.words()) }
            td { (job.image_name()) }
            td { @if let Some(medium) = medium { (sentence(&medium.target)) ", " (bytes(medium.size)) } }
            td { (receipt.begun.get(..16).map(|it| sentence(it).replace('T', " ")).unwrap_or_default()) }
            td.n { (seconds(receipt.seconds)) }
            td.n { (receipt.attempts) }
            td.n { (took(Moved::Write, Step::Write)) }
            td.n { (took(Moved::ReadBack, Step::Verify)) }
            td { @if let Some(failure) = &receipt.failure { (class_name(failure.class)) ", in " (failure.step) } }
        }
    }
}

/// The mean rate of a series of the receipt.
fn average(job: &ReportedJob, of: Moved) -> Option<String> {
    let series = job.receipt.traffic.rates.iter().find(|it| it.of == of)?;
    let (first, last) = (series.points.first()?, series.points.last()?);
    rate(last.bytes.saturating_sub(first.bytes), last.at - first.at)
}

/// The same as far as receipts of former versions tell it.
fn by_step(job: &ReportedJob, step: Step) -> Option<String> {
    let took = job.receipt.steps.get(&step)?;
    rate(job.receipt.image.decoded_length?, *took).filter(|_| job.receipt.failure.is_none())
}

fn side_by_side(jobs: &[ReportedJob]) -> Markup {
    let columns: Vec<Vec<(Step, f64)>> = jobs.iter().map(|job| sane(&job.receipt.steps)).collect();
    let steps: BTreeSet<Step> = columns.iter().flatten().map(|(step, _)| *step).collect();
    html! {
        section {
            h2 { "Steps, in seconds" }
            div.wide { table.narrow {
                thead { tr { th {} @for (index, job) in jobs.iter().enumerate() {
                    th.n { a href=(format!("#{}", anchor(index))) { (job.board()) } }
                } } }
                tbody { @for step in steps {
                    @let took: Vec<Option<f64>> = columns.iter().map(|it| it.iter().find(|(at, _)| *at == step).map(|(_, took)| *took)).collect();
                    @let slowest = took.iter().flatten().copied().fold(0.0, f64::max);
                    @let quickest = took.iter().flatten().copied().fold(f64::INFINITY, f64::min);
                    tr { th scope="row" { (step) } @for one in took {
                        td.n.slow[one == Some(slowest) && slowest > 1.5 * quickest && slowest > 0.5] { @if let Some(one) = one { (format!("{one:.1}")) } }
                    } }
                } }
            } }
        }
    }
}
