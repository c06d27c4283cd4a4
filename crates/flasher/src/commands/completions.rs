//! `flasher completions`: out of the definition of the command line.

use clap::CommandFactory;
use clap_complete::Shell;
use flasher_core::Result;

use crate::args::Args;
use crate::failure::Failure;
use crate::screen::Screen;

/// Prints the completion script.
pub(super) fn run(shell: Shell, screen: &Screen) -> Result<u8, Failure> {
    let mut script = Vec::new();
    clap_complete::generate(shell, &mut Args::command(), "flasher", &mut script);
    screen.text(&String::from_utf8_lossy(&script))?;
    Ok(0)
}
