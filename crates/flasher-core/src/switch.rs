//! Makes a power driver of a plain switch: calls one after the other, off for long enough, confirmed where the state can be read.

mod failure;
mod kind;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::driver::{Driver, PowerDriver};
use crate::error::{Error, Result, RootCause};

pub use failure::{before_a_job, secret_line};
pub use kind::{Built, Seconds, SwitchConfig, SwitchType};

/// How often the state is read while it is not what was asked for.
const STATE_POLL: Duration = Duration::from_millis(200);
/// Longest time off and longest wait for a confirmation that a config may ask for.
pub const LONGEST: Duration = Duration::from_secs(600);

/// Hardware that switches power on and off and may report its state. Calls never overlap.
#[async_trait]
pub trait Switch: fmt::Debug + Send + Sync + 'static {
    /// Switches power on or off.
    ///
    /// # Errors
    /// When the switch refuses or does not answer.
    async fn set(&self, on: bool) -> Result<()>;

    /// The state that the switch reports; none when it cannot report one.
    ///
    /// # Errors
    /// When it can be asked and does not answer.
    async fn get(&self) -> Result<Option<bool>>;

    /// Has the switch do a whole power cycle by itself; false when it has no such order.
    ///
    /// # Errors
    /// When it has one and does not take it.
    async fn cycle(&self) -> Result<bool> {
        Ok(false)
    }

    /// Looks whether the switch is there, without changing it.
    ///
    /// # Errors
    /// What is missing, with the remedy.
    async fn probe(&self) -> Result<()> {
        Ok(())
    }

    /// Looks at the files that its config names, and at nothing else.
    ///
    /// # Errors
    /// The first file that is missing or of no use, with its key.
    async fn check_files(&self) -> Result<()> {
        Ok(())
    }

    /// Which hardware it is, as [`Driver::identities`] says.
    async fn identities(&self) -> Vec<String> {
        Vec::new()
    }

    /// Lets go of everything held.
    ///
    /// # Errors
    /// What could not be let go.
    async fn close(&self) -> Result<()> {
        Ok(())
    }
}

/// Times that protect the board and confirm a switch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SwitchTiming {
    /// Least time power stays off before it comes on again; protects boards whose supplies need to run dry.
    pub min_off: Duration,
    /// How long the switch may report the old state before that is a failure.
    pub confirm: Duration,
}

impl SwitchTiming {
    /// Out of the seconds of a config.
    ///
    /// # Errors
    /// When one of them is negative, not finite or longer than [`LONGEST`]; names the key.
    pub fn from_seconds(min_off: f64, confirm: f64) -> Result<Self> {
        let span = |key: &'static str, seconds: f64| {
            let span = Duration::try_from_secs_f64(seconds).ok().filter(|span| *span <= LONGEST);
            span.ok_or_else(|| {
                let text = format!("`{key}` is {seconds}, expected 0 to {} seconds", LONGEST.as_secs());
                Error::config(text).with("key", key).help("leave it out for the default")
            })
        };
        Ok(Self { min_off: span("min_off_seconds", min_off)?, confirm: span("confirm_seconds", confirm)? })
    }
}

/// A [`Switch`] as a power driver.
#[derive(Debug)]
pub struct Guarded<S> {
    switch: S,
    timing: SwitchTiming,
    /// Since when power is off. Locked while the switch works.
    off_since: Mutex<Option<Instant>>,
}

impl<S: Switch> Guarded<S> {
    /// A driver over `switch`.
    pub fn new(switch: S, timing: SwitchTiming) -> Self {
        Self { switch, timing, off_since: Mutex::new(None) }
    }

    /// The switch itself.
    pub fn switch(&self) -> &S {
        &self.switch
    }

    /// How it is switched: how long it stays off, and how long an order may take to show.
    pub fn timing(&self) -> SwitchTiming {
        self.timing
    }

    async fn switch_and_confirm(&self, on: bool, off_since: &mut Option<Instant>) -> Result<()> {
        if let (true, Some(since)) = (on, *off_since) {
            sleep_until(since + self.timing.min_off).await;
        }
        // A call to switch off that is cancelled may have had its effect.
        *off_since = (!on).then(Instant::now);
        self.switch.set(on).await?;
        self.confirm(on).await?;
        *off_since = (!on).then(Instant::now);
        Ok(())
    }

    async fn confirm(&self, on: bool) -> Result<()> {
        let deadline = Instant::now() + self.timing.confirm;
        loop {
            match self.switch.get().await? {
                Some(state) if state != on && Instant::now() >= deadline => {
                    return Err(self.state_mismatch(on));
                }
                Some(state) if state != on => sleep(STATE_POLL).await,
                _ => return Ok(()),
            }
        }
    }

    fn state_mismatch(&self, on: bool) -> Error {
        let word = |on: bool| if on { "on" } else { "off" };
        let seconds = self.timing.confirm.as_secs_f64();
        Error::infrastructure(format!(
            "power was switched `{}`, but after {seconds} s the switch still reports `{}`",
            word(on),
            word(!on)
        ))
        .help("is this the right outlet, and is its state that of the same outlet? some hubs turn a port on again")
        .caused_by(RootCause::SwitchDisagrees)
    }
}

#[async_trait]
impl<S: Switch> Driver for Guarded<S> {
    async fn probe(&self) -> Result<()> {
        self.switch.probe().await
    }

    async fn check_files(&self) -> Result<()> {
        self.switch.check_files().await
    }

    async fn identities(&self) -> Vec<String> {
        self.switch.identities().await
    }

    async fn close(&self) -> Result<()> {
        let _row = self.off_since.lock().await;
        self.switch.close().await
    }
}

#[async_trait]
impl<S: Switch> PowerDriver for Guarded<S> {
    async fn on(&self) -> Result<()> {
        let mut off_since = self.off_since.lock().await;
        self.switch_and_confirm(true, &mut off_since).await
    }

    async fn off(&self) -> Result<()> {
        let mut off_since = self.off_since.lock().await;
        // A second order does not make the time off begin anew.
        let before = *off_since;
        self.switch_and_confirm(false, &mut off_since).await?;
        *off_since = before.or(*off_since);
        Ok(())
    }

    async fn state(&self) -> Result<Option<bool>> {
        self.switch.get().await
    }

    async fn cycle(&self, wait: Duration) -> Result<()> {
        let mut off_since = self.off_since.lock().await;
        if self.switch.cycle().await? {
            *off_since = None;
            return self.confirm(true).await;
        }
        self.switch_and_confirm(false, &mut off_since).await?;
        sleep(wait).await;
        self.switch_and_confirm(true, &mut off_since).await
    }
}

#[cfg(test)]
mod tests;
