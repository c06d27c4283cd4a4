//! One outlet: which objects, and what their values mean.

use snmp2::Oid;

use crate::config::{Config, Preset};
use crate::error::Error;

/// Objects and values of an outlet.
#[derive(Debug, PartialEq)]
pub(crate) struct Outlet {
    pub(crate) control: Oid<'static>,
    pub(crate) on: i64,
    pub(crate) off: i64,
    pub(crate) cycle: Option<i64>,
    pub(crate) status: Oid<'static>,
    pub(crate) status_on: i64,
    pub(crate) status_off: i64,
}

/// Those of a preset: control, its values for on, off and cycle; status, its values for on and off.
type PresetObjects = (&'static str, [i64; 3], &'static str, [i64; 2]);

/// PowerNet-MIB: immediateOn 1, immediateOff 2, immediateReboot 3; read back as 1 and 2.
const APC: PresetObjects =
    ("1.3.6.1.4.1.318.1.1.12.3.3.1.1.4", [1, 2, 3], "1.3.6.1.4.1.318.1.1.12.3.3.1.1.4", [1, 2]);
const CYBERPOWER: PresetObjects =
    ("1.3.6.1.4.1.3808.1.1.3.3.3.1.1.4", [1, 2, 3], "1.3.6.1.4.1.3808.1.1.3.3.3.1.1.4", [1, 2]);
/// PDU2-MIB, first PDU of a chain: off 0, on 1, cycle 2; the state is a sensor's, on 7 and off 8.
const RARITAN: PresetObjects =
    ("1.3.6.1.4.1.13742.6.4.1.2.1.2.1", [1, 0, 2], "1.3.6.1.4.1.13742.6.4.1.2.1.3.1", [7, 8]);

impl Preset {
    fn known(self) -> PresetObjects {
        match self {
            Self::Apc => APC,
            Self::Cyberpower => CYBERPOWER,
            Self::Raritan => RARITAN,
        }
    }
}

impl Outlet {
    pub(crate) fn of(config: &Config) -> Result<Self, Error> {
        let Some(preset) = config.preset else { return Self::by_hand(config) };
        let (control, [on, off, cycle], status, [status_on, status_off]) = preset.known();
        let outlet = config.outlet.filter(|outlet| *outlet > 0).ok_or(Error::Outlet)?;
        let at = |key, given: &Option<String>, table: &str| {
            oid(key, &given.clone().unwrap_or_else(|| format!("{table}.{outlet}")))
        };
        Ok(Self {
            control: at("oid", &config.oid, control)?,
            on: config.on.unwrap_or(on),
            off: config.off.unwrap_or(off),
            cycle: Some(config.cycle.unwrap_or(cycle)),
            status: at("status_oid", &config.status_oid, status)?,
            status_on: config.status_on.unwrap_or(status_on),
            status_off: config.status_off.unwrap_or(status_off),
        })
    }

    fn by_hand(config: &Config) -> Result<Self, Error> {
        let control = config.oid.as_deref().ok_or(Error::Lacking { key: "oid" })?;
        let (on, off) = (
            config.on.ok_or(Error::Lacking { key: "on" })?,
            config.off.ok_or(Error::Lacking { key: "off" })?,
        );
        Ok(Self {
            control: oid("oid", control)?,
            on,
            off,
            cycle: config.cycle,
            status: oid("status_oid", config.status_oid.as_deref().unwrap_or(control))?,
            status_on: config.status_on.unwrap_or(on),
            status_off: config.status_off.unwrap_or(off),
        })
    }
}

/// Reads a dotted object identifier.
fn oid(key: &'static str, text: &str) -> Result<Oid<'static>, Error> {
    let arcs = text.trim_start_matches('.').split('.').map(str::parse).collect::<Result<Vec<u64>, _>>();
    let arcs = arcs.ok().filter(|arcs| arcs.len() > 2);
    arcs.and_then(|arcs| Oid::from(&arcs).ok()).ok_or_else(|| Error::Oid { key, text: text.to_owned() })
}
