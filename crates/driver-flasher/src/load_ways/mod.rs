//! What is known of how files come into the board's memory. `load_path` goes by it.
//!
//! * `tuner`: which way is taken: block and window of TFTP, or HTTP, the best first
//! * `memory`: which one was good for which board; `state`: what one job knows

mod memory;
mod state;
mod tuner;

pub(crate) use state::LoadWays;
pub(crate) use tuner::{LoadCost, LoadSetting};
