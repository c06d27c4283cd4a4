//! Every sentence an error has.

use flasher_core::Error as Core;

use super::device;
use crate::Error;

#[test]
fn wrong_configs_are_refused() {
    for (config, expected) in [
        ("device: /dev/gpiochip0", "line"),
        ("line: -1", "number or the name of a line"),
        ("line: ''", "the name is empty"),
        ("line: 1, drive: push", "push_pull"),
        ("line: 1, bias: up", "pull_up"),
        ("line: 1, initial_value: high", "expected inactive, active, off, on, false or true"),
        ("line: 1, pulse: { on_seconds: 0 }", "`on_seconds` is 0, expected more than 0 and at most 60"),
        ("line: 1, pulse: { off_seconds: 61 }", "`off_seconds` is 61, expected more than 0 and at most 60"),
        ("line: LED, backend: rppal", "`backend: rppal` has no `line by its name`"),
        ("line: 300, backend: rppal", "`backend: rppal` has no `line above 255`"),
        (
            "line: 3, drive: open_drain, backend: rppal",
            "`backend: rppal` has no `drive: open_drain or open_source`",
        ),
        ("line: 3, bias: pull_up, backend: rppal", "`backend: rppal` has no `bias of an output`"),
        ("line: 3, confirm_seconds: -1", "`confirm_seconds` is -1, expected 0 to 600 seconds"),
    ] {
        let error = device(config).unwrap_err();
        let text = format!("{error} {}", error.next_step().unwrap_or_default());
        assert!(text.contains(expected), "{config}: {text}");
        assert_eq!(error.class().exit_code(), 2, "{config}");
    }
}

#[test]
fn errors_of_lines_say_what_to_do_next() {
    let chip = || "/dev/gpiochip0".to_owned();
    let cases = [
        (
            Error::NoChip { chip: chip(), others: vec![] },
            true,
            "there is no GPIO chip `/dev/gpiochip0`; this machine has no GPIO chip: is its driver loaded?",
        ),
        (
            Error::NotChip { chip: chip(), others: vec!["/dev/gpiochip4".to_owned()] },
            false,
            "`/dev/gpiochip0` is no GPIO chip; this machine has: `/dev/gpiochip4`",
        ),
        (
            Error::Denied { chip: chip(), group: Some("gpio".to_owned()) },
            false,
            "no permission to open `/dev/gpiochip0`; the group `gpio` may: `sudo usermod -aG gpio $USER`, then log in again",
        ),
        (
            Error::Denied { chip: chip(), group: None },
            false,
            "no permission to open `/dev/gpiochip0`; no group may: give it one with a udev rule",
        ),
        (
            Error::NoLine { chip: chip(), label: "pinctrl-bcm2711".to_owned(), line: 99, last: 57 },
            false,
            "`/dev/gpiochip0` (pinctrl-bcm2711) has no line 99, it has 0 to 57; is it the right chip? `gpiodetect` lists chips, `gpioinfo` lines",
        ),
        (
            Error::NoName {
                name: "RELAI".to_owned(),
                searched: "`/dev/gpiochip0`".to_owned(),
                nearest: Some("RELAY".to_owned()),
            },
            false,
            "no line is called `RELAI` on `/dev/gpiochip0`; did you mean `RELAY`?",
        ),
        (
            Error::NoName { name: "X".to_owned(), searched: "`/dev/gpiochip0`".to_owned(), nearest: None },
            false,
            "no line is called `X` on `/dev/gpiochip0`; `gpioinfo` lists the names; use a number if it has none",
        ),
        (
            Error::Busy { chip: chip(), line: 17, holder: "led0".to_owned() },
            true,
            "line 17 of `/dev/gpiochip0` is in use by `led0`; end what uses it, or choose another line; `gpioinfo` shows who has which",
        ),
        (
            Error::Busy { chip: chip(), line: 17, holder: String::new() },
            true,
            "line 17 of `/dev/gpiochip0` is in use; end what uses it, or choose another line; `gpioinfo` shows who has which",
        ),
        (
            Error::NoPi,
            false,
            "this machine is no Raspberry Pi that rppal 0.22 knows; use `backend: cdev`, or leave it out",
        ),
        (
            Error::NoGpio,
            false,
            "this machine has no GPIO chip, and is no Raspberry Pi that rppal 0.22 knows; is the driver of the GPIO chip loaded?",
        ),
        (
            Error::System { chip: chip(), line: "17".to_owned(), reason: "No such device".to_owned() },
            true,
            "GPIO line 17 of `/dev/gpiochip0`: No such device; `gpioinfo` shows what the line can do; look at `dmesg | tail`",
        ),
    ];
    for (error, retryable, expected) in cases {
        let error = Core::from(error);
        assert_eq!(format!("{error}; {}", error.next_step().unwrap()), expected);
        assert_eq!((error.class().exit_code(), error.is_retryable()), (4, retryable));
    }
}
