//! Boards that start again, and kernels that do not come up.

use super::*;

/// A board whose kernel was started and said this.
fn kernel(says: &str) -> Observed {
    failed(Step::Shell, None).says("U-Boot 2024.01\nStarting kernel ...").says(says)
}

pub(super) fn stories() -> Vec<Story> {
    [restarts(), kernels()].concat()
}

fn restarts() -> Vec<Story> {
    let again = |says| failed(Step::Shell, Some(RootCause::BootLoaderAgain)).says(says);
    let mut cut = failed(Step::Write, Some(RootCause::TransferBroke))
        .says("U-Boot 2024.01\nStarting kernel ...\n[ 1.0] x");
    cut = cut.says("U-Boot 2024.01");
    vec![
        Story {
            name: "a watchdog that nothing feeds",
            class: Class::Board,
            observed: again(
                "U-Boot 2024.01\nReset cause: POR\nStarting kernel ...\nU-Boot 2024.01\nReset cause: WDOG",
            ),
            cause: RootCause::Watchdog,
            seen: &["console: `Reset cause: WDOG`", "console: U-Boot began 2 times"],
            next: "stop the watchdog in U-Boot",
        },
        Story {
            name: "a board that starts again and again",
            class: Class::Board,
            observed: again("U-Boot 2024.01\nU-Boot 2024.01\nU-Boot 2024.01\nU-Boot 2024.01"),
            cause: RootCause::ResetLoop,
            seen: &["console: U-Boot began 4 times since the power was switched on"],
            next: "is the supply strong enough",
        },
        Story {
            name: "a power cut while the boot loader writes",
            class: Class::Board,
            observed: failed(Step::Write, None).says("U-Boot 2024.01").quiet(30.0),
            cause: RootCause::BoardStopped,
            seen: &[
                "console: nothing has come for 30 s",
                "power: switched on, and the switch reports that it is",
            ],
            next: "was the power cut elsewhere",
        },
        Story {
            name: "a power cut in the middle of writing",
            class: Class::Infrastructure,
            observed: cut,
            cause: RootCause::BootLoaderAgain,
            seen: &[
                "console: U-Boot began 2 times since the power was switched on",
                "power: switched on, and the switch reports that it is",
            ],
            next: "was the power cut",
        },
    ]
}

fn kernels() -> Vec<Story> {
    let killed = "[ 9.0] Out of memory: Killed process 88 (gzip) total-vm:1234kB";
    let mut starved = kernel("[ 0.1] Booting Linux").says(killed);
    (starved.step, starved.stated) = (Step::Write, Some(RootCause::TransferBroke));
    vec![
        Story {
            name: "a kernel with another console",
            class: Class::Board,
            observed: kernel("").quiet(60.0),
            cause: RootCause::KernelSilent,
            seen: &["console: nothing came after the kernel was started"],
            next: "a kernel that is silent often prints elsewhere",
        },
        Story {
            name: "a driver that waits for ever",
            class: Class::Board,
            observed: kernel("[ 0.0] Booting Linux\n[ 1.0] mmc0: probing").quiet(58.0),
            cause: RootCause::KernelHangs,
            seen: &["console: 2 lines came after the kernel was started, the last one 58 s ago"],
            next: "",
        },
        Story {
            name: "an initial RAM disk at another address",
            class: Class::Board,
            observed: Observed {
                stated: Some(RootCause::KernelPanic),
                ..kernel(
                    "VFS: Unable to mount root fs on unknown-block(0,0)\nKernel panic - not syncing: VFS: Unable to mount root fs",
                )
            },
            cause: RootCause::NoRootFileSystem,
            seen: &["console: `VFS: Unable to mount root fs on unknown-block(0,0)`"],
            next: "the initial RAM disk was not found",
        },
        Story {
            name: "a kernel that panics while it writes",
            class: Class::Infrastructure,
            observed: Observed {
                step: Step::Write,
                stated: Some(RootCause::TransferBroke),
                ..kernel("[ 8.0] Kernel panic - not syncing: Asynchronous SError Interrupt")
            },
            cause: RootCause::KernelPanic,
            seen: &["console: `[ 8.0] Kernel panic - not syncing: Asynchronous SError Interrupt`"],
            next: "",
        },
        Story {
            name: "a board with too little memory",
            class: Class::Infrastructure,
            observed: starved,
            cause: RootCause::BoardOutOfMemory,
            seen: &["console: `[ 9.0] Out of memory: Killed process 88 (gzip) total-vm:1234kB`"],
            next: "give the small Linux more memory",
        },
    ]
}
