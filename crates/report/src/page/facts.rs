//! Which image, which board, which medium.

use flasher_core::flash::{AutobootEnd, ImageFacts, JobKind, LoadedBy, MediumFacts};
use maud::{Markup, html};

use super::parts::left_out;
use crate::bounds::{MOST, first, sentence};
use crate::job::ReportedJob;
use crate::units::bytes;
use crate::words;

pub(super) fn section(job: &ReportedJob) -> Markup {
    let (images, more) = first(job.images(), MOST);
    html! {
        section.facts {
            @for (image, medium) in images {
                (image_card(job, image))
                @if let Some(medium) = medium { (medium_card(medium)) }
            }
            (board_card(job))
        }
        (left_out(more, "images"))
    }
}

fn fact(name: &str, value: Option<String>) -> Markup {
    html! { @if let Some(value) = value { dt { (name) } dd { (value) } } }
}

fn digest(name: &str, value: Option<&String>) -> Markup {
    html! { @if let Some(value) = value { dt { (name) } dd.digest { (sentence(value)) } } }
}

fn image_card(job: &ReportedJob, image: &ImageFacts) -> Markup {
    let text = |value: &Option<String>| value.as_deref().map(sentence);
    let title = if job.receipt.job == JobKind::Dump { "File" } else { "Image" };
    html! {
        div.card {
            h2 { (title) }
            dl {
                dt { "From" } dd { (sentence(&image.source)) }
                (fact("Format", text(&image.format)))
                (fact("Holds", text(&image.content)))
                (fact("Platform", text(&image.platform)))
                (fact("Size", image.decoded_length.map(bytes)))
                (fact("Packed", image.source_length.filter(|it| Some(*it) != image.decoded_length).map(bytes)))
                (fact("Block map", text(&image.block_map)))
                (fact("Checksums", text(&image.checksums)))
                @if image.cached { dt { "Cache" } dd { "decoded before, taken out of the cache" } }
                (digest("SHA-256", image.decoded_sha256.as_ref()))
            }
        }
    }
}

fn medium_card(medium: &MediumFacts) -> Markup {
    let (identity, more) = first(&medium.identity, MOST);
    html! {
        div.card {
            h2 { "Medium" }
            dl {
                dt { "Target" } dd { (sentence(&medium.target)) }
                dt { "Device" } dd { (sentence(&medium.device)) }
                (fact("Partition", medium.partition.as_deref().map(sentence)))
                (fact("Size", Some(bytes(medium.size)).filter(|_| medium.size > 0)))
                @for (key, value) in identity { dt { (sentence(key)) } dd { (sentence(value)) } }
                dt { "Reached by" } dd { (words::via(medium)) }
                dt { "Written" } dd { (bytes(medium.data_written)) " of data, " (bytes(medium.zeros_written)) " of zeros" }
                @for part in first(&medium.kept, MOST).0 {
                    dt { "Kept" } dd { (sentence(&part.label)) ", " (bytes(part.length)) }
                }
                @if let Some(less) = medium.holds_less {
                    dt { "Holds less" } dd.bad { "than it says" @if let Some(count) = less.bytes { ": " (bytes(count)) } }
                }
            }
            (left_out(more, "facts"))
        }
    }
}

fn board_card(job: &ReportedJob) -> Markup {
    let (receipt, board, site) = (&job.receipt, &job.receipt.board, &job.receipt.site);
    let text = |value: &Option<String>| value.as_deref().map(sentence);
    let loads = board.loads.map(|loads| {
        let by = match loads.by {
            LoadedBy::Tftp => "TFTP",
            LoadedBy::Wget => "HTTP (wget)",
        };
        let block = loads.block_size.map(|size| format!(", blocks of {size}")).unwrap_or_default();
        let window = loads.window_size.map(|size| format!(", windows of {size}")).unwrap_or_default();
        format!("{by}{block}{window}")
    });
    let autoboot = board.autoboot.as_ref().map(|autoboot| match autoboot.ended {
        AutobootEnd::Stopped => "stopped in its countdown",
        AutobootEnd::RanOut => "ran out, and found nothing to boot",
        AutobootEnd::NoCountdown => "no countdown was seen",
    });
    html! {
        div.card {
            h2 { "Board" }
            dl {
                dt { "Bench" } dd { (job.board()) }
                (fact("Kind", text(&board.name)))
                (fact("Variant", text(&board.variant)))
                (fact("Address", text(&board.address)))
                (fact("Autoboot", autoboot.map(str::to_owned)))
                (fact("Files came by", loads))
                dt { "Power" } dd { (words::power(receipt)) }
                (fact("Run by", text(&site.user)))
                (fact("On", text(&site.host)))
                dt { "With" } dd { (sentence(&receipt.tool)) }
            }
        }
    }
}
