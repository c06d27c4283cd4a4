//! Receipts of jobs that never ran, whole enough to bear out what they say.

use flasher_core::Receipt;
use report::{ConsoleOfJob, ConsoleText, ReportedJob};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const MIB: u64 = 1 << 20;

pub(crate) fn digest(bytes: &[u8]) -> String {
    Sha256::digest(bytes).iter().map(|byte| format!("{byte:02x}")).collect()
}

fn range(number: u64, offset: u64, length: u64, kind: &str) -> Value {
    let sha256 = match kind {
        "data" => digest(&number.to_le_bytes()),
        _ => digest(&vec![0; length as usize]),
    };
    let counts = kind != "dont-care";
    json!({
        "offset": offset, "length": length, "kind": kind, "sha256": sha256,
        "read_back": counts.then_some(&sha256), "writes": u8::from(counts),
    })
}

/// The ranges of an image of `mib` MiB: the first block, then data, zeros and gaps in turn.
fn ranges(mib: u64) -> Vec<Value> {
    let kinds = ["data", "data", "zero", "data", "dont-care", "data"];
    let first = range(0, 0, 65_536, "data");
    let others = (0..mib).map(|number| {
        let (offset, length) = if number == 0 { (65_536, MIB - 65_536) } else { (number * MIB, MIB) };
        let kind = if number == 0 { "data" } else { kinds[number as usize % kinds.len()] };
        range(number + 1, offset, length, kind)
    });
    std::iter::once(first).chain(others).collect()
}

fn bytes(ranges: &[Value], kind: &str) -> u64 {
    ranges.iter().filter(|it| it["kind"] == kind).map(|it| it["length"].as_u64().unwrap()).sum()
}

fn traffic() -> Value {
    let points = |from: f64, rate: u64| -> Vec<Value> {
        (0..40)
            .map(|it| json!({ "at": from + f64::from(it) / 2.0, "bytes": u64::from(it as u32) * rate }))
            .collect()
    };
    json!({
        "rates": [
            { "of": "load", "points": [{ "at": 4.0, "bytes": 0 }, { "at": 7.5, "bytes": 34 * MIB }] },
            { "of": "write", "points": points(12.0, 40 * MIB) },
            { "of": "read-back", "points": points(33.0, 48 * MIB) },
        ],
        "transfers": [
            { "attempt": 1, "protocol": "tftp", "file": "flasher-job-1/kernel", "ended": 6.0, "seconds": 2.0, "bytes": 20 * MIB, "resends": 3, "end": "done" },
            { "attempt": 1, "protocol": "tftp", "file": "flasher-job-1/initramfs", "ended": 7.5, "bytes": 14 * MIB, "resends": 0, "end": "failed", "reason": "no answer" },
        ],
        "transfers_left_out": 2,
    })
}

/// The receipt of a proven flash of `mib` MiB, as JSON that can be changed before it is sealed.
pub(crate) fn proven(mib: u64) -> Value {
    let ranges = ranges(mib);
    let steps = json!({
        "resolve": 0.1, "image": 0.2, "plan": 0.0, "services": 0.1, "power": 2.4, "bootloader": 5.5, "shell": 3.0,
        "target": 0.4, "write": 20.5, "commit": 0.2, "verify": 19.8, "finish": 0.8,
    });
    json!({
        "schema": 2, "tool": "flasher 0.1.0", "job": "flash", "verdict": "proven", "failure": null,
        "site": { "exporter": "rack-3", "node": "board.storage", "host": "lab", "user": "ann" },
        "started": 1_790_000_000, "begun": "2026-09-21T14:13:20.250Z", "ended": "2026-09-21T14:14:13.250Z", "seconds": 53.0,
        "attempts": 1,
        "history": [{ "begun": "2026-09-21T14:13:20.250Z", "seconds": 53.0, "steps": steps, "failure": null, "power": "off", "power_evidence": "reported" }],
        "image": {
            "source": "https://images.example.org/os.img.xz", "format": "xz", "content": "a GPT with 3 partitions", "source_length": 5000,
            "source_sha256": digest(b"source"), "decoded_length": mib * MIB, "decoded_sha256": digest(b"image"), "block_map": "os.bmap",
        },
        "board": {
            "name": "ti-j784s4", "variant": "evm", "bundle_sha256": digest(b"bundle"), "address": "192.0.2.9",
            "autoboot": { "ended": "stopped", "typed": "`space`" }, "loads": { "by": "tftp", "block_size": 1468, "window_size": 16 },
        },
        "steps": steps, "power": "off", "power_evidence": "reported", "transcript": null,
        "warnings": ["the switch took 4 s to confirm `off`"], "traffic": traffic(),
        "medium": {
            "target": "emmc", "via": "linux", "device": "/dev/mmcblk0", "size": 32_000_000_000_u64,
            "identity": { "name": "DG4032", "cid": "45010044473430333200" }, "read_back": "dropped", "digests_by": "exporter",
            "read_back_sha256": null, "data_written": bytes(&ranges, "data") - 65_536, "zeros_written": bytes(&ranges, "zero"),
            "zeros_by": "zeroout", "wire": "identity", "verify": "full", "ranges": ranges,
        }
    })
}

/// The receipt of a flash that failed with this class in this step.
pub(crate) fn failed(class: &str, step: &str) -> Value {
    let mut receipt = proven(12);
    let failure = json!({
        "class": class, "step": step, "cause": "the medium does not hold what was written", "context": { "range": "1 MiB at 3 MiB" },
        "help": "use another card; this one is worn out", "console": ["mmc0: error -110", "=> "],
        "medium": { "state": "differs", "first_block_erased": true },
    });
    receipt["verdict"] = json!("failed");
    receipt["attempts"] = json!(2);
    receipt["history"] = json!([
        { "begun": "2026-09-21T14:13:20.250Z", "seconds": 9.0, "steps": { "power": 2.0 }, "failure": failure, "power": "off", "power_evidence": "reported" },
        { "begun": "2026-09-21T14:13:31.250Z", "seconds": 42.0, "steps": receipt["steps"], "failure": failure, "power": "off", "power_evidence": "reported" },
    ]);
    receipt["failure"] = failure;
    receipt["medium"]["ranges"][4]["read_back"] = json!(digest(b"wrong"));
    receipt["medium"]["ranges"][4]["writes"] = json!(2);
    receipt["medium"]["ranges"][6]["writes"] = json!(0);
    receipt["steps"].as_object_mut().unwrap().remove("finish");
    receipt
}

/// A receipt out of JSON, sealed as a job would seal it.
pub(crate) fn sealed(receipt: Value) -> Receipt {
    serde_json::from_value::<Receipt>(receipt).unwrap().sealed()
}

/// A short console.
pub(crate) const CONSOLE: &str = "2026-09-21T14:13:22.001Z # power on\n2026-09-21T14:13:23.100Z < U-Boot 2023.01\n\
    2026-09-21T14:13:24.500Z > \n2026-09-21T14:13:24.600Z < => \n2026-09-21T14:13:25.000Z < \u{1b}[32mok\u{1b}[0m <b>not bold</b>\n";

/// A job of this receipt with this console.
pub(crate) fn job(receipt: Value, console: &str) -> ReportedJob {
    let console = match console {
        "" => ConsoleOfJob::None,
        text => ConsoleOfJob::Here(ConsoleText::read(text.as_bytes(), 400_000)),
    };
    ReportedJob::new("receipt.json", sealed(receipt), console)
}
