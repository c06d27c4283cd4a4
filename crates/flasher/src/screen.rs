//! Where results go: standard output, as text for people or one JSON object a line. Everything else goes to standard error.

use std::io::{self, Write};
use std::sync::Arc;

use flasher_core::userinfo::hide_passwords;
use flasher_core::{Progress, Timed, safe};

use crate::failure::Failure;
use crate::log::{self, Chatter};
use crate::render;
use crate::render::message::Message;
use crate::render::paint::Paint;
use crate::render::trouble;
use crate::stderr::{aside, aside_raw};

/// The way results are wanted.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Screen {
    json: bool,
    /// Standard output belongs to something else.
    taken: bool,
    chatter: Chatter,
}

impl Screen {
    pub(crate) fn new(json: bool, chatter: Chatter) -> Self {
        Self { json, taken: false, chatter }
    }

    /// The same with results on standard error, because standard output has something else.
    pub(crate) fn aside_only(&self) -> Self {
        Self { taken: true, ..*self }
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
            log::keep(&text(Paint::plain()));
        }
        if self.json { self.message(message) } else { self.text(&hide_passwords(&text(self.paint()))) }
    }

    /// How a job ended; as JSON its last event tells that.
    ///
    /// # Errors
    /// When standard output gives way.
    pub(crate) fn end(&self, text: impl Fn(Paint) -> String) -> io::Result<()> {
        log::keep(&text(Paint::plain()));
        if self.json { Ok(()) } else { self.text(&hide_passwords(&text(self.paint()))) }
    }

    /// A result that has no other form.
    ///
    /// # Errors
    /// When standard output gives way.
    pub(crate) fn text(&self, text: &str) -> io::Result<()> {
        if self.taken {
            aside(text);
            return Ok(());
        }
        let safe = safe::lines(text, self.paint().allowed());
        let mut out = io::stdout().lock();
        out.write_all(safe.as_bytes())?;
        out.flush()
    }

    /// A JSON line.
    ///
    /// # Errors
    /// When standard output gives way.
    pub(crate) fn message(&self, message: &Message) -> io::Result<()> {
        self.text(&hide_passwords(&render::json_line(&Timed::now(message))?))
    }

    /// Something people may want to know that is no result; `--quiet` leaves it out.
    pub(crate) fn aside(&self, text: &str) {
        log::keep(text);
        if self.chatter > Chatter::Quiet {
            aside(text);
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
        log::keep(&of(Paint::plain()));
        aside(&of(Paint::of(&io::stderr())));
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
