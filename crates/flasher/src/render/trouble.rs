//! A failure as text: cause, where, the last console lines, the next step.

use std::fmt::Write;

use flasher_core::flash::{Diagnosis, PowerEvidence, PowerState, View};
use flasher_core::{Class, Error, Failure, Receipt, RootCause};

use super::paint::Paint;
use super::units::tame;

/// The error of a command. Ends with a newline.
pub(crate) fn error(error: &Error, paint: Paint) -> String {
    let mut report = Report::new(&error.cause(), paint);
    if error.class() != Class::Config {
        report.fact("class", &class(error.class()));
    }
    error.context().iter().for_each(|(key, value)| report.fact(key, value));
    report.console(error.console_lines());
    error.next_step().iter().for_each(|help| report.fact("help", help));
    report.text
}

/// The failure a receipt tells of. Ends with a newline.
pub(crate) fn failed(receipt: &Receipt, failure: &Failure, kept: Option<&str>, paint: Paint) -> String {
    let mut report = Report::new(&failure.cause, paint);
    report.fact("class", &class(failure.class));
    let attempts =
        if receipt.attempts > 1 { format!(", attempt {}", receipt.attempts) } else { String::new() };
    report.fact("step", &format!("{} ({}){attempts}", failure.step, failure.step.meaning()));
    failure.context.iter().for_each(|(key, value)| report.fact(key, value));
    failure.diagnosis.iter().for_each(|diagnosis| report.diagnosis(diagnosis));
    failure.medium.iter().for_each(|state| report.fact("medium", &state.to_string()));
    report.fact("power", &power(receipt));
    receipt.warnings.iter().for_each(|warning| report.fact("warning", warning));
    if let Some(transcript) = &receipt.transcript {
        report.fact("transcript", &transcript.file);
    }
    kept.iter().for_each(|file| report.fact("receipt", file));
    report.console(&failure.console);
    failure.help.iter().for_each(|help| report.fact("help", help));
    explained_by(failure).iter().for_each(|name| report.fact("more", &format!("flasher explain {name}")));
    report.text
}

/// The name under which `flasher explain` says more of a failure; none of one that was asked for. Where no root cause is known and the
/// board, the lab or the medium is to blame, the step tells more than the class.
fn explained_by(failure: &Failure) -> Option<String> {
    let root = failure.diagnosis.as_ref().map(|diagnosis| diagnosis.root_cause);
    if let Some(root) = root.filter(|root| *root != RootCause::Unknown) {
        return Some(root.to_string());
    }
    match failure.class {
        Class::Interrupted => None,
        Class::Infrastructure | Class::Board | Class::Medium => Some(failure.step.to_string()),
        Class::Config | Class::Source | Class::Internal => Some(failure.class.to_string()),
    }
}

/// `off, as the switch reports`, `untouched`, …
pub(super) fn power(receipt: &Receipt) -> String {
    let state = match receipt.power {
        PowerState::Untouched => return "untouched".to_owned(),
        PowerState::Unknown => return "unknown: the switch failed".to_owned(),
        PowerState::Off => "off",
        PowerState::On => "on",
    };
    let evidence = match receipt.power_evidence {
        PowerEvidence::NotConfirmed => "not confirmed",
        PowerEvidence::Reported => "as the switch reports",
        PowerEvidence::ConsoleSilent => "the console is silent",
    };
    format!("{state}, {evidence}")
}

fn class(class: Class) -> String {
    format!("{} (exit {})", class_name(class), class.exit_code())
}

/// The class in the word that the screen has for it everywhere.
pub(crate) fn class_name(class: Class) -> String {
    if class == Class::Source { "image".to_owned() } else { class.to_string() }
}

struct Report {
    text: String,
    paint: Paint,
}

impl Report {
    fn new(cause: &str, paint: Paint) -> Self {
        // A text of others that has several lines begins none that looks like ours.
        let cause = paint.bold(&lines(cause).replace('\n', "\n       "));
        Self { text: format!("{} {cause}\n", paint.bad("error:")), paint }
    }

    fn fact(&mut self, key: &str, value: &str) {
        let key = self.paint.dim(&format!("   = {:<11}", format!("{}:", tame(key))));
        let _ = writeln!(self.text, "{key} {}", lines(value).replace('\n', "\n                 ")); // into memory
    }

    fn diagnosis(&mut self, diagnosis: &Diagnosis) {
        let root = diagnosis.root_cause;
        self.fact("cause", &format!("{root}: {}", root.sentence()));
        // What is on the medium has a line of its own.
        let seen = diagnosis.evidence.iter().filter(|seen| seen.view != View::Medium);
        seen.for_each(|seen| self.fact("seen", &seen.to_string()));
    }

    fn console(&mut self, console: &[String]) {
        if console.is_empty() {
            return;
        }
        let key = self.paint.dim("   = console:");
        let _ = writeln!(self.text, "{key}"); // into memory
        for line in console {
            let _ = writeln!(self.text, "{} {}", self.paint.dim("     |"), tame(line)); // into memory
        }
    }
}

/// Our own texts may have several lines.
fn lines(text: &str) -> String {
    text.trim_end().lines().map(tame).collect::<Vec<_>>().join("\n")
}
