//! Where results go: standard output, as text for people or one JSON object a line. Everything else goes to standard error.

use std::io::{self, Write};
use std::sync::Arc;

use flasher_core::userinfo::hide_passwords;
use flasher_core::{Progress, Timed, safe};

use crate::failure::Failure;
use crate::log::{self, Chatter};
use crate::render;
use crate::render::board_lines::BoardLines;
use crate::render::message::Message;
use crate::render::paint::Paint;
use crate::render::trouble;
use crate::stderr::{aside, aside_raw};

/// The way results are wanted.
#[derive(Clone, Debug)]
pub(crate) struct Screen {
    json: bool,
    /// Standard output belongs to something else.
    taken: bool,
    chatter: Chatter,
    /// The board of several that everything is about.
    board: Option<Arc<str>>,
    /// The lines of several boards, which nothing else may be written between.
    lines: Option<Arc<BoardLines>>,
}

impl Screen {
    pub(crate) fn new(json: bool, chatter: Chatter) -> Self {
        Self { json, taken: false, chatter, board: None, lines: None }
    }

    /// The same with results on standard error, because standard output has something else.
    pub(crate) fn aside_only(&self) -> Self {
        Self { taken: true, ..self.clone() }
    }

    /// The same for one board of several: what is shown begins with its name, or has it as `board`.
    pub(crate) fn about(&self, board: &str) -> Self {
        Self { board: Some(board.into()), ..self.clone() }
    }

    /// Lines for the jobs of these boards, and a screen that keeps them whole.
    pub(crate) fn with_lines(&self, boards: &[String]) -> (Self, Arc<BoardLines>) {
        let lines = Arc::new(BoardLines::new(self.json, self.chatter, boards));
        (Self { lines: Some(Arc::clone(&lines)), ..self.clone() }, lines)
    }

    /// Whether standard output has JSON lines.
    pub(crate) fn is_json(&self) -> bool {
        self.json
    }

    /// The way a running job is shown.
    pub(crate) fn progress(&self) -> Arc<dyn Progress> {
        render::progress(self.json, self.chatter)
    }

    /// Colour for standard output.
    pub(crate) fn paint(&self) -> Paint {
        if self.taken { Paint::of(&io::stderr()) } else { Paint::of(&io::stdout()) }
    }

    /// A result: the message as JSON, or the text.
    ///
    /// # Errors
    /// When standard output gives way.
    pub(crate) fn show(&self, message: &Message, text: impl Fn(Paint) -> String) -> io::Result<()> {
        if log::is_kept() {
            log::keep(&self.named(text(Paint::plain())));
        }
        if self.json {
            return self.message(message);
        }
        self.text(&hide_passwords(&self.named(text(self.paint()))))
    }

    /// How a job ended; as JSON its last event tells that.
    ///
    /// # Errors
    /// When standard output gives way.
    pub(crate) fn end(&self, text: impl Fn(Paint) -> String) -> io::Result<()> {
        log::keep(&self.named(text(Paint::plain())));
        if self.json { Ok(()) } else { self.text(&hide_passwords(&self.named(text(self.paint())))) }
    }

    /// A result that has no other form.
    ///
    /// # Errors
    /// When standard output gives way.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        if self.taken {
            self.alone(|| aside(text));
            return Ok(());
        }
        let safe = safe::lines(text, self.paint().allowed());
        self.alone(|| {
            let mut out = io::stdout().lock();
            out.write_all(safe.as_bytes())?;
            out.flush()
        })
    }

    /// A JSON line.
    ///
    /// # Errors
    /// When standard output gives way.
    pub(crate) fn message(&self, message: &Message) -> io::Result<()> {
        let message = Timed::now(message).about(self.board.as_deref());
        self.text(&hide_passwords(&render::json_line(&message)?))
    }

    /// Something people may want to know that is no result; `--quiet` leaves it out.
    pub(crate) fn aside(&self, text: &str) {
        let text = self.named(text.to_owned());
        log::keep(&text);
        if self.chatter > Chatter::Quiet {
            self.alone(|| aside(&text));
        }
    }

    /// The same while the terminal is raw, where a new line does not begin at the left by itself.
    pub(crate) fn aside_raw(&self, text: &str) {
        log::keep(text);
        if self.chatter > Chatter::Quiet {
            aside_raw(text);
        }
    }

    /// What went wrong, in words that can be painted.
    pub(crate) fn complain(&self, of: impl Fn(Paint) -> String) {
        log::keep(&self.named(of(Paint::plain())));
        let text = self.named(of(Paint::of(&io::stderr())));
        self.alone(|| aside(&text));
    }

    /// Writes while no line of a board is on the screen.
    fn alone<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.lines {
            Some(lines) => lines.alone(write),
            None => write(),
        }
    }

    /// The text behind the name of its board, when it is about one of several: beside a single line, above more of them.
    fn named(&self, text: String) -> String {
        match &self.board {
            None => text,
            Some(board) if text.trim_end().contains('\n') => format!("{board}:\n{text}"),
            Some(board) => format!("{board}: {text}"),
        }
    }

    /// Reports a failure and gives its exit code.
    pub(crate) fn fail(&self, failure: &Failure) -> u8 {
        let code = failure.exit_code();
        if code == 0 {
            return code;
        }
        if self.json
            && let Err(gone) = self.fail_as_json(failure)
        {
            tracing::debug!(%gone, "nobody reads the results");
        }
        match failure {
            Failure::Findings(findings) => self.complain(|_| format!("{findings}\n")),
            Failure::Error(error) => self.complain(|paint| trouble::error(error, paint)),
            Failure::Output(error) => {
                self.complain(|_| format!("error: cannot write the result: {error}\n"));
            }
        }
        code
    }

    fn fail_as_json(&self, failure: &Failure) -> io::Result<()> {
        match failure {
            Failure::Findings(findings) => findings.0.iter().try_for_each(|it| self.message(&it.into())),
            Failure::Error(error) => self.message(&error.into()),
            Failure::Output(_) => Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_about_a_board_of_several_has_its_name() {
        let screen = Screen::new(false, Chatter::Normal);
        let named = |text: &str| screen.about("a").named(text.to_owned());
        assert_eq!(named("power on\n"), "a: power on\n");
        assert_eq!(named("error: no\n   = help: wait\n"), "a:\nerror: no\n   = help: wait\n");
        assert_eq!(screen.named("power on\n".to_owned()), "power on\n");
    }
}
