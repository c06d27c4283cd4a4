//! How a transfer ends before its time.

use std::io;
use std::time::Duration;

use crate::packet::{Code, Refusal};
use crate::tally::Tally;

/// How a client ended a transfer, or why the server does.
#[derive(Debug)]
pub(crate) enum End {
    /// The client sent an ERROR.
    Client { code: u16, text: String },
    /// The client's host says that the port is closed.
    PortClosed,
    /// Nothing was heard for so long, after so many repetitions.
    Silence { times: u32, silent: Duration },
    /// The client talks, and has had nothing new for so long.
    Standstill(Duration),
    /// Everything was sent, and the last acknowledgement never came. A client that has the last block sends it once and goes
    /// away (U-Boot), so it may be that one that was lost.
    Unconfirmed,
    /// A newer request of the same address took its place.
    Replaced,
    /// The file could not be read, or what takes it does not.
    File(io::Error),
    /// A client that sends a file sent nothing more for so long.
    Quiet(Duration),
    /// A client sent a block before the one that was expected.
    OutOfOrder { expected: u64, number: u16 },
    /// A client sent more bytes than these.
    TooLong(u64),
    /// The file that a client sends is not wanted any more.
    Withdrawn,
    /// The server stops.
    Stopped,
    /// The client asked for another file, or again, from the same port.
    AskedAnew,
}

impl End {
    /// Why, and how far it came, for the report.
    pub(crate) fn reason(&self, tally: Tally) -> String {
        let why = match self {
            Self::Client { code, text } => format!("the client ended it: error {code} {text:?}"),
            Self::PortClosed => "the client closed its port".into(),
            Self::Silence { times, silent } => {
                format!("no answer in {:.1} s after sending {times} times", silent.as_secs_f64())
            }
            Self::Standstill(time) => {
                format!("the client repeats itself and took nothing new for {:.0} s", time.as_secs_f64())
            }
            Self::Unconfirmed => "the last acknowledgement did not come".into(),
            Self::Replaced => {
                "a newer request of this address took its place: too many wait unanswered at once".into()
            }
            Self::File(error) => error.to_string(),
            Self::Quiet(time) => format!("nothing came from the client for {:.0} s", time.as_secs_f64()),
            Self::OutOfOrder { expected, number } => {
                format!("the client sent block {number} where block {} was expected", *expected as u16)
            }
            Self::TooLong(limit) => format!("the client sent more than {limit} bytes"),
            Self::Withdrawn => "what the client sends is not wanted any more".into(),
            Self::Stopped => "the server stopped".into(),
            Self::AskedAnew => "the client asked anew".into(),
        };
        let far = match tally.block {
            None | Some(0) => "no block was acknowledged".to_owned(),
            Some(block) => format!("the last block acknowledged was {block}"),
        };
        let again = if tally.resends > 0 { format!(", {} sent again", tally.resends) } else { String::new() };
        format!("{why}; {far}{again}")
    }

    /// The ERROR that tells the client, when it may still listen.
    pub(crate) fn refusal(&self) -> Option<Refusal> {
        if let Self::TooLong(limit) = self {
            return Some(Refusal::new(Code::DiskFull, format!("at most {limit} bytes are expected")));
        }
        let text = match self {
            // The client has begun anew on the same port: an ERROR would hit its new transfer.
            Self::Client { .. } | Self::PortClosed | Self::AskedAnew | Self::Unconfirmed => return None,
            Self::Silence { .. } | Self::Standstill(_) => "no acknowledgement, giving up",
            Self::Replaced => "server busy",
            Self::File(_) => "cannot read or take the file",
            Self::Quiet(_) => "nothing came, giving up",
            Self::OutOfOrder { .. } => "a block is missing",
            Self::TooLong(_) => "too many bytes",
            Self::Withdrawn => "this file is not wanted any more",
            Self::Stopped => "the server stopped",
        };
        Some(Refusal::new(Code::NotDefined, text))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_end_says_why_and_how_far_it_came() {
        let tally = |block, resends| Tally { bytes: 0, resends, block, round_trip: None };
        let shrunk =
            || io::Error::new(io::ErrorKind::UnexpectedEof, "the file became shorter while it was sent");
        let cases = [
            (
                End::Client { code: 3, text: "full".into() },
                tally(Some(7), 0),
                "the client ended it: error 3 \"full\"; the last block acknowledged was 7",
                None,
            ),
            (
                End::PortClosed,
                tally(Some(0), 0),
                "the client closed its port; no block was acknowledged",
                None,
            ),
            (
                End::Silence { times: 4, silent: Duration::from_millis(12_340) },
                tally(None, 3),
                "no answer in 12.3 s after sending 4 times; no block was acknowledged, 3 sent again",
                Some("no acknowledgement, giving up"),
            ),
            (
                End::Standstill(Duration::from_secs(120)),
                tally(Some(9), 50),
                "the client repeats itself and took nothing new for 120 s; the last block acknowledged was 9, 50 sent again",
                Some("no acknowledgement, giving up"),
            ),
            (
                End::Replaced,
                tally(None, 0),
                "a newer request of this address took its place: too many wait unanswered at once; no block was acknowledged",
                Some("server busy"),
            ),
            (
                End::File(shrunk()),
                tally(Some(70_000), 0),
                "the file became shorter while it was sent; the last block acknowledged was 70000",
                Some("cannot read or take the file"),
            ),
            (
                End::Quiet(Duration::from_secs(30)),
                tally(Some(0), 0),
                "nothing came from the client for 30 s; no block was acknowledged",
                Some("nothing came, giving up"),
            ),
            (
                End::OutOfOrder { expected: 65_537, number: 3 },
                tally(Some(65_536), 0),
                "the client sent block 3 where block 1 was expected; the last block acknowledged was 65536",
                Some("a block is missing"),
            ),
            (
                End::TooLong(9),
                tally(Some(1), 0),
                "the client sent more than 9 bytes; the last block acknowledged was 1",
                Some("at most 9 bytes are expected"),
            ),
            (
                End::Withdrawn,
                tally(Some(1), 0),
                "what the client sends is not wanted any more; the last block acknowledged was 1",
                Some("this file is not wanted any more"),
            ),
            (
                End::Stopped,
                tally(None, 0),
                "the server stopped; no block was acknowledged",
                Some("the server stopped"),
            ),
            (
                End::AskedAnew,
                tally(Some(1), 0),
                "the client asked anew; the last block acknowledged was 1",
                None,
            ),
        ];
        for (end, tally, reason, told) in cases {
            assert_eq!(end.reason(tally), reason);
            assert_eq!(end.refusal().map(|refusal| refusal.text), told.map(str::to_owned), "{reason}");
        }
    }
}
