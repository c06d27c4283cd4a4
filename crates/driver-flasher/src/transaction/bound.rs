//! How long an attempt may take when the job does not say: long enough for a slow board, and never for ever.

use std::time::Duration;

use flasher_core::{Error, Step};

use crate::config::{Timeouts, seconds};

/// The slowest pace at which an image is compared, written and read back that is still taken for progress, bytes a second.
const FLOOR_PACE: u64 = 128 * 1024;
/// For an image whose length shows only at its end.
const UNKNOWN_LENGTH: Duration = Duration::from_secs(24 * 3600);
/// Files that a boot loader loads: kernel, initramfs, device tree.
const FILES: u32 = 3;
/// Commands in the shell that are not part of writing and reading back, generously.
const COMMANDS: u32 = 30;
/// Power off and on, and what typing commands takes beyond their own limits.
const BESIDES: Duration = Duration::from_secs(900);

/// The longest time that an attempt may take from power on: the steps' own limits, and each image compared, written and read back
/// at 128 KiB/s. `lengths` are those of the decoded images, as far as they are known.
pub(crate) fn longest(timeouts: &Timeouts, lengths: impl IntoIterator<Item = Option<u64>>) -> Duration {
    let steps = [
        seconds(timeouts.bootloader),
        seconds(timeouts.dhcp),
        seconds(timeouts.tftp).saturating_mul(FILES),
        seconds(timeouts.shell),
        seconds(timeouts.command).saturating_mul(COMMANDS),
        seconds(timeouts.boot_check),
    ];
    let images = lengths.into_iter().map(|length| match length {
        Some(length) => Duration::from_secs(length.div_ceil(FLOOR_PACE)).saturating_mul(3),
        None => UNKNOWN_LENGTH,
    });
    steps.into_iter().chain(images).fold(BESIDES, Duration::saturating_add)
}

/// The job's own deadline passed in that step.
pub(super) fn too_late(deadline: Duration, step: Step) -> Error {
    overdue(format!("the deadline of {} s passed in step {step}", deadline.as_secs()))
}

/// The attempt took longer than any that works, in that step.
pub(super) fn attempt_too_long(longest: Duration, step: Step) -> Error {
    let longest = longest.as_secs();
    overdue(format!(
        "the attempt took longer than {longest} s, the limit of a job without a deadline, in step {step}"
    ))
}

fn overdue(text: String) -> Error {
    Error::infrastructure(text)
        .help("give more time with `--deadline`; the steps' times in the receipt show where it went")
        .retryable(false)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limit_follows_the_images_and_the_timeouts() {
        let usual = Timeouts::default();
        // 60 + 60 + 3 * 120 + 180 + 30 * 60 + 180 + 900
        let base = 3540;
        let slow = Timeouts { bootloader: 600.0, ..usual };
        let cases = [
            (usual, vec![], base),
            (usual, vec![Some(0)], base),
            (usual, vec![Some(1)], base + 3),
            (usual, vec![Some(1 << 30)], base + 3 * 8192),
            (usual, vec![Some(1 << 20), Some(2 << 20)], base + 3 * 8 + 3 * 16),
            (usual, vec![None], base + 86_400),
            (slow, vec![], base + 540),
        ];
        for (timeouts, lengths, expected) in cases {
            let limit = longest(&timeouts, lengths.clone());
            assert_eq!(limit.as_secs(), expected, "{lengths:?}");
        }
        let nonsense = Timeouts { shell: f64::MAX, tftp: f64::NAN, ..usual };
        assert!(longest(&nonsense, [Some(u64::MAX)]) > Duration::from_secs(86_400));
    }

    #[test]
    fn what_is_told_names_the_step_and_the_way_out() {
        for (error, expected) in [
            (too_late(Duration::from_secs(90), Step::Write), "the deadline of 90 s passed in step write"),
            (
                attempt_too_long(Duration::from_secs(3540), Step::Bootloader),
                "the attempt took longer than 3540 s, the limit of a job without a deadline, in step bootloader",
            ),
        ] {
            assert_eq!(error.cause(), expected);
            assert!(!error.is_retryable());
        }
    }
}
