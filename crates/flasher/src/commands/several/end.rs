//! How the jobs of several boards ended: every failure in full, then a table, and the exit code of the worst.

use std::fmt::Display;
use std::io;
use std::time::Duration;

use flasher_core::flash::MediumState;
use flasher_core::{Class, Error, Receipt, Verdict};

use crate::commands::conclude::KeptReceipt;
use crate::commands::table::aligned;
use crate::failure::Failure;
use crate::render::board_lines::LineEnd;
use crate::render::message::{BoardResult, Message};
use crate::render::paint::Paint;
use crate::render::units::seconds;
use crate::render::{trouble, verdict};
use crate::screen::Screen;

/// How the job of one board ended.
pub(super) struct BoardEnd {
    pub(super) board: String,
    pub(super) outcome: JobEnd,
    pub(super) took: Duration,
    /// The board whose failure stopped this job, with `--fail-fast`.
    pub(super) stopped_for: Option<String>,
}

/// What came of a job.
pub(super) enum JobEnd {
    Done {
        receipt: Box<Receipt>,
        kept: KeptReceipt,
    },
    /// It has no receipt.
    Failed(Failure),
    /// It never began.
    Idle,
}

impl BoardEnd {
    /// A job that never began.
    pub(super) fn idle(board: &str) -> Self {
        Self { board: board.to_owned(), outcome: JobEnd::Idle, took: Duration::ZERO, stopped_for: None }
    }

    /// A job that a fault of this program ended: nothing is known of its board any more.
    pub(super) fn broken(board: &str, error: &dyn Display) -> Self {
        let failure = Error::new(Class::Internal, format!("the job of this board broke: {error}"))
            .with("medium", MediumState::Unknown.to_string())
            .help("the board may still be on: `flasher power off` switches it off; report this as a bug of ours");
        let outcome = JobEnd::Failed(failure.into());
        Self { board: board.to_owned(), outcome, took: Duration::ZERO, stopped_for: None }
    }

    /// Whether it did not do what it was to do.
    pub(super) fn is_failed(&self) -> bool {
        self.own_code() != 0
    }

    /// Its exit code: none of its own for a job that another board's failure stopped.
    pub(super) fn exit_code(&self) -> u8 {
        let code = self.own_code();
        let is_stopped = self.stopped_for.is_some() && code == Class::Interrupted.exit_code();
        if is_stopped { 0 } else { code }
    }

    fn own_code(&self) -> u8 {
        match &self.outcome {
            JobEnd::Done { receipt, kept } => match (receipt.exit_code(), &kept.file) {
                (0, Err(error)) => error.class().exit_code(),
                (code, _) => code,
            },
            JobEnd::Failed(failure) => failure.exit_code(),
            JobEnd::Idle => Class::Interrupted.exit_code(),
        }
    }

    fn verdict(&self) -> Option<Verdict> {
        match &self.outcome {
            JobEnd::Done { receipt, .. } => Some(receipt.verdict),
            _ => None,
        }
    }

    /// What became of the board, in a few words.
    fn word(&self) -> String {
        let stopped = self.stopped_for.as_ref().filter(|_| self.exit_code() != self.own_code());
        match (&self.outcome, stopped) {
            (JobEnd::Idle, Some(other)) => format!("not begun, as `{other}` failed"),
            (JobEnd::Idle, None) => "not begun".to_owned(),
            (_, Some(other)) => format!("stopped, as `{other}` failed"),
            (JobEnd::Failed(failure), _) => failed(failure.exit_code()),
            (JobEnd::Done { receipt, .. }, _) => match (receipt.verdict, &receipt.failure) {
                (Verdict::Failed, Some(failure)) => {
                    format!("{} in {}", failed(failure.class.exit_code()), failure.step)
                }
                (Verdict::Failed, None) => failed(receipt.exit_code()),
                (Verdict::Proven, _) => "proven".to_owned(),
                (Verdict::Written, _) => "written, not proven".to_owned(),
                (Verdict::Identified, _) => "identified".to_owned(),
            },
        }
    }

    /// The same for the line of its job.
    pub(super) fn line(&self) -> LineEnd {
        let word = self.word();
        match (&self.outcome, self.own_code()) {
            (JobEnd::Idle, _) => LineEnd::Idle(word),
            (_, 0) => LineEnd::Good(format!("{word}, {}", seconds(self.took.as_secs_f64()))),
            _ => LineEnd::Bad(format!("{word}, {}", seconds(self.took.as_secs_f64()))),
        }
    }

    fn place(&self) -> Option<&str> {
        match &self.outcome {
            JobEnd::Done { kept, .. } => kept.place(),
            _ => None,
        }
    }

    /// What people have to know of it in full, apart from its failure: what was found on a medium, and that a receipt is not kept.
    fn tell(&self, screen: &Screen) -> io::Result<()> {
        let screen = screen.about(&self.board);
        match &self.outcome {
            JobEnd::Failed(failure) => drop(screen.fail(failure)),
            JobEnd::Done { receipt, kept } => {
                if receipt.verdict == Verdict::Identified {
                    screen.end(|paint| verdict::good(receipt, kept.place(), paint))?;
                }
                if let Err(error) = &kept.file {
                    screen.complain(|paint| trouble::error(error, paint));
                }
            }
            JobEnd::Idle => {}
        }
        Ok(())
    }

    /// The failure of its receipt as text; where that is kept the table says.
    fn failure(&self, paint: Paint) -> Option<String> {
        let JobEnd::Done { receipt, .. } = &self.outcome else { return None };
        receipt.failure.as_ref().map(|failure| trouble::failed(receipt, failure, None, paint))
    }

    fn result(&self) -> BoardResult {
        BoardResult {
            board: self.board.clone(),
            verdict: self.verdict(),
            exit_code: self.own_code(),
            seconds: self.took.as_secs_f64(),
            receipt: self.place().map(str::to_owned),
        }
    }

    fn row(&self) -> [String; 5] {
        let attempts = match &self.outcome {
            JobEnd::Done { receipt, .. } => receipt.attempts.to_string(),
            _ => "-".to_owned(),
        };
        let time = match self.outcome {
            JobEnd::Idle => "-".to_owned(),
            _ => seconds(self.took.as_secs_f64()),
        };
        let receipt = self.place().unwrap_or("-").to_owned();
        [self.board.clone(), self.word(), time, attempts, receipt]
    }
}

fn failed(code: u8) -> String {
    let classes = [
        Class::Config,
        Class::Source,
        Class::Infrastructure,
        Class::Board,
        Class::Medium,
        Class::Internal,
        Class::Interrupted,
    ];
    let class = classes.into_iter().find(|class| class.exit_code() == code);
    class.map_or_else(|| "failed".to_owned(), |class| format!("failed ({})", trouble::class_name(class)))
}

/// Tells how all ended; the exit code is that of the worst.
///
/// # Errors
/// When standard output gives way.
pub(super) fn show(ends: &[BoardEnd], screen: &Screen) -> io::Result<u8> {
    ends.iter().try_for_each(|end| end.tell(screen))?;
    for (boards, first) in same_failures(ends) {
        screen.about(&boards).complain(|paint| first.failure(paint).unwrap_or_default());
    }
    let message = Message::Boards { boards: ends.iter().map(BoardEnd::result).collect() };
    screen.show(&message, |_| table(ends))?;
    Ok(worst(ends))
}

/// The boards of each failure, and the first of them: one fault often fails all of them.
fn same_failures(ends: &[BoardEnd]) -> Vec<(String, &BoardEnd)> {
    let mut failures: Vec<(String, String, &BoardEnd)> = Vec::new();
    for end in ends {
        let Some(text) = end.failure(Paint::plain()) else { continue };
        match failures.iter_mut().find(|(_, same, _)| *same == text) {
            Some((boards, ..)) => *boards += &format!(", {}", end.board),
            None => failures.push((end.board.clone(), text, end)),
        }
    }
    failures.into_iter().map(|(boards, _, first)| (boards, first)).collect()
}

fn table(ends: &[BoardEnd]) -> String {
    let head = ["BOARD", "RESULT", "TIME", "ATTEMPTS", "RECEIPT"].map(str::to_owned);
    let good = ends.iter().filter(|end| end.own_code() == 0).count();
    let rows = aligned(head, ends.iter().map(BoardEnd::row));
    format!("{rows}{good} of {} boards done\n", ends.len())
}

fn worst(ends: &[BoardEnd]) -> u8 {
    ends.iter().map(BoardEnd::exit_code).max().unwrap_or(0)
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use flasher_core::flash::{JobKind, Site};
    use flasher_core::{Failure as Cause, Step};

    use super::*;

    /// A job that ended with a receipt: proven, or failed with this class.
    fn done(board: &str, class: Option<Class>) -> BoardEnd {
        let blank =
            Receipt::blank("flasher 1", JobKind::Flash, Site::default(), SystemTime::now(), Duration::ZERO);
        let failure = class.map(|class| {
            Cause::new(Step::Write, &Error::new(class, "it broke")).leaves(MediumState::Untouched)
        });
        let verdict = if failure.is_some() { Verdict::Failed } else { Verdict::Proven };
        let receipt = Receipt { failure, verdict, attempts: 2, ..blank };
        let kept = KeptReceipt { file: Ok(Some(format!("r/{board}.json"))), in_ledger: None };
        let outcome = JobEnd::Done { receipt: Box::new(receipt), kept };
        BoardEnd { board: board.to_owned(), outcome, took: Duration::from_secs(12), stopped_for: None }
    }

    fn stopped(end: BoardEnd) -> BoardEnd {
        BoardEnd { stopped_for: Some("b".to_owned()), ..end }
    }

    #[test]
    fn the_table_has_a_row_for_each_board() {
        let away = Failure::from(Error::infrastructure("lab:1 does not answer"));
        let ends = [
            done("a", None),
            done("b", Some(Class::Medium)),
            BoardEnd { outcome: JobEnd::Failed(away), ..done("lab:1", None) },
            stopped(done("c", Some(Class::Interrupted))),
            stopped(BoardEnd::idle("d")),
            BoardEnd::idle("e"),
        ];
        insta::assert_snapshot!(table(&ends), @r"
        BOARD  RESULT                    TIME    ATTEMPTS  RECEIPT
        a      proven                    12.0 s  2         r/a.json
        b      failed (medium) in write  12.0 s  2         r/b.json
        lab:1  failed (infrastructure)   12.0 s  -         -
        c      stopped, as `b` failed    12.0 s  2         r/c.json
        d      not begun, as `b` failed  -       -         -
        e      not begun                 -       -         -
        1 of 6 boards done
        ");
    }

    #[test]
    fn a_failure_of_several_boards_is_told_once() {
        let ends = [
            done("a", Some(Class::Source)),
            done("b", Some(Class::Medium)),
            done("c", Some(Class::Source)),
            done("d", None),
        ];
        let boards: Vec<_> = same_failures(&ends).into_iter().map(|(boards, _)| boards).collect();
        assert_eq!(boards, ["a, c", "b"]);
    }

    #[test]
    fn the_exit_code_is_that_of_the_worst() {
        let code = |ends: &[BoardEnd]| worst(ends);
        assert_eq!(code(&[done("a", None), done("b", None)]), 0);
        assert_eq!(code(&[done("a", Some(Class::Board)), done("b", Some(Class::Source))]), 5);
        // Those that a failure stopped do not hide it.
        let stopped = [done("b", Some(Class::Board)), stopped(done("a", Some(Class::Interrupted)))];
        assert_eq!(code(&stopped), 5);
        assert_eq!(code(&[done("a", None), BoardEnd::idle("b")]), 130);
        let unkept = KeptReceipt { file: Err(Error::infrastructure("disk full")), in_ledger: None };
        let outcome = match done("a", None).outcome {
            JobEnd::Done { receipt, .. } => JobEnd::Done { receipt, kept: unkept },
            other => other,
        };
        assert_eq!(code(&[BoardEnd { outcome, ..done("a", None) }]), 4);
    }
}
