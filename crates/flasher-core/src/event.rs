//! What a running job tells, step by step. Libraries report events; only the command line draws them.

use std::net::SocketAddr;
use std::time::SystemTime;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::clock;
use crate::receipt::Receipt;
pub use crate::step::Step;

/// One thing that happened during a job. Serialised as one JSON object with the key `event`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum Event {
    /// An attempt begins; `attempt` counts from 1.
    AttemptBegun {
        /// Which attempt this is, from 1.
        attempt: u32,
        /// How many there may be.
        attempts: u32,
    },
    /// A step begins.
    StepBegun {
        /// The step.
        step: Step,
    },
    /// A step is done.
    StepDone {
        /// The step.
        step: Step,
        /// How long it took, seconds.
        seconds: f64,
    },
    /// How far a step has come.
    Advanced {
        /// The step.
        step: Step,
        /// Bytes done.
        done: u64,
        /// Bytes in all, when known.
        total: Option<u64>,
    },
    /// The image was compared with what the medium holds already; what is equal is not written.
    AlreadyThere {
        /// Bytes that the medium holds already.
        equal: u64,
        /// Bytes that were compared: all that count.
        compared: u64,
    },
    /// The job waits for something; repeated every second until it is there.
    Waiting {
        /// The step.
        step: Step,
        /// What is waited for.
        what: String,
        /// Bytes the board has said meanwhile.
        heard: u64,
        /// Seconds until it is given up.
        left: f64,
    },
    /// One line the board printed, control characters removed, secrets masked.
    Console {
        /// The line without its end.
        line: String,
        /// When its first byte was heard, by the clock of the machine that has the serial line: RFC 3339 in UTC, to the millisecond, as
        /// in the transcript. None from a former version, which does not tell it.
        #[serde(
            default,
            with = "clock::serde_optional_milliseconds",
            skip_serializing_if = "Option::is_none"
        )]
        #[schemars(with = "Option<String>", extend("format" = "date-time"))]
        heard_at: Option<SystemTime>,
    },
    /// Something worth knowing that is no problem.
    Note {
        /// Human-readable text.
        message: String,
    },
    /// Something that may become a problem.
    Warning {
        /// Human-readable text.
        message: String,
    },
    /// A file server saw a transfer.
    Transfer(Transfer),
    /// An attempt failed in a way that another one may mend.
    Retrying {
        /// The attempt that failed, from 1.
        attempt: u32,
        /// Pause before the next one, seconds.
        pause: f64,
        /// Why it failed.
        cause: String,
    },
    /// The job is over.
    Finished {
        /// The whole receipt.
        receipt: Box<Receipt>,
    },
}

/// Something, and when it happened. Serialised as the JSON object of the thing itself with one key more, `time`.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
pub struct Timed<T = Event> {
    /// When it happened, by the clock of the machine that tells it: RFC 3339 in UTC, to the millisecond.
    #[serde(with = "clock::serde_milliseconds", default = "SystemTime::now")]
    #[schemars(with = "String", extend("format" = "date-time"), transform = without_default)]
    pub time: SystemTime,
    /// The board it is about, when a command is about several; its name is the one that the command's results have.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[schemars(transform = without_default)]
    pub board: Option<String>,
    /// What happened.
    #[serde(flatten)]
    pub what: T,
}

/// The default stands for events of former versions; it is no recorded time.
fn without_default(schema: &mut schemars::Schema) {
    schema.remove("default");
}

impl<T> Timed<T> {
    /// What happens now.
    pub fn now(what: T) -> Self {
        Self { time: SystemTime::now(), board: None, what }
    }

    /// The same about a board of several.
    pub fn about(self, board: Option<&str>) -> Self {
        Self { board: board.map(str::to_owned), ..self }
    }
}

/// What a file server saw of one transfer: the evidence behind a diagnosis.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Transfer {
    /// `tftp` or `http`.
    pub protocol: String,
    /// Who asked.
    pub peer: SocketAddr,
    /// The name that was asked for, as it arrived, control characters removed.
    pub file: String,
    /// How it stands.
    pub state: TransferState,
}

/// How a transfer stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "lowercase")]
pub enum TransferState {
    /// The request arrived and is being served.
    Begun {
        /// Length of the file, bytes, when known.
        length: Option<u64>,
        /// Negotiated options for people, for example `blksize 1468, windowsize 16`.
        options: String,
    },
    /// Every byte was acknowledged (TFTP) or handed over (HTTP).
    Done {
        /// Bytes delivered.
        bytes: u64,
        /// Packets sent again.
        resends: u64,
        /// Duration, seconds.
        seconds: f64,
        /// Smoothed round trip from a packet to its acknowledgement, seconds, where the protocol tells it (TFTP).
        #[serde(default)]
        round_trip: Option<f64>,
    },
    /// Every byte was sent, and the last acknowledgement did not come: a client that has the whole file may send it once
    /// only, and it may have been lost (TFTP).
    Unconfirmed {
        /// Bytes acknowledged before.
        bytes: u64,
        /// Packets sent again.
        resends: u64,
        /// Duration, seconds.
        seconds: f64,
    },
    /// The client asked for the length of the file only, and got it (TFTP).
    #[serde(rename = "size_asked")]
    SizeAsked {
        /// Length of the file, bytes.
        length: u64,
    },
    /// It ended early, or was refused.
    Failed {
        /// Bytes acknowledged or handed over before.
        bytes: u64,
        /// Why, and for TFTP which block was acknowledged last.
        reason: String,
    },
}

/// Takes events as they happen. Must not block: it is called from the job's own tasks.
pub trait Progress: Send + Sync {
    /// Takes one event.
    fn report(&self, event: Event);

    /// Takes an event that happened before, or elsewhere: a job is followed from its beginning.
    fn replay(&self, event: Timed) {
        self.report(event.what);
    }
}

/// Takes events and forgets them.
#[derive(Clone, Copy, Debug, Default)]
pub struct Quiet;

impl Progress for Quiet {
    fn report(&self, _event: Event) {}
}

impl<F: Fn(Event) + Send + Sync> Progress for F {
    fn report(&self, event: Event) {
        self(event);
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn an_event_keeps_its_time_on_its_way() {
        let time = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_811_081_123);
        let text =
            serde_json::to_string(&Timed { time, board: None, what: Event::StepBegun { step: Step::Write } })
                .unwrap();
        assert_eq!(text, r#"{"time":"2026-11-27T20:24:41.123Z","event":"step-begun","step":"write"}"#);
        let read: Timed = serde_json::from_str(&text).unwrap();
        assert_eq!(read.time, time);
        assert!(matches!(read.what, Event::StepBegun { step: Step::Write }));
        // Those of former versions have none.
        let read: Timed = serde_json::from_str(r#"{"event":"note","message":"x"}"#).unwrap();
        assert!(read.time > time && matches!(read.what, Event::Note { .. }));
        assert!(serde_json::from_str::<Timed>(r#"{"time":"soon","event":"note","message":"x"}"#).is_err());
    }

    #[test]
    fn a_console_line_says_when_it_was_heard() {
        let heard = SystemTime::UNIX_EPOCH + Duration::from_millis(1_795_811_081_123);
        let told = r#"{"event":"console","line":"=>","heard_at":"2026-11-27T20:24:41.123Z"}"#;
        // A former version does not tell it.
        for (heard_at, text) in [(Some(heard), told), (None, r#"{"event":"console","line":"=>"}"#)] {
            let event = Event::Console { line: "=>".to_owned(), heard_at };
            assert_eq!(serde_json::to_string(&event).unwrap(), text);
            let Event::Console { heard_at: read, .. } = serde_json::from_str(text).unwrap() else {
                panic!("{text}")
            };
            assert_eq!(read, heard_at);
        }
        let odd = r#"{"event":"console","line":"=>","heard_at":"soon"}"#;
        assert!(serde_json::from_str::<Event>(odd).is_err());
    }
}
