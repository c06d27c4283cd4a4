//! Power switches: commands, sockets, PDUs, GPIO.

use super::{broken, prepared, refused};
use crate::setup::Case;

pub(crate) const COMMANDS: &[Case] = &[
    broken(
        "no such program",
        &[("power", "{ type: power-command, config: { on: no-such-relay 1, off: no-such-relay 0 } }")],
        4,
        "needs `no-such-relay`, which is not in the PATH",
    ),
    broken(
        "an `off` that is not there",
        &[("power", "{ type: power-command, config: { on: 'true', off: ./no-such-relay } }")],
        4,
        "needs `./no-such-relay`",
    ),
    broken(
        "a `cycle` that is not there",
        &[("power", "{ type: power-command, config: { on: 'true', off: 'true', cycle: no-such-relay } }")],
        4,
        "`cycle` of the power switch needs `no-such-relay`",
    ),
    prepared(
        "echo '#!/bin/sh' >relay",
        broken(
            "a script that may not be run",
            &[("power", "{ type: power-command, config: { on: ./relay, off: ./relay } }")],
            4,
            "`./relay` of the power switch's `on` cannot be started: Permission denied",
        ),
    ),
    prepared(
        "echo '#!/no/such/python' >relay; chmod +x relay",
        broken(
            "a script without its interpreter",
            &[("power", "{ type: power-command, config: { on: ./relay, off: ./relay } }")],
            4,
            "needs the interpreter `/no/such/python`",
        ),
    ),
    prepared(
        "echo '#!/usr/bin/env no-such-python' >relay; chmod +x relay",
        broken(
            "a script whose interpreter is not in the PATH",
            &[("power", "{ type: power-command, config: { on: ./relay, off: ./relay } }")],
            4,
            "needs the interpreter `no-such-python`",
        ),
    ),
    prepared(
        "printf '#!/bin/sh\\r\\ntrue\\r\\n' >relay; chmod +x relay",
        broken(
            "a script with the line ends of another system",
            &[("power", "{ type: power-command, config: { on: ./relay, off: ./relay } }")],
            4,
            "needs the interpreter `/bin/sh\\r`",
        ),
    ),
    prepared(
        "echo true >relay; chmod +x relay",
        broken(
            "a text that is no script",
            &[("power", "{ type: power-command, config: { on: ./relay, off: ./relay } }")],
            4,
            "`./relay` of the power switch's `on` cannot be started: ",
        ),
    ),
    broken(
        "a folder that is not there",
        &[("power", "{ type: power-command, config: { on: 'true', off: 'true', folder: no/such } }")],
        4,
        "commands cannot run in the folder `",
    ),
    broken(
        "a PATH of its own without the tool",
        &[(
            "power",
            "{ type: power-command, config: { preset: uhubctl, port: 1, env: { PATH: /no/such } } }",
        )],
        4,
        "needs `uhubctl`, which is not in the PATH",
    ),
    broken(
        "a line for a shell whose tool is missing",
        &[(
            "power",
            "{ type: power-command, config: { shell: true, on: 'echo 1 | no-such-relay', off: 'true' } }",
        )],
        4,
        "`on` of the power switch needs `no-such-relay`",
    ),
    broken(
        "a line that no shell can read",
        &[("power", "{ type: power-command, config: { shell: true, on: 'if true', off: 'true' } }")],
        4,
        "`on` of the power switch is no line that sh can read",
    ),
    broken(
        "a status that fails",
        &[("power", "{ type: power-command, config: { on: 'true', off: 'true', status: 'false' } }")],
        4,
        "`status` of the power switch (`false`) ended with exit status 1",
    ),
    broken(
        "a status that says nothing",
        &[("power", "{ type: power-command, config: { on: 'true', off: 'true', status: echo maybe } }")],
        4,
        "says neither on nor off, or both: `maybe`",
    ),
    broken(
        "a status that hangs",
        &[(
            "power",
            "{ type: power-command, config: { on: 'true', off: 'true', status: sleep 600, timeout_seconds: 0.3 } }",
        )],
        4,
        "did not end within 0.3 s",
    ),
    refused(
        "a redirection that no shell reads",
        &[("power", "{ type: power-command, config: { on: 'echo 1 > relay', off: 'true' } }")],
        "`on` has `>`, which only a shell understands",
    ),
    refused(
        "a variable in a list of words",
        &[("power", "{ type: power-command, config: { on: [relay, $PORT], off: 'true' } }")],
        "`on` has `$PORT`, which only a shell understands",
    ),
];

pub(crate) const SWITCHES: &[Case] = &[
    broken(
        "no socket at this address",
        &[("power", "{ type: power-http, config: { preset: shelly, host: '127.0.0.1:@CLOSED@' } }")],
        4,
        "cannot be reached: ",
    ),
    broken(
        "no socket, and none that can be asked",
        &[(
            "power",
            "{ type: power-http, config: { on: 'http://127.0.0.1:@CLOSED@/1', off: 'http://127.0.0.1:@CLOSED@/0' } }",
        )],
        4,
        "cannot be reached: ",
    ),
    refused(
        "a URL for a host",
        &[("power", "{ type: power-http, config: { preset: shelly, host: 'http://127.0.0.1' } }")],
        "`host` is no host",
    ),
    refused(
        "a password for nobody",
        &[("power", "{ type: power-http, config: { preset: shelly, host: relay, password_file: os.img } }")],
        "`password_file` has no effect without `user`",
    ),
    refused(
        "a password that is not there",
        &[(
            "power",
            "{ type: power-http, config: { on: 'http://127.0.0.1:@TCP@/', off: 'http://127.0.0.1:@TCP@/', user: lab, password_file: no-such } }",
        )],
        "`password_file` cannot be used: No such file",
    ),
    refused(
        "a CA that is not there",
        &[(
            "power",
            "{ type: power-http, config: { on: 'https://127.0.0.1:@TCP@/', off: 'https://127.0.0.1:@TCP@/', cacert: no-such } }",
        )],
        "`cacert` cannot be used: No such file",
    ),
    refused(
        "a CA that is none",
        &[(
            "power",
            "{ type: power-http, config: { on: 'https://127.0.0.1:@TCP@/', off: 'https://127.0.0.1:@TCP@/', cacert: lab.yaml } }",
        )],
        "`cacert` cannot be used: ",
    ),
    broken(
        "no PDU at this address",
        &[(
            "power",
            "{ type: power-snmp, config: { preset: apc, outlet: 1, host: 127.0.0.1, port: @CLOSED@, timeout_seconds: 1 } }",
        )],
        4,
        "the PDU `127.0.0.1:",
    ),
    refused(
        "a community that is not there",
        &[(
            "power",
            "{ type: power-snmp, config: { preset: apc, outlet: 1, host: 127.0.0.1, community_file: no-such } }",
        )],
        "`community_file` cannot be used: No such file",
    ),
    refused(
        "a URL for a PDU",
        &[("power", "{ type: power-snmp, config: { preset: apc, outlet: 1, host: 'http://pdu' } }")],
        "`host` is no host",
    ),
    broken(
        "no GPIO chip",
        &[("power", "{ type: power-gpio, config: { device: /dev/no-such-chip, line: 1 } }")],
        4,
        "there is no GPIO chip `/dev/no-such-chip`",
    ),
    broken(
        "something else than a GPIO chip",
        &[("power", "{ type: power-gpio, config: { device: /dev/null, line: 1 } }")],
        4,
        "`/dev/null` is no GPIO chip",
    ),
    broken("a medium that is a folder", &[("sim", "medium: ./bundle")], 2, "bundle` is not a regular file"),
];
