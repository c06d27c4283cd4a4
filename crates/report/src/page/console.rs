//! The console of a job, with times, for the browser's own search and a small filter.

use maud::{Markup, html};

use crate::ansi::coloured;
use crate::bounds::sentence;
use crate::console::{ConsoleLine, ConsoleText, Speaker};
use crate::job::{ConsoleOfJob, ReportedJob};

pub(super) fn section(job: &ReportedJob, index: usize) -> Markup {
    html! {
        @match &job.console {
            ConsoleOfJob::None => {}
            ConsoleOfJob::Lost(why) => section { h2 { "Console" } p.aside { (sentence(why)) } }
            ConsoleOfJob::Here(console) => (text(console, index)),
        }
    }
}

fn text(console: &ConsoleText, index: usize) -> Markup {
    let id = format!("console-{}", index + 1);
    html! {
        section {
            details open {
                summary { h2 { "Console" } span.aside { " " (console.count()) " lines" } }
                // Shown by the script only: without it, the browser's own search finds lines as well.
                label.filter hidden { "Only lines with " input type="search" data-filter=(id) autocomplete="off"; }
                pre.console id=(id) tabindex="0" aria-label="console" {
                    @for one in &console.head { (line(one)) }
                    @if console.left_out > 0 {
                        div.gap { "… " (console.left_out) " lines are not shown; the transcript has them" }
                    }
                    @for one in &console.tail { (line(one)) }
                }
            }
        }
    }
}

fn line(line: &ConsoleLine) -> Markup {
    let class = match line.by {
        Speaker::Board => None,
        Speaker::Exporter => Some("sent"),
        Speaker::Note => Some("note"),
    };
    html! {
        div class=[class] { i { (line.time.as_deref().unwrap_or("")) } " " (coloured(&line.text)) }
    }
}
