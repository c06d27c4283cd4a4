//! Lines of a Raspberry Pi through rppal 0.22: its registers, so that levels stay when the program ends. Its author retired the
//! crate on 2025-07-01: Pis that are newer are not known to it. BCM numbers, no names, push-pull only.

use std::sync::{Mutex, MutexGuard, PoisonError};

use rppal::gpio::{self, Gpio, InputPin, OutputPin};

use crate::config::Bias;
use crate::error::Error;
use crate::line::{GpioIn, GpioOut};

/// How messages name the chip.
const CHIP: &str = "the Raspberry Pi's GPIO";

/// Whether rppal knows this machine.
pub fn is_known() -> bool {
    Gpio::new().is_ok()
}

/// An output, held from its first use until released or dropped.
#[derive(Debug)]
pub struct PiOutput {
    pin: u8,
    active_low: bool,
    held: Mutex<Option<OutputPin>>,
}

impl PiOutput {
    /// The line with this BCM number; nothing is opened.
    pub fn new(pin: u8, active_low: bool) -> Self {
        Self { pin, active_low, held: Mutex::new(None) }
    }

    fn held(&self) -> MutexGuard<'_, Option<OutputPin>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl GpioOut for PiOutput {
    fn look(&self) -> Result<(), Error> {
        if self.is_held() { Ok(()) } else { get(self.pin).map(drop) }
    }

    fn drive(&self, active: bool) -> Result<(), Error> {
        let high = active != self.active_low;
        let mut held = self.held();
        match held.as_mut() {
            Some(pin) if high => pin.set_high(),
            Some(pin) => pin.set_low(),
            None => {
                let pin = get(self.pin)?;
                let mut pin = if high { pin.into_output_high() } else { pin.into_output_low() };
                pin.set_reset_on_drop(false);
                *held = Some(pin);
            }
        }
        Ok(())
    }

    /// On the Pis that rppal knows, BCM numbers are the lines of the first chip.
    fn identity(&self) -> Option<String> {
        Some(format!("gpio /dev/gpiochip0 {}", self.pin))
    }

    fn is_held(&self) -> bool {
        self.held().is_some()
    }

    fn release(&self) {
        self.held().take();
    }
}

/// An input.
#[derive(Debug)]
pub struct PiInput {
    pin: u8,
    active_low: bool,
    bias: Option<Bias>,
}

impl PiInput {
    /// The line with this BCM number; nothing is opened.
    pub fn new(pin: u8, active_low: bool, bias: Option<Bias>) -> Self {
        Self { pin, active_low, bias }
    }

    fn open(&self) -> Result<InputPin, Error> {
        let mut pin = get(self.pin)?.into_input();
        pin.set_reset_on_drop(false);
        if let Some(bias) = bias(self.bias) {
            pin.set_bias(bias);
        }
        Ok(pin)
    }
}

impl GpioIn for PiInput {
    fn look(&self) -> Result<(), Error> {
        get(self.pin).map(drop)
    }

    fn read(&self) -> Result<bool, Error> {
        Ok(self.open()?.is_high() != self.active_low)
    }
}

fn get(pin: u8) -> Result<gpio::Pin, Error> {
    Gpio::new().and_then(|gpio| gpio.get(pin)).map_err(|error| refusal(pin, &error))
}

fn refusal(pin: u8, error: &gpio::Error) -> Error {
    let chip = CHIP.to_owned();
    match error {
        gpio::Error::UnknownModel => Error::NoPi,
        gpio::Error::PinUsed(_) => {
            Error::Busy { chip, line: pin.into(), holder: "this program itself".to_owned() }
        }
        gpio::Error::PermissionDenied(device) => {
            Error::Denied { chip: device.clone(), group: Some("gpio".to_owned()) }
        }
        _ => Error::System { chip, line: pin.to_string(), reason: error.to_string() },
    }
}

fn bias(bias: Option<Bias>) -> Option<gpio::Bias> {
    match bias? {
        Bias::AsIs => None,
        Bias::PullUp => Some(gpio::Bias::PullUp),
        Bias::PullDown => Some(gpio::Bias::PullDown),
        Bias::Disabled => Some(gpio::Bias::Off),
    }
}
