//! Receipts that prove something, and each way in which they do not.

use serde_json::{Value, json};

use super::*;
use crate::Class;
use crate::receipt::{CompareFacts, RangeFacts, RangeKind, SCHEMA};

const KIB: u64 = 1024;

fn digest(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

/// An image of data, zeros and a gap that its block map leaves out.
fn image() -> ImageMap {
    let range = |offset: u64, length: u64, kind: RangeKind| {
        let sha256 = match kind {
            RangeKind::Zero | RangeKind::Unmapped => {
                zeros::digests([length * KIB].into_iter())[&(length * KIB)].clone()
            }
            _ => digest(&offset.to_string()),
        };
        ImageRange { offset: offset * KIB, length: length * KIB, kind, sha256 }
    };
    ImageMap {
        source_length: 5000,
        source_sha256: digest("source"),
        decoded_length: 4096 * KIB,
        decoded_sha256: digest("image"),
        format: "xz".to_owned(),
        mapped: true,
        data_length: (64 + 960) * KIB,
        zero_length: 1024 * KIB,
        ranges: vec![
            range(0, 64, RangeKind::Data),
            range(64, 960, RangeKind::Data),
            range(1024, 1024, RangeKind::Zero),
            range(2048, 2048, RangeKind::Unmapped),
        ],
    }
}

fn ranges(map: &ImageMap) -> Vec<RangeFacts> {
    let facts = |range: &ImageRange| {
        let cared = range.kind != RangeKind::Unmapped;
        RangeFacts {
            offset: range.offset,
            length: range.length,
            kind: range.kind,
            sha256: range.sha256.clone(),
            read_back: cared.then(|| range.sha256.clone()),
            writes: cared.into(),
            held: false,
        }
    };
    map.ranges.iter().map(facts).collect()
}

/// A receipt of a flash of [`image`] that took two attempts.
pub(crate) fn proven() -> Value {
    let map = image();
    let steps: Value = Step::ALL.iter().map(|step| (step.name().to_owned(), json!(0.5))).collect();
    let failure = json!({"class": "board", "step": "shell", "cause": "no shell", "context": {}, "help": null, "console": []});
    json!({
        "schema": SCHEMA, "tool": "flasher 0.1.0", "verdict": "proven", "failure": null,
        "started": 1_790_000_000, "begun": "2026-09-21T14:13:20.250Z", "ended": "2026-09-21T14:13:40.250Z", "seconds": 20.0,
        "attempts": 2,
        "history": [
            {"begun": "2026-09-21T14:13:20.250Z", "seconds": 2.0, "steps": {"shell": 1.5}, "failure": failure,
             "power": "off", "power_evidence": "reported"},
            {"begun": "2026-09-21T14:13:24.250Z", "seconds": 16.0, "steps": steps.clone(), "failure": null,
             "power": "off", "power_evidence": "reported"},
        ],
        "image": {
            "source": "os.img.xz", "format": "xz", "source_length": 5000, "source_sha256": map.source_sha256,
            "decoded_length": map.decoded_length, "decoded_sha256": map.decoded_sha256, "block_map": "os.bmap",
        },
        "board": {"name": "sim", "bundle_sha256": digest("bundle")},
        "steps": steps, "power": "off", "power_evidence": "reported", "transcript": null, "warnings": [],
        "medium": {
            "target": "emmc", "device": "/dev/mmcblk0", "size": 8192 * KIB, "identity": {}, "read_back": "dropped",
            "digests_by": "exporter", "data_written": 960 * KIB, "zeros_written": 1024 * KIB, "wire": "gzip",
            "ranges": ranges(&map),
        }
    })
}

/// What the audit says of `receipt`, by itself and then against [`image`].
fn judge(receipt: Value) -> Result<(), String> {
    let receipt: Receipt = serde_json::from_value(receipt).unwrap();
    audit(&receipt)
        .map(drop)
        .and_then(|()| against(&receipt, &image()).map(drop))
        .map_err(|flaw| flaw.to_string())
}

#[test]
fn a_receipt_that_tells_what_the_image_tells_proves_it() {
    assert_eq!(judge(proven()), Ok(()));
    let mut packed = proven();
    packed["image"]["source_sha256"] = json!(digest("the same image packed otherwise"));
    let receipt: Receipt = serde_json::from_value(packed).unwrap();
    assert!(!against(&receipt, &image()).unwrap().same_source);
}

#[test]
fn a_receipt_that_was_changed_proves_nothing() {
    let unread = "a range was not read back, or differs";
    let elsewhere = "its digest is that of something else";
    let cover = "the ranges do not cover the image";
    let counts = "data and zeros do not add up to the ranges";
    let other = |text: &str| json!(digest(text));
    for (place, value, expected, at) in [
        ("/verdict", json!("failed"), "it says `failed`", "verdict"),
        (
            "/verdict",
            json!("written, not proven"),
            "`proven` is what was read back in full, and nothing else is",
            "medium.verify",
        ),
        ("/tool", json!("vi"), "it does not name what wrote it", "tool"),
        ("/power", json!("untouched"), "the board was never switched on", "power"),
        ("/power", json!("on"), "it is not what the last attempt left", "power"),
        ("/started", json!(1_790_000_001), "it is another time than `begun`", "started"),
        ("/begun", json!("yesterday"), "it is no time", "begun"),
        ("/begun", json!("2026-09-21114:13:20.250Z"), "it is no time", "begun"),
        ("/ended", json!("2026-09-21T14:13:40.25Z"), "it is no time", "ended"),
        ("/history/1/begun", json!("2026-09-21 14:13:24.250Z"), "it is no time", "history[1].begun"),
        ("/seconds", json!(19.0), "it is not `seconds` after `begun`", "ended"),
        ("/attempts", json!(1), "it is not how many attempts are listed", "attempts"),
        (
            "/history/0/failure",
            Value::Null,
            "an attempt that did not fail was followed by another",
            "history",
        ),
        (
            "/history/1/begun",
            json!("2026-09-21T14:13:21.000Z"),
            "it is before the attempt or job before it",
            "history[1].begun",
        ),
        ("/history/1/seconds", json!(17.5), "its attempts took longer than the job", "history"),
        ("/history/1/seconds", json!(-1.0), "no time is negative", "history[1].steps"),
        ("/history/0/steps/shell", json!(3.0), "they took longer than the attempt", "history[0].steps"),
        ("/steps/verify", json!(0.1), "they are not those of the last attempt", "steps"),
        ("/medium", Value::Null, "it names no medium", "medium"),
        ("/image/decoded_sha256", Value::Null, "it has no digest of the image", "image.decoded_sha256"),
        ("/image/decoded_sha256", other("x"), "the digest of the image is another", "image.decoded_sha256"),
        ("/image/source_sha256", json!("11"), "it has no digest of the source", "image.source_sha256"),
        ("/image/source_length", json!(5001), "the source has another length", "image.source_length"),
        ("/image/format", json!("gz"), "the source has another format", "image.format"),
        ("/image/format", json!("xy"), "there is no such format", "image.format"),
        (
            "/image/format",
            json!("raw"),
            "a raw image is what it is decoded to, and no other is",
            "image.source_sha256",
        ),
        ("/image/decoded_length", json!(4096 * KIB - 1), cover, "image.decoded_length"),
        ("/image/block_map", Value::Null, "nothing says that ranges do not matter", "image.block_map"),
        ("/medium/size", json!(4096 * KIB - 1), "the image is larger than the medium", "medium.size"),
        ("/medium/target", json!(""), "it names no target", "medium.target"),
        ("/medium/device", json!("mmcblk0"), "it names no device", "medium.device"),
        ("/medium/partition", json!("root"), "a partition is on a disk, and nothing else is", "medium.disk"),
        (
            "/medium/verify",
            json!("off"),
            "`proven` is what was read back in full, and nothing else is",
            "medium.verify",
        ),
        (
            "/medium/read_back",
            Value::Null,
            "nothing says how the page cache was left out",
            "medium.read_back",
        ),
        (
            "/medium/read_back_sha256",
            other("x"),
            "not everything was read back, so there is no digest of it",
            "medium.read_back_sha256",
        ),
        ("/medium/wire", Value::Null, "nothing says how the image travelled", "medium.wire"),
        ("/medium/digests_by", Value::Null, "nothing says who read it back", "medium.digests_by"),
        ("/medium/data_written", json!(0), counts, "medium.data_written"),
        ("/medium/zeros_written", json!(0), counts, "medium.data_written"),
        ("/medium/ranges/0/writes", json!(0), unread, "medium.ranges[0]"),
        ("/medium/ranges/0/writes", json!(2), "a range was written again without a warning", "warnings"),
        ("/medium/ranges/1/read_back", Value::Null, unread, "medium.ranges[1]"),
        ("/medium/ranges/1/read_back", other("x"), unread, "medium.ranges[1]"),
        ("/medium/ranges/1/sha256", json!("AB"), "it is no digest", "medium.ranges[1].sha256"),
        ("/medium/ranges/1/offset", json!(65 * KIB), cover, "medium.ranges[1]"),
        ("/medium/ranges/1/length", json!(0), cover, "medium.ranges[1]"),
        ("/medium/ranges/1/kind", json!("dont-care"), elsewhere, "medium.ranges[1].kind"),
        (
            "/medium/ranges/1/kind",
            json!("zero"),
            "its digest is that of something else",
            "medium.ranges[1].kind",
        ),
        (
            "/medium/ranges/2/kind",
            json!("data"),
            "its digest is that of something else",
            "medium.ranges[2].kind",
        ),
        ("/medium/ranges/3/kind", json!("data"), elsewhere, "medium.ranges[3].kind"),
        ("/medium/ranges/3/writes", json!(1), unread, "medium.ranges[3]"),
        ("/medium/ranges/3/sha256", other("x"), elsewhere, "medium.ranges[3].kind"),
        ("/medium/ranges/3/length", json!(u64::MAX), "it is longer than any range", "medium.ranges[3]"),
    ] {
        let mut receipt = proven();
        *receipt.pointer_mut(place).unwrap_or(&mut Value::Null) = value.clone();
        if receipt.pointer(place) != Some(&value) {
            let (above, key) = place.rsplit_once('/').unwrap();
            receipt.pointer_mut(above).unwrap()[key] = value.clone();
        }
        assert_eq!(judge(receipt), Err(format!("{expected} (`{at}`)")), "{place} = {value}");
    }
}

#[test]
fn what_is_changed_in_several_places_shows_as_well() {
    let moved = |receipt: &mut Value, data: u64, zeros: u64| {
        receipt["medium"]["data_written"] = json!(data * KIB);
        receipt["medium"]["zeros_written"] = json!(zeros * KIB);
    };
    let mut swapped = proven();
    moved(&mut swapped, 1024, 960);
    assert_eq!(
        judge(swapped),
        Err("the image has another amount of data (`medium.data_written`)".to_owned())
    );
    // Data that was never written, called unmapped throughout.
    let mut left_out = proven();
    let range = &mut left_out["medium"]["ranges"][1];
    (range["kind"], range["writes"], range["read_back"]) = (json!("dont-care"), json!(0), Value::Null);
    moved(&mut left_out, 0, 1024);
    assert_eq!(
        judge(left_out),
        Err("its digest is that of something else (`medium.ranges[1].kind`)".to_owned())
    );
}

#[test]
fn images_of_one_job_are_in_partitions_of_one_device() {
    let part = |device: &str, label: &str, disk: &str| {
        let mut medium = proven()["medium"].clone();
        (medium["device"], medium["partition"], medium["disk"]) = (json!(device), json!(label), json!(disk));
        medium
    };
    let check = |second: Value| {
        let mut receipt = proven();
        receipt["medium"] = part("/dev/mmcblk0p1", "boot", "/dev/mmcblk0");
        receipt["further"] = json!([{ "image": receipt["image"], "medium": second }]);
        judge(receipt)
    };
    assert_eq!(check(part("/dev/mmcblk0p2", "root", "/dev/mmcblk0")), Ok(()));
    for (second, expected) in [
        (proven()["medium"].clone(), "several images are on one device (`further[0].medium.partition`)"),
        (
            part("/dev/mmcblk0p1", "root", "/dev/mmcblk0"),
            "several images are on one device (`further[0].medium.partition`)",
        ),
        (
            part("/dev/mmcblk0p2", "boot", "/dev/mmcblk0"),
            "several images are on one device (`further[0].medium.partition`)",
        ),
        (
            part("/dev/mmcblk1p2", "root", "/dev/mmcblk1"),
            "its images are on several devices (`further[0].medium.disk`)",
        ),
        (Value::Null, "it names no medium (`further[0].medium`)"),
    ] {
        assert_eq!(check(second.clone()), Err(expected.to_owned()), "{second}");
    }
}

#[test]
fn a_receipt_is_read_only_as_it_was_written() {
    let receipt: Receipt = serde_json::from_value(proven()).unwrap();
    let written = serde_json::to_string_pretty(&receipt.sealed()).unwrap();
    assert!(Receipt::read(&written).unwrap().is_sealed());
    let compact: Value = serde_json::from_str(&written).unwrap();
    Receipt::read(&compact.to_string()).unwrap();
    for (from, to) in [
        ("\"emmc\"", "\"sd\""),
        ("\"seconds\": 20.0", "\"seconds\": 20.001"),
        ("\"tool\"", "\"note\": \"tested\", \"tool\""),
        ("\"zeros_by\": null,", ""),
        ("\"started\": 1790000000", "\"started\": 1790000001"),
        ("\"source\": \"os.img.xz\"", "\"source\": \"os2.img.xz\""),
    ] {
        let changed = written.replacen(from, to, 1);
        assert_ne!(changed, written, "{from}");
        let error = Receipt::read(&changed).unwrap_err();
        assert_eq!(
            (error.class(), error.cause().as_str()),
            (Class::Source, "the receipt was changed after it was written")
        );
    }
    let twice = written.replacen("\"identity\": {}", "\"identity\": {\"a\": \"1\", \"a\": \"2\"}", 1);
    let error = Receipt::read(&twice).unwrap_err();
    assert!(error.cause().starts_with("it is no receipt: the key `a` is there twice"), "{error}");
    let newer = written.replacen("\"schema\": 3", "\"schema\": 4", 1);
    assert_eq!(Receipt::read(&newer).unwrap_err().cause(), "the receipt has schema 4, expected 1 to 3");
    let mut former = proven();
    former["schema"] = json!(1);
    assert!(!Receipt::read(&former.to_string()).unwrap().is_sealed());
}

/// As the version before wrote it.
const SCHEMA_2: &str = include_str!("tests/schema-2.json");

#[test]
fn a_receipt_of_the_version_before_still_proves() {
    let receipt = Receipt::read(SCHEMA_2).unwrap();
    assert_eq!((receipt.schema, receipt.is_sealed()), (2, true));
    audit(&receipt).unwrap();
    let changed = SCHEMA_2.replacen("\"/dev/mmcblk0\"", "\"/dev/mmcblk1\"", 1);
    assert_eq!(Receipt::read(&changed).unwrap_err().class(), Class::Source);
    let flaw = |change: fn(&mut Receipt)| {
        let mut receipt = Receipt::read(SCHEMA_2).unwrap();
        change(&mut receipt);
        audit(&receipt).unwrap_err().to_string()
    };
    let now = flaw(|receipt| receipt.schema = SCHEMA);
    assert_eq!(now, "a step was left out (`steps`)");
    let compared = flaw(|receipt| receipt.medium.as_mut().unwrap().compare = Some(CompareFacts::default()));
    assert_eq!(compared, "such a job compares nothing before it writes (`medium.compare`)");
}

/// A receipt of [`image`] on a medium that held all but the range of zeros.
fn compared() -> Value {
    let mut receipt = proven();
    let medium = &mut receipt["medium"];
    (medium["data_written"], medium["zeros_written"]) = (json!(0), json!(1024 * KIB));
    medium["ranges"][1]["writes"] = json!(0);
    medium["ranges"][1]["held"] = json!(true);
    medium["compare"] = json!({
        "sample": {"compared": 960 * KIB, "equal": 960 * KIB},
        "compared": 2048 * KIB, "equal": 960 * KIB, "written": 1088 * KIB, "read_again": 2048 * KIB,
    });
    receipt
}

/// The same of one that held everything.
fn untouched() -> Value {
    let mut receipt = compared();
    let medium = &mut receipt["medium"];
    (medium["zeros_written"], medium["wire"]) = (json!(0), Value::Null);
    for index in 0..3 {
        medium["ranges"][index]["writes"] = json!(0);
        medium["ranges"][index]["held"] = json!(true);
    }
    medium["compare"] = json!({"compared": 2048 * KIB, "equal": 2048 * KIB, "written": 0, "read_again": 0});
    receipt
}

#[test]
fn what_was_there_already_adds_up() {
    assert_eq!(judge(compared()), Ok(()));
    assert_eq!(judge(untouched()), Ok(()));
    for (receipt, place, value, expected) in [
        (
            compared as fn() -> Value,
            "/medium/compare/equal",
            json!(961 * KIB),
            "it is not what differed (`medium.compare.written`)",
        ),
        (
            compared,
            "/medium/compare/compared",
            json!(1024 * KIB),
            "it is not all that counts (`medium.compare.compared`)",
        ),
        (
            compared,
            "/medium/compare/written",
            json!(1024 * KIB),
            "data, zeros and the first block do not add up to it (`medium.compare.written`)",
        ),
        (
            compared,
            "/medium/compare/read_again",
            json!(0),
            "it is not what is to be read after the last write (`medium.compare.read_again`)",
        ),
        (
            compared,
            "/medium/compare/skipped",
            json!("slow"),
            "nothing says why, or all was compared (`medium.compare.skipped`)",
        ),
        (
            compared,
            "/medium/compare/sample/equal",
            json!(961 * KIB),
            "more is equal than was compared (`medium.compare.sample`)",
        ),
        (
            compared,
            "/medium/compare",
            Value::Null,
            "data and zeros do not add up to the ranges (`medium.data_written`)",
        ),
        (
            compared,
            "/medium/ranges/1/held",
            json!(false),
            "a range was not read back, or differs (`medium.ranges[1]`)",
        ),
        (
            compared,
            "/medium/ranges/1/writes",
            json!(1),
            "a range was written again without a warning (`warnings`)",
        ),
        (
            compared,
            "/medium/ranges/2/held",
            json!(true),
            "less is equal than the ranges tell (`medium.compare.equal`)",
        ),
        (
            untouched,
            "/medium/ranges/1/read_back",
            Value::Null,
            "a range was not read back, or differs (`medium.ranges[1]`)",
        ),
        (untouched, "/medium/wire", json!("gzip"), "nothing says how the image travelled (`medium.wire`)"),
        (
            untouched,
            "/medium/data_written",
            json!(1),
            "data, zeros and the first block do not add up to it (`medium.compare.written`)",
        ),
        (
            untouched,
            "/medium/ranges/0/held",
            json!(false),
            "a range was not read back, or differs (`medium.ranges[0]`)",
        ),
    ] {
        let mut receipt = receipt();
        // What is not set is not there.
        let (above, key) = place.rsplit_once('/').unwrap();
        receipt.pointer_mut(above).unwrap()[key] = value;
        assert_eq!(judge(receipt), Err(expected.to_owned()), "{place}");
    }
}
