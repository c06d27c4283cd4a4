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
    &[
        "crates/exporter-grpc/src/capability/console.rs",
        "crates/exporter-grpc/src/capability/file_server.rs",
        "crates/exporter-grpc/src/capability/flasher.rs",
        "crates/exporter-grpc/src/capability/group.rs",
        "crates/exporter-grpc/src/capability/method.rs",
        "crates/exporter-grpc/src/capability/mod.rs",
        "crates/exporter-grpc/src/capability/power.rs",
        "crates/exporter-grpc/src/capability/serial.rs",
        "crates/exporter-grpc/src/capability/storage.rs",
        "crates/exporter-grpc/src/jobs.rs",
        "crates/exporter-grpc/src/node.rs",
        "crates/exporter-grpc/src/resource/mod.rs",
        "crates/exporter-grpc/src/resource/table.rs",
        "crates/exporter-grpc/src/session.rs",
    ],
    &["crates/exporter-grpc/src/remote.rs", "crates/exporter-grpc/src/remote/line.rs"],
    &["crates/exporter-grpc/src/resource/encoding.rs", "crates/exporter-grpc/src/resource/pipe.rs"],
    &["crates/exporter-grpc/src/storage/root.rs", "crates/exporter-grpc/src/storage/walk.rs"],
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
