//! Why partitions cannot be kept, in words.

use disk_image::{BLOCK, Partition};
use flasher_core::flash::KeptPartition;
use flasher_core::{Class, Error};

use crate::access::Target;

pub(super) fn of_partitions() -> Error {
    Error::config("`--keep` is for an image of a whole device, and this job writes partitions alone")
        .help("leave `--keep` out: other partitions are not touched")
}

pub(super) fn of_direct() -> Error {
    Error::config("`--direct` has the board write the whole image, and `--keep` leaves a part of it out")
        .help("leave one of the two options out")
}

pub(super) fn without_label() -> Error {
    Error::config("`--keep` has an empty label").help("give the label that the partition table has")
}

/// `place` is whose table it is: the image, or a device in backticks.
pub(super) fn absent(label: &str, place: &str, listed: &[Partition]) -> Error {
    let text = format!("the partition `{label}` is to be kept, and {place} has none with this label");
    let labels: Vec<&str> = listed.iter().filter_map(|part| part.label.as_deref()).collect();
    let help = match (listed.is_empty(), labels.is_empty()) {
        (true, _) => {
            format!("{place} has no partition table (GPT) that can be read; flash it without `--keep`")
        }
        (false, true) => "its partitions have no labels; flash it without `--keep`".to_owned(),
        (false, false) => format!("its labels are `{}`", labels.join("`, `")),
    };
    refused(text).help(help)
}

pub(super) fn twice(label: &str, place: &str) -> Error {
    let text = format!("the partition `{label}` is to be kept, and {place} has several with this label");
    refused(text).help("give each partition a label of its own")
}

/// It begins or ends in the middle of a block, or another partition shares it.
pub(super) fn not_apart(part: &Partition) -> Error {
    let label = part.label.as_deref().unwrap_or_default();
    let text = format!(
        "the partition `{label}` cannot be kept: it is {}, and only whole blocks of {} KiB behind the first that no other partition has can be",
        place(part),
        BLOCK >> 10
    );
    refused(text).help("build the image with partitions at multiples of 1 MiB")
}

pub(super) fn moved(label: &str, image: &Partition, medium: &Partition, target: &Target) -> Error {
    let text = format!(
        "the partition `{label}` cannot be kept: the image has it {}, and `{}` has it {}",
        place(image),
        target.device,
        place(medium)
    );
    refused(text)
        .help("build the image with the partition where the medium has it, or flash it without `--keep`")
}

pub(super) fn cannot_send() -> Error {
    let text = "this boot loader can neither hash nor send what the medium holds (no `hash`, no `tftpput`), so no partition can be kept for certain";
    Error::new(Class::Board, text)
        .help("take `--via linux` with a bundle, or flash it without `--keep`")
        .retryable(false)
}

pub(super) fn changed(part: &KeptPartition, target: &Target) -> Error {
    let text =
        format!("the partition `{}` of `{}` was to be kept, and has changed", part.label, target.device);
    Error::new(Class::Medium, text)
        .with("device", target.device.clone())
        .help("nothing was written there by this job: replace the medium, or see what else writes to it")
}

fn refused(text: String) -> Error {
    Error::config(text)
}

fn place(part: &Partition) -> String {
    format!("at byte {} with {} bytes", part.offset, part.length)
}
