//! What an exporter YAML says about a power switch on a GPIO line. The keys of Jumpstarter's `gpiod` drivers are taken as they are.

use std::borrow::Cow;
use std::fmt;
use std::path::PathBuf;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::{Error as _, Visitor};
use serde::{Deserialize, Deserializer};

use crate::error::Error;

/// `config:` of a `power-gpio` node.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// The line: its number on the chip (`gpioinfo` lists them), or its name.
    pub line: LineId,
    /// The GPIO chip. Without it a number means `/dev/gpiochip0`, and a name is looked for on all chips.
    #[serde(default)]
    pub device: Option<PathBuf>,
    /// How the line is driven; push-pull when not given.
    #[serde(default)]
    pub drive: Option<Drive>,
    /// Whether a low level means on.
    #[serde(default)]
    pub active_low: bool,
    /// Resistor of the line; left as it is when not given.
    #[serde(default)]
    pub bias: Option<Bias>,
    /// The value of the line at rest, for `on_exit: initial`. Loading a config drives nothing: only an order does.
    #[serde(default)]
    pub initial_value: Level,
    /// Accepted for compatibility; `drive` says how the line is driven.
    #[serde(default)]
    pub mode: Option<String>,
    /// What becomes of the line when this program ends or closes it.
    #[serde(default)]
    pub on_exit: OnExit,
    /// For a line that presses the board's power button instead of switching its supply.
    #[serde(default)]
    pub pulse: Option<Pulse>,
    /// A second line that tells whether the board has power.
    #[serde(default)]
    pub sense: Option<Sense>,
    /// What reaches the lines: the kernel's character device, rppal (Raspberry Pis only), or what the machine has.
    #[serde(default)]
    pub backend: Backend,
}

/// A line by number or by name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LineId {
    /// Offset on its chip; for rppal the BCM number.
    Number(u32),
    /// The name the device tree or the driver gave it.
    Name(String),
}

impl fmt::Display for LineId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Number(number) => write!(f, "{number}"),
            Self::Name(name) => write!(f, "`{name}`"),
        }
    }
}

/// How an output is driven.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Drive {
    /// High and low.
    PushPull,
    /// Low only.
    OpenDrain,
    /// High only.
    OpenSource,
}

/// The resistor of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Bias {
    /// Left alone.
    AsIs,
    /// To the supply.
    PullUp,
    /// To ground.
    PullDown,
    /// None.
    Disabled,
}

/// What becomes of the line at the end.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnExit {
    /// It is let go as it is. Most chips keep the level; a few turn the line back into an input.
    #[default]
    Keep,
    /// Power off.
    Inactive,
    /// Power on.
    Active,
    /// `initial_value`.
    Initial,
}

/// What reaches the lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Backend {
    /// The kernel's character device, on any board.
    #[default]
    Cdev,
    /// rppal 0.22, which knows Raspberry Pis and is no longer maintained; keeps levels after the end where the kernel does not.
    Rppal,
    /// The character device where there is a chip, otherwise rppal.
    Auto,
}

/// How a power button is pressed.
#[derive(Clone, Copy, Debug, PartialEq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Pulse {
    /// How long it is pressed to switch on, seconds.
    #[serde(default = "default_press")]
    pub on_seconds: f64,
    /// How long it is held to switch off for certain, seconds.
    #[serde(default = "default_hold")]
    pub off_seconds: f64,
}

fn default_press() -> f64 {
    0.5
}

fn default_hold() -> f64 {
    6.0
}

/// A line that tells whether the board has power.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Sense {
    /// The line, as above.
    pub line: LineId,
    /// Its chip, as above.
    #[serde(default)]
    pub device: Option<PathBuf>,
    /// Whether a low level means that the board has power.
    #[serde(default)]
    pub active_low: bool,
    /// Its resistor.
    #[serde(default)]
    pub bias: Option<Bias>,
}

/// A level: `inactive`, `active`, `off`, `on`, false or true.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Level(pub bool);

impl Pulse {
    /// Press and hold.
    pub(crate) fn spans(self) -> Result<(Duration, Duration), Error> {
        let span = |key, seconds: f64| {
            let span = Duration::try_from_secs_f64(seconds).ok();
            span.filter(|it| !it.is_zero() && it.as_secs() <= 60).ok_or(Error::Pulse { key, seconds })
        };
        Ok((span("on_seconds", self.on_seconds)?, span("off_seconds", self.off_seconds)?))
    }
}

impl<'de> Deserialize<'de> for LineId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl Visitor<'_> for Either {
            type Value = LineId;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the number or the name of a line")
            }
            fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<LineId, E> {
                u32::try_from(number).map(LineId::Number).map_err(|_| E::custom("no chip has so many lines"))
            }
            fn visit_str<E: serde::de::Error>(self, name: &str) -> Result<LineId, E> {
                if name.is_empty() {
                    Err(E::custom("the name is empty"))
                } else {
                    Ok(LineId::Name(name.to_owned()))
                }
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for LineId {
    fn schema_name() -> Cow<'static, str> {
        "Line".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "number or name of a line",
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}],
        })
    }
}

impl<'de> Deserialize<'de> for Level {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let value = serde_json::Value::deserialize(deserializer)?;
        match (value.as_bool(), value.as_str()) {
            (Some(level), _) => Ok(Self(level)),
            (_, Some("active" | "on")) => Ok(Self(true)),
            (_, Some("inactive" | "off")) => Ok(Self(false)),
            _ => Err(D::Error::custom("expected inactive, active, off, on, false or true")),
        }
    }
}

impl JsonSchema for Level {
    fn schema_name() -> Cow<'static, str> {
        "Level".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "a level of the line",
            "anyOf": [{"type": "boolean"}, {"type": "string", "enum": ["inactive", "active", "off", "on"]}],
        })
    }
}
