//! Circles that are still to be broken. The list only shrinks: a circle that was broken is taken out.

/// Groups of files in which every circle is allowed.
pub(super) const ALLOWED: &[&[&str]] = &[
    &[
        "crates/board-console/src/cause.rs",
        "crates/board-console/src/error.rs",
        "crates/board-console/src/pattern.rs",
    ],
    &["crates/board-console/src/shell.rs", "crates/board-console/src/shell/run.rs"],
    &[
        "crates/board-console/src/uboot.rs",
        "crates/board-console/src/uboot/catch.rs",
        "crates/board-console/src/uboot/line.rs",
        "crates/board-console/src/uboot/wait.rs",
    ],
    &["crates/driver-pyserial/src/config.rs", "crates/driver-pyserial/src/tty.rs"],
    &["crates/driver-pyserial/src/driver.rs", "crates/driver-pyserial/src/driver/keep.rs"],
    &["crates/flasher-core/src/config/section.rs", "crates/flasher-core/src/config/shape.rs"],
    &[
        "crates/flasher-core/src/event.rs",
        "crates/flasher-core/src/flash.rs",
        "crates/flasher-core/src/receipt.rs",
        "crates/flasher-core/src/receipt/attempt.rs",
        "crates/flasher-core/src/receipt/on_medium.rs",
    ],
    &["crates/flasher-core/src/receipt/audit.rs", "crates/flasher-core/src/receipt/audit/medium.rs"],
    &[
        "crates/flasher-core/src/tree/build.rs",
        "crates/flasher-core/src/tree/children.rs",
        "crates/flasher-core/src/tree/notes.rs",
        "crates/flasher-core/src/tree/raw.rs",
    ],
];
