//! One thing that a job saw, or did, and when.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use flasher_core::source_exchange::{SourceAnswer, SourceBody, SourceRequest};
use flasher_core::{Class, Error, RootCause, Step, Transfer};
use serde::{Deserialize, Serialize};

use crate::bytes_text;

/// One thing that a job saw, or did, and when.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedMoment {
    /// Seconds since the job began.
    pub at: f64,
    /// What it was.
    #[serde(flatten)]
    pub what: Moment,
}

/// Something that a job saw, or did.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Moment {
    /// A step began.
    Step(Step),
    /// The serial line was opened.
    LineOpened(DeviceAnswer),
    /// The board said something.
    Heard(#[serde(with = "bytes_text")] Vec<u8>),
    /// Something was typed.
    Sent(#[serde(with = "bytes_text")] Vec<u8>),
    /// The serial line ended: with an error, or as a device does that is gone.
    LineEnded {
        /// The error; none at the end of the stream.
        error: Option<String>,
    },
    /// The power switch was called.
    Power {
        /// Which call.
        call: PowerCall,
        /// What it answered.
        #[serde(flatten)]
        answer: DeviceAnswer,
        /// The state it reported; none when it cannot tell, and for other calls.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        is_on: Option<bool>,
        /// How long it took, seconds.
        seconds: f64,
    },
    /// A file server was started.
    Started {
        /// Which.
        server: ServerName,
        /// What came of it.
        #[serde(flatten)]
        answer: DeviceAnswer,
        /// Where it was bound.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        address: Option<SocketAddr>,
    },
    /// Where the board reaches a file server.
    Faces {
        /// Which.
        server: ServerName,
        /// Its address on the board's network.
        address: SocketAddr,
    },
    /// A file server saw a transfer.
    Transfer(Transfer),
    /// A server of the image was asked.
    Asked {
        /// For what.
        #[serde(flatten)]
        request: SourceRequest,
        /// What came of it.
        answer: SourceAnswer,
    },
    /// The image was read from its server, to its end or as far as it came.
    Read(SourceBody),
}

/// A call of a power switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum PowerCall {
    /// Power on.
    On,
    /// Power off.
    Off,
    /// Is it on?
    State,
    /// Off, a wait, and on, by the switch itself.
    Cycle,
}

/// A file server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum ServerName {
    /// The one a boot loader asks.
    Tftp,
    /// The one the image comes from.
    Http,
}

/// Whether a device did what it was asked for.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceAnswer {
    /// Why it did not; none when it did.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub error: Option<RecordedError>,
}

/// An error of a device.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RecordedError {
    /// Who is to blame.
    pub class: Class,
    /// What happened.
    pub cause: String,
    /// What to do next.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub help: Option<String>,
    /// Where, in more detail.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub context: BTreeMap<String, String>,
    /// Whether another attempt can help.
    pub is_retryable: bool,
    /// What made it fail, where the device knew.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<RootCause>,
}

impl DeviceAnswer {
    /// What a device answered.
    pub fn of<T>(result: &Result<T, Error>) -> Self {
        Self { error: result.as_ref().err().map(RecordedError::of) }
    }

    /// The answer again.
    ///
    /// # Errors
    /// The recorded one.
    pub fn again(&self) -> Result<(), Error> {
        self.error.as_ref().map_or(Ok(()), |error| Err(error.again()))
    }
}

impl RecordedError {
    fn of(error: &Error) -> Self {
        Self {
            class: error.class(),
            cause: error.cause(),
            help: error.next_step().map(str::to_owned),
            context: error.context().iter().map(|(key, value)| ((*key).to_owned(), value.clone())).collect(),
            is_retryable: error.is_retryable(),
            root: error.root(),
        }
    }

    fn again(&self) -> Error {
        let error = Error::new(self.class, self.cause.clone()).retryable(self.is_retryable);
        let error = self.root.into_iter().fold(error, Error::caused_by);
        let error = match &self.help {
            Some(help) => error.help(help.clone()),
            None => error,
        };
        // Devices have few keys, and an error's keys are fixed words.
        let known =
            ["node", "device", "port", "url", "command", "output", "server", "status", "answer", "owner"];
        self.context.iter().fold(error, |error, (key, value)| {
            match known.into_iter().find(|word| word == key) {
                Some(word) => error.with(word, value.clone()),
                None => error,
            }
        })
    }
}

impl Moment {
    /// Whether it is something that the job did: what the board did afterwards waits for it.
    pub(crate) fn is_by_the_job(&self) -> bool {
        matches!(self, Self::LineOpened(_) | Self::Sent(_) | Self::Power { .. } | Self::Started { .. })
    }
}
