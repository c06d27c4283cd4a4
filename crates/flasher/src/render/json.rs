//! A running job as JSON lines on standard output.

use std::io::{self, Write};

use flasher_core::{Event, Progress, Timed, safe};
use serde::Serialize;

/// Writes each event as a line, with its time. A job goes on when the reader of its events is gone: its board must not be left half
/// written.
#[derive(Default)]
pub(crate) struct Json {
    /// The board of several that it is about.
    pub(super) board: Option<String>,
}

impl Progress for Json {
    fn report(&self, event: Event) {
        let mut out = io::stdout().lock();
        // The time is taken with the stream in hand, so that times are in the order of the lines.
        write(&mut out, &Timed::now(event).about(self.board.as_deref()));
    }

    fn replay(&self, event: Timed) {
        write(&mut io::stdout().lock(), &event.about(self.board.as_deref()));
    }
}

fn write(out: &mut impl Write, event: &Timed) {
    match line(event) {
        Ok(line) => drop(out.write_all(line.as_bytes()).and_then(|()| out.flush())),
        Err(error) => tracing::error!(%error, "an event cannot be written as JSON"),
    }
}

/// One line of `--json` output, with its end.
///
/// # Errors
/// When it cannot be written as JSON.
pub(crate) fn line<T: Serialize>(told: &Timed<T>) -> serde_json::Result<String> {
    serde_json::to_string(told).map(|text| format!("{}\n", safe::json(&text)))
}
