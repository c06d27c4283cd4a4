//! Power, and a console that is silent.

use flasher_core::flash::{Diagnosis, PowerState, View};
use flasher_core::{RootCause, Step};

use crate::console::Sign;
use crate::facts::{QUIET, advised, console, found, line, seen};
use crate::observed::Observed;

/// Silence after a command was interrupted that a working boot loader does not keep, seconds.
const MUTE: f64 = 4.0;

/// Silence of a board that is on its way to its boot loader's prompt, seconds.
const LONG: f64 = 10.0;

/// The board talks while its power is to be off.
pub(super) fn not_cut(observed: &Observed) -> Option<Diagnosis> {
    let bytes = observed.console.heard_while_off;
    let is_about_power = observed.step <= Step::Bootloader
        && observed.states_nothing_but(&[
            RootCause::AlreadyRunning,
            RootCause::NothingHeard,
            RootCause::KeysNotTaken,
            RootCause::AutobootNotInterruptible,
        ]);
    (bytes > 0 && is_about_power).then(|| {
        let heard = console(format!("{bytes} bytes came while the power was to be off"));
        advised(
            RootCause::PowerNotCut,
            [Some(heard), seen(View::Power, observed)].into_iter().flatten(),
            "does the switch cut this board's power, and is the board not fed by another cable (USB, the serial adapter)? a board that \
             runs on for a while must stay off for longer: `power_off_seconds: 10` in the flasher's config",
        )
    })
}

/// The kernel or the boot loader says that the supply is too weak, and the board does not get on.
pub(super) fn under_voltage(observed: &Observed) -> Option<Diagnosis> {
    let said = observed.console.sign(Sign::UnderVoltage)?;
    let fits = observed.states_nothing_but(&[
        RootCause::BootLoaderAgain,
        RootCause::Resetting,
        RootCause::FellSilent,
        RootCause::KernelPanic,
        RootCause::TransferBroke,
        RootCause::MediumHangs,
        RootCause::WriteError,
    ]);
    fits.then(|| {
        advised(
            RootCause::UnderVoltage,
            [line(said)],
            "use a stronger supply or a shorter, thicker cable; a board that is fed by USB often needs its own supply",
        )
    })
}

/// Not a byte since the power was switched on.
pub(super) fn nothing_heard(observed: &Observed) -> Option<Diagnosis> {
    let is_awaited = observed.step == Step::Bootloader && !observed.is_caught;
    let fits = observed.console.heard == 0 && observed.states_nothing_but(&[RootCause::NothingHeard]);
    // A board that is off on purpose has nothing to say.
    let is_off = observed.power.state == PowerState::Off;
    (is_awaited && fits && !is_off).then(|| {
        found(
            RootCause::NothingHeard,
            [seen(View::Console, observed), seen(View::Power, observed)].into_iter().flatten(),
        )
    })
}

/// The console stopped in a command of the boot loader, or before its prompt.
pub(super) fn fell_silent(observed: &Observed) -> Option<Diagnosis> {
    let quiet = observed.console.quiet;
    // A boot loader that asks for an address comes back to its prompt when it is interrupted.
    let is_mute = match observed.stated {
        Some(RootCause::DhcpSilent) => quiet >= MUTE,
        _ => quiet >= QUIET && observed.console.timeouts == 0 && observed.servers.transfers.is_empty(),
    };
    let fits = observed.states_nothing_but(&[RootCause::DhcpSilent, RootCause::FellSilent]);
    // Before the prompt a board says nothing for some seconds now and then.
    let (is_at_work, is_awaited) =
        (observed.is_caught && is_mute, observed.step == Step::Bootloader && quiet >= LONG);
    // Once something is written or loaded, others see more.
    let is_in_boot_loader =
        observed.step < Step::Target && !observed.console.is_kernel_started && observed.console.heard > 0;
    (is_in_boot_loader && (is_at_work || is_awaited) && fits).then(|| {
        let heard = console(format!("{} bytes came, and then nothing for {quiet:.0} s", observed.console.heard));
        advised(
            RootCause::FellSilent,
            [Some(heard), seen(View::Power, observed)].into_iter().flatten(),
            "did the board hang, or did its serial line come loose? `flasher console --power-cycle` shows whether it falls silent again",
        )
    })
}
