//! A power switch as a driver type: what its config shares with every other switch is read here.

use std::borrow::Cow;
use std::fmt;
use std::marker::PhantomData;
use std::sync::Arc;
use std::time::Duration;

use schemars::{JsonSchema, Schema, SchemaGenerator};
use serde::de::value::{MapAccessDeserializer, StringDeserializer};
use serde::de::{DeserializeOwned, DeserializeSeed, Error as _, MapAccess, Visitor};
use serde::{Deserialize, Deserializer};
use serde_json::json;

use super::{Guarded, LONGEST, Switch, SwitchTiming};
use crate::device::{Device, Wiring};
use crate::driver::PowerMeter;
use crate::error::{Error, Result};
use crate::registry::{Counterpart, DriverType};

const MIN_OFF: &str = "min_off_seconds";
const CONFIRM: &str = "confirm_seconds";
const TIMEOUT: &str = "timeout_seconds";

/// A number of seconds in the config of every node of a switch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Seconds {
    /// What it is when the config does not say.
    pub default: f64,
    /// What it means, one sentence for the schema and `flasher drivers`.
    pub meaning: &'static str,
}

/// A driver type that is a [`Switch`]; `register_switch!` registers it.
///
/// Its nodes have `min_off_seconds`, `confirm_seconds` and, with [`SwitchType::TIMEOUT`], `timeout_seconds` in their `config:`
/// beside the keys of [`SwitchType::Config`].
pub trait SwitchType: Switch + Sized {
    /// As [`DriverType::NAME`].
    const NAME: &'static str;
    /// As [`DriverType::ALIASES`].
    const ALIASES: &'static [&'static str] = &[];
    /// As [`DriverType::SUMMARY`].
    const SUMMARY: &'static str;
    /// As [`DriverType::EXAMPLE`].
    const EXAMPLE: &'static str;
    /// As [`DriverType::COUNTERPARTS`].
    const COUNTERPARTS: &'static [Counterpart] = &[];
    /// `confirm_seconds`: how long the switch may report the old state after an order.
    const CONFIRM: Seconds = Seconds {
        default: 5.0,
        meaning: "How long the switch may report the old state after an order, seconds.",
    };
    /// `timeout_seconds`: the longest time of one order or question; none for a switch that answers at once.
    const TIMEOUT: Option<Seconds> = None;
    /// Its own keys in `config:`. With `#[serde(deny_unknown_fields)]`, and a doc comment on every field.
    type Config: DeserializeOwned + JsonSchema;

    /// Parses and wires; touches no hardware. Gives the switch, and its meter when it has one.
    ///
    /// `timeout` is what `timeout_seconds` says; [`LONGEST`] without [`SwitchType::TIMEOUT`].
    ///
    /// # Errors
    /// When config values that parse do not make sense.
    fn build(config: Self::Config, timeout: Duration, wiring: &Wiring) -> Result<Built<Self>>;
}

/// A switch, and its meter when it has one.
#[derive(Debug)]
pub struct Built<S> {
    /// The switch.
    pub switch: S,
    /// Its meter.
    pub meter: Option<Arc<dyn PowerMeter>>,
}

impl<S> From<S> for Built<S> {
    fn from(switch: S) -> Self {
        Self { switch, meter: None }
    }
}

impl<S: SwitchType> DriverType for Guarded<S> {
    const NAME: &'static str = S::NAME;
    const ALIASES: &'static [&'static str] = S::ALIASES;
    const SUMMARY: &'static str = S::SUMMARY;
    const EXAMPLE: &'static str = S::EXAMPLE;
    const COUNTERPARTS: &'static [Counterpart] = S::COUNTERPARTS;
    type Config = SwitchConfig<S>;

    fn build(config: SwitchConfig<S>, wiring: Wiring) -> Result<Device> {
        let timing = SwitchTiming::from_seconds(config.min_off, config.confirm)?;
        let timeout = config.timeout()?;
        let Built { switch, meter } = S::build(config.own, timeout, &wiring)?;
        Ok(Device::Power(Arc::new(Self::new(switch, timing)), meter))
    }
}

/// `config:` of a switch: its own keys, and those of every switch.
pub struct SwitchConfig<S: SwitchType> {
    own: S::Config,
    min_off: f64,
    confirm: f64,
    timeout: Option<f64>,
}

impl<S: SwitchType> SwitchConfig<S> {
    fn timeout(&self) -> Result<Duration> {
        let (Some(known), Some(seconds)) = (S::TIMEOUT, self.timeout) else { return Ok(LONGEST) };
        let span = Duration::try_from_secs_f64(seconds).ok();
        span.filter(|span| !span.is_zero() && *span <= LONGEST).ok_or_else(|| {
            let most = LONGEST.as_secs();
            Error::config(format!("`{TIMEOUT}` is {seconds}, expected more than 0 and at most {most}"))
                .with("key", TIMEOUT)
                .help(format!("leave it out for {} s", known.default))
        })
    }
}

// Own keys may hold secrets.
impl<S: SwitchType> fmt::Debug for SwitchConfig<S> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SwitchConfig").field(MIN_OFF, &self.min_off).finish_non_exhaustive()
    }
}

/// The keys of every switch, as far as they were met.
struct SharedKeys {
    min_off: Option<f64>,
    confirm: Option<f64>,
    timeout: Option<f64>,
    has_timeout: bool,
}

impl SharedKeys {
    /// Where the value of `key` goes; none for a key of the switch's own.
    fn slot(&mut self, key: &str) -> Option<(&'static str, &mut Option<f64>)> {
        match key {
            MIN_OFF => Some((MIN_OFF, &mut self.min_off)),
            CONFIRM => Some((CONFIRM, &mut self.confirm)),
            TIMEOUT if self.has_timeout => Some((TIMEOUT, &mut self.timeout)),
            _ => None,
        }
    }
}

/// A mapping without the keys of every switch, which it takes out as it meets them. It reads on in place, so that an error keeps
/// its path.
struct OwnKeys<'s, A> {
    map: A,
    shared: &'s mut SharedKeys,
}

impl<'de, A: MapAccess<'de>> MapAccess<'de> for OwnKeys<'_, A> {
    type Error = A::Error;

    fn next_key_seed<K: DeserializeSeed<'de>>(&mut self, seed: K) -> Result<Option<K::Value>, A::Error> {
        while let Some(key) = self.map.next_key::<String>()? {
            let Some((name, slot)) = self.shared.slot(&key) else {
                return seed.deserialize(StringDeserializer::new(key)).map(Some);
            };
            if slot.replace(self.map.next_value()?).is_some() {
                return Err(A::Error::duplicate_field(name));
            }
        }
        Ok(None)
    }

    fn next_value_seed<V: DeserializeSeed<'de>>(&mut self, seed: V) -> Result<V::Value, A::Error> {
        self.map.next_value_seed(seed)
    }
}

impl<'de, S: SwitchType> Deserialize<'de> for SwitchConfig<S> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Keys<S>(PhantomData<S>);
        impl<'de, S: SwitchType> Visitor<'de> for Keys<S> {
            type Value = SwitchConfig<S>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("the keys of a power switch")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<SwitchConfig<S>, A::Error> {
                let has_timeout = S::TIMEOUT.is_some();
                let mut shared = SharedKeys { min_off: None, confirm: None, timeout: None, has_timeout };
                let own = OwnKeys { map, shared: &mut shared };
                let own = S::Config::deserialize(MapAccessDeserializer::new(own))?;
                Ok(SwitchConfig {
                    own,
                    min_off: shared.min_off.unwrap_or_default(),
                    confirm: shared.confirm.unwrap_or(S::CONFIRM.default),
                    timeout: shared.timeout.or(S::TIMEOUT.map(|it| it.default)),
                })
            }
        }
        deserializer.deserialize_map(Keys(PhantomData))
    }
}

impl<S: SwitchType> JsonSchema for SwitchConfig<S> {
    fn inline_schema() -> bool {
        true
    }

    fn schema_name() -> Cow<'static, str> {
        S::Config::schema_name()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let mut schema = S::Config::json_schema(generator);
        let off = Seconds { default: 0.0, meaning: "Least time power stays off, seconds." };
        let shared = [(MIN_OFF, Some(off)), (CONFIRM, Some(S::CONFIRM)), (TIMEOUT, S::TIMEOUT)];
        let properties = schema.ensure_object().entry("properties").or_insert_with(|| json!({}));
        for (key, seconds) in shared.into_iter().filter_map(|(key, it)| Some((key, it?))) {
            properties[key] = json!({
                "description": seconds.meaning,
                "type": "number",
                "format": "double",
                "default": seconds.default,
            });
        }
        schema
    }
}

/// Registers a type that implements [`SwitchType`](crate::switch::SwitchType): `register_switch!(RelayFoo);`
#[macro_export]
macro_rules! register_switch {
    ($type:ty) => {
        $crate::register_driver!($crate::switch::Guarded<$type>);
    };
}
