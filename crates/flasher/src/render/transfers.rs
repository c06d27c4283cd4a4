//! A transfer of a file server as one line, for who serves by hand.

use flasher_core::{Transfer, TransferState};

use super::units::{bytes, seconds, tame};

/// `tftp kernel to 10.0.0.2:1069: 30 MiB in 0.3 s (100 MiB/s), 2 packets sent again, round trip 0.31 ms`.
pub(crate) fn line(transfer: &Transfer) -> String {
    let Transfer { protocol, peer, file, state } = transfer;
    format!("{} {} to {peer}: {}", tame(protocol), tame(file), outcome(state))
}

fn outcome(state: &TransferState) -> String {
    match state {
        TransferState::Begun { length, options } => {
            let length = length.map_or_else(|| "unknown length".to_owned(), bytes);
            let options = if options.is_empty() { String::new() } else { format!(", {}", tame(options)) };
            format!("begins, {length}{options}")
        }
        TransferState::Done { bytes: count, resends, seconds: time, round_trip } => {
            let rate = if *time > 0.0 {
                format!(" ({}/s)", bytes((*count as f64 / time) as u64))
            } else {
                String::new()
            };
            let again = if *resends > 0 { format!(", {resends} packets sent again") } else { String::new() };
            let trip =
                round_trip.map_or_else(String::new, |trip| format!(", round trip {:.2} ms", trip * 1e3));
            format!("{} in {}{rate}{again}{trip}", bytes(*count), seconds(*time))
        }
        TransferState::Unconfirmed { resends, seconds: time, .. } => format!(
            "all sent in {}, {resends} packets again; the last acknowledgement did not come",
            seconds(*time)
        ),
        TransferState::SizeAsked { length } => format!("asked for the length only, {}", bytes(*length)),
        TransferState::Failed { bytes: count, reason } => {
            format!("failed after {}: {}", bytes(*count), tame(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: TransferState, expected: &str) {
        let (protocol, file) = ("tftp".to_owned(), "ker\u{1b}nel".to_owned());
        let transfer = Transfer { protocol, peer: ([10, 0, 0, 2], 1069).into(), file, state };
        assert_eq!(line(&transfer), format!("tftp ker\u{fffd}nel to 10.0.0.2:1069: {expected}"));
    }

    #[test]
    fn each_state_has_its_words() {
        let begun = |length, options: &str| TransferState::Begun { length, options: options.to_owned() };
        check(begun(Some(1 << 20), "blksize 1468"), "begins, 1 MiB, blksize 1468");
        check(begun(None, ""), "begins, unknown length");
        let done =
            |resends, round_trip| TransferState::Done { bytes: 3 << 20, resends, seconds: 1.5, round_trip };
        check(done(0, None), "3 MiB in 1.5 s (2 MiB/s)");
        check(done(2, Some(0.000_314)), "3 MiB in 1.5 s (2 MiB/s), 2 packets sent again, round trip 0.31 ms");
        check(
            TransferState::Unconfirmed { bytes: 3 << 20, resends: 9, seconds: 12.5 },
            "all sent in 12.5 s, 9 packets again; the last acknowledgement did not come",
        );
        check(TransferState::SizeAsked { length: 3 << 20 }, "asked for the length only, 3 MiB");
        let failed = TransferState::Failed { bytes: 512, reason: "no answer".to_owned() };
        check(failed, "failed after 512 bytes: no answer");
    }
}
