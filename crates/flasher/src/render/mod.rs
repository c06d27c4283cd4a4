//! How everything looks: pure functions to text, and three ways to show a running job.

mod bars;
pub(crate) mod board_lines;
pub(crate) mod fields;
mod found;
mod json;
mod lines;
mod logged;
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

use std::io::IsTerminal;
use std::sync::Arc;

use flasher_core::{Progress, Quiet};

use crate::log::{self, Chatter};

pub(crate) use json::line as json_line;

/// Shows a running job: JSON lines on standard output, bars on a terminal, else plain lines on standard error; and in the
/// file of `--log`, when there is one.
pub(crate) fn progress(json: bool, chatter: Chatter) -> Arc<dyn Progress> {
    let is_quiet = chatter == Chatter::Quiet;
    let has_bars = std::io::stderr().is_terminal() && chatter < Chatter::Verbose && !paint::is_dumb();
    let shown: Arc<dyn Progress> = match () {
        () if json => Arc::new(json::Json::default()),
        () if is_quiet => Arc::new(Quiet),
        () if has_bars => Arc::new(bars::Bars::new()),
        () => Arc::new(lines::Lines::new(std::io::stderr(), chatter)),
    };
    logged(shown, None)
}

/// The same, kept in the file of `--log` as well, when there is one; behind the name of its board, when it is one of several.
fn logged(shown: Arc<dyn Progress>, board: Option<&str>) -> Arc<dyn Progress> {
    if log::is_kept() { Arc::new(logged::Logged::new(shown, board)) } else { shown }
}
