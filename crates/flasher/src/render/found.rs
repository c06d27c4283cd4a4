//! What a medium holds, as text.

use std::fmt::Write;

use flasher_core::Receipt;
use flasher_core::identify::{FoundImage, FoundPartition, Identification};

use super::paint::Paint;
use super::trouble::power;
use super::units::{bytes, seconds, tame};

/// The image that was found, how much of it, and which partitions differ. Ends with a newline.
pub(crate) fn found(receipt: &Receipt, kept: Option<&str>, paint: Paint) -> String {
    let Some(found) = &receipt.found else { return String::new() };
    let mut text = format!("{}\n", headline(found, paint));
    let mut fact = |key: &str, value: String| {
        let key = paint.dim(&format!("  {key:<11}"));
        let _ = writeln!(text, "{key} {}", tame(&value)); // into memory
    };
    if let Some(image) = &found.image {
        fact("image", image.name.clone());
        fact("unpacked", format!("sha256:{}, {}", image.sha256, bytes(image.length)));
        fact("equal", equal(image));
    }
    fact("content", found.content.clone());
    found.system.iter().for_each(|system| fact("system", system.clone()));
    found.partitions.iter().for_each(|part| fact("partition", partition(part)));
    fact("compared", compared(found));
    if let Some(medium) = &receipt.medium {
        let more = medium.identity.iter().map(|(key, value)| format!(", {key} {value}")).collect::<String>();
        fact("medium", format!("{}, {}{more}", medium.device, bytes(medium.size)));
    }
    fact("power", power(receipt));
    receipt.warnings.iter().for_each(|warning| fact("warning", warning.clone()));
    kept.iter().for_each(|file| fact("receipt", (*file).to_owned()));
    let _ = writeln!(text, "nothing was written, in {}", seconds(receipt.seconds)); // into memory
    text
}

fn headline(found: &Identification, paint: Paint) -> String {
    match &found.image {
        Some(image) if image.is_whole() => {
            format!("{}  {}", paint.good(&paint.bold("whole")), tame(&image.name))
        }
        Some(image) => {
            let share = share(image.equal, image.counted);
            format!("{}  {share} of {}", paint.bold("in part"), tame(&image.name))
        }
        None => format!("{}  {}", paint.bold("unknown"), tame(&found.content)),
    }
}

fn equal(image: &FoundImage) -> String {
    let of = format!("{} of {}", bytes(image.equal), bytes(image.counted));
    match image.differs_from {
        Some(at) => format!("{of}; the first range that differs begins at byte {at}"),
        None => format!("{of}, all that matters"),
    }
}

/// Per cent, never rounded up to all of it.
fn share(part: u64, whole: u64) -> String {
    let tenths = u128::from(part) * 1000 / u128::from(whole.max(1));
    format!("{}.{} %", tenths / 10, tenths % 10)
}

fn partition(part: &FoundPartition) -> String {
    let label = part.label.as_ref().map(|label| format!(" `{label}`")).unwrap_or_default();
    let content = part.content.as_ref().map(|content| format!(", {content}")).unwrap_or_default();
    let system = part.system.as_ref().map(|system| format!(", {system}")).unwrap_or_default();
    let state = match (part.is_equal, part.differs_from) {
        (Some(true), _) => ", as the image has it".to_owned(),
        (_, Some(at)) => format!(", differs at or after byte {at}"),
        _ => String::new(),
    };
    format!("{}{label}, {} at byte {}{content}{system}{state}", part.number, bytes(part.length), part.offset)
}

fn compared(found: &Identification) -> String {
    match found.known_images {
        0 => "with no image: none is known that could be on it".to_owned(),
        1 => format!("{} with 1 image", bytes(found.compared)),
        count => format!("{} with {count} images", bytes(found.compared)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_whole_is_never_all_of_it() {
        for (part, whole, expected) in [
            (0, 0, "0.0 %"),
            (999_999, 1_000_000, "99.9 %"),
            (1, 3, "33.3 %"),
            (u64::MAX, u64::MAX, "100.0 %"),
        ] {
            assert_eq!(share(part, whole), expected);
        }
    }
}
