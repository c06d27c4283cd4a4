//! What an exporter YAML says about a PDU.

use std::fmt;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

/// `config:` of a `power-snmp` node.
#[derive(Clone, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Name or address of the PDU.
    pub host: String,
    /// UDP port.
    #[serde(default = "default_port")]
    pub port: u16,
    /// Objects and values of a known PDU; those given as well win.
    #[serde(default)]
    pub preset: Option<Preset>,
    /// Outlet of the preset, from 1.
    #[serde(default)]
    pub outlet: Option<u32>,
    /// Object that is set to switch, dotted.
    #[serde(default)]
    pub oid: Option<String>,
    /// Value that switches on.
    #[serde(default)]
    pub on: Option<i64>,
    /// Value that switches off.
    #[serde(default)]
    pub off: Option<i64>,
    /// Value that does a whole power cycle; without it off, a wait and on do.
    #[serde(default)]
    pub cycle: Option<i64>,
    /// Object that tells the state; `oid` when not given.
    #[serde(default)]
    pub status_oid: Option<String>,
    /// Value of the state that means on; `on` when not given.
    #[serde(default)]
    pub status_on: Option<i64>,
    /// Value of the state that means off; `off` when not given.
    #[serde(default)]
    pub status_off: Option<i64>,
    /// Community that may write; never shown.
    #[serde(default = "default_community")]
    pub community: String,
    /// File with the community, one line, in place of `community`.
    #[serde(default)]
    pub community_file: Option<PathBuf>,
    /// Version of the protocol.
    #[serde(default)]
    pub version: Version,
}

/// A PDU whose objects are known.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Preset {
    /// APC Switched Rack PDU: rPDUOutletControlOutletCommand of PowerNet-MIB.
    Apc,
    /// CyberPower PDU: the same table below CyberPower's own number.
    Cyberpower,
    /// Raritan PX2 and PX3: switchingOperation and outletSwitchingState of PDU2-MIB.
    Raritan,
}

/// Version of SNMP.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
pub enum Version {
    /// RFC 1157
    #[serde(rename = "1")]
    One,
    /// RFC 1901
    #[default]
    #[serde(rename = "2c")]
    TwoC,
}

fn default_port() -> u16 {
    161
}

fn default_community() -> String {
    "private".to_owned()
}

// The community is a secret.
impl fmt::Debug for Config {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Config")
            .field("host", &self.host)
            .field("preset", &self.preset)
            .finish_non_exhaustive()
    }
}
