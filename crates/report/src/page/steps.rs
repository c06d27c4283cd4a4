//! The attempts of a job, and its steps over time.

use std::collections::BTreeMap;

use flasher_core::Step;
use maud::{Markup, html};

use super::parts::left_out;
use super::rates::STEP_INK;
use crate::bounds::{MOST, first, paragraph, sentence};
use crate::job::ReportedJob;
use crate::picture::{self, Stretch};
use crate::units::seconds;

/// A table of the attempts, where there was more than one.
pub(super) fn attempts(job: &ReportedJob) -> Markup {
    let history = &job.receipt.history;
    let (attempts, more) = first(history, MOST);
    html! {
        @if history.len() > 1 {
            section {
                h2 { "Attempts" }
                div.wide { table {
                    thead { tr { th { "#" } th { "Began" } th.n { "Took" } th { "Ended" } } }
                    tbody {
                        @for (index, attempt) in attempts.into_iter().enumerate() {
                            tr {
                                td { (index + 1) }
                                td { (clock(&attempt.begun)) }
                                td.n { (seconds(attempt.seconds)) }
                                td { @match &attempt.failure {
                                    None => span.good { "without a failure" },
                                    Some(failure) => {
                                        span.bad { "in " (failure.step) } ": " (paragraph(&failure.cause))
                                    }
                                } }
                            }
                        }
                    }
                } }
                (left_out(more, "attempts"))
            }
        }
    }
}

/// `20:24:41` of a time as receipts have it.
fn clock(text: &str) -> String {
    text.get(11..19).map_or_else(|| sentence(text), sentence)
}

/// The steps of the last attempt, one under the other, each where it was in time.
pub(super) fn section(job: &ReportedJob) -> Markup {
    let steps = sane(&job.receipt.steps);
    let total: f64 = steps.iter().map(|(_, seconds)| seconds).sum();
    let failed = job.receipt.failure.as_ref().map(|failure| failure.step);
    let begun = steps.iter().scan(0.0, |before, (_, took)| {
        let begun = *before;
        *before += took;
        Some(begun)
    });
    let begun: Vec<f64> = begun.collect();
    html! {
        @if total > 0.0 {
            section {
                h2 { "Steps" @if job.receipt.history.len() > 1 { " of the last attempt" } }
                table.steps { tbody {
                    @for ((step, took), before) in steps.into_iter().zip(begun) {
                        @let bar = Stretch { from: before / total, to: (before + took) / total, ink: STEP_INK };
                        tr.bad[failed == Some(step)] {
                            th scope="row" title=(step.meaning()) { (step) }
                            td.bar { (picture::row(&format!("{step}: {}", seconds(took)), 12, &[bar])) }
                            td.n { (seconds(took)) }
                        }
                    }
                } }
            }
        }
    }
}

/// The steps in their order, without what is no duration.
pub(super) fn sane(steps: &BTreeMap<Step, f64>) -> Vec<(Step, f64)> {
    steps.iter().filter(|(_, it)| it.is_finite() && **it >= 0.0).map(|(step, it)| (*step, *it)).collect()
}
