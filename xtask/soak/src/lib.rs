//! Flashes with faults that no person thought of together: each is drawn from a seed, run as a process of its own, and judged
//! from outside by a model that shares no code with the program.
//!
//! A case is drawn (`draw`), given a folder (`bench`), run (`run`) and judged (`judge`); one that fails is made smaller
//! (`shrink`). [`soak`] does that with many.

#![allow(
    clippy::print_stdout,
    clippy::disallowed_methods,
    reason = "a command that talks to the person or CI job that runs it, on threads of its own"
)]

mod act;
mod bench;
mod case;
mod cause;
mod clock;
mod content;
mod disk;
mod draw;
mod exporter;
mod faults;
mod folder;
mod judge;
mod medium;
mod mount;
mod needs;
mod observation;
mod origin;
mod personality;
mod play;
mod roots;
mod run;
mod shrink;
mod soak;
mod tally;

pub use soak::{SoakSettings, soak};
pub use tally::Tally;
