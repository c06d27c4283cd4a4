//! After a failure the kernel is asked what it says of it: the small Linux keeps its messages from the console, where they would tear
//! answers apart.

use std::time::Duration;

use flasher_core::{Class, Result};

use super::guest::Guest;

/// How long a board may take to come back to its shell and to answer.
const WITHIN: Duration = Duration::from_secs(8);
/// The end of the kernel's log.
const COMMAND: &str = "dmesg 2>/dev/null | tail -n 40";

impl Guest<'_> {
    /// The result; when board, medium or the way between failed, what the kernel says is looked at first.
    pub(super) async fn heard<T>(&mut self, done: Result<T>) -> Result<T> {
        let concerns_board = |class| matches!(class, Class::Infrastructure | Class::Board | Class::Medium);
        if done.as_ref().is_err_and(|error| concerns_board(error.class())) {
            self.last_words().await;
        }
        done
    }

    async fn last_words(&mut self) {
        let views = &self.session.run.views;
        let heard_before = self.shell.transcript().heard();
        let asked = tokio::time::timeout(WITHIN, self.shell.run(COMMAND, WITHIN)).await;
        let said = asked.ok().and_then(std::result::Result::ok);
        // An answer that a bad line garbles is one too: nothing is echoed, so the board itself printed it.
        views.answers(said.is_some() || self.shell.transcript().heard() > heard_before);
        said.iter().flat_map(|said| said.text.lines()).for_each(|line| views.kernel_line(line));
    }
}
