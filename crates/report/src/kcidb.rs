//! Results as KCIDB takes them: JSON of its I/O schema, version 5.3.

use flasher_core::{Class, Error, Result};
use serde_json::{Map, Value, json};

use crate::bounds::{MOST, first, paragraph};
use crate::job::{ConsoleOfJob, ReportedJob};
use crate::standing::Standing;
use crate::words::{blamed, class_name};

/// Last lines of the console that a test shows.
const CONSOLE_LINES: usize = 60;

/// Checks the name under which results are sent, as KCIDB knows it.
///
/// # Errors
/// Says what is expected.
pub fn origin(name: &str) -> std::result::Result<String, String> {
    let fits = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'_';
    match !name.is_empty() && name.bytes().all(fits) {
        true => Ok(name.to_owned()),
        false => Err("expected lowercase letters, digits and `_`".to_owned()),
    }
}

/// `jobs` as tests of the images that were flashed, sent by `origin`: pretty JSON. What the image is to blame for is `FAIL`; what
/// stopped the test itself (board, medium, a bug) is `ERROR`; what kept it from running (lab, configuration, ^C) is `MISS`.
///
/// # Errors
/// Class config when `origin` is no name that KCIDB takes.
pub fn kcidb(jobs: &[ReportedJob], origin: &str) -> Result<String> {
    self::origin(origin).map_err(|why| Error::config(format!("`{origin}` is no origin of KCIDB: {why}")))?;
    let (mut checkouts, mut builds) = (Map::new(), Map::new());
    let mut tests = Vec::new();
    for (index, job) in jobs.iter().enumerate() {
        let id = format!("{origin}:{}", image_id(job));
        let comment = clean(&format!("flashed from {}", job.image()));
        checkouts.insert(id.clone(), json!({ "id": id, "origin": origin, "comment": comment }));
        let build = json!({ "id": id, "checkout_id": id, "origin": origin, "comment": comment });
        builds.insert(id.clone(), build);
        tests.push(test(job, index, origin, &id));
    }
    let values = |map: Map<String, Value>| map.into_iter().map(|(_, value)| value).collect::<Vec<_>>();
    let report = json!({
        "version": { "major": 5, "minor": 3 },
        "checkouts": values(checkouts),
        "builds": values(builds),
        "tests": tests,
    });
    serde_json::to_string_pretty(&report)
        .map_err(|error| Error::new(Class::Internal, "no KCIDB report could be made").because(error))
}

/// The image by its digest, or by its place before it was decoded to its end.
fn image_id(job: &ReportedJob) -> String {
    match job.receipt.image.decoded_sha256.as_deref().filter(|it| is_digest(it)) {
        Some(digest) => format!("sha256_{digest}"),
        None => clean(&job.image()),
    }
}

pub(crate) fn is_digest(text: &str) -> bool {
    text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

fn test(job: &ReportedJob, index: usize, origin: &str, build: &str) -> Value {
    let receipt = &job.receipt;
    let own = Some(&receipt.sha256).filter(|it| is_digest(it));
    let own = own.map_or_else(|| format!("{}-{index}", clean(&receipt.begun)), Clone::clone);
    let path = if job.is_dump() { "flasher.dump" } else { "flasher.flash" };
    let mut test = json!({
        "id": format!("{origin}:{own}"),
        "build_id": build,
        "origin": origin,
        "path": path,
        "status": status(&job.standing),
        "comment": clean(&comment(job)),
        "environment": environment(job),
        "misc": misc(job),
    });
    if flasher_core::clock::parse(&receipt.begun).is_some() {
        test["start_time"] = json!(receipt.begun);
    }
    if receipt.seconds.is_finite() && receipt.seconds >= 0.0 {
        test["duration"] = json!(receipt.seconds);
    }
    if let Some(excerpt) = excerpt(job) {
        test["log_excerpt"] = json!(excerpt);
    }
    test
}

fn status(standing: &Standing) -> &'static str {
    match standing {
        Standing::Proven => "PASS",
        // It ended well, and says nothing of whether the medium holds the image.
        Standing::Written => "DONE",
        Standing::Unproven(_) => "ERROR",
        Standing::Failed(class) => match class {
            Class::Source => "FAIL",
            Class::Board | Class::Medium | Class::Internal => "ERROR",
            Class::Config | Class::Infrastructure | Class::Interrupted => "MISS",
        },
    }
}

fn comment(job: &ReportedJob) -> String {
    match (&job.standing, &job.receipt.failure) {
        (Standing::Unproven(why), _) => format!("the receipt proves nothing: {}", paragraph(why)),
        (_, Some(failure)) => format!("in {}: {}", failure.step, paragraph(&failure.cause)),
        (standing, None) => standing.words().to_owned(),
    }
}

fn environment(job: &ReportedJob) -> Value {
    let (board, medium) = (&job.receipt.board, job.receipt.medium.as_ref());
    let mut misc = Map::new();
    let mut fact = |name: &str, value: Option<&String>| {
        value.map(|value| misc.insert(name.to_owned(), json!(clean(value))));
    };
    fact("board", board.name.as_ref());
    fact("variant", board.variant.as_ref());
    fact("host", job.receipt.site.host.as_ref());
    fact("device", medium.map(|it| &it.device));
    fact("target", medium.map(|it| &it.target));
    json!({ "comment": clean(&job.board()), "misc": misc })
}

fn misc(job: &ReportedJob) -> Value {
    let receipt = &job.receipt;
    let steps: Map<String, Value> =
        receipt.steps.iter().map(|(step, took)| (step.to_string(), json!(took))).collect();
    let mut misc = json!({
        "verdict": job.standing.words(),
        "attempts": receipt.attempts,
        "steps": steps,
        "tool": clean(&receipt.tool),
    });
    if let Some(failure) = &receipt.failure {
        misc["class"] = json!(class_name(failure.class));
        misc["to_blame"] = json!(blamed(failure.class));
        misc["step"] = json!(failure.step.to_string());
        misc["exit_code"] = json!(failure.class.exit_code());
        misc["root_cause"] = json!(failure.diagnosis.as_ref().map(|found| found.root_cause.code()));
        misc["help"] = json!(failure.help.as_deref().map(clean));
    }
    let (warnings, _) = first(&receipt.warnings, MOST);
    misc["warnings"] = warnings.into_iter().map(|it| json!(clean(it))).collect();
    misc
}

/// The last lines of the console, else those that the failure has.
fn excerpt(job: &ReportedJob) -> Option<String> {
    let lines: Vec<String> = match (&job.console, &job.receipt.failure) {
        (ConsoleOfJob::Here(console), _) => {
            let lines = console.head.iter().chain(&console.tail).map(|line| clean(&line.text));
            let count = console.head.len() + console.tail.len();
            lines.skip(count.saturating_sub(CONSOLE_LINES)).collect()
        }
        (_, Some(failure)) => failure.console.iter().take(CONSOLE_LINES).map(|line| clean(line)).collect(),
        _ => return None,
    };
    (!lines.is_empty()).then(|| lines.join("\n"))
}

/// Text that KCIDB takes: of bounded length, and without control characters.
fn clean(text: &str) -> String {
    paragraph(text)
}
