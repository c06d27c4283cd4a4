//! Every sentence a config error has; those of requests are in the stories.

use flasher_core::Error as Core;

use super::{device, refusal};
use crate::Error;

#[test]
fn wrong_configs_are_refused() {
    for (config, expected) in [
        ("", "`on` is missing, expected a URL"),
        ("on: 'http://a/'", "`off` is missing, expected a URL"),
        ("preset: tasmota", "`host` is missing, expected the name or address of the switch"),
        ("on: 'ftp://a/', off: 'http://a/'", "`on` is no http or https URL"),
        ("on: relay, off: 'http://a/'", "`on` is no http or https URL"),
        ("preset: shelly, host: 'http://a'", "`host` is no host, expected a name or an address"),
        ("preset: shelly, host: 'a/relay'", "`host` is no host"),
        ("preset: shelly, host: 'lab:secret@a'", "without `http://` and path"),
        ("preset: shelly, host: ''", "`host` is no host"),
        ("preset: shelly, host: 'a b'", "`host` is no host"),
        ("preset: shelly, host: a, password_file: p", "`password_file` has no effect without `user`"),
        ("preset: shelly, host: a, auth: digest", "`auth` has no effect without `user`"),
        ("on: 7, off: 'http://a/'", "a URL, or a request with `url`, `method` and `body`"),
        ("on: { url: 'http://a/', method: DELETE }, off: 'http://a/'", "DELETE"),
        ("preset: shelly, host: a, status_on: '('", "`status_on`: regex parse error"),
        (
            "preset: shelly, host: a, timeout_seconds: 0",
            "`timeout_seconds` is 0, expected more than 0 and at most 600",
        ),
        ("preset: shelly, host: a, read: 'http://a/'", "`voltage`: `read` needs it"),
        (
            "preset: shelly, host: a, read: 'http://a/', voltage: u",
            "`voltage`: a JSON pointer begins with `/`",
        ),
        ("preset: shelly, host: a, headers: { 'a b': c }", "`headers`: `a b` is no header field"),
        (
            "preset: shelly, host: a, min_off_seconds: 1e9",
            "`min_off_seconds` is 1000000000, expected 0 to 600 seconds",
        ),
    ] {
        let error = device(config).unwrap_err();
        let text = format!("{error} {}", error.next_step().unwrap_or_default());
        assert!(text.contains(expected), "{config}: {text}");
        assert_eq!(error.class().exit_code(), 2, "{config}");
    }
}

#[tokio::test]
async fn files_that_are_missing_are_named_by_their_key() {
    for (config, expected) in [
        (
            "user: lab, password_file: /no/such/file",
            "`password_file` cannot be used: No such file or directory (os error 2)",
        ),
        ("cacert: /no/such/file", "`cacert` cannot be used: No such file or directory (os error 2)"),
    ] {
        let error = refusal(&format!("preset: shelly, host: '127.0.0.1:9', {config}")).await;
        assert_eq!((error.to_string().as_str(), error.is_retryable()), (expected, false));
    }
}

#[test]
fn every_error_says_what_to_do_next() {
    let url = || "http://a/".to_owned();
    let all = [
        Error::Lacking { key: "on" },
        Error::Host,
        Error::NoHost,
        Error::Idle { key: "auth" },
        Error::Url { key: "on" },
        Error::Value { key: "voltage", reason: String::new() },
        Error::File { key: "cacert", reason: String::new() },
        Error::Reach { url: url(), reason: String::new() },
        Error::Late { url: url(), seconds: 1.0 },
        Error::User { url: url(), status: 401 },
        Error::Login { url: url() },
        Error::Status { url: url(), status: 404 },
        Error::Status { url: url(), status: 500 },
        Error::Refused { url: url(), said: String::new(), of_the_user: true },
        Error::Refused { url: url(), said: String::new(), of_the_user: false },
        Error::Unclear { url: url(), said: String::new(), by_preset: true },
        Error::Unclear { url: url(), said: String::new(), by_preset: false },
        Error::Reading { url: url(), pointer: String::new() },
    ];
    let steps: Vec<String> =
        all.into_iter().map(|error| Core::from(error).next_step().unwrap().to_owned()).collect();
    assert_eq!(
        steps,
        [
            "`flasher drivers power-http` shows an example",
            "for example `host: 192.168.1.20`",
            "for example `host: 192.168.1.20`, without `http://` and path",
            "add `user:` with the name that the device's web page asks for",
            "for example `http://{host}/relay/{outlet}?turn=on`",
            "`flasher drivers power-http` explains each key",
            "it must be a file that this user may read",
            "is it plugged in, and is this its address?",
            "is this its address? raise `timeout_seconds` if it is only slow",
            "set `user` and `password_file` to what its web page takes",
            "try `auth: basic`",
            "is `preset` the right one, and does it have this outlet?",
            "look at its web page; some need a restart",
            "set `user` and `password_file` to what its web page takes",
            "is `preset` the right one, and does it have this `outlet`?",
            "is `preset` the right one, and does it have this `outlet`?",
            "set `status_on` and `status_off` to what it answers",
            "set `voltage` and `current` to JSON pointers into its answer",
        ]
    );
}
