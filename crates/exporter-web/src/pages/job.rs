//! A job as it runs, and how it ended.

use flasher_core::flash::Failure;
use flasher_core::{Class, Receipt, Step};
use maud::{Markup, html};
use report::Standing;
use report::units::{bytes, seconds};

use crate::board::{JobEnd, JobView, Note, StepState};

/// The part of a board's page that changes with its job.
pub(crate) fn job(view: Option<&JobView>, may_act: bool) -> Markup {
    let Some(view) = view else {
        return html! { p.empty { "No job since the exporter was started." } };
    };
    match &view.outcome {
        None => running(view, may_act),
        Some(JobEnd::Unknown) => {
            html! { p { b { (view.label) } } p.bad { "It ended, and how was not heard." } }
        }
        Some(JobEnd::Refused { class, reason }) => html! {
            header.bad { p.verdict { "did not begin" } p { b { (view.label) } } }
            p.cause { (reason) }
            p.aside { "To blame: " (report::blamed(*class)) }
        },
        Some(JobEnd::Receipt { receipt, standing, report }) => ended(view, receipt, standing, *report),
    }
}

fn running(view: &JobView, may_act: bool) -> Markup {
    html! {
        p.what {
            b { (view.label) }
            @if let Some((attempt, attempts)) = view.attempt && attempt > 1 { " · attempt " (attempt) " of " (attempts) }
        }
        (bar(view))
        (steps(view))
        (notes(view))
        @if may_act { div.buttons { button id="cancel-button" form="cancel" { "Cancel" } } }
    }
}

/// What is done of the step that runs.
fn bar(view: &JobView) -> Markup {
    let name = name(view);
    html! {
        div.progress {
            @match view.share() {
                Some(share) => progress max="1000" value=(format!("{:.0}", share * 1000.0)) aria-label=(name) {},
                None => progress aria-label=(name) {},
            }
            p { b { (name) } " " (amount(view)) }
        }
    }
}

fn name(view: &JobView) -> &'static str {
    match view.step() {
        _ if view.is_sent => "receiving the image",
        Some(step) => step.name(),
        None if view.steps.is_empty() => "getting ready",
        None => "going on",
    }
}

/// `43 %, 120 MiB of 280 MiB, 35 MiB/s, 5.0 s left`.
fn amount(view: &JobView) -> String {
    let mut parts = Vec::new();
    if let Some(share) = view.share() {
        parts.push(format!("{:.0} %", (share * 100.0).floor()));
    }
    match view.total {
        Some(total) => parts.push(format!("{} of {}", bytes(view.done), bytes(total))),
        None if view.done > 0 => parts.push(bytes(view.done)),
        None => {}
    }
    parts.extend(view.rate.map(|rate| format!("{}/s", bytes(rate as u64))));
    parts.extend(view.left().map(|left| format!("{} left", seconds(left))));
    parts.extend(view.waiting.as_ref().map(|(what, left)| format!("waits for {what}, {left:.0} s at most")));
    parts.join(", ")
}

/// The steps of the attempt: done, running, to come.
fn steps(view: &JobView) -> Markup {
    let known = |step: Step| view.steps.iter().find(|(it, _)| *it == step).map(|(_, state)| *state);
    html! {
        ol.steplist aria-label="Steps" {
            @for step in Step::ALL {
                @match known(step) {
                    Some(StepState::Done(took)) => li.done title=(step.meaning()) { (step) " " span.aside { (seconds(took)) } },
                    Some(StepState::Running) => li.now title=(step.meaning()) aria-current="step" { (step) },
                    None => li.later title=(step.meaning()) { (step) },
                }
            }
        }
    }
}

fn notes(view: &JobView) -> Markup {
    html! {
        @if !view.notes.is_empty() {
            ul.notes { @for Note { is_warning, text } in &view.notes {
                li class=[is_warning.then_some("fair")] { @if *is_warning { "Warning: " } (text) }
            } }
        }
    }
}

fn mood(standing: &Standing) -> &'static str {
    match standing {
        Standing::Proven => "good",
        Standing::Written => "fair",
        Standing::Failed(_) | Standing::Unproven(_) => "bad",
    }
}

fn ended(view: &JobView, receipt: &Receipt, standing: &Standing, report: Option<i64>) -> Markup {
    html! {
        header class=(mood(standing)) {
            p.verdict { (standing.words()) }
            p { b { (view.label) } ", " (seconds(receipt.seconds)) }
        }
        @match standing {
            Standing::Proven => p { "Every byte that counts was read back after the last write and equals the image." },
            Standing::Written => p { "All was written. Less than everything was read back, so nothing is proven." },
            Standing::Unproven(why) => p { "The receipt does not bear out what it says: " (why) },
            Standing::Failed(_) => {}
        }
        @if let Some(failure) = &receipt.failure { (failed(failure)) }
        (notes(view))
        @if let Some(id) = report { p { a id="report-link" href=(format!("/history/{id}")) { "Report" } } }
    }
}

fn failed(failure: &Failure) -> Markup {
    let shown = |text: &str| flasher_core::safe::short(&flasher_core::safe::one_line(text), 2000);
    html! {
        p.cause { (shown(&failure.cause)) }
        dl {
            dt { "To blame" } dd { (report::blamed(failure.class)) }
            dt { "Where" } dd { "step " (failure.step) ": " (failure.step.meaning()) }
            @if let Some(found) = &failure.diagnosis {
                dt { "Root cause" } dd { (found.root_cause.sentence()) }
                @for seen in found.evidence.iter().take(16) { dt { "Seen" } dd { (shown(&seen.to_string())) } }
            }
            @if let Some(medium) = &failure.medium { dt { "On the medium" } dd { (medium) } }
            @if let Some(help) = &failure.help { dt { "What to do" } dd { (shown(help)) } }
        }
    }
}

/// The same in a few words.
pub(super) fn in_short(view: Option<&JobView>, has_flasher: bool) -> Markup {
    let Some(view) = view else {
        return html! { span.aside { @if has_flasher { "none yet" } @else { "no flasher" } } };
    };
    match &view.outcome {
        None => {
            let share = view.share().map(|share| format!(" {:.0} %", (share * 100.0).floor()));
            html! { (view.label) ": " b { (name(view)) (share.unwrap_or_default()) } }
        }
        Some(JobEnd::Unknown) => html! { (view.label) ": ended" },
        Some(JobEnd::Refused { .. }) => html! { (view.label) ": " span.bad { "did not begin" } },
        Some(JobEnd::Receipt { standing, report, .. }) => html! {
            (view.label) ": " span class=(mood(standing)) { (standing.words()) }
            @if let Some(id) = report { " " a id=(format!("report-{id}")) href=(format!("/history/{id}")) { "report" } }
        },
    }
}

/// What a screen reader says when this changes; the same for as long as nothing does that matters.
pub(crate) fn announced(view: Option<&JobView>) -> String {
    let Some(view) = view else { return String::new() };
    match &view.outcome {
        None => format!("{}: {}", view.label, name(view)),
        Some(JobEnd::Unknown) => format!("{}: ended", view.label),
        Some(JobEnd::Refused { reason, .. }) => format!("{}: did not begin: {reason}", view.label),
        Some(JobEnd::Receipt { standing: Standing::Failed(class), receipt, .. }) => {
            let cause = receipt.failure.as_ref().map(|failure| failure.cause.clone()).unwrap_or_default();
            format!(
                "{}: failed, {}: {}",
                view.label,
                class_word(*class),
                flasher_core::safe::short(&cause, 300)
            )
        }
        Some(JobEnd::Receipt { standing, .. }) => format!("{}: {}", view.label, standing.words()),
    }
}

fn class_word(class: Class) -> String {
    if class == Class::Source { "image".to_owned() } else { class.to_string() }
}
