//! Python classes of Jumpstarter whose work a GPIO line of ours does.

use flasher_core::registry::Counterpart;

pub(crate) const COUNTERPARTS: &[Counterpart] = &[
    Counterpart {
        class: "jumpstarter_driver_gpiod.driver.DigitalOutput",
        lines: r#"type: power-gpio
config:
  device: "{device|/dev/gpiochip0}"
  line: {line|17}
  active_low: {active_low}
  drive: "{drive}"
  bias: "{bias}"
  initial_value: "{initial_value}"
"#,
        note: "for a line that switches the board's power",
    },
    Counterpart {
        class: "jumpstarter_driver_gpiod.driver.DigitalInput",
        lines: r#"type: power-gpio
config:
  line: 17   # the line that switches
  sense:
    device: "{device|/dev/gpiochip0}"
    line: {line|27}
    active_low: {active_low}
    bias: "{bias}"
"#,
        note: "for a line that tells whether the board has power",
    },
];
