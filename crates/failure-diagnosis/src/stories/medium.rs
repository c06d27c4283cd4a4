//! What kernels say of media.

use super::*;

/// A write that failed like this, while the kernel said that.
fn writing(stated: Option<RootCause>, says: &str) -> Observed {
    failed(Step::Write, stated)
        .says("Starting kernel ...")
        .says(says)
        .holds(MediumState::PartlyWritten { to: 0 })
}

fn answering(mut observed: Observed, it_does: bool) -> Observed {
    observed.console.answers = Some(it_does);
    observed
}

const PARTLY: &str = "medium: partly written: the first block may be erased, and some of the image may be on it; do not boot from it";

pub(super) fn stories() -> Vec<Story> {
    let whole = TransferState::Done { bytes: 4096, resends: 0, seconds: 9.0, round_trip: None };
    vec![
        Story {
            name: "a card that comes out of its slot",
            class: Class::Medium,
            observed: writing(
                Some(RootCause::WriteError),
                "[ 20.1] mmc1: card b368 removed\n[ 20.2] I/O error, dev mmcblk1, sector 8",
            ),
            cause: RootCause::MediumGone,
            seen: &["console: `[ 20.1] mmc1: card b368 removed`", PARTLY],
            next: "is the card or stick seated well",
        },
        Story {
            name: "a stick that is pulled",
            class: Class::Medium,
            observed: writing(
                Some(RootCause::WriteError),
                "[ 20.1] usb 1-1: USB disconnect, device number 2\n[ 20.2] I/O error, dev sda, sector 8",
            ),
            cause: RootCause::MediumGone,
            seen: &["console: `[ 20.1] usb 1-1: USB disconnect, device number 2`", PARTLY],
            next: "is the card or stick seated well",
        },
        Story {
            name: "the lock of an adapter",
            class: Class::Medium,
            observed: writing(Some(RootCause::WriteError), "[ 1.9] sd 0:0:0:0: [sda] Write Protect is on"),
            cause: RootCause::WriteProtected,
            seen: &["console: `[ 1.9] sd 0:0:0:0: [sda] Write Protect is on`"],
            next: "move the lock",
        },
        Story {
            name: "a controller that waits for its card",
            class: Class::Infrastructure,
            observed: writing(None, "[ 60.0] mmc0: Timeout waiting for hardware interrupt."),
            cause: RootCause::MediumHangs,
            seen: &["console: `[ 60.0] mmc0: Timeout waiting for hardware interrupt.`", PARTLY],
            next: "try another medium",
        },
        Story {
            name: "a medium that never finishes",
            class: Class::Infrastructure,
            observed: answering(
                writing(Some(RootCause::MediumHangs), "").sent("http", "1/frames", whole.clone()),
                true,
            ),
            cause: RootCause::MediumHangs,
            seen: &[
                "console: the kernel was started and nothing came after it, the board's Linux still answers",
                "servers: a http request of 10.0.0.21 was served whole: 4096 bytes, 0 packets sent again",
                PARTLY,
            ],
            next: "try another medium",
        },
        Story {
            name: "a power cut while the last bytes are on their way",
            class: Class::Infrastructure,
            observed: answering(
                writing(Some(RootCause::MediumHangs), "").sent("http", "1/frames", whole),
                false,
            )
            .quiet(47.0),
            cause: RootCause::BoardStopped,
            seen: &[
                "console: the kernel was started and nothing came after it, the board's Linux does not answer any more, nothing has come for 47 s",
                "servers: a http request of 10.0.0.21 was served whole: 4096 bytes, 0 packets sent again",
                "power: switched on, and the switch reports that it is",
            ],
            next: "was the power cut elsewhere",
        },
        Story {
            name: "a sector that takes nothing",
            class: Class::Medium,
            observed: writing(
                Some(RootCause::WriteError),
                "[ 33.0] I/O error, dev mmcblk0, sector 2048 op 0x1:(WRITE)",
            ),
            cause: RootCause::WriteError,
            seen: &["console: `[ 33.0] I/O error, dev mmcblk0, sector 2048 op 0x1:(WRITE)`", PARTLY],
            next: "",
        },
        Story {
            name: "a sector that cannot be read back",
            class: Class::Medium,
            observed: Observed {
                step: Step::Verify,
                ..writing(Some(RootCause::ReadError), "[ 33.0] critical medium error, dev sda, sector 4096")
            },
            cause: RootCause::ReadError,
            seen: &["console: `[ 33.0] critical medium error, dev sda, sector 4096`", PARTLY],
            next: "",
        },
        Story {
            name: "a card that holds less than it says",
            class: Class::Medium,
            observed: Observed { step: Step::Verify, ..writing(Some(RootCause::Counterfeit), "") },
            cause: RootCause::Counterfeit,
            seen: &[PARTLY],
            next: "",
        },
    ]
}
