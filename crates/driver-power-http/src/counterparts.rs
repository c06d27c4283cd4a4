//! Python classes of Jumpstarter whose work an HTTP request does.

use flasher_core::registry::Counterpart;

pub(crate) const COUNTERPARTS: &[Counterpart] = &[
    Counterpart {
        class: "jumpstarter_driver_http_power.driver.HttpPower",
        lines: r#"type: power-http
config:
  on:
    method: "{power_on.method|GET}"
    url: "{power_on.url|http://192.168.1.20/relay/0?turn=on}"
  off:
    method: "{power_off.method|GET}"
    url: "{power_off.url|http://192.168.1.20/relay/0?turn=off}"
  user: "{auth.basic.user}"
  password_file: ./password   # one line, the password of {auth.basic.user}
"#,
        note: "what is in `data` goes into `body` beside `url`; a Shelly or a Tasmota takes `preset` and `host` instead, and is then asked whether it obeyed",
    },
    Counterpart {
        class: "jumpstarter_driver_tasmota.driver.TasmotaPower",
        lines: r#"type: power-http
config:
  preset: tasmota
  host: 192.168.1.20   # of the socket itself, not of the MQTT broker
"#,
        note: "the socket is asked over HTTP, without a broker",
    },
];
