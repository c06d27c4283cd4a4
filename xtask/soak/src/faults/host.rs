//! Faults of the storage mux, and of the disk that it shows to this machine.

use super::row::{Row, Trait};
use crate::case::{Case, Effect, End, MuxFault, Via};

const REFUSES: &[End] = &[("infrastructure", &["the mux does not answer"])];
const NO_DISK: &[End] = &[("infrastructure", &["no disk", "no block device"])];

type Make = fn(&mut fastrand::Rng, &Case) -> Vec<Effect>;

const fn is(name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { name, group: "mux", fits: via_host, make, ends, traits: &[] }
}

pub(super) const ROWS: &[Row] = &[
    is("mux-refuses", |_, _| mux(MuxFault::Refuses("host", u32::MAX)), REFUSES),
    is("mux-refuses-once", |_, _| mux(MuxFault::Refuses("host", 1)), REFUSES),
    Row {
        traits: &[Trait::MuxLies],
        ..is("mux-does-not-give-back", |_, _| mux(MuxFault::Refuses("dut", u32::MAX)), REFUSES)
    },
    is("mux-does-nothing", |_, _| mux(MuxFault::Ignores("host")), NO_DISK),
    Row {
        traits: &[Trait::MuxLies],
        ..is("mux-keeps-the-disk-unseen", |_, _| mux(MuxFault::Ignores("dut")), &[])
    },
    is("mux-late", |rng, _| mux(MuxFault::Late(rng.u64(100..2000))), &[]),
    is("mux-too-late", |_, _| mux(MuxFault::Late(3500)), NO_DISK),
    is("mux-shows-a-file", |_, _| mux(MuxFault::ShowsFile), NO_DISK),
    Row {
        group: "medium",
        ..is(
            "disk-write-protected",
            |_, _| vec![Effect::Disk("--read-only")],
            &[("infrastructure", &["write-protected"])],
        )
    },
    Row {
        group: "medium",
        ..is(
            "disk-too-small",
            |_, _| vec![Effect::Disk("--sizelimit=65536")],
            &[("source", &["larger than the target"])],
        )
    },
    Row {
        group: "medium",
        ..is(
            "disk-in-use",
            |_, _| vec![Effect::DiskInUse],
            &[("infrastructure", &["another program or the kernel uses"])],
        )
    },
];

fn via_host(case: &Case) -> bool {
    case.via == Via::Host
}

fn mux(fault: MuxFault) -> Vec<Effect> {
    vec![Effect::Mux(fault)]
}
