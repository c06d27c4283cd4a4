//! What goes wrong with a GPIO line, and what to do next.

use flasher_core::suggest;
use flasher_core::{Blame, Blamed};
use thiserror::Error as ThisError;

/// A config that makes no sense, or a line that cannot be had.
#[derive(Clone, Debug, PartialEq, ThisError)]
pub enum Error {
    /// A button cannot be pressed that long.
    #[error("`{key}` is {seconds}, expected more than 0 and at most 60")]
    Pulse {
        /// The key.
        key: &'static str,
        /// The value.
        seconds: f64,
    },
    /// rppal has fewer abilities.
    #[error("`backend: rppal` has no `{what}`")]
    NotOnPi {
        /// The key, with its value where that matters.
        what: &'static str,
    },
    /// No such chip.
    #[error("there is no GPIO chip `{chip}`")]
    NoChip {
        /// As the config names it.
        chip: String,
        /// Those there are.
        others: Vec<String>,
    },
    /// Another kind of file.
    #[error("`{chip}` is no GPIO chip")]
    NotChip {
        /// As the config names it.
        chip: String,
        /// Those there are.
        others: Vec<String>,
    },
    /// No permission.
    #[error("no permission to open `{chip}`")]
    Denied {
        /// The chip or memory device.
        chip: String,
        /// The group that may, when one may.
        group: Option<String>,
    },
    /// The chip is another one than expected.
    #[error("`{chip}` ({label}) has no line {line}, it has 0 to {last}")]
    NoLine {
        /// The chip.
        chip: String,
        /// What it is.
        label: String,
        /// The line.
        line: u32,
        /// Its last line.
        last: u32,
    },
    /// No line of that name.
    #[error("no line is called `{name}` on {searched}")]
    NoName {
        /// The name.
        name: String,
        /// Where it was looked for.
        searched: String,
        /// A name that is like it.
        nearest: Option<String>,
    },
    /// Another program holds the line.
    #[error("line {line} of `{chip}` is in use{}", by(.holder))]
    Busy {
        /// The chip.
        chip: String,
        /// The line.
        line: u32,
        /// The consumer's name, as the kernel knows it.
        holder: String,
    },
    /// rppal does not know this machine.
    #[error("this machine is no Raspberry Pi that rppal 0.22 knows")]
    NoPi,
    /// Neither backend finds lines.
    #[error("this machine has no GPIO chip, and is no Raspberry Pi that rppal 0.22 knows")]
    NoGpio,
    /// Any other refusal.
    #[error("GPIO line {line} of `{chip}`: {reason}")]
    System {
        /// The chip.
        chip: String,
        /// The line.
        line: String,
        /// What the system said.
        reason: String,
    },
}

fn by(holder: &str) -> String {
    if holder.is_empty() { String::new() } else { format!(" by `{holder}`") }
}

fn others(chips: &[String]) -> String {
    if chips.is_empty() {
        return "this machine has no GPIO chip: is its driver loaded?".to_owned();
    }
    format!("this machine has: {}", suggest::list(chips.iter().map(String::as_str)))
}

impl Blamed for Error {
    /// A line may be given up, a chip may be plugged in; nothing else changes by waiting.
    fn blame(&self) -> Blame {
        match self {
            Self::Pulse { key, .. } => {
                Blame::CONFIG.at(key).advise("most buttons take 0.5 s for on and 6 s for off")
            }
            Self::NotOnPi { .. } => {
                Blame::CONFIG.at("backend").advise("use `backend: cdev`, or leave it out")
            }
            Self::NoChip { others: chips, .. } => Blame::PASSING.advise(others(chips)),
            Self::NotChip { others: chips, .. } => Blame::LASTING.advise(others(chips)),
            Self::Denied { group: Some(group), .. } => Blame::LASTING.advise(format!(
                "the group `{group}` may: `sudo usermod -aG {group} $USER`, then log in again"
            )),
            Self::Denied { group: None, .. } => {
                Blame::LASTING.advise("no group may: give it one with a udev rule")
            }
            Self::NoLine { .. } => {
                Blame::LASTING.advise("is it the right chip? `gpiodetect` lists chips, `gpioinfo` lines")
            }
            Self::NoName { nearest: Some(nearest), .. } => {
                Blame::LASTING.advise(format!("did you mean `{nearest}`?"))
            }
            Self::NoName { nearest: None, .. } => {
                Blame::LASTING.advise("`gpioinfo` lists the names; use a number if it has none")
            }
            Self::Busy { .. } => Blame::PASSING
                .advise("end what uses it, or choose another line; `gpioinfo` shows who has which"),
            Self::NoPi => Blame::LASTING.advise("use `backend: cdev`, or leave it out"),
            Self::NoGpio => Blame::LASTING.advise("is the driver of the GPIO chip loaded?"),
            Self::System { .. } => {
                Blame::PASSING.advise("`gpioinfo` shows what the line can do; look at `dmesg | tail`")
            }
        }
    }
}
