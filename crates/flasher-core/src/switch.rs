//! A power driver out of a bare switch: calls in a row, off for long enough, and confirmed where the state can be read.

mod failure;
mod kind;

use std::fmt;
use std::time::Duration;

use async_trait::async_trait;
use tokio::sync::Mutex;
use tokio::time::{Instant, sleep, sleep_until};

use crate::driver::{Driver, PowerDriver};
use crate::error::{Error, Result};

pub use failure::{SwitchFailure, secret_line};
pub use kind::{Built, Seconds, SwitchConfig, SwitchType};

/// How often the state is read while it is not what was asked for.
const GLANCE: Duration = Duration::from_millis(200);
/// Longest time off and longest wait for a confirmation that a config may ask for.
pub const LONGEST: Duration = Duration::from_secs(600);

/// What can be told on and off, and perhaps asked. Calls never overlap.
#[async_trait]
pub trait Switch: fmt::Debug + Send + Sync + 'static {
    /// Tells the switch.
    ///
    /// # Errors
    /// When it does not take the order.
    async fn set(&self, on: bool) -> Result<()>;

    /// What the switch says it is; none when it cannot be asked.
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

/// How a switch is treated.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Care {
    /// Least time power stays off before it comes on again; protects boards whose supplies need to run dry.
    pub min_off: Duration,
    /// How long the switch may report the old state before that is a failure.
    pub confirm: Duration,
}

impl Care {
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
    care: Care,
    /// Held while the switch is told; since when power is off.
    off_since: Mutex<Option<Instant>>,
}

impl<S: Switch> Guarded<S> {
    /// A driver over `switch`.
    pub fn new(switch: S, care: Care) -> Self {
        Self { switch, care, off_since: Mutex::new(None) }
    }

    /// The switch itself.
    pub fn switch(&self) -> &S {
        &self.switch
    }

    async fn tell(&self, on: bool, off_since: &mut Option<Instant>) -> Result<()> {
        if let (true, Some(since)) = (on, *off_since) {
            sleep_until(since + self.care.min_off).await;
        }
        // An order to switch off that is cut short may have been obeyed.
        *off_since = (!on).then(Instant::now);
        self.switch.set(on).await?;
        self.confirm(on).await?;
        *off_since = (!on).then(Instant::now);
        Ok(())
    }

    async fn confirm(&self, on: bool) -> Result<()> {
        let deadline = Instant::now() + self.care.confirm;
        loop {
            match self.switch.get().await? {
                Some(state) if state != on && Instant::now() >= deadline => return Err(self.lie(on)),
                Some(state) if state != on => sleep(GLANCE).await,
                _ => return Ok(()),
            }
        }
    }

    fn lie(&self, on: bool) -> Error {
        let word = |on: bool| if on { "on" } else { "off" };
        let seconds = self.care.confirm.as_secs_f64();
        Error::infrastructure(format!(
            "power was told `{}`, and after {seconds} s the switch still reports `{}`",
            word(on),
            word(!on)
        ))
        .help("is this the right outlet, and is its state that of the same outlet? some hubs turn a port on again")
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
        self.tell(true, &mut off_since).await
    }

    async fn off(&self) -> Result<()> {
        let mut off_since = self.off_since.lock().await;
        // A second order does not make the time off begin anew.
        let before = *off_since;
        self.tell(false, &mut off_since).await?;
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
        self.tell(false, &mut off_since).await?;
        sleep(wait).await;
        self.tell(true, &mut off_since).await
    }
}

#[cfg(test)]
mod tests;
