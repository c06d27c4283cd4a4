//! Where a playing stands: what was played, and what waits for the job.

use flasher_core::TransferLog;
use tokio::sync::mpsc;
use tokio::time::Instant;

use super::ending::{Difference, Played};
use super::typed::{Expected, Fit};
use super::words::Words;
use crate::entry::{DeviceAnswer, Moment, PowerCall, RecordedMoment, ServerName};
use crate::file::Recording;

/// What the board says, or the end of its line.
pub(super) type LineBytes = Result<Vec<u8>, Option<String>>;

/// Where a playing stands.
#[derive(Debug)]
pub(super) struct Score {
    pub(super) entries: Vec<RecordedMoment>,
    /// When each thing that the job does was done.
    done: Vec<Option<Instant>>,
    /// The first entry that was not played.
    pub(super) next: usize,
    /// The recorded time of the last thing that the job did, and when it did it now.
    base: (f64, Instant),
    expected: Expected,
    words: Words,
    line: Option<mpsc::UnboundedSender<LineBytes>>,
    log: TransferLog,
    difference: Option<Difference>,
}

/// What a power switch is to answer.
pub(super) struct PowerAnswer {
    pub(super) answer: DeviceAnswer,
    pub(super) is_on: Option<bool>,
    pub(super) seconds: f64,
}

/// What comes next.
#[derive(Debug)]
pub(super) enum Next {
    /// The recording is over.
    Over,
    /// The job has to do something first.
    Wait,
    /// Something is due at this time.
    At(Instant),
    /// Something was played.
    Played,
}

impl Score {
    pub(super) fn new(recording: &Recording) -> Self {
        let entries = recording.entries.clone();
        let sent = entries.iter().enumerate().filter_map(|(at, entry)| match &entry.what {
            Moment::Sent(bytes) => Some((at, bytes.clone())),
            _ => None,
        });
        Self {
            expected: Expected::new(sent.collect()),
            done: vec![None; entries.len()],
            entries,
            next: 0,
            base: (0.0, Instant::now()),
            words: Words::new(recording.head.words.clone()),
            line: None,
            log: TransferLog::default(),
            difference: None,
        }
    }

    /// Plays the next entry, if it is due.
    pub(super) fn advance(&mut self) -> Next {
        let Some(entry) = self.entries.get(self.next).cloned() else { return Next::Over };
        if entry.what.is_by_the_job() {
            let Some(done) = self.done[self.next] else { return Next::Wait };
            self.base = (entry.at, done);
        } else {
            let pause = std::time::Duration::from_secs_f64((entry.at - self.base.0).clamp(0.0, 86_400.0));
            let due = self.base.1 + pause;
            if due > Instant::now() {
                return Next::At(due);
            }
            self.play(entry.what);
        }
        self.next += 1;
        Next::Played
    }

    fn play(&mut self, what: Moment) {
        match what {
            Moment::Heard(bytes) => self.say(Ok(self.words.translate(&bytes))),
            Moment::LineEnded { error } => {
                self.say(Err(error));
                self.line = None;
            }
            Moment::Transfer(transfer) => {
                let file = self.words.translate_text(&transfer.file);
                self.log.record(flasher_core::Transfer { file, ..transfer });
            }
            _ => {}
        }
    }

    /// A line that nothing listens to takes what is said.
    fn say(&self, said: LineBytes) {
        if let Some(line) = &self.line {
            let _ = line.send(said); // it may have been closed
        }
    }

    /// The first thing of this kind that the job has not done again; it is done now.
    fn take<T>(&mut self, of: impl Fn(&Moment) -> Option<T>) -> Option<(f64, T)> {
        let open = |at: &usize| self.done[*at].is_none();
        let found =
            (0..self.entries.len()).filter(open).find_map(|at| Some((at, of(&self.entries[at].what)?)));
        let (at, found) = found?;
        self.done[at] = Some(Instant::now());
        Some((self.entries[at].at, found))
    }

    /// The job opens the line.
    pub(super) fn open(&mut self, line: mpsc::UnboundedSender<LineBytes>) -> DeviceAnswer {
        let of =
            |what: &Moment| if let Moment::LineOpened(answer) = what { Some(answer.clone()) } else { None };
        let answer = self.take(of).map(|(_, answer)| answer).unwrap_or_default();
        if answer.error.is_none() {
            self.line = Some(line);
        }
        answer
    }

    /// The job types.
    pub(super) fn typed(&mut self, bytes: &[u8]) {
        let now = Instant::now();
        for fit in self.expected.take(bytes, &mut self.words) {
            match fit {
                Fit::More => {}
                Fit::Done(entries) => entries.into_iter().for_each(|at| self.done[at] = Some(now)),
                Fit::Other(expected, typed) => {
                    let recorded = expected.and_then(|at| self.entries.get(at));
                    let (at, recorded) = match recorded.map(|entry| (entry.at, &entry.what)) {
                        Some((at, Moment::Sent(bytes))) => (at, format!("typed `{}`", shown(bytes))),
                        _ => (self.base.0, "typed nothing more".to_owned()),
                    };
                    self.differs(at, recorded, format!("types `{}`", shown(&typed)));
                    expected.into_iter().for_each(|at| self.done[at] = Some(now));
                }
            }
        }
    }

    /// The job calls the power switch.
    pub(super) fn power(&mut self, wanted: PowerCall) -> PowerAnswer {
        let of = |what: &Moment| match what {
            Moment::Power { call, answer, is_on, seconds } => Some((*call, answer.clone(), *is_on, *seconds)),
            _ => None,
        };
        let Some((at, (call, answer, is_on, seconds))) = self.take(of) else {
            return PowerAnswer { answer: DeviceAnswer::default(), is_on: None, seconds: 0.0 };
        };
        if call != wanted {
            self.differs(at, format!("called the power switch: {call:?}"), format!("calls it: {wanted:?}"));
        }
        PowerAnswer { answer, is_on, seconds }
    }

    /// The job starts a server, whose transfers go to `log`.
    pub(super) fn start(
        &mut self,
        name: ServerName,
        log: TransferLog,
    ) -> (DeviceAnswer, Option<std::net::SocketAddr>) {
        let of = |what: &Moment| match what {
            Moment::Started { server, answer, address } if *server == name => {
                Some((answer.clone(), *address))
            }
            _ => None,
        };
        self.log = log;
        let (answer, address) = self.take(of).map(|(_, started)| started).unwrap_or_default();
        (answer, self.faced(name).or(address))
    }

    /// Where the board reached the server: the machine that plays has other addresses.
    fn faced(&self, name: ServerName) -> Option<std::net::SocketAddr> {
        self.entries.iter().find_map(|entry| match entry.what {
            Moment::Faces { server, address } if server == name => Some(address),
            _ => None,
        })
    }

    fn differs(&mut self, at: f64, recorded: String, now: String) {
        self.difference.get_or_insert(Difference { at, recorded, now });
    }

    pub(super) fn words(&self) -> &Words {
        &self.words
    }

    pub(super) fn played(&self) -> Played {
        Played { difference: self.difference.clone(), played: self.next, entries: self.entries.len() }
    }
}

/// What was typed, for people.
fn shown(bytes: &[u8]) -> String {
    let text: String = String::from_utf8_lossy(bytes).escape_debug().collect();
    text.chars().take(120).collect()
}
