//! Kinds of boards that a case may have: none of them is a fault.

use serde_json::{Value, json};

use crate::case::{Personality, Setting, Via};
use crate::exporter::PORT;

type Row = (&'static str, &'static [Via], fn() -> Vec<(&'static str, Value)>);

const BOTH: &[Via] = &[Via::Linux, Via::Uboot];
const LINUX: &[Via] = &[Via::Linux];
const UBOOT: &[Via] = &[Via::Uboot];

const ROWS: &[Row] = &[
    ("lwip", BOTH, || {
        vec![
            ("board/config/network", json!("lwip")),
            ("board/config/next_server", json!("127.0.0.9")),
            ("board/config/tftp_port", json!(PORT)),
            ("storage/children/tftp/config/port", json!(PORT)),
            ("storage/children/tftp/config/host", json!("127.0.0.1")),
        ]
    }),
    ("stop-string", BOTH, || {
        vec![
            ("board/config/autoboot", json!({ "stop": "halt", "prompt": "Autoboot in %d seconds" })),
            (
                "storage/children/uboot",
                json!({ "type": "uboot", "config": { "interrupt": { "text": "halt" } } }),
            ),
        ]
    }),
    ("own-prompt", BOTH, || {
        vec![
            ("board/config/prompt", json!("MX8> ")),
            ("storage/children/uboot", json!({ "type": "uboot", "config": { "prompt": "MX8>" } })),
        ]
    }),
    ("drops-after-dhcp", BOTH, || vec![("board/config/drop_after_dhcp", json!(true))]),
    ("slow-start", BOTH, || vec![("board/config/faults/boot_delay_ms", json!(900))]),
    ("hashes", UBOOT, || vec![("board/config/without_commands", json!([]))]),
    ("sends", UBOOT, || {
        vec![
            ("board/config/without_commands", json!(["hash", "sha256sum"])),
            ("storage/config/read_back", json!("network")),
        ]
    }),
    ("little-memory", UBOOT, || vec![("board/config/dram", json!("1136MiB"))]),
    ("sectors-of-4096", LINUX, || vec![("board/config/sector_size", json!(4096))]),
    ("zeroout", LINUX, || vec![("board/config/zeroout", json!(true))]),
    ("hashed-by-board", LINUX, || vec![("storage/config/read_back", json!("board"))]),
    ("only-wget", LINUX, || {
        vec![
            ("board/config/faults/curl_missing", json!(true)),
            ("board/config/faults/bash_missing", json!(true)),
        ]
    }),
    ("no-unpackers", LINUX, || vec![("board/config/without_tools", json!(["zstd", "gzip", "zcat"]))]),
    ("busybox-like-shell", LINUX, || vec![("board/config/bash", json!(true))]),
    ("own-address", BOTH, || {
        vec![("storage/config/network", json!({ "address": "127.0.0.1", "netmask": "255.0.0.0" }))]
    }),
];

/// A kind of board for this way; the plain one as often as not.
pub(crate) fn draw(rng: &mut fastrand::Rng, via: Via) -> Personality {
    let power_tells = rng.bool();
    let fitting: Vec<&Row> = ROWS.iter().filter(|(_, ways, _)| ways.contains(&via)).collect();
    let chosen = if rng.bool() { rng.choice(fitting) } else { None };
    let Some((name, _, settings)) = chosen else {
        return Personality { power_tells, ..Personality::default() };
    };
    let settings = settings().into_iter().map(|(at, value)| Setting { at, value }).collect();
    Personality { name, settings, power_tells }
}
