//! Power, and consoles that are silent.

use super::*;

pub(super) fn stories() -> Vec<Story> {
    let mut fed = failed(Step::Bootloader, Some(RootCause::AlreadyRunning));
    fed.console.heard_while_off = 312;
    let mut silent = failed(Step::Bootloader, None).quiet(60.0);
    (silent.console.heard, silent.is_caught) = (0, false);
    let mut dark = failed(Step::Bootloader, None).quiet(19.0);
    (dark.console.heard, dark.is_caught) = (312, false);
    let mut off = failed(Step::Bootloader, None);
    (off.console.heard, off.is_caught, off.power.state) = (0, false, PowerState::Off);
    let mut mux = off.clone();
    mux.stated = Some(RootCause::MuxFailed);
    let mut by_hand = silent.clone();
    by_hand.power = PowerView { evidence: PowerEvidence::NotConfirmed, is_by_hand: true, ..by_hand.power };
    vec![
        Story {
            name: "a board that is fed by its USB cable as well",
            class: Class::Board,
            observed: fed,
            cause: RootCause::PowerNotCut,
            seen: &[
                "console: 312 bytes came while the power was to be off",
                "power: switched on, and the switch reports that it is",
            ],
            next: "does the switch cut this board's power",
        },
        Story {
            name: "a cable that is not in",
            class: Class::Board,
            observed: silent,
            cause: RootCause::NothingHeard,
            seen: &[
                "console: nothing came since the power was switched on",
                "power: switched on, and the switch reports that it is",
            ],
            next: "",
        },
        Story {
            name: "a person who did not switch",
            class: Class::Board,
            observed: by_hand,
            cause: RootCause::NothingHeard,
            seen: &[
                "console: nothing came since the power was switched on",
                "power: switched on, by hand, so nothing confirms it",
            ],
            next: "",
        },
        Story {
            name: "a mux that fails while the board is off, as it is to be",
            class: Class::Infrastructure,
            observed: mux,
            cause: RootCause::MuxFailed,
            seen: &[],
            next: "",
        },
        Story {
            name: "something else that fails while the board is off",
            class: Class::Infrastructure,
            observed: off,
            cause: RootCause::Unknown,
            seen: &["power: switched off, and the switch reports that it is"],
            next: "",
        },
        Story {
            name: "a plug that comes loose while the board asks for an address",
            class: Class::Infrastructure,
            observed: failed(Step::Bootloader, Some(RootCause::DhcpSilent)).says("U-Boot 2024.01").quiet(61.0),
            cause: RootCause::FellSilent,
            seen: &[
                "console: 5000 bytes came, and then nothing for 61 s",
                "power: switched on, and the switch reports that it is",
            ],
            next: "did the board hang, or did its serial line come loose?",
        },
        Story {
            name: "a board that hangs before its boot loader is there",
            class: Class::Board,
            observed: dark.clone(),
            cause: RootCause::FellSilent,
            seen: &[
                "console: 312 bytes came, and then nothing for 19 s",
                "power: switched on, and the switch reports that it is",
            ],
            next: "did the board hang, or did its serial line come loose?",
        },
        Story {
            name: "a board that may still be on its way to its boot loader",
            class: Class::Board,
            observed: dark.quiet(4.0),
            cause: RootCause::Unknown,
            seen: &[
                "console: nothing has come for 4 s",
                "power: switched on, and the switch reports that it is",
            ],
            next: "",
        },
        Story {
            name: "a boot loader that hangs while it is asked for its memory",
            class: Class::Board,
            observed: failed(Step::Shell, None).says("U-Boot 2024.01").quiet(20.0),
            cause: RootCause::FellSilent,
            seen: &[
                "console: 5000 bytes came, and then nothing for 20 s",
                "power: switched on, and the switch reports that it is",
            ],
            next: "did the board hang, or did its serial line come loose?",
        },
        Story {
            name: "a board that hangs once it has asked for an address",
            class: Class::Infrastructure,
            observed: failed(Step::Bootloader, Some(RootCause::DhcpSilent)).says("BOOTP broadcast 1").quiet(8.0),
            cause: RootCause::FellSilent,
            seen: &[
                "console: 5000 bytes came, and then nothing for 8 s",
                "power: switched on, and the switch reports that it is",
            ],
            next: "did the board hang, or did its serial line come loose?",
        },
        Story {
            name: "a board on a thin USB cable",
            class: Class::Board,
            observed: failed(Step::Shell, Some(RootCause::BootLoaderAgain))
                .says("U-Boot 2024.01\nStarting kernel ...\n[ 2.1] hwmon hwmon1: Undervoltage detected!\nU-Boot 2024.01"),
            cause: RootCause::UnderVoltage,
            seen: &["console: `[ 2.1] hwmon hwmon1: Undervoltage detected!`"],
            next: "use a stronger supply",
        },
        Story {
            name: "a switch that says something else",
            class: Class::Infrastructure,
            observed: failed(Step::Power, Some(RootCause::SwitchDisagrees)),
            cause: RootCause::SwitchDisagrees,
            seen: &["power: switched on, and the switch reports that it is"],
            next: "",
        },
    ]
}
