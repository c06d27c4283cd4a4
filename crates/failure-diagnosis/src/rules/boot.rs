//! A board that starts again, and a kernel that does not come up.

use flasher_core::flash::{Diagnosis, Observation, View};
use flasher_core::{RootCause, Step};

use crate::console::Sign;
use crate::facts::{advised, console, found, line, lines, seen};
use crate::observed::Observed;

/// What a board shows that starts again.
const RESTART: &[RootCause] = &[RootCause::BootLoaderAgain, RootCause::Resetting, RootCause::KernelPanic];
/// A boot loader that prints nothing for so many seconds, and no prompt, is gone.
const LONG: f64 = 5.0;
/// So many starts in one attempt are no accident.
const LOOP: u32 = 3;

/// The boot loader says what has reset the board.
pub(super) fn watchdog(observed: &Observed) -> Option<Diagnosis> {
    let said = observed.console.sign(Sign::Watchdog)?;
    (observed.console.banners > 1 || observed.states(RESTART)).then(|| {
        advised(
            RootCause::Watchdog,
            [Some(line(said)), seen(View::Console, observed)].into_iter().flatten(),
            "stop the watchdog in U-Boot (`wdt dev`, `wdt stop`) by a command before the boot command, or boot a kernel that feeds it",
        )
    })
}

/// The board starts again and again.
pub(super) fn reset_loop(observed: &Observed) -> Option<Diagnosis> {
    let banners = observed.console.banners;
    let fits = observed.states_nothing_but(RESTART) || observed.states(&[RootCause::NothingHeard]);
    (banners >= LOOP && fits).then(|| {
        advised(
            RootCause::ResetLoop,
            [began(banners)],
            "is the supply strong enough, and is a watchdog on? the console's lines before each start may tell",
        )
    })
}

/// The kernel looked for a root file system and found none.
pub(super) fn no_root_file_system(observed: &Observed) -> Option<Diagnosis> {
    let said = observed.console.sign(Sign::NoRoot)?;
    is_boot(observed).then(|| {
        advised(
            RootCause::NoRootFileSystem,
            [line(said)],
            "the initial RAM disk was not found or not unpacked: check its address and size in the manifest's boot command, and that the \
             kernel knows its compression",
        )
    })
}

/// The kernel panicked.
pub(super) fn kernel_panic(observed: &Observed) -> Option<Diagnosis> {
    let said = observed.console.sign(Sign::Panic)?;
    observed
        .states_nothing_but(&[RootCause::KernelPanic, RootCause::BootLoaderAgain, RootCause::TransferBroke])
        .then(|| found(RootCause::KernelPanic, [line(said)]))
}

/// The kernel ended a process for want of memory.
pub(super) fn out_of_memory(observed: &Observed) -> Option<Diagnosis> {
    let said = observed.console.sign(Sign::OutOfMemory)?;
    let fits = observed.step > Step::Bootloader && observed.states_nothing_but(&[RootCause::TransferBroke]);
    fits.then(|| {
        advised(
            RootCause::BoardOutOfMemory,
            [line(said)],
            "give the small Linux more memory (`mem=` in the boot command may hold some back), or a smaller initial RAM disk",
        )
    })
}

/// The board came back to its boot loader in the middle of the work.
pub(super) fn started_again(observed: &Observed) -> Option<Diagnosis> {
    let banners = observed.console.banners;
    let fits = observed.states_nothing_but(&[RootCause::BootLoaderAgain, RootCause::TransferBroke]);
    (banners > 1 && fits && observed.step > Step::Bootloader).then(|| {
        advised(
            RootCause::BootLoaderAgain,
            [Some(began(banners)), seen(View::Power, observed)]
                .into_iter()
                .flatten(),
            "was the power cut, is the supply too weak, or did a watchdog bite? the console's lines before the boot loader may tell",
        )
    })
}

/// Linux does not answer any more, or the boot loader does not come back.
pub(super) fn stopped(observed: &Observed) -> Option<Diagnosis> {
    // A boot loader that is at work is asked nothing: it comes back to its prompt, or it is silent.
    let is_mute = !observed.console.is_kernel_started && observed.console.quiet >= LONG;
    let fits = observed.step > Step::Shell
        && (observed.console.answers == Some(false) || is_mute)
        && observed.states_nothing_but(&[
            RootCause::TransferBroke,
            RootCause::MediumHangs,
            RootCause::FellSilent,
        ]);
    fits.then(|| {
        let views = [View::Console, View::Servers, View::Power];
        advised(
            RootCause::BoardStopped,
            views.into_iter().filter_map(|view| seen(view, observed)),
            "was the power cut elsewhere, or did the board crash? `flasher console` shows whether it says anything; a medium that holds up the \
             kernel for ever looks the same",
        )
    })
}

/// Nothing after `Starting kernel`.
pub(super) fn kernel_silent(observed: &Observed) -> Option<Diagnosis> {
    let view = &observed.console;
    (is_boot(observed) && view.is_kernel_started && view.kernel_lines == 0).then(|| {
        advised(
            RootCause::KernelSilent,
            [console("nothing came after the kernel was started")],
            "a kernel that is silent often prints elsewhere: `console=` in the manifest's boot command names its line; or it is for another \
             board, or got another board's device tree",
        )
    })
}

/// Lines of a kernel, and no shell.
pub(super) fn kernel_hangs(observed: &Observed) -> Option<Diagnosis> {
    let view = &observed.console;
    (is_boot(observed) && view.is_kernel_started && view.kernel_lines > 0).then(|| {
        let lines = console(format!(
            "{} came after the kernel was started, the last one {:.0} s ago",
            lines(view.kernel_lines),
            view.quiet
        ));
        found(RootCause::KernelHangs, [lines])
    })
}

/// How often the boot loader came.
fn began(banners: u32) -> Observation {
    console(format!("U-Boot began {banners} times since the power was switched on"))
}

/// Whether the small Linux was awaited, and the failure itself shows nothing but that.
fn is_boot(observed: &Observed) -> bool {
    observed.step == Step::Shell && observed.states_nothing_but(&[RootCause::KernelPanic])
}
