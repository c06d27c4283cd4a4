//! How a transfer ends before its time.

use std::io;

use crate::packet::{Code, Refusal};
use crate::transfer::Tally;

/// How a client ended a transfer, or why the server does.
#[derive(Debug)]
pub(crate) enum End {
    /// The client sent an ERROR.
    Client(String),
    /// The client's host says that nobody listens there any more.
    PortClosed,
    /// Nothing was heard after so many repetitions.
    Silence(u32),
    /// The file could not be read.
    File(io::Error),
    /// The server stops.
    Stopped,
    /// The client asked for another file, or again, from the same port.
    AskedAnew,
}

impl End {
    /// Why, and how far it came, for the report.
    pub(crate) fn reason(&self, tally: Tally) -> String {
        let why = match self {
            Self::Client(text) => format!("the client ended it: {text}"),
            Self::PortClosed => "the client closed its port".into(),
            Self::Silence(times) => format!("no answer after sending {times} times"),
            Self::File(error) => error.to_string(),
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
        let text = match self {
            // The client has begun anew on the same port: an ERROR would hit its new transfer.
            Self::Client(_) | Self::PortClosed | Self::AskedAnew => return None,
            Self::Silence(_) => "no acknowledgement, giving up",
            Self::File(_) => "cannot read the file",
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
                End::Client("error 3 \"full\"".into()),
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
                End::Silence(4),
                tally(None, 3),
                "no answer after sending 4 times; no block was acknowledged, 3 sent again",
                Some("no acknowledgement, giving up"),
            ),
            (
                End::File(shrunk()),
                tally(Some(70_000), 0),
                "the file became shorter while it was sent; the last block acknowledged was 70000",
                Some("cannot read the file"),
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
