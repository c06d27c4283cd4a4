//! How fast bytes moved over time, and which transfers the file servers saw.

use flasher_core::flash::{Moved, RateFacts, TransferEnd, TransferFacts};
use maud::{Markup, html};

use super::parts::left_out;
use crate::bounds::{MOST, first, paragraph, sentence};
use crate::job::ReportedJob;
use crate::picture::{self, Ink, Steps};
use crate::units::{bytes, rate, seconds};

/// The colour of a step's bar.
pub(super) const STEP_INK: Ink = Ink(3);
const GRID_INK: Ink = Ink(9);
/// Height of the chart in its own units.
const HEIGHT: u32 = 160;

/// A stretch of time with its rate: from, to (seconds since the job began), bytes a second.
type Stretch = (f64, f64, f64);

/// The chart of all rates.
pub(super) fn section(job: &ReportedJob) -> Markup {
    let series: Vec<(&RateFacts, Vec<Stretch>)> =
        job.receipt.traffic.rates.iter().take(8).map(|rate| (rate, stretches(rate))).collect();
    let all = || series.iter().flat_map(|(_, stretches)| stretches);
    let from = all().map(|it| it.0).fold(f64::INFINITY, f64::min);
    let to = all().map(|it| it.1).fold(0.0, f64::max);
    let most = all().map(|it| it.2).fold(0.0, f64::max);
    if !(from < to && most > 0.0) {
        return html! {};
    }
    let lines: Vec<Steps> =
        series.iter().map(|(rate, line)| drawn(rate.of, line, (from, to), most)).collect();
    html! {
        section {
            h2 { "Rates" }
            div.plot {
                div.axis { span { (bytes(most as u64)) "/s" } span { (bytes((most / 2.0) as u64)) "/s" } span { "0" } }
                (picture::chart("bytes a second over time", HEIGHT, &lines, GRID_INK))
                div.time { span { (seconds(from)) } span { (seconds((from + to) / 2.0)) } span { (seconds(to)) } }
            }
            p.legend {
                @for (rate, _) in &series { span.key { (key(ink(rate.of))) (words(rate.of)) (average(rate)) } }
            }
        }
    }
}

fn key(ink: Ink) -> Markup {
    picture::row("", 10, &[picture::Stretch { from: 0.0, to: 1.0, ink }])
}

fn average(series: &RateFacts) -> String {
    let (Some(first), Some(last)) = (series.points.first(), series.points.last()) else {
        return String::new();
    };
    let moved = last.bytes.saturating_sub(first.bytes);
    let mean = rate(moved, last.at - first.at).map(|rate| format!(", {rate} on average"));
    format!(" {}{}", bytes(moved), mean.unwrap_or_default())
}

fn stretches(series: &RateFacts) -> Vec<Stretch> {
    let points = series.points.iter().take(1000).filter(|point| point.at.is_finite() && point.at >= 0.0);
    let points: Vec<_> = points.collect();
    let pairs = points.windows(2).filter(|pair| pair[1].at > pair[0].at);
    pairs
        .map(|pair| {
            let moved = pair[1].bytes.saturating_sub(pair[0].bytes) as f64;
            (pair[0].at, pair[1].at, moved / (pair[1].at - pair[0].at))
        })
        .filter(|(_, _, rate)| rate.is_finite())
        .collect()
}

fn drawn(of: Moved, line: &[Stretch], (from, to): (f64, f64), most: f64) -> Steps {
    let part = |at: f64| (at - from) / (to - from);
    let steps = line.iter().map(|(begun, ended, rate)| (part(*begun), part(*ended), rate / most)).collect();
    Steps { ink: ink(of), steps }
}

fn ink(of: Moved) -> Ink {
    match of {
        Moved::Load => Ink(5),
        Moved::Write => Ink(3),
        Moved::ReadBack | Moved::Read => Ink(4),
    }
}

fn words(of: Moved) -> &'static str {
    match of {
        Moved::Load => "load",
        Moved::Write => "write",
        Moved::ReadBack => "read back",
        Moved::Read => "read",
    }
}

/// The transfers in a table; many of them are folded up.
pub(super) fn transfers(job: &ReportedJob) -> Markup {
    let traffic = &job.receipt.traffic;
    let (shown, more) = first(&traffic.transfers, MOST);
    let more = u64::try_from(more).unwrap_or(u64::MAX).saturating_add(traffic.transfers_left_out);
    let resends = traffic.transfers.iter().fold(0_u64, |sum, it| sum.saturating_add(it.resends));
    html! {
        @if !shown.is_empty() {
            section {
                details open[shown.len() <= 12] {
                    summary { h2 { "Transfers" } span.aside { " " (shown.len()) " shown, " (resends) " packets sent again" } }
                    div.wide { table {
                        thead { tr { th { "File" } th { "By" } th.n { "Size" } th.n { "Took" } th.n { "Rate" } th.n { "Sent again" } th { "End" } } }
                        tbody { @for transfer in shown { (transfer_row(transfer)) } }
                    } }
                    (left_out(usize::try_from(more).unwrap_or(usize::MAX), "transfers"))
                }
            }
        }
    }
}

fn transfer_row(transfer: &TransferFacts) -> Markup {
    let took = transfer.seconds.filter(|it| it.is_finite());
    html! {
        tr {
            td.file { (short_name(&transfer.file)) }
            td { (sentence(&transfer.protocol)) }
            td.n { (bytes(transfer.bytes)) }
            td.n { (took.map(seconds).unwrap_or_default()) }
            td.n { (took.and_then(|took| rate(transfer.bytes, took)).unwrap_or_default()) }
            td.n { (transfer.resends) }
            td { @match transfer.end {
                TransferEnd::Done => "whole",
                TransferEnd::Unconfirmed => span.fair { "last block not acknowledged" },
                TransferEnd::Failed => { span.bad { "ended early" } @if let Some(reason) = &transfer.reason { ": " (paragraph(reason)) } }
            } }
        }
    }
}

/// The last part of a path: boot files lie in a folder of their own, whose name is a random word.
fn short_name(file: &str) -> String {
    sentence(file.rsplit('/').find(|part| !part.is_empty()).unwrap_or(file))
}
