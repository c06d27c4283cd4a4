//! The text of every config error; those of commands are in the other tests.

use std::path::Path;

use flasher_core::Error as Core;

use super::device;
use crate::{Error, Sign};

#[test]
fn wrong_configs_are_refused() {
    let cases = [
        ("", "`on` is missing, expected a command"),
        ("on: 'true'", "`off` is missing, expected a command"),
        (
            "on: 'echo 1 > /sys/relay', off: 'true'",
            "`on` has `>`, which only a shell understands, and no shell reads it",
        ),
        ("on: 'true', off: 'true', status: 'cat $STATE'", "add `shell: true`; or put it in single quotes"),
        ("on: 'true', off: 'PORT=3 relay off'", "give the variable below `env:`"),
        ("shell: true, on: [echo, on, '>', state], off: 'true'", "give the command as one line, and add"),
        (
            "on: \"relay off\\nrelay on\", off: 'true'",
            "`on` has a line break, which only a shell understands",
        ),
        (
            "on: 'say \"hi', off: 'true'",
            "`on` is no command, expected a program and its arguments, quotes in pairs",
        ),
        ("on: [], off: 'true'", "`on` is no command, expected a program and its arguments, quotes in pairs"),
        ("preset: uhubctl", "the preset needs `port`, expected the number its tool counts by"),
        (
            "preset: ykush, port: 1, timeout_seconds: 0",
            "`timeout_seconds` is 0, expected more than 0 and at most 600",
        ),
        ("preset: ykush, port: 1, min_off_seconds: -2", "`min_off_seconds` is -2, expected 0 to 600 seconds"),
        ("preset: ykush, port: 1, on: 7", "a command: a line, or a list of words"),
        ("preset: pdu", "`uhubctl`"),
        ("on: a, off: b, status_on: '('", "`status_on` is no regular expression"),
    ];
    for (config, expected) in cases {
        let error = device(Path::new("/lab"), config).unwrap_err();
        let text = format!("{error} {}", error.next_step().unwrap_or_default());
        assert!(text.contains(expected), "{config}: {text}");
        assert_eq!(error.class().exit_code(), 2, "{config}");
    }
}

#[test]
fn every_error_says_what_to_do_next() {
    let all = [
        Error::Lacking { key: "on" },
        Error::Words { key: "on" },
        Error::Shell { key: "on", sign: Sign::Text(">".to_owned()), is_list: false },
        Error::Shell { key: "on", sign: Sign::Assignment("PORT".to_owned()), is_list: false },
        Error::Shell { key: "on", sign: Sign::Text(">".to_owned()), is_list: true },
        Error::Line { key: "on", said: String::new() },
        Error::Port,
        Error::Pattern { key: "status_on", reason: String::new() },
        Error::Unclear { program: "relay".to_owned(), said: String::new() },
    ];
    let steps: Vec<String> =
        all.into_iter().map(|error| Core::from(error).next_step().unwrap().to_owned()).collect();
    assert_eq!(
        steps,
        [
            "`flasher drivers power-command` shows an example",
            "a list of words needs no quotes: `[uhubctl, -p, '2', -a, 'on']`",
            "add `shell: true`; or put it in single quotes, if the program is to get it as it is",
            "give the variable below `env:`, or add `shell: true`",
            "give the command as one line, and add `shell: true`",
            "try it by hand: `sh -n -c '…'`",
            "the tool without arguments lists hubs and ports",
            "put it in single quotes, so that YAML leaves backslashes alone",
            "set `status_on` and `status_off` to what it prints",
        ]
    );
}
