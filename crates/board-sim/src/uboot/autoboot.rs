//! The countdown before the system starts, and what stops it (common/autoboot.c).

use std::time::Duration;

use super::state::UBoot;
use crate::config::KeyedAutoboot;

/// Most characters of a stop string that are kept (`MAX_DELAY_STOP_STR`).
const KEPT: usize = 64;

impl UBoot<'_> {
    /// The countdown; true when it was stopped.
    pub(super) async fn is_stopped(&mut self) -> bool {
        match self.machine.config.autoboot.clone() {
            Some(keyed) => self.stopped_by_its_keys(&keyed).await,
            None => self.stopped_by_any_key().await,
        }
    }

    async fn stopped_by_its_keys(&mut self, keyed: &KeyedAutoboot) -> bool {
        let seconds = self.machine.config.bootdelay;
        self.print(&format!("{}\n", keyed.prompt.replace("%d", &seconds.to_string())));
        let over = tokio::time::sleep(Duration::from_secs(seconds.into()));
        if self.machine.config.faults.no_autoboot_stop {
            over.await;
            self.machine.keys.flush();
            return false;
        }
        tokio::select! {
            () = self.keys_typed(keyed) => true,
            () = over => false,
        }
    }

    /// Waits until the stop string is what was typed last, or the whole of a line where only its hash is known.
    async fn keys_typed(&mut self, keyed: &KeyedAutoboot) {
        let mut typed: Vec<u8> = Vec::new();
        loop {
            let key = self.machine.keys.next().await;
            let ends_line = matches!(key, b'\r' | b'\n');
            if keyed.hashed && ends_line && typed == keyed.stop.as_bytes() {
                return;
            }
            if keyed.hashed && ends_line {
                typed.clear();
                continue;
            }
            typed.push(key);
            let excess = typed.len().saturating_sub(KEPT);
            typed.drain(..excess);
            if !keyed.hashed && typed.ends_with(keyed.stop.as_bytes()) {
                return;
            }
        }
    }

    /// A countdown that any key stops.
    async fn stopped_by_any_key(&mut self) -> bool {
        let mut left = self.machine.config.bootdelay;
        self.print(&format!("Hit any key to stop autoboot: {left:2} "));
        let mut stopped = false;
        while left > 0 && !stopped {
            left -= 1;
            let second = tokio::time::sleep(Duration::from_secs(1));
            if self.machine.config.faults.no_autoboot_stop {
                second.await;
                self.machine.keys.flush();
            } else {
                tokio::select! {
                    () = second => {}
                    _ = self.machine.keys.next() => { stopped = true; left = 0; }
                }
            }
            self.print(&format!("\x08\x08\x08{left:2} "));
        }
        self.print("\n");
        stopped
    }
}
