//! Python classes of Jumpstarter whose work a command of this machine does.

use flasher_core::registry::Counterpart;

pub(crate) const COUNTERPARTS: &[Counterpart] = &[
    Counterpart {
        class: "jumpstarter_driver_yepkit.driver.Ykush",
        lines: r#"type: power-command
config:
  preset: ykush
  hub: "{serial}"
  port: {port|1}
"#,
        note: "the program `ykushcmd` has to be installed",
    },
    Counterpart {
        class: "jumpstarter_driver_energenie.driver.EnerGenie",
        lines: r#"type: power-command
config:
  on: [egctl, pdu, "on", left, left, left]   # one word for each socket; this is socket 1
  off: [egctl, pdu, "off", left, left, left]
"#,
        note: "the program `egctl` has to be installed, and `/etc/egtab` has the line `pdu` with address and password",
    },
    Counterpart {
        class: "jumpstarter_driver_noyito_relay.driver.NoyitoPowerSerial",
        lines: r#"type: power-command
config:
  shell: true
  on: "stty -F {port|/dev/ttyUSB0} 9600 raw && printf '\\240\\001\\001\\242' > {port|/dev/ttyUSB0}"
  off: "stty -F {port|/dev/ttyUSB0} 9600 raw && printf '\\240\\001\\000\\241' > {port|/dev/ttyUSB0}"
"#,
        note: "this is channel 1; channel 2 takes `\\\\240\\\\002\\\\001\\\\243` and `\\\\240\\\\002\\\\000\\\\242`",
    },
];
