//! `flasher man`: manual pages for `man`, made of the definition of the command line.

use std::path::Path;

use flasher_core::Error;

use crate::args;
use crate::failure::Failure;
use crate::render::units::shown;
use crate::screen::Screen;

/// Writes a page for the program and for each of its commands into `folder`, which is made when it is missing.
pub(super) fn run(folder: &Path, screen: &Screen) -> Result<u8, Failure> {
    let made =
        std::fs::create_dir_all(folder).and_then(|()| clap_mangen::generate_to(args::command(), folder));
    made.map_err(|error| {
        Error::infrastructure(format!("cannot write manual pages into `{}`", folder.display())).because(error)
    })?;
    screen.text(&format!(
        "wrote the pages into {0}; `man -l {0}/flasher.1` shows the first\n",
        shown(folder)
    ))?;
    Ok(0)
}
