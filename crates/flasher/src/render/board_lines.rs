//! The jobs of several boards at once: a line for each board on a terminal, which moves while its job does; elsewhere what one job shows,
//! behind the name of its board.

use std::collections::BTreeMap;
use std::fmt::Debug;
use std::io::IsTerminal;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use flasher_core::{Event, Progress, Quiet, Step, Timed, TransferState};
use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget};

use super::bars::{MUCH, listens, style};
use super::json::Json;
use super::lines::{Lines, remark};
use super::motion::{motion, waiting};
use super::paint::{self, Paint};
use super::units::tame;
use crate::log::Chatter;
use crate::stderr::aside;

const IDLE: &str = "   {prefix}  {wide_msg:.dim}";
const WAITING: &str = " {spinner:.cyan} {prefix}  {elapsed:>7}  {wide_msg:.dim}";
const MOVING: &str = " {spinner:.cyan} {prefix}  {elapsed:>7}  {bar:20.cyan/8} {wide_msg}";
const ENDED: &str = " {wide_msg}";

/// Shows the jobs of several boards.
pub(crate) struct BoardLines {
    way: Way,
    /// When the first of them began.
    begun: Instant,
}

enum Way {
    Json,
    Quiet,
    Plain(Chatter),
    Terminal { all: MultiProgress, lines: BTreeMap<String, Arc<BoardLine>> },
}

/// How the job of a board ended, for its line.
pub(crate) enum LineEnd {
    Good(String),
    Bad(String),
    /// It never began.
    Idle(String),
}

impl Debug for BoardLines {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_struct("BoardLines").finish_non_exhaustive()
    }
}

impl BoardLines {
    /// Lines for these boards, in this order.
    pub(crate) fn new(json: bool, chatter: Chatter, boards: &[String]) -> Self {
        let has_bars = std::io::stderr().is_terminal() && chatter < Chatter::Verbose && !paint::is_dumb();
        let way = match () {
            () if json => Way::Json,
            () if chatter == Chatter::Quiet => Way::Quiet,
            () if has_bars => Self::terminal(boards),
            () => Way::Plain(chatter),
        };
        Self { way, begun: Instant::now() }
    }

    fn terminal(boards: &[String]) -> Way {
        let all = MultiProgress::with_draw_target(ProgressDrawTarget::stderr_with_hz(10));
        let width = boards.iter().map(|board| board.chars().count()).max().unwrap_or(0);
        let line = |board: &String| (board.clone(), Arc::new(BoardLine::new(&all, board, width)));
        let lines = boards.iter().map(line).collect();
        Way::Terminal { all, lines }
    }

    /// What the job of this board reports to.
    pub(crate) fn progress(&self, board: &str) -> Arc<dyn Progress> {
        let shown: Arc<dyn Progress> = match &self.way {
            Way::Json => Arc::new(Json { board: Some(board.to_owned()) }),
            Way::Quiet => Arc::new(Quiet),
            Way::Plain(chatter) => {
                Arc::new(Lines::new(std::io::stderr(), *chatter).of_board(board, self.begun))
            }
            Way::Terminal { lines, .. } => match lines.get(board) {
                Some(line) => Arc::clone(line) as Arc<dyn Progress>,
                None => Arc::new(Quiet),
            },
        };
        super::logged(shown, Some(board))
    }

    /// What reports about all of them go to.
    pub(crate) fn of_all(self: &Arc<Self>) -> Arc<dyn Progress> {
        let shown: Arc<dyn Progress> = match &self.way {
            Way::Json => Arc::new(Json::default()),
            Way::Quiet => Arc::new(Quiet),
            Way::Plain(chatter) => Arc::new(Lines::new(std::io::stderr(), *chatter)),
            Way::Terminal { .. } => {
                let lines = Arc::clone(self);
                Arc::new(move |event: Event| {
                    let text = remark(&event).map(|remark| format!(" ! {remark}\n"));
                    text.iter().for_each(|text| lines.alone(|| aside(text)));
                })
            }
        };
        super::logged(shown, None)
    }

    /// The job of this board is over.
    pub(crate) fn end(&self, board: &str, end: &LineEnd) {
        if let Way::Terminal { lines, .. } = &self.way {
            lines.get(board).iter().for_each(|line| line.end(end));
        }
    }

    /// Takes the lines off the screen: what they say is shown in another way.
    pub(crate) fn clear(&self) {
        if let Way::Terminal { all, .. } = &self.way {
            all.clear().ok(); // a screen that is gone shows no line
            all.set_draw_target(ProgressDrawTarget::hidden());
        }
    }

    /// Writes something while no line is on the screen.
    pub(crate) fn alone<T>(&self, write: impl FnOnce() -> T) -> T {
        match &self.way {
            Way::Terminal { all, .. } => all.suspend(write),
            _ => write(),
        }
    }
}

/// The line of one board on a terminal.
struct BoardLine {
    name: String,
    width: usize,
    paint: Paint,
    all: MultiProgress,
    state: Mutex<LineState>,
}

struct LineState {
    bar: ProgressBar,
    /// The step that runs, and since when.
    step: Option<(Step, Instant)>,
    has_bar: bool,
}

impl BoardLine {
    fn new(all: &MultiProgress, name: &str, width: usize) -> Self {
        let bar = all.add(ProgressBar::new(0));
        let name = tame(name);
        bar.set_style(style(IDLE));
        bar.set_prefix(format!("{name:<width$}"));
        bar.set_message("waiting for its turn");
        let state = LineState { bar, step: None, has_bar: false };
        let paint = Paint::of(&std::io::stderr());
        Self { name, width, paint, all: all.clone(), state: Mutex::new(state) }
    }

    fn take(&self, event: &Event) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::StepBegun { step } => state.begin(*step, &self.name, self.width),
            Event::Advanced { done, total, .. } => state.advance(*done, *total),
            Event::Waiting { what, heard, left, .. } => state.bar.set_message(waiting(what, *heard, *left)),
            Event::Console { line, .. } if listens(state.step.map(|(step, _)| step)) => {
                state.bar.set_message(tame(line))
            }
            Event::Note { .. } | Event::AlreadyThere { .. } => {
                state.bar.set_message(remark(event).unwrap_or_default());
            }
            Event::Warning { .. } | Event::Retrying { .. } => self.above(event),
            Event::Transfer(transfer) if matches!(transfer.state, TransferState::Failed { .. }) => {
                self.above(event);
            }
            _ => {}
        }
    }

    /// What is worth keeping stands above all lines.
    fn above(&self, event: &Event) {
        let text = format!(" ! {}: {}\n", self.name, remark(event).unwrap_or_default());
        let text = self.paint.warning(&text);
        self.all.suspend(|| aside(&text));
    }

    fn end(&self, end: &LineEnd) {
        let (mark, text) = match end {
            LineEnd::Good(text) => (self.paint.good("✓"), text),
            LineEnd::Bad(text) => (self.paint.bad("✗"), text),
            LineEnd::Idle(text) => ("-".to_owned(), text),
        };
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.bar.set_style(style(ENDED));
        let width = self.width;
        state.bar.finish_with_message(format!("{mark} {:<width$}  {}", self.name, tame(text)));
    }
}

impl Progress for BoardLine {
    fn report(&self, event: Event) {
        self.take(&event);
    }

    fn replay(&self, event: Timed) {
        self.take(&event.what);
    }
}

impl LineState {
    fn begin(&mut self, step: Step, name: &str, width: usize) {
        if self.step.is_none() {
            self.bar.reset_elapsed();
            self.bar.enable_steady_tick(Duration::from_millis(100));
        }
        (self.step, self.has_bar) = (Some((step, Instant::now())), false);
        self.bar.set_style(style(WAITING));
        self.bar.set_prefix(format!("{name:<width$}  {:<10}", step.name()));
        self.bar.set_message(step.meaning());
    }

    fn advance(&mut self, done: u64, total: Option<u64>) {
        if let Some(total) = total.filter(|total| *total >= MUCH) {
            if !self.has_bar {
                self.has_bar = true;
                self.bar.set_style(style(MOVING));
            }
            self.bar.set_length(total);
        }
        self.bar.set_position(done);
        let took = self.step.map_or(0.0, |(_, begun)| begun.elapsed().as_secs_f64());
        self.bar.set_message(motion(done, total, took));
    }
}
