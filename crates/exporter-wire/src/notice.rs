//! What an exporter says to those who follow a job, besides the events of the job itself.

use flasher_core::{Class, Plan};
use serde::{Deserialize, Serialize};

/// One such message. On the wire it is a JSON object with the key `event`, as the events of a job are.
#[derive(Clone, Debug, PartialEq, Deserialize, Serialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum JobNotice {
    /// To the client that has ordered a flash or a plan: the board is reserved for it, and its files are taken now.
    SendFiles,
    /// To a client that attaches: the job was already over, and what follows is how it went.
    JobOver,
    /// The job never began.
    Refused {
        /// Whose fault it is.
        class: Class,
        /// Why, for people.
        reason: String,
    },
    /// What the flash would do whose plan was ordered; the last message.
    Planned {
        /// The plan.
        plan: Box<Plan>,
    },
    /// The next part of the transcript; all parts come before the receipt.
    Transcript {
        /// Lines of it.
        text: String,
    },
}

impl JobNotice {
    /// The message as it is sent.
    pub fn json(&self) -> String {
        serde_json::to_string(self).unwrap_or_default()
    }
}
