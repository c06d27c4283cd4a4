//! The map of each medium.

use flasher_core::flash::MediumFacts;
use maud::{Markup, html};

use super::parts::left_out;
use crate::bounds::{MOST, first, sentence};
use crate::job::ReportedJob;
use crate::map::{COLUMNS, MapRow, Mark, map};
use crate::picture::{self, Ink, Stretch};
use crate::units::bytes;

pub(super) fn section(job: &ReportedJob) -> Markup {
    let (media, more) = first(job.images().filter_map(|(_, medium)| medium), MOST);
    html! {
        @for medium in media { (one(medium)) }
        (left_out(more, "media"))
    }
}

fn one(medium: &MediumFacts) -> Markup {
    let Some(map) = map(medium) else { return html! {} };
    html! {
        section.map {
            h2 { "Map of " (sentence(&medium.device)) }
            p.aside {
                "The first " (bytes(map.end)) @if medium.size > map.end { " of " (bytes(medium.size)) }
                ", in " (map.ranges) " ranges; what is rare shows where a stroke stands for several"
            }
            table.steps { tbody { @for row in &map.rows { (line(row)) } } }
        }
    }
}

fn line(row: &MapRow) -> Markup {
    let part = |column: usize| column as f64 / COLUMNS as f64;
    let stretches: Vec<Stretch> = row
        .stretches
        .iter()
        .filter(|(_, _, mark)| *mark != Mark::Nothing)
        .map(|(from, to, mark)| Stretch { from: part(*from), to: part(*to), ink: ink(*mark) })
        .collect();
    let label: Vec<String> =
        row.totals.iter().map(|(mark, total)| format!("{} {}", mark.words(), bytes(*total))).collect();
    html! {
        tr { th scope="row" { (row.title) } td.bar { (picture::row(&label.join(", "), 20, &stretches)) } }
        tr.legend { td {} td {
            @for (mark, total) in &row.totals {
                span.key { (picture::row("", 10, &[Stretch { from: 0.0, to: 1.0, ink: ink(*mark) }])) (mark.words()) " " (bytes(*total)) }
            }
        } }
    }
}

fn ink(mark: Mark) -> Ink {
    Ink(match mark {
        Mark::Nothing | Mark::Unmapped | Mark::Kept | Mark::NotWritten | Mark::NotRead => 1,
        Mark::Zero => 2,
        Mark::Data | Mark::Written => 3,
        Mark::EqualBefore | Mark::Equal => 4,
        Mark::WrittenAgain => 5,
        Mark::Differs => 6,
    })
}
