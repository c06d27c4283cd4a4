//! What an exporter YAML says about a switch that takes HTTP requests.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::fmt;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::value::MapAccessDeserializer;
use serde::de::{MapAccess, Visitor};
use serde::{Deserialize, Deserializer};

/// `config:` of a `power-http` node. `{host}` and `{outlet}` in URLs and bodies stand for those values.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Requests of a known device, in place of `on`, `off`, `status` and `read`; those given as well win.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Host of the device, with its port when that is not 80.
    #[serde(default)]
    pub host: Option<String>,
    /// Which outlet, as the device counts.
    #[serde(default)]
    pub outlet: Option<u32>,
    /// Switches power on: a URL, or `method`, `url`, `body`.
    #[serde(default)]
    pub on: Option<Spelled>,
    /// Switches power off.
    #[serde(default)]
    pub off: Option<Spelled>,
    /// Tells whether power is on. Without it a switch is believed, and a receipt says `not confirmed`.
    #[serde(default)]
    pub status: Option<Spelled>,
    /// Regular expression in the answer to `status` that means on.
    #[serde(default)]
    pub status_on: Option<String>,
    /// Regular expression in the answer to `status` that means off.
    #[serde(default)]
    pub status_off: Option<String>,
    /// Answers with a JSON document that has voltage and current.
    #[serde(default)]
    pub read: Option<Spelled>,
    /// Where the volts are in the answer to `read`, a JSON pointer (RFC 6901).
    #[serde(default)]
    pub voltage: Option<String>,
    /// Where the amperes are.
    #[serde(default)]
    pub current: Option<String>,
    /// User the device asks for; `admin` when a password is given for the presets `tasmota` and `shelly-gen2`, which have no other.
    #[serde(default)]
    pub user: Option<String>,
    /// How the user is sent; `digest` with the preset `shelly-gen2`, otherwise `basic` when not given.
    #[serde(default)]
    pub auth: Option<Auth>,
    /// File with the user's password, one line. Never shown.
    #[serde(default)]
    pub password_file: Option<PathBuf>,
    /// Header fields of every request. Values are never shown.
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    /// PEM file with the CA of an https device.
    #[serde(default)]
    pub cacert: Option<PathBuf>,
}

/// How a user is sent to a device.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Auth {
    /// User and password with every request (RFC 7617).
    #[default]
    Basic,
    /// An answer to what the device asks, which does not reveal the password (RFC 7616, SHA-256).
    Digest,
}

/// A device whose requests are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Preset {
    /// Tasmota firmware: `/cm?cmnd=Power1 On`, metering with `Status 8`.
    Tasmota,
    /// Shelly, first generation: `/relay/0?turn=on`.
    Shelly,
    /// Shelly Plus, Pro and later: `/rpc/Switch.Set`, metering with `Switch.GetStatus`.
    ShellyGen2,
}

/// How a request is made.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "UPPERCASE")]
pub enum Method {
    /// GET
    #[default]
    Get,
    /// POST
    Post,
    /// PUT
    Put,
}

impl Method {
    /// As it is spelled in a request.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Get => "GET",
            Self::Post => "POST",
            Self::Put => "PUT",
        }
    }
}

/// A request: a bare URL is a GET.
#[derive(Clone, PartialEq, Eq)]
pub struct Spelled(pub RequestConfig);

/// A request in full.
#[derive(Clone, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RequestConfig {
    /// GET when not given.
    #[serde(default)]
    pub method: Method,
    /// Where to; may hold a secret, so that it is shown without its query.
    pub url: String,
    /// What is sent.
    #[serde(default)]
    pub body: Option<String>,
    /// Media type of the body; `application/json` when not given.
    #[serde(default)]
    pub content_type: Option<String>,
}

// URLs, bodies and headers may hold secrets.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("preset", &self.preset)
            .field("host", &self.host)
            .finish_non_exhaustive()
    }
}

impl fmt::Debug for RequestConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("RequestConfig").field("method", &self.method).finish_non_exhaustive()
    }
}

impl fmt::Debug for Spelled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl<'de> Deserialize<'de> for Spelled {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Either;
        impl<'de> Visitor<'de> for Either {
            type Value = Spelled;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a URL, or a request with `url`, `method` and `body`")
            }
            fn visit_str<E: serde::de::Error>(self, url: &str) -> Result<Spelled, E> {
                Ok(Spelled(RequestConfig { url: url.to_owned(), ..RequestConfig::default() }))
            }
            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<Spelled, A::Error> {
                RequestConfig::deserialize(MapAccessDeserializer::new(map)).map(Spelled)
            }
        }
        deserializer.deserialize_any(Either)
    }
}

impl JsonSchema for Spelled {
    fn schema_name() -> Cow<'static, str> {
        "Request".into()
    }

    fn json_schema(generator: &mut SchemaGenerator) -> Schema {
        let full = RequestConfig::json_schema(generator);
        json_schema!({"description": "a URL, or a request in full", "anyOf": [{"type": "string"}, full]})
    }
}
