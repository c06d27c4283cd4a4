//! The text of every config error, and what each error says to do.

use std::path::Path;

use flasher_core::MuxPosition;

use super::device;
use crate::Error;

#[test]
fn wrong_configs_are_refused() {
    let cases = [
        ("", "`host` of the storage mux is missing, expected a command as a list: program and arguments"),
        ("host: ['true']", "`dut` of the storage mux is missing, expected a command as a list"),
        ("host: [], dut: ['true']", "`host` of the storage mux is no command, expected a list"),
        ("host: ['true'], dut: ['true'], off: ['']", "`off` of the storage mux is no command"),
        ("host: usbsdmux", "expected a list, found the text `usbsdmux`"),
        (
            "preset: usbsdmux",
            "the preset of the storage mux needs `device`, expected what its tool calls the mux",
        ),
        ("preset: sdmux, device: x", "`usbsdmux`"),
        (
            "preset: usbsdmux, device: x, timeout_seconds: 0",
            "`timeout_seconds` of the storage mux is 0, expected up to 600 seconds",
        ),
        (
            "preset: usbsdmux, device: x, confirm_seconds: -1",
            "`confirm_seconds` of the storage mux is -1, expected up to 600 seconds",
        ),
        (
            "preset: usbsdmux, device: x, status_host: '('",
            "`status_host` of the storage mux is no regular expression",
        ),
    ];
    for (config, expected) in cases {
        let error =
            device(Path::new("/lab"), &format!("type: storage-mux, config: {{ {config} }}")).unwrap_err();
        assert!(error.to_string().contains(expected), "{config}: {error}");
        assert_eq!(error.class().exit_code(), 2, "{config}");
    }
}

#[test]
fn every_error_says_what_to_do_next() {
    let all = [
        Error::Lacking { key: "host" },
        Error::Words { key: "host" },
        Error::Device,
        Error::Pattern { key: "status_host", reason: String::new() },
        Error::Seconds { key: "timeout_seconds", seconds: 0.0 },
        Error::Absent { path: "/dev/usb-sd-mux/id-1".to_owned() },
        Error::Position { ordered: MuxPosition::Host, reported: MuxPosition::Dut, seconds: 5.0 },
    ];
    let steps: Vec<String> = all
        .into_iter()
        .map(|error| flasher_core::Error::from(error).next_step().unwrap().to_owned())
        .collect();
    assert_eq!(
        steps,
        [
            "`flasher drivers storage-mux` shows an example",
            "for example `[my-mux, --port, '2', host]`",
            "`ls /dev/usb-sd-mux` and `sd-mux-ctrl --list` show the muxes that are connected",
            "put it in single quotes, so that YAML leaves backslashes alone",
            "leave it out for the default",
            "is it connected? `ls /dev/usb-sd-mux` shows the muxes there are, once udev knows them",
            "is this the right mux, and does nothing else switch it?",
        ]
    );
}
