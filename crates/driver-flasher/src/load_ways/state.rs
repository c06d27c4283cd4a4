//! What one job knows of how files come into its board's memory.

use std::path::PathBuf;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{SystemTime, UNIX_EPOCH};

use board_console::UBoot;
use flasher_core::{Result, owner};

use super::memory::LoadMemory;
use super::tuner::{LoadCost, LoadSetting, Tuner};
use crate::blocking::blocking;
use crate::commands::has;
use crate::network::TFTP_PORT;

/// Block, window and number of timeouts as they are set in U-Boot.
type Applied = (u16, u16, u64);

/// What one job knows of how files come into its board's memory; attempts share it.
#[derive(Default)]
pub(crate) struct LoadWays(Mutex<Known>);

#[derive(Default)]
struct Known {
    tuner: Option<Tuner>,
    /// What the board is called in the file that remembers it.
    board: String,
    memory: Option<LoadMemory>,
    /// What the file says of it.
    remembered: Option<LoadSetting>,
    applied: Option<Applied>,
    /// U-Boot has its second network stack, as far as `dhcp` showed; with a fixed address it is not known.
    is_lwip: bool,
    /// The other stack was tried, because nothing arrived.
    port_was_tried: bool,
    /// Whether U-Boot has `wget`, once it was asked.
    has_http: Option<bool>,
}

impl LoadWays {
    /// Whether nothing is known yet: then [`LoadWays::recall`] comes first.
    pub(crate) fn is_new(&self) -> bool {
        self.known().tuner.is_none()
    }

    /// Begins with what was good before for the board of these identities, out of the file in `folder`; gives a warning where that
    /// was unreadable. `best` is the block and window of the best way.
    pub(crate) async fn recall(
        &self,
        mut identities: Vec<String>,
        folder: Option<PathBuf>,
        best: (u16, u16),
    ) -> Option<String> {
        identities.sort();
        let board = owner::stable_name(&identities.join("\n"));
        // A board without a name is none that could be found again.
        let memory = folder.filter(|_| !identities.is_empty()).map(LoadMemory::at);
        let (mut remembered, mut warning) = (None, None);
        if let Some(memory) = memory.clone() {
            let name = board.clone();
            let recalled = blocking(move || Ok(memory.recall(&name, now()))).await;
            (remembered, warning) = recalled.unwrap_or_else(|error| (None, Some(error.to_string())));
        }
        let tuner = Tuner::new(best.0, best.1, remembered);
        let mut known = self.known();
        (known.tuner, known.board, known.memory, known.remembered) = (Some(tuner), board, memory, remembered);
        warning
    }

    /// A U-Boot begins, without any of our settings. `is_lwip` when `dhcp` showed that it has its second network stack.
    pub(crate) fn begin(&self, is_lwip: bool) {
        let mut known = self.known();
        (known.applied, known.has_http) = (None, None);
        (known.port_was_tried, known.is_lwip) = (false, is_lwip);
        if let Some(tuner) = &mut known.tuner {
            tuner.begin_again();
        }
    }

    /// Remembers the way that is taken where it is worth it; gives a warning where that failed, which is no failure of the flash.
    pub(crate) async fn remember(&self) -> Option<String> {
        let (memory, board, setting) = {
            let mut known = self.known();
            let setting = known.tuner.as_ref().and_then(Tuner::to_remember);
            if setting == known.remembered {
                return None;
            }
            known.remembered = setting;
            (known.memory.clone()?, known.board.clone(), setting)
        };
        let kept = blocking(move || Ok(memory.keep(&board, setting, now()))).await;
        let trouble = match kept {
            Ok(Ok(())) => return None,
            Ok(Err(error)) => error.to_string(),
            Err(error) => error.to_string(),
        };
        Some(format!("how this board loads best cannot be remembered: {trouble}"))
    }

    /// The way that is taken now.
    pub(crate) fn setting(&self) -> LoadSetting {
        let known = self.known();
        known.tuner.as_ref().map_or(LoadSetting::Tftp { block: 512, window: 1 }, Tuner::setting)
    }

    pub(crate) fn is_lwip(&self) -> bool {
        self.known().is_lwip
    }

    pub(crate) fn has_http(&self) -> bool {
        self.known().has_http == Some(true)
    }

    pub(crate) fn is_last_by_tftp(&self) -> bool {
        self.known().tuner.as_ref().is_none_or(Tuner::is_last_by_tftp)
    }

    /// Whether U-Boot has other settings than these.
    pub(crate) fn changes(&self, settings: Applied) -> bool {
        self.known().applied != Some(settings)
    }

    /// U-Boot has these settings now.
    pub(crate) fn applied(&self, settings: Applied) {
        self.known().applied = Some(settings);
    }

    /// Whether the other stack's way to name a port is worth a try, once: nothing arrived at ours. The older one takes it from a
    /// variable, the second one from the command.
    pub(crate) fn try_other_stack(&self, port: u16) -> bool {
        let mut known = self.known();
        let flips = port != TFTP_PORT && !known.port_was_tried;
        if flips {
            (known.port_was_tried, known.is_lwip) = (true, !known.is_lwip);
        }
        flips
    }

    /// Asks U-Boot, once, whether it has `wget`.
    pub(crate) async fn look_for_http(&self, uboot: &mut UBoot) -> Result<()> {
        if self.known().has_http.is_none() {
            let has_http = has(uboot, "wget").await?;
            let mut known = self.known();
            known.has_http = Some(has_http);
            if let Some(tuner) = known.tuner.as_mut().filter(|_| has_http) {
                tuner.add_http();
            }
        }
        Ok(())
    }

    pub(crate) fn loaded(&self, cost: LoadCost) {
        let mut known = self.known();
        let has_windows = !known.is_lwip;
        if let Some(tuner) = &mut known.tuner {
            tuner.loaded(cost, has_windows);
        }
    }

    /// The way that is taken has failed; false when no other is left.
    pub(crate) fn failed(&self, lower: bool) -> bool {
        self.known().tuner.as_mut().is_some_and(|tuner| tuner.failed(lower))
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_secs())
}
