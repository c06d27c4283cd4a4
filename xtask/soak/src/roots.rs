//! Which root causes name a fault rightly. Written from what each fault is, not from what the product answers.

use crate::case::Case;
use crate::observation::Observation;

/// What a board without power looks like, wherever it was.
const DARK: &[&str] = &[
    "board-stopped",
    "boot-loader-again",
    "fell-silent",
    "nothing-heard",
    "kernel-silent",
    "kernel-hangs",
    "transfer-stopped",
    "transfer-broke",
    "line-gone",
    "reset-loop",
    "answer-lost",
];
const LINE: &[&str] = &["wrong-speed", "line-changes-characters"];
const IMAGE: &[&str] = &["image-damaged"];
const SERVER: &[&str] = &["image-server-lost"];
const KEEPS_NOTHING: &[&str] = &["writes-lost", "counterfeit"];

/// Fault, and the root causes that name it; those without an entry are not judged by their root cause.
const ROOTS: &[(&str, &[&str])] = &[
    ("power-refuses", &["switch-failed"]),
    ("power-refuses-once", &["switch-failed"]),
    ("power-hangs", &["switch-failed"]),
    (
        "power-off-ignored",
        &["power-not-cut", "already-running", "switch-disagrees", "keys-not-taken", "nothing-heard"],
    ),
    ("power-on-ignored", &["nothing-heard", "switch-disagrees"]),
    ("power-cut-from-outside", DARK),
    ("power-cut-in-write", DARK),
    ("console-dies", DARK),
    ("autoboot-not-stopped", &["keys-not-taken", "autoboot-not-interruptible"]),
    ("prompt-not-configured", &["other-prompt"]),
    ("kernel-hangs", &["kernel-silent", "kernel-hangs"]),
    ("kernel-resets", &["boot-loader-again", "reset-loop", "resetting"]),
    ("password-unknown", &["login-refused"]),
    ("no-such-device", &["no-medium"]),
    ("no-such-device-in-uboot", &["no-medium", "unknown-command"]),
    ("no-dhcp", &["dhcp-silent"]),
    ("no-network", &["no-ethernet"]),
    ("no-such-boot-file", &["other-server-answers", "file-not-found"]),
    ("tftp-loses", &["packets-lost", "transfer-stopped", "answer-lost", "server-silent"]),
    ("console-is-noise", LINE),
    ("uboot-console-loses", LINE),
    ("no-tool-to-fetch", &["tool-missing"]),
    ("port-taken", &["port-taken"]),
    ("write-error", &["write-error"]),
    ("disk-full", &["write-error"]),
    ("read-error", &["read-error"]),
    ("bit-flipped-always", KEEPS_NOTHING),
    ("holds-less-and-wraps", KEEPS_NOTHING),
    ("holds-less-and-drops", KEEPS_NOTHING),
    ("linux-writes-lost", KEEPS_NOTHING),
    ("linux-reads-stale", KEEPS_NOTHING),
    ("uboot-writes-lost", KEEPS_NOTHING),
    ("uboot-reads-stale", KEEPS_NOTHING),
    // From here a medium that holds up the kernel for ever looks like a board that stopped.
    ("dd-stuck", &["medium-hangs", "board-stopped"]),
    ("medium-read-only", &["write-error", "write-protected"]),
    ("uboot-write-fails", &["write-error"]),
    ("status-404", &["image-missing"]),
    ("status-403", &["image-server-refuses"]),
    ("status-500", &["image-server-refuses"]),
    ("transfer-always-cut", SERVER),
    ("chunks-cut", SERVER),
    ("hangs-up", SERVER),
    ("no-http", SERVER),
    ("server-falls-silent", SERVER),
    ("redirect-in-circle", &["image-server-refuses"]),
    ("image-cut", IMAGE),
    ("image-empty", IMAGE),
    ("image-bit-flipped", IMAGE),
    ("image-with-garbage-behind", IMAGE),
    ("image-missing", &["image-missing"]),
    ("another-digest-demanded", IMAGE),
    ("image-too-long", &["medium-too-small"]),
    ("mux-refuses", &["mux-failed"]),
    ("mux-refuses-once", &["mux-failed"]),
    ("mux-does-not-give-back", &["mux-failed"]),
    ("mux-does-nothing", &["no-disk"]),
    ("mux-too-late", &["no-disk"]),
    ("mux-shows-a-file", &["other-disk"]),
    ("disk-write-protected", &["write-protected"]),
    ("disk-too-small", &["medium-too-small"]),
    ("disk-in-use", &["medium-in-use"]),
    ("emulated-write-error", &["write-error"]),
    ("emulator-killed", DARK),
];

/// How a failure's root cause stands to the faults of its case.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RootFound {
    /// It names one of them.
    Right,
    /// It is said not to be known.
    NotKnown,
    /// It names something else.
    Wrong,
}

/// The root cause on the receipt against the faults; none where a fault is not judged so, or the job ended before a board was looked at.
pub(crate) fn judge(case: &Case, seen: &Observation) -> Option<RootFound> {
    let receipt = seen.receipt.as_ref()?;
    let found = receipt["failure"]["diagnosis"]["root_cause"].as_str()?;
    let rows = case.faults.iter().map(|fault| ROOTS.iter().find(|(name, _)| *name == fault.name));
    let allowed: Vec<&(&str, &[&str])> = rows.collect::<Option<_>>()?;
    Some(match found {
        "unknown" => RootFound::NotKnown,
        found if allowed.iter().any(|(_, roots)| roots.contains(&found)) => RootFound::Right,
        _ => RootFound::Wrong,
    })
}
