//! One page about one receipt or several: everything is in the file, and nothing else is needed to read it.

mod compare;
mod console;
mod evidence;
mod facts;
mod medium;
mod parts;
mod rates;
mod steps;
mod verdict;

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use maud::{DOCTYPE, Markup, PreEscaped, html};
use sha2::{Digest, Sha256};

use crate::bounds::MOST_IN_FULL;
use crate::job::ReportedJob;

/// The style sheet of the page; other pages of ours begin with it.
pub const STYLE: &str = include_str!("style.css");
/// What filters the lines of a console, where scripts may run.
const SCRIPT: &str = include_str!("filter.js");

/// The page about `jobs` as HTML, at most about 1 MiB for one job. Nothing in it is fetched from elsewhere, and nothing that a
/// receipt says is taken for markup.
pub fn page(jobs: &[ReportedJob]) -> String {
    let shown = &jobs[..jobs.len().min(MOST_IN_FULL)];
    let markup = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(policy());
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="referrer" content="no-referrer";
                title { (title(jobs)) }
                style { (PreEscaped(STYLE)) }
            }
            body {
                main {
                    @if jobs.len() != 1 { (compare::section(jobs)) }
                    @for (index, job) in shown.iter().enumerate() { (article(job, index)) }
                }
                script { (PreEscaped(SCRIPT)) }
            }
        }
    };
    markup.into_string()
}

/// The content security policy of the page: nothing may be loaded, sent or run but the page's own style and script.
pub fn policy() -> String {
    let own = |text: &str| format!("'sha256-{}'", STANDARD.encode(Sha256::digest(text.as_bytes())));
    format!(
        "default-src 'none'; style-src {}; script-src {}; base-uri 'none'; form-action 'none'",
        own(STYLE),
        own(SCRIPT)
    )
}

fn title(jobs: &[ReportedJob]) -> String {
    match jobs {
        [job] => format!("{}: {} on {}", job.standing.words(), job.image_name(), job.board()),
        jobs => format!("{} flasher receipts", jobs.len()),
    }
}

fn article(job: &ReportedJob, index: usize) -> Markup {
    html! {
        article id=(parts::anchor(index)) {
            (verdict::section(job))
            (facts::section(job))
            (steps::attempts(job))
            (steps::section(job))
            (medium::section(job))
            (rates::section(job))
            (rates::transfers(job))
            (console::section(job, index))
            (evidence::section(job))
        }
    }
}
