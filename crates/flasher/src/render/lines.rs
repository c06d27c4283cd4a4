//! A running job as plain lines with the time since its start, for logs and pipes.

use std::io::Write;
use std::sync::{Mutex, PoisonError};
use std::time::{Instant, SystemTime};

use flasher_core::{Event, Progress, Step, Timed, Transfer, TransferState};

use super::motion::{motion, waiting};
use super::units::{bytes, part, seconds, tame};
use crate::log::Chatter;

/// Bytes between two lines of progress when the total is unknown.
const STRIDE: u64 = 256 << 20;
/// Seconds between two lines of a wait.
const PATIENCE: u32 = 10;

/// Writes one line for each thing worth one.
pub(crate) struct Lines<W> {
    state: Mutex<State<W>>,
    begun: Instant,
    /// The name of its board and a colon, when it is one of several.
    label: String,
}

struct State<W> {
    out: W,
    writer: Writer,
    /// When the first event that was not reported at once happened.
    first: Option<SystemTime>,
}

/// What is worth a line, in words.
pub(super) struct Writer {
    chatter: Chatter,
    /// How far the last line of progress was: its step, and parts of the total or strides.
    shown: Option<(Step, u64)>,
    /// The running step, and when it began, in seconds.
    step: Option<(Step, f64)>,
    /// Seconds that something was waited for in it.
    waited: u32,
}

impl<W: Write + Send> Lines<W> {
    /// Writes to `out`, as much as is asked for.
    pub(crate) fn new(out: W, chatter: Chatter) -> Self {
        let state = State { out, writer: Writer::new(chatter), first: None };
        Self { state: Mutex::new(state), begun: Instant::now(), label: String::new() }
    }

    /// The same for one of several boards, whose jobs are timed from `begun`.
    pub(super) fn of_board(self, board: &str, begun: Instant) -> Self {
        Self { begun, label: format!("{board}: "), ..self }
    }
}

impl<W: Write + Send> Progress for Lines<W> {
    fn report(&self, event: Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.tell(&event, self.begun.elapsed().as_secs_f64(), &self.label);
    }

    /// The time is counted from the first of them: the job may have begun long before this program did.
    fn replay(&self, event: Timed) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let first = *state.first.get_or_insert(event.time);
        let since = event.time.duration_since(first).unwrap_or_default();
        state.tell(&event.what, since.as_secs_f64(), &self.label);
    }
}

impl<W: Write> State<W> {
    fn tell(&mut self, event: &Event, now: f64, label: &str) {
        let Some(line) = self.writer.line(event, now) else { return };
        // A job goes on when the reader of its log is gone: its board must not be left half written.
        writeln!(self.out, "[{:>8}] {label}{line}", seconds(now)).ok();
    }
}

impl Writer {
    pub(super) fn new(chatter: Chatter) -> Self {
        Self { chatter, shown: None, step: None, waited: 0 }
    }

    /// The line for an event at `now`, in seconds since whenever, if it is worth one.
    pub(super) fn line(&mut self, event: &Event, now: f64) -> Option<String> {
        let is_detailed = self.chatter >= Chatter::Debug;
        Some(match event {
            Event::StepBegun { step } => {
                (self.step, self.waited) = (Some((*step, now)), 0);
                format!("{step}: {}", step.meaning())
            }
            Event::StepDone { step, seconds: took } => {
                self.step = None;
                return is_detailed.then(|| format!("  {step} took {}", seconds(*took)));
            }
            Event::Advanced { step, done, total } => self.advanced(*step, *done, *total, now)?,
            Event::Waiting { what, heard, left, .. } => self.waits(what, *heard, *left)?,
            Event::Console { line, .. } if self.chatter >= Chatter::Verbose => format!("  | {}", tame(line)),
            Event::Transfer(transfer) if is_detailed => format!("  {}", in_detail(transfer)),
            Event::Finished { receipt } if receipt.failure.is_some() => self.failed(now)?,
            Event::Retrying { .. } => {
                let failed = self.failed(now).map(|line| format!("{line}\n")).unwrap_or_default();
                format!("{failed}  {}", remark(event)?)
            }
            other => format!("  {}", remark(other)?),
        })
    }

    fn advanced(&mut self, step: Step, done: u64, total: Option<u64>, now: f64) -> Option<String> {
        let parts = if self.chatter >= Chatter::Debug { 100 } else { 10 };
        let mark = match total {
            Some(total) if total > 0 => (u128::from(done) * parts / u128::from(total)) as u64,
            _ => done / STRIDE,
        };
        if mark == 0 || self.shown == Some((step, mark)) {
            return None;
        }
        self.shown = Some((step, mark));
        let begun = self.step.map_or(now, |(_, begun)| begun);
        Some(format!("  {}", motion(done, total, now - begun)))
    }

    fn waits(&mut self, what: &str, heard: u64, left: f64) -> Option<String> {
        self.waited += 1;
        self.waited.is_multiple_of(PATIENCE).then(|| format!("  {}", waiting(what, heard, left)))
    }

    /// The step that a job ended in.
    fn failed(&mut self, now: f64) -> Option<String> {
        let (step, begun) = self.step.take()?;
        Some(format!("{step} failed after {}", seconds(now - begun)))
    }
}

/// The words for an event that is worth a line wherever it happens.
pub(super) fn remark(event: &Event) -> Option<String> {
    Some(match event {
        Event::AttemptBegun { attempt, attempts } if *attempt > 1 => {
            format!("attempt {attempt} of {attempts}")
        }
        Event::Note { message } => tame(message),
        Event::AlreadyThere { equal, compared } => format!("already there: {}", part(*equal, *compared)),
        Event::Warning { message } => format!("warning: {}", tame(message)),
        Event::Transfer(transfer) => transferred(transfer)?,
        Event::Retrying { attempt, pause, cause } => {
            format!("attempt {attempt} failed: {}; the next one in {}", tame(cause), seconds(*pause))
        }
        _ => return None,
    })
}

/// The words for a transfer, but for what the progress of a step tells as well: the image and its map go over HTTP.
fn transferred(transfer: &Transfer) -> Option<String> {
    match &transfer.state {
        TransferState::Begun { .. } => None,
        TransferState::Done { .. } if transfer.protocol == "http" => None,
        _ => Some(in_detail(transfer)),
    }
}

fn in_detail(transfer: &Transfer) -> String {
    let what = format!("{} {} to {}", tame(&transfer.protocol), tame(&transfer.file), transfer.peer.ip());
    match &transfer.state {
        TransferState::Begun { length, options } => {
            let length = length.map_or_else(|| "unknown length".to_owned(), bytes);
            let options = if options.is_empty() { String::new() } else { format!(", {}", tame(options)) };
            format!("{what}: begins, {length}{options}")
        }
        TransferState::Done { bytes: count, resends, seconds: time, .. } => {
            let again = if *resends > 0 { format!(", {resends} packets sent again") } else { String::new() };
            format!("{what}: {} in {}{again}", bytes(*count), seconds(*time))
        }
        TransferState::Unconfirmed { resends, seconds: time, .. } => format!(
            "{what}: all sent in {}, {resends} packets again; the last acknowledgement did not come",
            seconds(*time)
        ),
        TransferState::SizeAsked { length } => {
            format!("{what}: asked for the length only, {}", bytes(*length))
        }
        TransferState::Failed { bytes: count, reason } => {
            format!("{what}: failed after {}: {}", bytes(*count), tame(reason))
        }
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;

    fn shown(events: &[Event], chatter: Chatter) -> String {
        let mut writer = Writer::new(chatter);
        let timed = events.iter().enumerate(); // one a second
        let lines = timed.filter_map(|(now, event)| writer.line(event, now as f64));
        lines.collect::<Vec<_>>().join("\n")
    }

    fn events() -> Vec<Event> {
        let transfer = |state| {
            let (protocol, file) = ("tftp".to_owned(), "kernel".to_owned());
            Event::Transfer(Transfer { protocol, peer: ([10, 0, 0, 2], 1069).into(), file, state })
        };
        let advanced = |done| Event::Advanced { step: Step::Write, done, total: Some(100 << 20) };
        vec![
            Event::AttemptBegun { attempt: 1, attempts: 4 },
            Event::StepBegun { step: Step::Bootloader },
            Event::Console { line: "U-Boot 2023.01".to_owned(), heard_at: None },
            transfer(TransferState::Begun { length: Some(1024), options: "blksize 1468".to_owned() }),
            transfer(TransferState::Done { bytes: 1024, resends: 2, seconds: 0.5, round_trip: None }),
            transfer(TransferState::Failed { bytes: 512, reason: "no answer\x1b[2J".to_owned() }),
            Event::StepDone { step: Step::Bootloader, seconds: 1.0 },
            Event::StepBegun { step: Step::Write },
            advanced(1),
            advanced(10 << 20),
            advanced(11 << 20),
            advanced(100 << 20),
            Event::Warning { message: "slow".to_owned() },
            Event::Retrying { attempt: 1, pause: 2.0, cause: "the board went silent".to_owned() },
            Event::AttemptBegun { attempt: 2, attempts: 4 },
        ]
    }

    #[test]
    fn a_log_has_a_line_for_each_thing_worth_one() {
        insta::assert_snapshot!(shown(&events(), Chatter::Normal), @r#"
        bootloader: stops the boot loader and gives it an address
          tftp kernel to 10.0.0.2: 1 KiB in 0.5 s, 2 packets sent again
          tftp kernel to 10.0.0.2: failed after 512 bytes: no answer�[2J
        write: writes all but the first block
          10 MiB of 100 MiB (10 %), 5 MiB/s, 18.0 s left
          100 MiB of 100 MiB (100 %), 25 MiB/s
          warning: slow
        write failed after 6.0 s
          attempt 1 failed: the board went silent; the next one in 2.0 s
          attempt 2 of 4
        "#);
    }

    #[test]
    fn each_level_tells_more_than_the_one_before() {
        let [normal, verbose, debug] =
            [Chatter::Normal, Chatter::Verbose, Chatter::Debug].map(|chatter| shown(&events(), chatter));
        let only = |more: &str, less: &str| {
            let new = more.lines().filter(|line| !less.lines().any(|other| other == *line));
            new.collect::<Vec<_>>().join("\n")
        };
        assert_eq!(only(&verbose, &normal), "  | U-Boot 2023.01");
        insta::assert_snapshot!(only(&debug, &verbose), @r#"
          tftp kernel to 10.0.0.2: begins, 1 KiB, blksize 1468
          bootloader took 1.0 s
          11 MiB of 100 MiB (11 %), 3.7 MiB/s, 24.3 s left
        "#);
        assert_eq!(only(&normal, &debug), "", "each level has all of the one before");
    }

    #[test]
    fn what_is_replayed_has_the_times_at_which_it_happened() {
        let told = Arc::new(Mutex::new(Vec::new()));
        let lines = Lines::new(Shared(Arc::clone(&told)), Chatter::Normal);
        let first = SystemTime::UNIX_EPOCH + Duration::from_secs(1_795_811_081);
        for (since, step) in [(0, Step::Resolve), (12, Step::Write), (75, Step::Verify)] {
            let time = first + Duration::from_secs(since);
            lines.replay(Timed { time, board: None, what: Event::StepBegun { step } });
        }
        let told = String::from_utf8(told.lock().unwrap().clone()).unwrap();
        let times: Vec<_> = told.lines().filter_map(|line| line.split(']').next()).collect();
        assert_eq!(times, ["[   0.0 s", "[  12.0 s", "[1 min 15 s"], "{told}");
    }

    /// A stream whose bytes can be looked at.
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().write(bytes)
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn waits_and_the_failed_step_are_shown() {
        let mut writer = Writer::new(Chatter::Normal);
        let waits = |left: u32| {
            let (what, left) = ("U-Boot".to_owned(), f64::from(left));
            Event::Waiting { step: Step::Bootloader, what, heard: 0, left }
        };
        let begun = Event::StepBegun { step: Step::Bootloader };
        let events = std::iter::once(begun).chain((35..60).rev().map(waits));
        let lines: Vec<String> = events.filter_map(|event| writer.line(&event, 2.0)).collect();
        let expected = [
            "bootloader: stops the boot loader and gives it an address",
            "  waiting for U-Boot: 0 bytes heard, 50 s left",
            "  waiting for U-Boot: 0 bytes heard, 40 s left",
        ];
        assert_eq!(lines, expected);
        assert_eq!(writer.failed(62.0).as_deref(), Some("bootloader failed after 1 min 00 s"));
        assert_eq!(writer.failed(63.0), None);
    }
}
