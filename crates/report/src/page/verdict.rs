//! The verdict, who is to blame, and what to do.

use flasher_core::Failure;
use maud::{Markup, html};

use super::parts::left_out;
use crate::bounds::{MOST, first, paragraph, sentence};
use crate::job::ReportedJob;
use crate::standing::Standing;
use crate::units::seconds;
use crate::words::{blamed, class_name};

/// The class of an element that shows how a job stands.
pub(super) fn mood(standing: &Standing) -> &'static str {
    match standing {
        Standing::Proven => "good",
        Standing::Written => "fair",
        Standing::Failed(_) | Standing::Unproven(_) => "bad",
    }
}

pub(super) fn section(job: &ReportedJob) -> Markup {
    let receipt = &job.receipt;
    html! {
        header class=(mood(&job.standing)) {
            h1 { (job.standing.words()) }
            p.what {
                b { (job.image_name()) }
                @if job.is_dump() { " read from " } @else { " on " }
                b { (job.board()) }
            }
            p.when { (sentence(&receipt.begun)) ", " (seconds(receipt.seconds)) }
        }
        @match &job.standing {
            Standing::Proven => p.sum {
                @if job.is_dump() { "The file is what the medium holds: it was read twice, with equal bytes." }
                @else { "Every byte that counts was read back after the last write and equals the image." }
            }
            Standing::Written => p.sum { "All was written. Less than everything was read back, as it was asked for, so nothing is proven." }
            Standing::Unproven(why) => p.sum {
                "The receipt says " q { (said(job)) } " and does not bear it out: " (sentence(why)) ". Flash again where a proof is needed."
            }
            Standing::Failed(_) => {}
        }
        @if let Some(failure) = &receipt.failure { (failed(failure)) }
        (warnings(job))
    }
}

fn said(job: &ReportedJob) -> &'static str {
    match job.receipt.verdict {
        flasher_core::Verdict::Proven => "proven",
        flasher_core::Verdict::Written => "written, not proven",
        flasher_core::Verdict::Identified => "identified",
        flasher_core::Verdict::Failed => "failed",
    }
}

fn failed(failure: &Failure) -> Markup {
    let (context, more) = first(&failure.context, MOST);
    html! {
        section.failure {
            p.cause { (paragraph(&failure.cause)) }
            dl {
                dt { "To blame" } dd { (blamed(failure.class)) span.aside { " (class " (class_name(failure.class)) ", exit code " (failure.class.exit_code()) ")" } }
                dt { "Where" } dd { "step " (failure.step) ": " (failure.step.meaning()) }
                @if let Some(found) = &failure.diagnosis {
                    dt { "Root cause" } dd { (found.root_cause.sentence()) span.aside { " (" (found.root_cause) ")" } }
                    @for seen in first(&found.evidence, MOST).0 { dt { "Seen" } dd { (paragraph(&seen.to_string())) } }
                }
                @if let Some(state) = &failure.medium { dt { "On the medium" } dd { (state) } }
                @if let Some(help) = &failure.help { dt { "What to do" } dd.todo { (paragraph(help)) } }
                @for (key, value) in context { dt { (sentence(key)) } dd { (paragraph(value)) } }
            }
            (left_out(more, "details"))
            @if !failure.console.is_empty() {
                @let (lines, more) = first(&failure.console, MOST);
                p.aside { "The console just before:" }
                pre.last { @for line in lines { (crate::ansi::coloured(&crate::bounds::line(line))) "\n" } }
                (left_out(more, "lines"))
            }
        }
    }
}

fn warnings(job: &ReportedJob) -> Markup {
    let (warnings, more) = first(&job.receipt.warnings, MOST);
    html! {
        @if !warnings.is_empty() {
            section.warnings {
                h2 { "Worth a second look" }
                ul { @for warning in warnings { li { (paragraph(warning)) } } }
                (left_out(more, "warnings"))
            }
        }
    }
}
