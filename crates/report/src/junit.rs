//! Results as CI servers read them: JUnit XML.

use std::time::Duration;

use chrono::DateTime;
use flasher_core::{Class, Error, Failure, Result, Step};
use quick_junit::{NonSuccessKind, Report, TestCase, TestCaseStatus, TestSuite};

use crate::bounds::{MOST, first, paragraph};
use crate::console::Speaker;
use crate::job::{ConsoleOfJob, ReportedJob};
use crate::standing::Standing;
use crate::words::{blamed, class_name, power};

/// Last lines of the console that a suite shows.
const CONSOLE_LINES: usize = 200;

/// A suite for each of `jobs`: a case for the verdict, and one for each step. What the board, its medium or the image is to
/// blame for is a failure; what the lab, the configuration or flasher is to blame for is an error.
///
/// # Errors
/// Class internal when the XML cannot be made.
pub fn junit(jobs: &[ReportedJob]) -> Result<String> {
    let mut report = Report::new("flasher");
    report.add_test_suites(jobs.iter().map(suite));
    report
        .to_string()
        .map_err(|error| Error::new(Class::Internal, "no JUnit XML could be made").because(error))
}

fn suite(job: &ReportedJob) -> TestSuite {
    let receipt = &job.receipt;
    let mut suite = TestSuite::new(job.board());
    if let Ok(begun) = DateTime::parse_from_rfc3339(&receipt.begun) {
        suite.set_timestamp(begun);
    }
    suite.set_time(duration(receipt.seconds));
    for (name, value) in properties(job) {
        suite.add_property((name, value.as_str()));
    }
    suite.add_test_case(verdict(job));
    suite.add_test_cases(Step::ALL.map(|step| case(job, as_in(job, step))));
    if let Some(console) = console(job) {
        suite.set_system_out(console);
    }
    suite
}

fn properties(job: &ReportedJob) -> Vec<(&'static str, String)> {
    let receipt = &job.receipt;
    let mut all = vec![
        ("receipt", job.name.clone()),
        ("verdict", job.standing.words().to_owned()),
        ("image", job.image()),
        ("power", power(receipt)),
        ("attempts", receipt.attempts.to_string()),
        ("tool", paragraph(&receipt.tool)),
    ];
    let digest = receipt.image.decoded_sha256.iter().map(|it| ("image.sha256", paragraph(it)));
    let medium = receipt.medium.iter().map(|it| ("medium", paragraph(&it.device)));
    let class = receipt.failure.iter().map(|it| ("class", class_name(it.class)));
    let sha256 = Some(&receipt.sha256).filter(|it| !it.is_empty());
    all.extend(digest.chain(medium).chain(class).chain(sha256.map(|it| ("receipt.sha256", paragraph(it)))));
    let (warnings, _) = first(&receipt.warnings, MOST);
    all.extend(warnings.into_iter().map(|it| ("warning", paragraph(it))));
    all
}

/// The case that says whether the image is on the medium.
fn verdict(job: &ReportedJob) -> TestCase {
    let status = match (&job.standing, &job.receipt.failure) {
        (Standing::Proven | Standing::Written, _) => TestCaseStatus::success(),
        (Standing::Unproven(why), _) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status
                .set_message(format!("the receipt proves nothing: {}", paragraph(why)))
                .set_type("unproven");
            status
        }
        (Standing::Failed(_), Some(failure)) => failed(failure),
        (Standing::Failed(_), None) => {
            let mut status = TestCaseStatus::non_success(NonSuccessKind::Error);
            status.set_message("the receipt says `failed` and names no cause").set_type("internal");
            status
        }
    };
    // The time of the job is that of its steps, so that a server does not add it up twice.
    let mut case = TestCase::new("verdict", status);
    case.set_classname(class_of(job)).set_time(Duration::ZERO);
    case
}

fn class_of(job: &ReportedJob) -> String {
    format!("flasher.{}", job.board().replace('/', "."))
}

fn failed(failure: &Failure) -> TestCaseStatus {
    let kind = match failure.class {
        Class::Source | Class::Board | Class::Medium => NonSuccessKind::Failure,
        Class::Config | Class::Infrastructure | Class::Internal | Class::Interrupted => NonSuccessKind::Error,
    };
    let mut status = TestCaseStatus::non_success(kind);
    status.set_message(paragraph(&failure.cause)).set_type(class_name(failure.class));
    let mut text = format!("step: {}\nto blame: {}\n", failure.step, blamed(failure.class));
    let (context, _) = first(&failure.context, MOST);
    context.iter().for_each(|(key, value)| text += &format!("{}: {}\n", paragraph(key), paragraph(value)));
    if let Some(found) = &failure.diagnosis {
        text += &format!("root cause: {}: {}\n", found.root_cause, found.root_cause.sentence());
        let seen = first(&found.evidence, MOST).0.into_iter();
        seen.for_each(|seen| text += &format!("seen: {}\n", paragraph(&seen.to_string())));
    }
    failure.medium.iter().for_each(|state| text += &format!("medium: {state}\n"));
    failure.help.iter().for_each(|help| text += &format!("to do: {}\n", paragraph(help)));
    let (lines, _) = first(&failure.console, MOST);
    lines.iter().for_each(|line| text += &format!("console: {}\n", paragraph(line)));
    status.set_description(text);
    status
}

/// A dump has *read* in place of *write*.
fn as_in(job: &ReportedJob, step: Step) -> Step {
    if step == Step::Write && job.is_dump() { Step::Read } else { step }
}

fn case(job: &ReportedJob, step: Step) -> TestCase {
    let receipt = &job.receipt;
    let failure = receipt.failure.as_ref().filter(|failure| failure.step == step);
    let took = receipt.steps.get(&step);
    let status = match (failure, took) {
        (Some(failure), _) => failed(failure),
        (None, Some(_)) => TestCaseStatus::success(),
        (None, None) => {
            let mut status = TestCaseStatus::skipped();
            status.set_message("not reached");
            status
        }
    };
    let mut case = TestCase::new(step.to_string(), status);
    case.set_classname(class_of(job)).set_time(duration(took.copied().unwrap_or_default()));
    case
}

/// The last lines of the console.
fn console(job: &ReportedJob) -> Option<String> {
    let ConsoleOfJob::Here(console) = &job.console else { return None };
    let lines = console.head.iter().chain(&console.tail);
    let skipped = (console.head.len() + console.tail.len()).saturating_sub(CONSOLE_LINES);
    let shown = lines.skip(skipped).map(|line| {
        let sign = match line.by {
            Speaker::Board => '<',
            Speaker::Exporter => '>',
            Speaker::Note => '#',
        };
        format!("{} {sign} {}\n", line.time.as_deref().unwrap_or_default(), paragraph(&line.text))
    });
    Some(shown.collect())
}

/// What is no duration counts as none.
fn duration(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default().min(Duration::from_secs(100 * 365 * 86_400))
}
