//! The requests of known devices, out of their documented HTTP interfaces.

use crate::config::{Auth, Method, Preset, RequestConfig};

/// Requests and where their answers have what.
#[derive(Debug, Default)]
pub(crate) struct PresetRequests {
    pub(crate) on: Option<RequestConfig>,
    pub(crate) off: Option<RequestConfig>,
    pub(crate) status: Option<RequestConfig>,
    pub(crate) is_on: Option<&'static str>,
    pub(crate) is_off: Option<&'static str>,
    pub(crate) read: Option<RequestConfig>,
    pub(crate) voltage: Option<&'static str>,
    pub(crate) current: Option<&'static str>,
    /// How the user is sent to the device.
    pub(crate) auth: Auth,
    /// The only user that the device has.
    pub(crate) user: Option<&'static str>,
    /// How the device calls its first outlet.
    pub(crate) first: u32,
}

impl Preset {
    pub(crate) fn known(self) -> PresetRequests {
        match self {
            Self::Tasmota => tasmota(),
            Self::Shelly => shelly(),
            Self::ShellyGen2 => shelly_gen2(),
        }
    }
}

fn get(path: &str) -> Option<RequestConfig> {
    let url = format!("http://{{host}}/{path}");
    Some(RequestConfig { method: Method::Get, url, body: None, content_type: None })
}

/// `{"POWER":"ON"}`, or `{"POWER2":"OFF"}` on devices with several.
fn tasmota() -> PresetRequests {
    PresetRequests {
        on: get("cm?cmnd=Power{outlet}%20On"),
        off: get("cm?cmnd=Power{outlet}%20Off"),
        status: get("cm?cmnd=Power{outlet}"),
        is_on: Some(r#""POWER\d*"\s*:\s*"ON""#),
        is_off: Some(r#""POWER\d*"\s*:\s*"OFF""#),
        read: get("cm?cmnd=Status%208"),
        voltage: Some("/StatusSNS/ENERGY/Voltage"),
        current: Some("/StatusSNS/ENERGY/Current"),
        auth: Auth::Basic,
        user: Some("admin"),
        first: 1,
    }
}

/// `{"ison":true,…}`. The first generation meters watts only.
fn shelly() -> PresetRequests {
    PresetRequests {
        on: get("relay/{outlet}?turn=on"),
        off: get("relay/{outlet}?turn=off"),
        status: get("relay/{outlet}"),
        is_on: Some(r#""ison"\s*:\s*true"#),
        is_off: Some(r#""ison"\s*:\s*false"#),
        ..PresetRequests::default()
    }
}

/// `{"output":true,"voltage":230.1,"current":0.05,…}`.
fn shelly_gen2() -> PresetRequests {
    PresetRequests {
        on: get("rpc/Switch.Set?id={outlet}&on=true"),
        off: get("rpc/Switch.Set?id={outlet}&on=false"),
        status: get("rpc/Switch.GetStatus?id={outlet}"),
        is_on: Some(r#""output"\s*:\s*true"#),
        is_off: Some(r#""output"\s*:\s*false"#),
        read: get("rpc/Switch.GetStatus?id={outlet}"),
        voltage: Some("/voltage"),
        current: Some("/current"),
        auth: Auth::Digest,
        user: Some("admin"),
        first: 0,
    }
}
