//! Serial lines, and a board that another job has.

use super::{broken, prepared};
use crate::setup::Case;

pub(crate) const LINES: &[Case] = &[
    broken(
        "no such port",
        &[("serial", "{ type: serial, config: { url: /dev/no-such } }")],
        4,
        "there is no serial port `/dev/no-such`",
    ),
    broken(
        "no such port, and not looked for before a job",
        &[("serial", "{ type: serial, config: { url: /dev/no-such, check_present: false } }")],
        4,
        "there is no serial port `/dev/no-such`",
    ),
    broken(
        "a file",
        &[("serial", "{ type: serial, config: { url: ./os.img } }")],
        4,
        "os.img` is no serial port",
    ),
    broken(
        "a folder",
        &[("serial", "{ type: serial, config: { url: ./bundle } }")],
        4,
        "bundle` is no serial port",
    ),
    broken(
        "/dev/null",
        &[("serial", "{ type: serial, config: { url: /dev/null } }")],
        4,
        "`/dev/null` is no serial port",
    ),
    broken(
        "/dev/zero",
        &[("serial", "{ type: serial, config: { url: /dev/zero, check_present: false } }")],
        4,
        "`/dev/zero` is no serial port",
    ),
    prepared(
        "ln -s /dev/no-such-adapter link",
        broken(
            "an adapter that is unplugged",
            &[("serial", "{ type: serial, config: { url: ./link } }")],
            4,
            "there is no serial port `",
        ),
    ),
    broken(
        "a port that a program has open",
        &[("serial", "{ type: serial, config: { url: @OPEN@ } }")],
        4,
        "port is in use: `/dev/pts/",
    ),
    broken(
        "a port that a program has locked, and not looked for before a job",
        &[("serial", "{ type: serial, config: { url: @LOCKED@, check_present: false } }")],
        4,
        "port is in use: `/dev/pts/",
    ),
    broken(
        "no port server",
        &[("serial", "{ type: serial, config: { url: \"socket://127.0.0.1:@CLOSED@\" } }")],
        4,
        "cannot connect to `socket://127.0.0.1:",
    ),
    broken(
        "no port server, and not looked for before a job",
        &[(
            "serial",
            "{ type: serial, config: { url: \"rfc2217://127.0.0.1:@CLOSED@\", check_present: false } }",
        )],
        4,
        "cannot connect to `rfc2217://127.0.0.1:",
    ),
    broken(
        "a record in a folder that is not there",
        &[("serial", "{ type: serial, config: { url: @FREE@, record: { file: no/such/log } } }")],
        4,
        "no/such/log`: No such file or directory",
    ),
    broken(
        "a record below a file",
        &[("serial", "{ type: serial, config: { url: @FREE@, record: { file: os.img/log } } }")],
        4,
        "os.img/log`: Not a directory",
    ),
    broken(
        "a record that is a folder",
        &[("serial", "{ type: serial, config: { url: @FREE@, record: { file: bundle } } }")],
        4,
        "bundle`: ",
    ),
    broken(
        "a spy in a folder that is not there",
        &[("serial", "{ type: serial, config: { url: \"spy://no/log?@FREE@\" } }")],
        4,
        "no/log`: No such file or directory",
    ),
    broken(
        "a spy on no port",
        &[("serial", "{ type: serial, config: { url: \"spy://log?/dev/no-such\" } }")],
        4,
        "there is no serial port `/dev/no-such`",
    ),
    Case {
        name: "a board that another job has",
        code: 4,
        says: "the board is in use: `console`, process ",
        ..Case::GOOD
    },
];
