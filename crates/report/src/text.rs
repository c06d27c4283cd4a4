//! The short report for a terminal.

use std::fmt::Write;

use crate::bounds::{MOST, first, paragraph, sentence};
use crate::job::{ConsoleOfJob, ReportedJob};
use crate::standing::Standing;
use crate::units::{bytes, seconds};
use crate::words::{blamed, class_name, power};

/// What a person wants to know of `jobs` first, in a few lines for each. Nothing in it steers a terminal.
pub fn text(jobs: &[ReportedJob]) -> String {
    let mut text = String::new();
    if jobs.len() > 1 {
        let proven = jobs.iter().filter(|job| job.standing == Standing::Proven).count();
        line(&mut text, &format!("{proven} of {} proven", jobs.len()));
    }
    for job in jobs {
        if !text.is_empty() {
            text.push('\n');
        }
        one(&mut text, job);
    }
    text
}

fn one(text: &mut String, job: &ReportedJob) {
    let receipt = &job.receipt;
    let verb = if job.is_dump() { "read from" } else { "on" };
    line(text, &format!("{}: {} {verb} {}", job.standing.words(), job.image(), job.board()));
    let mut fact = |name: &str, value: &str| line(text, &format!("  {name:<10} {value}"));
    match &job.standing {
        Standing::Unproven(why) => fact("because", &sentence(why)),
        Standing::Failed(class) => {
            fact("to blame", &format!("{} (class {})", blamed(*class), class_name(*class)));
        }
        Standing::Proven | Standing::Written => {}
    }
    if let Some(failure) = &receipt.failure {
        fact("cause", &paragraph(&failure.cause));
        fact("step", &format!("{} ({})", failure.step, failure.step.meaning()));
        if let Some(found) = &failure.diagnosis {
            fact("root cause", &format!("{}: {}", found.root_cause, found.root_cause.sentence()));
            first(&found.evidence, MOST)
                .0
                .into_iter()
                .for_each(|seen| fact("seen", &paragraph(&seen.to_string())));
        }
        failure.medium.iter().for_each(|state| fact("medium", &state.to_string()));
        failure.help.iter().for_each(|help| fact("to do", &paragraph(help)));
    }
    let (images, more) = first(job.images(), MOST);
    for (image, medium) in images {
        let length = image.decoded_length.map(|it| format!(", {}", bytes(it))).unwrap_or_default();
        let digest = image.decoded_sha256.as_deref().map(|it| format!(", sha256 {}", sentence(it)));
        fact("image", &format!("{}{length}{}", sentence(&image.source), digest.unwrap_or_default()));
        if let Some(medium) = medium {
            fact(
                "on",
                &format!(
                    "{} ({}), {}",
                    sentence(&medium.device),
                    sentence(&medium.target),
                    bytes(medium.size)
                ),
            );
        }
    }
    if more > 0 {
        fact("images", &format!("{more} more not shown"));
    }
    let attempts =
        if receipt.attempts > 1 { format!(", {} attempts", receipt.attempts) } else { String::new() };
    fact("took", &format!("{}{attempts}, from {}", seconds(receipt.seconds), sentence(&receipt.begun)));
    fact("power", &power(receipt));
    let (warnings, more) = first(&receipt.warnings, MOST);
    warnings.into_iter().for_each(|warning| fact("warning", &paragraph(warning)));
    if more > 0 {
        fact("warnings", &format!("{more} more not shown"));
    }
    if let ConsoleOfJob::Lost(why) = &job.console {
        fact("console", &sentence(why));
    }
}

fn line(text: &mut String, line: &str) {
    let _ = writeln!(text, "{line}"); // into memory
}
