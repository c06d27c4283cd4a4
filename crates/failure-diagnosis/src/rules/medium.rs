//! What the kernel says of a medium that is written or read.

use flasher_core::flash::{Diagnosis, View};
use flasher_core::{RootCause, Step, TransferState};

use crate::console::Sign;
use crate::facts::{advised, line, seen, servers};
use crate::observed::Observed;
use crate::servers::sentence;

/// What a step shows that works on a medium.
const TROUBLE: &[RootCause] = &[
    RootCause::WriteError,
    RootCause::ReadError,
    RootCause::MediumHangs,
    RootCause::TransferBroke,
    RootCause::NoMedium,
    RootCause::WritesLost,
];

/// The medium left.
pub(super) fn gone(observed: &Observed) -> Option<Diagnosis> {
    // A stick that is gone leaves errors of its own.
    let of_usb = observed.console.sign(Sign::InputOutput).and(observed.console.sign(Sign::UsbGone));
    let said = observed.console.sign(Sign::Gone).or(of_usb)?;
    is_work(observed).then(|| {
        advised(
            RootCause::MediumGone,
            [Some(line(said)), seen(View::Medium, observed)].into_iter().flatten(),
            "is the card or stick seated well, and its supply strong enough? try another slot or port",
        )
    })
}

/// The medium takes no writes.
pub(super) fn write_protected(observed: &Observed) -> Option<Diagnosis> {
    let said = observed.console.sign(Sign::Protected)?;
    is_work(observed).then(|| {
        advised(
            RootCause::WriteProtected,
            [line(said)],
            "move the lock of the card's adapter; a card or eMMC that protects itself is at its end and must be replaced",
        )
    })
}

/// The controller waits for the medium, or everything was sent and nothing goes on.
pub(super) fn hangs(observed: &Observed) -> Option<Diagnosis> {
    let fits = is_work(observed) && observed.states_nothing_but(&[RootCause::MediumHangs]);
    let answers = seen(View::Console, observed).filter(|_| observed.console.answers.is_some());
    let said = observed.console.sign(Sign::NoAnswer).map(line);
    let whole =
        observed.servers.by_http().filter(|transfer| matches!(transfer.state, TransferState::Done { .. }));
    let is_stuck = said.is_some() || whole.is_some() && observed.states(&[RootCause::MediumHangs]);
    (fits && is_stuck).then(|| {
        advised(
            RootCause::MediumHangs,
            [said, answers, whole.map(|transfer| servers(sentence(transfer))), seen(View::Medium, observed)]
                .into_iter()
                .flatten(),
            "try another medium; the same one at the same place again means that it is at its end",
        )
    })
}

/// The kernel names the sector that was not written or read.
pub(super) fn input_output(observed: &Observed) -> Option<Diagnosis> {
    let said = observed.console.sign(Sign::InputOutput)?;
    let fits = is_work(observed)
        && observed.states_nothing_but(&[
            RootCause::WriteError,
            RootCause::ReadError,
            RootCause::MediumHangs,
        ]);
    let is_reading = observed.states(&[RootCause::ReadError])
        || matches!(observed.step, Step::Verify | Step::Read | Step::Compare);
    let cause = if is_reading { RootCause::ReadError } else { RootCause::WriteError };
    fits.then(|| {
        crate::facts::found(cause, [Some(line(said)), seen(View::Medium, observed)].into_iter().flatten())
    })
}

/// Whether a medium was being worked on, and the failure itself shows nothing else.
fn is_work(observed: &Observed) -> bool {
    observed.step >= Step::Target && observed.states_nothing_but(TROUBLE)
}
