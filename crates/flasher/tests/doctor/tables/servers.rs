//! File servers, what another user may not use, and set-ups that work.

use super::{broken, nobody, prepared, refused};
use crate::setup::Case;

pub(crate) const SERVERS: &[Case] = &[
    broken(
        "a TFTP port that is in use",
        &[("tftp", "port: @UDP@, root_dir: tftp")],
        4,
        "cannot serve tftp on 0.0.0.0:",
    ),
    broken(
        "a TFTP address of another machine",
        &[("tftp", "port: 0, host: 192.0.2.1, root_dir: tftp")],
        4,
        "this machine has no such address",
    ),
    broken("a TFTP folder that is a file", &[("tftp", "port: 0, root_dir: os.img")], 4, "os.img`"),
    Case {
        before: "ulimit -f 8; trap '' XFSZ",
        ..broken("a TFTP folder without room", &[], 4, "cannot put boot files into the TFTP folder")
    },
    prepared(
        "mkdir -p tftp/flasher-job-0",
        Case { name: "a TFTP folder with what a killed job left", ..Case::GOOD },
    ),
    broken(
        "an HTTP port that is in use",
        &[("http", "port: @TCP@, root_dir: http")],
        4,
        "cannot serve http on 0.0.0.0:",
    ),
    broken(
        "an HTTP address of another machine",
        &[("http", "port: 0, host: 192.0.2.1, root_dir: http")],
        4,
        "this machine has no such address",
    ),
    broken(
        "an HTTP folder that is a file",
        &[("http", "port: 0, root_dir: os.img")],
        4,
        "os.img`: it is a file",
    ),
    refused("a port that is none", &[("http", "port: 65536, root_dir: http")], "65536"),
];

pub(crate) const RIGHTS: &[Case] = &[
    nobody(
        "chmod 600 @FREE@",
        broken(
            "a port that this user may not open",
            &[("serial", "{ type: serial, config: { url: @FREE@ } }")],
            4,
            "no permission to open `/dev/pts/",
        ),
    ),
    nobody(
        "chmod 600 @FREE@",
        broken(
            "a forbidden port that is not looked for before a job",
            &[("serial", "{ type: serial, config: { url: @FREE@, check_present: false } }")],
            4,
            "no permission to open `/dev/pts/",
        ),
    ),
    nobody(
        "mkdir logs; chmod 666 @FREE@",
        broken(
            "a record in a folder of another user",
            &[("serial", "{ type: serial, config: { url: @FREE@, record: { file: logs/log } } }")],
            4,
            "logs/log`: Permission denied",
        ),
    ),
    nobody(
        "echo '#!/bin/sh' >relay; chmod 700 relay",
        broken(
            "a script of another user",
            &[("power", "{ type: power-command, config: { on: ./relay, off: ./relay } }")],
            4,
            "cannot be started: Permission denied",
        ),
    ),
    nobody(
        "mkdir tftp",
        broken("a TFTP folder of another user", &[], 4, "cannot put boot files into the TFTP folder"),
    ),
    nobody(
        "mkdir tftp; chmod 700 tftp",
        broken("a TFTP folder that is closed", &[], 4, "cannot serve the folder `tftp`"),
    ),
    nobody(
        "mkdir closed; chmod 700 closed",
        broken(
            "an HTTP folder in a closed one",
            &[("http", "port: 0, root_dir: closed/http")],
            4,
            "cannot serve the folder `",
        ),
    ),
    nobody(
        "echo secret >password; chmod 600 password",
        refused(
            "a password of another user",
            &[(
                "power",
                "{ type: power-http, config: { preset: tasmota, host: '127.0.0.1:@CLOSED@', password_file: password } }",
            )],
            "`password_file` cannot be used: Permission denied",
        ),
    ),
    nobody("chmod 600 bundle/data/kernel", refused("a kernel of another user", &[], "kernel")),
    nobody("", Case { name: "a lab of this user", ..Case::GOOD }),
];

pub(crate) const GOOD: &[Case] = &[
    Case { name: "a simulated board", ..Case::GOOD },
    Case {
        name: "folders with links",
        prepare: "mkdir real; ln -s real tftp; ln -s real http",
        ..Case::GOOD
    },
];
