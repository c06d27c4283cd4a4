//! `ums`: U-Boot makes a medium of the board a USB disk of the machine at the other end of its cable, until it is interrupted
//! (U-Boot, `doc/usage/cmd/ums`).

use std::time::Duration;

use super::{PROMPT_WITHIN, UBoot};
use crate::cause::Cause;
use crate::cause_texts::BANNER;
use crate::console::deadline;
use crate::error::Error;
use crate::pattern::Pattern;

/// What it prints for each medium that it offers.
const OFFERED: &str = "UMS: LUN ";

impl UBoot {
    /// Offers a medium as a USB disk; `what` is what `ums` is given: `0 mmc 1` for a controller, an interface and a device. Returns once
    /// U-Boot says that it does, which it goes on with.
    ///
    /// # Errors
    /// [`Error::Command`] when the prompt comes instead, [`Error::Timeout`] when nothing comes `within` this time (it is interrupted then),
    /// [`Error::Reset`] when the board restarts, and those of [`Self::run`] for the line.
    pub async fn share(&mut self, what: &str, within: Duration) -> Result<(), Error> {
        let command = format!("ums {what}");
        super::line::check_printable("argument of `ums`", what)?;
        self.start_line(&command).await?;
        let patterns =
            [Pattern::text(OFFERED), Pattern::text(&format!("\n{}", self.prompt)), Pattern::regex(BANNER)?];
        let found = self.console.expect_until(&patterns, deadline(within)).await?;
        match found.map(|found| (found.index, found.before)) {
            Some((0, _)) => Ok(()),
            Some((1, said)) => {
                self.at_prompt = true;
                let text = String::from_utf8_lossy(&said).replace('\r', "");
                Err(self.command_error(&command, None, text.trim(), Cause::in_uboot_output(&said)))
            }
            Some(_) => Err(Error::Reset { during: command, tail: self.console.tail() }),
            None => {
                let error = self.console.timeout_error(&format!("`{OFFERED}` of `{command}`"), within);
                // When the prompt does not come back the next command tries again and reports it.
                let _ = self.resync(PROMPT_WITHIN).await;
                Err(error)
            }
        }
    }

    /// Ends what [`Self::share`] began: the prompt is there again.
    ///
    /// # Errors
    /// [`Error::Timeout`] when the prompt does not come.
    pub async fn take_back(&mut self) -> Result<(), Error> {
        self.resync(PROMPT_WITHIN).await
    }
}
