//! The text of every config error; those of requests are in the other tests.

use flasher_core::Error as Core;

use super::{device, refusal};
use crate::Error;

#[test]
fn wrong_configs_are_refused() {
    for (config, expected) in [
        ("preset: apc, outlet: 1", "host"),
        ("host: a", "`oid` is missing, expected it or a `preset`"),
        ("host: a, oid: '1.3.6.1', off: 0", "`on` is missing, expected it or a `preset`"),
        ("host: a, oid: '1.3.6.1', on: 1", "`off` is missing, expected it or a `preset`"),
        ("host: a, preset: apc", "`outlet` is missing, expected the number printed beside it, from 1"),
        (
            "host: a, preset: apc, outlet: 0",
            "`outlet` is missing, expected the number printed beside it, from 1",
        ),
        ("host: a, preset: gude, outlet: 1", "`apc`"),
        ("host: a, oid: sysName, on: 1, off: 0", "`oid` is `sysName`, expected numbers with dots between"),
        (
            "host: a, preset: apc, outlet: 1, status_oid: '1.x'",
            "`status_oid` is `1.x`, expected numbers with dots between",
        ),
        ("host: a, preset: apc, outlet: 1, version: '3'", "2c"),
        (
            "host: a, preset: apc, outlet: 1, timeout_seconds: 0",
            "`timeout_seconds` is 0, expected more than 0 and at most 600",
        ),
    ] {
        let error = device(config).unwrap_err();
        let text = format!("{error} {}", error.next_step().unwrap_or_default());
        assert!(text.contains(expected), "{config}: {text}");
        assert_eq!(error.class().exit_code(), 2, "{config}");
    }
}

#[tokio::test]
async fn a_file_that_is_missing_is_named() {
    let (text, retryable) =
        refusal("host: 127.0.0.1, preset: apc, outlet: 1, community_file: /no/such/file").await;
    assert_eq!(text, "`community_file` cannot be used: No such file or directory (os error 2)");
    assert!(!retryable);
}

#[test]
fn every_error_says_what_to_do_next() {
    let pdu = || "a:161".to_owned();
    let all = [
        Error::Lacking { key: "on" },
        Error::Host,
        Error::Outlet,
        Error::Oid { key: "oid", text: String::new() },
        Error::File { reason: String::new() },
        Error::Reach { pdu: pdu(), reason: String::new() },
        Error::Late { pdu: pdu(), seconds: 1.0 },
        Error::Refused { pdu: pdu(), what: "set the outlet", reason: String::new() },
        Error::Unclear { pdu: pdu(), said: String::new(), on: 1, off: 2 },
        Error::Broken { pdu: pdu(), reason: String::new() },
    ];
    let steps: Vec<String> =
        all.into_iter().map(|error| Core::from(error).next_step().unwrap().to_owned()).collect();
    assert_eq!(
        steps,
        [
            "`flasher drivers power-snmp` shows an example",
            "for example `host: pdu.lab.example`; the port is `port:`",
            "for example `outlet: 3`",
            "for example `1.3.6.1.4.1.318.1.1.12.3.3.1.1.4.3`",
            "it must be a file that this user may read",
            "is this its name, and is there a route to it?",
            "is SNMP switched on there, and does `community` match? a wrong one is not answered",
            "may this community write, and does the PDU have this outlet?",
            "set `status_on` and `status_off` to what it reports",
            "is it a PDU that speaks SNMP v1 or v2c?",
        ]
    );
}
