//! Faults of the board, its power, its console and its network.

use serde_json::json;

use super::row::{Row, Trait, later, set, simulated, switched};
use crate::act::Act;
use crate::case::{Case, Effect, End, PowerFault, Via};

type Make = fn(&mut fastrand::Rng, &Case) -> Vec<Effect>;

const fn is(group: &'static str, name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { name, group, fits: simulated, make, ends, traits: &[] }
}

const fn of_switch(name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { fits: switched, ..is("power", name, make, ends) }
}

const fn of_linux(group: &'static str, name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { fits: via_linux, ..is(group, name, make, ends) }
}

const fn of_uboot(group: &'static str, name: &'static str, make: Make, ends: &'static [End]) -> Row {
    Row { fits: via_uboot, ..is(group, name, make, ends) }
}

/// What a board without power looks like from here, wherever it was.
const DARK: &[End] = &[
    (
        "infrastructure",
        &[
            "stands still",
            "power",
            "reset",
            "silent",
            "no answer",
            "closed",
            "does not answer",
            "said nothing",
            "nothing",
        ],
    ),
    ("board", &["reset", "boot loader", "within", "power", "no answer", "nothing", "does not answer"]),
    ("medium", &["power"]),
];
/// What a boot loader sends block by block does not survive many losses.
const LOSSY: &[End] = &[("infrastructure", &["does not answer", "stopped", "lost"])];
/// A boot loader gives the status of a command once: a changed digit in it is believed.
const GARBLED: &[End] = &[("board", &["failed"])];
const REFUSES: &[End] = &[("infrastructure", &["relay does not answer", "power"])];
const SILENT: &[End] = &[
    ("infrastructure", &["power", "switch"]),
    ("board", &["within", "nothing", "silent", "no prompt", "power", "went on"]),
];
const UNREADABLE: &[End] = &[
    ("infrastructure", &["no text", "noise", "garbled", "lost", "line", "console", "echo"]),
    ("board", &["prompt", "within", "console", "echo", "no answer"]),
];

pub(super) const ROWS: &[Row] = &[
    of_switch("power-refuses", |_, _| power(PowerFault::Refuses(u32::MAX)), REFUSES),
    of_switch("power-refuses-once", |_, _| power(PowerFault::Refuses(1)), REFUSES),
    Row {
        traits: &[Trait::PowerLies],
        ..of_switch("power-off-ignored", |_, _| power(PowerFault::Ignores("off")), SILENT)
    },
    of_switch("power-on-ignored", |_, _| power(PowerFault::Ignores("on")), SILENT),
    Row {
        traits: &[Trait::PowerLies],
        ..of_switch(
            "power-hangs",
            |_, _| power(PowerFault::Hangs),
            &[("infrastructure", &["power", "within", "switch"])],
        )
    },
    of_switch("power-late", |rng, _| power(PowerFault::Late(rng.u64(100..1500))), SILENT),
    of_switch("power-slow", |rng, _| power(PowerFault::Slow(rng.u64(100..1500))), &[]),
    is(
        "cut",
        "power-cut-from-outside",
        |rng, _| {
            later(
                rng,
                &["bootloader", "shell", "target", "compare", "write", "commit", "verify"],
                Act::PowerGone,
            )
        },
        DARK,
    ),
    is(
        "boot",
        "autoboot-not-stopped",
        |_, _| fault("no_autoboot_stop", json!(true)),
        &[("board", &["went on although", "autoboot", "boot loader"])],
    ),
    is("boot", "starts-late", |rng, _| fault("boot_delay_ms", json!(rng.u64(500..5000))), &[]),
    Row {
        fits: |case| case.is_simulated() && case.personality.name != "own-prompt",
        ..is(
            "boot",
            "prompt-not-configured",
            |_, _| vec![set("board/config/prompt", json!("odd> "))],
            &[("config", &["the boot loader's prompt is"])],
        )
    },
    of_linux(
        "boot",
        "kernel-hangs",
        |_, _| fault("no_login", json!(true)),
        &[("board", &["within", "login"])],
    ),
    of_linux(
        "boot",
        "kernel-resets",
        |_, _| fault("reset_on_boot", json!(true)),
        &[("board", &["boot", "reset"])],
    ),
    of_linux(
        "boot",
        "kernel-resets-once",
        |_, _| fault("reset_on_boot", json!(1)),
        &[("board", &["boot", "reset"])],
    ),
    of_linux(
        "boot",
        "password-unknown",
        |_, _| vec![set("board/config/password", json!("geheim"))],
        &[("board", &["password", "login"]), ("config", &["password", "login"])],
    ),
    of_linux(
        "boot",
        "no-such-device",
        |_, _| {
            vec![
                set("board/config/targets", json!(["/dev/sdz"])),
                set("board/config/block_addresses", json!({})),
            ]
        },
        &[("board", &["no block device", "no such device", "is not on the board"])],
    ),
    of_uboot(
        "boot",
        "no-such-device-in-uboot",
        |_, _| uboot("absent", json!(true)),
        &[("board", &["no", "device"]), ("medium", &["no"])],
    ),
    of_uboot(
        "boot",
        "load-address-outside-of-memory",
        |_, _| vec![set("board/config/dram", json!("64MiB"))],
        &[("board", &["outside of its memory"])],
    ),
    is("network", "no-dhcp", |_, _| fault("dhcp_fail", json!(true)), &[("infrastructure", &["dhcp"])]),
    is("network", "no-dhcp-at-first", |_, _| fault("dhcp_fail", json!(1)), &[("infrastructure", &["dhcp"])]),
    is("network", "no-network", |_, _| fault("no_network", json!(true)), &[("board", &["ethernet"])]),
    is(
        "network",
        "no-such-boot-file",
        |_, _| fault("tftp_missing", json!(true)),
        &[("infrastructure", &["no such file", "not found", "tftp"])],
    ),
    is("network", "tftp-loses", |rng, _| fault("tftp_loss", json!(rng.u8(1..6))), LOSSY),
    is("network", "tftp-delayed", |rng, _| fault("tftp_delay_ms", json!(rng.u64(1..8))), &[]),
    is(
        "network",
        "tftp-stalls-above-window",
        |rng, _| fault("tftp_stall_above_window", json!(rng.u16(1..9))),
        &[],
    ),
    of_linux("console", "kernel-lines", |rng, _| fault("kernel_lines", json!(rng.u64(8..60))), &[]),
    is("network", "tftp-duplicates", |rng, _| fault("tftp_duplicates", json!(rng.u8(1..40))), &[]),
    is("network", "tftp-reorders", |rng, _| fault("tftp_reorders", json!(rng.u8(1..20))), &[]),
    // A line that looks like a login prompt, again and again, is answered like one.
    of_linux(
        "console",
        "hostile-lines",
        |rng, _| linux("hostile_lines", json!(rng.u64(20..300))),
        &[("board", &["login prompt keeps coming back"])],
    ),
    is("console", "console-dies", |rng, _| fault("console_dies_after", json!(rng.u32(1..12_000))), DARK),
    of_linux(
        "tools",
        "digests-lie",
        |rng, _| linux("digests_lie_after", json!(rng.u32(..6))),
        &[
            ("board", &["digest", "script", "differ", "sha256"]),
            ("medium", &["differ"]),
            ("infrastructure", &["digest", "script", "differ", "sha256"]),
        ],
    ),
    is("console", "console-loses", |rng, _| fault("drop_console", json!(rng.u32(3000..9000))), &[]),
    is("console", "console-garbles", |rng, _| fault("garble_console", json!(rng.u32(3000..9000))), GARBLED),
    is("console", "console-is-noise", |_, _| fault("garble_console", json!(2)), UNREADABLE),
    of_uboot(
        "console",
        "uboot-console-loses",
        |rng, _| uboot("drop_console", json!(rng.u32(400..3000))),
        UNREADABLE,
    ),
    of_uboot(
        "console",
        "uboot-goes-silent",
        |rng, _| uboot("noise_after", json!(rng.u32(1..120))),
        &[
            (
                "infrastructure",
                &["no text", "noise", "silent", "no answer", "line", "does not answer", "0xff"],
            ),
            ("board", &["no answer", "within", "does not answer", "silent", "prompt"]),
        ],
    ),
    of_uboot("echo", "uboot-echo-without-line-feed", |_, _| uboot("cr_echo", json!(true)), &[]),
    of_linux(
        "tools",
        "no-tool-to-fetch",
        |_, _| {
            vec![
                set("board/config/faults/wget_missing", json!(true)),
                set("board/config/faults/curl_missing", json!(true)),
            ]
        },
        &[("config", &["neither `wget` nor `curl`"])],
    ),
    is("server", "port-taken", |_, _| vec![Effect::PortTaken], &[("infrastructure", &["in use"])]),
];

fn via_linux(case: &Case) -> bool {
    case.via == Via::Linux
}

fn via_uboot(case: &Case) -> bool {
    case.via == Via::Uboot
}

fn power(fault: PowerFault) -> Vec<Effect> {
    vec![Effect::Power(fault)]
}

/// A knob of the simulated board.
fn fault(name: &'static str, value: serde_json::Value) -> Vec<Effect> {
    vec![set("board/config/faults", json!({ name: value }))]
}

/// A knob of its Linux.
fn linux(name: &'static str, value: serde_json::Value) -> Vec<Effect> {
    vec![set("board/config/faults/linux", json!({ name: value }))]
}

/// A knob of its U-Boot.
fn uboot(name: &'static str, value: serde_json::Value) -> Vec<Effect> {
    vec![set("board/config/faults/uboot", json!({ name: value }))]
}
