//! The driver: switching drives the line, or presses the power button.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use flasher_core::registry::Counterpart;
use flasher_core::switch::{Built, Seconds, Switch, SwitchType};
use flasher_core::{Result, Wiring, async_trait};
use tokio::time::sleep;

use crate::cdev::{self, CdevLine, LineSettings};
use crate::config::{Backend, Bias, Config, Drive, LineId, OnExit, Sense};
use crate::counterparts::COUNTERPARTS;
use crate::error::Error;
use crate::line::{GpioIn, GpioOut};
use crate::pi;

/// Between switching off and on when the board's state is unknown.
const OFF_BEFORE_ON: Duration = Duration::from_secs(1);

/// The driver type `power-gpio`.
#[derive(Debug)]
pub struct PowerGpio {
    out: Arc<dyn GpioOut>,
    sense: Option<Arc<dyn GpioIn>>,
    /// Press and hold of a button; none when the line switches the supply.
    pulse: Option<(Duration, Duration)>,
    at_exit: Option<bool>,
    /// What a button has done to the board, once that is certain.
    known: Mutex<Option<bool>>,
}

impl SwitchType for PowerGpio {
    const NAME: &'static str = "power-gpio";
    const ALIASES: &'static [&'static str] = &["jumpstarter_driver_gpiod.driver.PowerSwitch"];
    const SUMMARY: &'static str = "power on a GPIO line: a relay, or the board's power button";
    const EXAMPLE: &'static str =
        "type: power-gpio\nconfig:\n  device: /dev/gpiochip0\n  line: 17\n  active_low: true\n";
    const COUNTERPARTS: &'static [Counterpart] = COUNTERPARTS;
    const CONFIRM: Seconds = Seconds {
        default: 5.0,
        meaning: "How long `sense` may report the old state after a switch, seconds.",
    };
    type Config = Config;

    fn build(config: Config, _timeout: Duration, _wiring: &Wiring) -> Result<Built<Self>> {
        let (out, sense) = lines(&config)?;
        Ok(Self::new(&config, out, sense)?.into())
    }
}

impl PowerGpio {
    /// A switch over lines of any kind: for backends of your own, and for tests.
    ///
    /// # Errors
    /// When the times of the pulse make no sense.
    pub fn new(config: &Config, out: Arc<dyn GpioOut>, sense: Option<Arc<dyn GpioIn>>) -> Result<Self> {
        let pulse = config.pulse.map(|pulse| pulse.spans()).transpose()?;
        let at_exit = match config.on_exit {
            OnExit::Keep => None,
            OnExit::Inactive => Some(false),
            OnExit::Active => Some(true),
            OnExit::Initial => Some(config.initial_value.0),
        };
        Ok(Self { out, sense, pulse, at_exit, known: Mutex::new(None) })
    }

    async fn drive(&self, active: bool) -> Result<()> {
        let out = Arc::clone(&self.out);
        blocking(move || out.drive(active)).await
    }

    async fn press(&self, span: Duration) -> Result<()> {
        let mut release_on_drop = ReleaseOnDrop { out: Arc::clone(&self.out), is_pressed: true };
        self.drive(true).await?;
        sleep(span).await;
        self.drive(false).await?;
        release_on_drop.is_pressed = false;
        Ok(())
    }

    async fn push_button(&self, on: bool, press: Duration, hold: Duration) -> Result<()> {
        let state = match self.get().await? {
            Some(state) => Some(state),
            None => self.known(),
        };
        if state == Some(on) {
            return Ok(());
        }
        // While the button is pressed the state is unknown.
        self.remember(None);
        if !on || state.is_none() {
            self.press(hold).await?;
        }
        if on {
            if state.is_none() {
                sleep(OFF_BEFORE_ON).await;
            }
            self.press(press).await?;
        }
        self.remember(Some(on));
        Ok(())
    }

    fn known(&self) -> Option<bool> {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn remember(&self, state: Option<bool>) {
        *self.known.lock().unwrap_or_else(PoisonError::into_inner) = state;
    }

    fn apply_on_exit(&self) -> Result<(), Error> {
        if let (true, Some(level)) = (self.out.is_held(), self.at_exit) {
            self.out.drive(level)?;
        }
        self.out.release();
        Ok(())
    }
}

#[async_trait]
impl Switch for PowerGpio {
    async fn set(&self, on: bool) -> Result<()> {
        match self.pulse {
            None => self.drive(on).await,
            Some((press, hold)) => self.push_button(on, press, hold).await,
        }
    }

    /// What `sense` says. The level of an output only repeats what was set, so it is no evidence.
    async fn get(&self) -> Result<Option<bool>> {
        let Some(sense) = self.sense.clone() else { return Ok(None) };
        blocking(move || sense.read()).await.map(Some)
    }

    async fn probe(&self) -> Result<()> {
        let (out, sense) = (Arc::clone(&self.out), self.sense.clone());
        blocking(move || {
            out.look()?;
            sense.map_or(Ok(()), |sense| sense.look())
        })
        .await
    }

    async fn identities(&self) -> Vec<String> {
        let out = Arc::clone(&self.out);
        let found = blocking(move || Ok(out.identity())).await;
        found.ok().flatten().into_iter().collect()
    }

    async fn close(&self) -> Result<()> {
        Ok(self.apply_on_exit()?)
    }
}

impl Drop for PowerGpio {
    fn drop(&mut self) {
        if let Err(error) = self.apply_on_exit() {
            tracing::warn!(%error, "the power line was not left as configured");
        }
    }
}

/// Releases a pressed button when it is dropped, also when the press was cancelled.
struct ReleaseOnDrop {
    out: Arc<dyn GpioOut>,
    is_pressed: bool,
}

impl Drop for ReleaseOnDrop {
    fn drop(&mut self) {
        if self.is_pressed
            && let Err(error) = self.out.drive(false)
        {
            tracing::warn!(%error, "the power button stays pressed");
        }
    }
}

async fn blocking<T: Send + 'static>(work: impl FnOnce() -> Result<T, Error> + Send + 'static) -> Result<T> {
    let done = tokio::task::spawn_blocking(work).await;
    let bug = |error: tokio::task::JoinError| {
        flasher_core::Error::infrastructure("a GPIO call ended early").because(error)
    };
    Ok(done.map_err(bug)??)
}

type OutAndSense = (Arc<dyn GpioOut>, Option<Arc<dyn GpioIn>>);

/// The lines of the backend that the config names, none of them opened.
fn lines(config: &Config) -> Result<OutAndSense, Error> {
    match config.backend {
        Backend::Cdev => Ok(on_chip(config)),
        Backend::Rppal => on_pi(config),
        Backend::Auto => {
            Ok((Arc::new(AutoBackend::new(config)?), config.sense.as_ref().map(|sense| sensed(sense))))
        }
    }
}

fn on_chip(config: &Config) -> OutAndSense {
    let settings = LineSettings {
        device: config.device.clone(),
        line: config.line.clone(),
        active_low: config.active_low,
        bias: config.bias,
        drive: config.drive,
    };
    (Arc::new(CdevLine::new(settings)), config.sense.as_ref().map(sensed))
}

fn sensed(sense: &Sense) -> Arc<dyn GpioIn> {
    let (device, line, bias) = (sense.device.clone(), sense.line.clone(), sense.bias);
    Arc::new(CdevLine::new(LineSettings { device, line, active_low: sense.active_low, bias, drive: None }))
}

fn on_pi(config: &Config) -> Result<OutAndSense, Error> {
    if !matches!(config.drive, None | Some(Drive::PushPull)) {
        return Err(Error::NotOnPi { what: "drive: open_drain or open_source" });
    }
    if !matches!(config.bias, None | Some(Bias::AsIs)) {
        return Err(Error::NotOnPi { what: "bias of an output" });
    }
    let out = pi::PiOutput::new(bcm(&config.line)?, config.active_low);
    let sense = config.sense.as_ref().map(|sense| {
        Ok(Arc::new(pi::PiInput::new(bcm(&sense.line)?, sense.active_low, sense.bias)) as Arc<dyn GpioIn>)
    });
    Ok((Arc::new(out), sense.transpose()?))
}

fn bcm(line: &LineId) -> Result<u8, Error> {
    match line {
        LineId::Number(number) => {
            u8::try_from(*number).map_err(|_| Error::NotOnPi { what: "line above 255" })
        }
        LineId::Name(_) => Err(Error::NotOnPi { what: "line by its name" }),
    }
}

/// `backend: auto`: chosen at the first use, as building opens nothing.
#[derive(Debug)]
struct AutoBackend {
    chip: Arc<dyn GpioOut>,
    pi: Option<Arc<dyn GpioOut>>,
}

impl AutoBackend {
    fn new(config: &Config) -> Result<Self, Error> {
        // A config that only a chip can serve is no mistake here.
        Ok(Self { chip: on_chip(config).0, pi: on_pi(config).ok().map(|lines| lines.0) })
    }

    fn pick(&self) -> Result<&Arc<dyn GpioOut>, Error> {
        if !cdev::chips().is_empty() {
            return Ok(&self.chip);
        }
        self.pi.as_ref().filter(|_| pi::is_known()).ok_or(Error::NoGpio)
    }
}

impl GpioOut for AutoBackend {
    fn look(&self) -> Result<(), Error> {
        self.pick()?.look()
    }

    fn drive(&self, active: bool) -> Result<(), Error> {
        self.pick()?.drive(active)
    }

    fn identity(&self) -> Option<String> {
        self.pick().ok()?.identity()
    }

    fn is_held(&self) -> bool {
        self.chip.is_held() || self.pi.as_ref().is_some_and(|pi| pi.is_held())
    }

    fn release(&self) {
        self.chip.release();
        if let Some(pi) = &self.pi {
            pi.release();
        }
    }
}
