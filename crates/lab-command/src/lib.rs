//! Runs a command of the lab: bounded in time and in what it may print, and ended with all that it started.
//!
//! * [`run`]: runs a command; [`looked`]: whether it could be started, without starting it
//! * [`CommandEnvironment`]: where and how it runs, and for which device
//! * [`Error`]: what goes wrong and what to do next

mod environment;
mod error;
mod look;
mod run;

pub use environment::CommandEnvironment;
pub use error::{CommandName, Error};
pub use look::find;
pub use run::{last_line, looked, run};
