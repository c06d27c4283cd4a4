//! How everything looks: pure functions to text, and three ways to show a running job.

mod bars;
pub(crate) mod fields;
mod lines;
pub(crate) mod message;
mod motion;
pub(crate) mod paint;
pub(crate) mod plan;
pub(crate) mod transfers;
pub(crate) mod trouble;
pub(crate) mod units;
pub(crate) mod verdict;

#[cfg(test)]
mod tests;

use std::io::{IsTerminal, Write};
use std::sync::Arc;

use flasher_core::{Event, Progress, safe};

/// Shows a running job: JSON lines on standard output, bars on a terminal, else plain lines on standard error.
pub(crate) fn progress(json: bool, verbose: bool) -> Arc<dyn Progress> {
    if json {
        Arc::new(json_line)
    } else if std::io::stderr().is_terminal() && !verbose && !paint::is_dumb() {
        Arc::new(bars::Bars::new())
    } else {
        Arc::new(lines::Lines::new(std::io::stderr(), verbose))
    }
}

/// A job goes on when nobody reads its events: its board must not be left half written.
fn json_line(event: Event) {
    let Ok(mut line) = serde_json::to_string(&event).map(|line| safe::json(&line)) else {
        tracing::error!("an event cannot be written as JSON");
        return;
    };
    line.push('\n');
    let mut out = std::io::stdout().lock();
    out.write_all(line.as_bytes()).and_then(|()| out.flush()).ok();
}
