//! The words for who is to blame, how power was left, and what a proof rests on.

use flasher_core::flash::{CacheBypass, DigestsBy, MediumFacts, PowerEvidence, PowerState, Verify, ViaUsed};
use flasher_core::{Class, Receipt};

/// Who or what is to blame for a failure of this class, for a person.
pub fn blamed(class: Class) -> &'static str {
    match class {
        Class::Config => "the configuration: exporter YAML, bundle or options",
        Class::Source => "the image, or the place it comes from",
        Class::Infrastructure => "the lab: power switch, serial line, network or this machine",
        Class::Board => "the board: its boot loader, kernel or shell",
        Class::Medium => "the medium",
        Class::Internal => "flasher itself: a bug, please report it",
        Class::Interrupted => "no one: the job was stopped",
    }
}

/// The class in the word that people see everywhere.
pub(crate) fn class_name(class: Class) -> String {
    if class == Class::Source { "image".to_owned() } else { class.to_string() }
}

/// How the board's power was left.
pub(crate) fn power(receipt: &Receipt) -> String {
    let state = match receipt.power {
        PowerState::Untouched => return "untouched".to_owned(),
        PowerState::Unknown => return "unknown: the switch failed".to_owned(),
        PowerState::Off => "off",
        PowerState::On => "on",
    };
    let evidence = match receipt.power_evidence {
        PowerEvidence::NotConfirmed => "not confirmed",
        PowerEvidence::Reported => "as the switch reports",
        PowerEvidence::ConsoleSilent => "the console is silent",
    };
    format!("{state}, {evidence}")
}

/// The way to the medium.
pub(crate) fn via(medium: &MediumFacts) -> &'static str {
    match medium.via {
        None | Some(ViaUsed::Linux) => "a small Linux on the board",
        Some(ViaUsed::Uboot) => "the board's boot loader",
        Some(ViaUsed::Host) => "this machine, as one of its disks",
    }
}

/// How it was read back, and by whom it was compared.
pub(crate) fn read_back(medium: &MediumFacts) -> String {
    let how = match medium.read_back {
        None => return "nothing was read back".to_owned(),
        Some(CacheBypass::Direct) => "read directly, past the page cache",
        Some(CacheBypass::Dropped) => "read after the page cache was dropped",
        Some(CacheBypass::Bootloader) => "read by the boot loader, which has no page cache",
    };
    let by = match medium.digests_by {
        None => "",
        Some(DigestsBy::Exporter) => "; digests made by the exporter",
        Some(DigestsBy::Board) => "; digests made by the board",
        Some(DigestsBy::Both) => "; digests made by exporter and board, each of some ranges",
        Some(DigestsBy::Compared) => "; compared on the board, byte for byte",
    };
    let much = match medium.verify {
        Verify::Full => "everything",
        Verify::Mapped => "only what the image has data for",
        Verify::Off => "only the first block",
    };
    format!("{much}: {how}{by}")
}
