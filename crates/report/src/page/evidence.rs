//! What the verdict rests on, and how to check it.

use flasher_core::flash::{MediumFacts, RangeKind};
use maud::{Markup, html};

use crate::bounds::{MOST, first, sentence};
use crate::job::ReportedJob;
use crate::words::read_back;

pub(super) fn section(job: &ReportedJob) -> Markup {
    let receipt = &job.receipt;
    let (images, _) = first(job.images(), MOST);
    html! {
        section {
            details {
                summary { h2 { "Evidence" } }
                dl {
                    @for (image, medium) in images {
                        @if let Some(digest) = &image.source_sha256 { dt { "Source, SHA-256" } dd.digest { (sentence(digest)) } }
                        @if let Some(digest) = &image.decoded_sha256 { dt { "Image, SHA-256" } dd.digest { (sentence(digest)) } }
                        @if let Some(medium) = medium {
                            @if let Some(digest) = &medium.read_back_sha256 { dt { "Medium, SHA-256" } dd.digest { (sentence(digest)) } }
                            dt { "Read back" } dd { (read_back(medium)) }
                            dt { "Ranges" } dd { (compared(medium)) }
                        }
                    }
                    @if let Some(digest) = &receipt.board.bundle_sha256 { dt { "Bundle, SHA-256" } dd.digest { (sentence(digest)) } }
                    @if let Some(transcript) = &receipt.transcript {
                        dt { "Transcript" } dd { (sentence(&transcript.file)) }
                        dt { "Its SHA-256" } dd.digest { (sentence(&transcript.sha256)) }
                    }
                    @if !receipt.sha256.is_empty() { dt { "Receipt, SHA-256" } dd.digest { (sentence(&receipt.sha256)) } }
                    dt { "Receipt" } dd { (job.name) }
                    dt { "To check it" } dd { code { "flasher verify-receipt RECEIPT IMAGE" } }
                }
            }
        }
    }
}

/// How many of the ranges that count were read back and equal the image.
fn compared(medium: &MediumFacts) -> String {
    let counts = || medium.ranges.iter().filter(|range| range.kind != RangeKind::Unmapped);
    let equal = counts().filter(|range| range.read_back.as_deref() == Some(range.sha256.as_str())).count();
    format!("{equal} of {} equal the image as read back; {} in all", counts().count(), medium.ranges.len())
}
