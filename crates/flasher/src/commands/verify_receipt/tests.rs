//! Receipts that prove something, and many that do not.

use serde_json::{Value, json};

use super::*;

fn receipt() -> Value {
    let digest = Digest::of(b"image").to_string();
    let range = |offset: u64, length: u64, digest: &str| json!({"offset": offset, "length": length, "kind": "data", "sha256": digest, "read_back": digest, "writes": 1});
    let over_all = Digest::of(b"aabb").to_string();
    json!({
        "schema": 1, "tool": "flasher", "verdict": "proven", "failure": null, "started": 1, "seconds": 1.0,
        "attempts": 1, "image": {"source": "image", "decoded_length": 100, "decoded_sha256": digest},
        "board": {}, "steps": {}, "power": "off", "transcript": null, "warnings": [],
        "medium": {
            "target": "emmc", "device": "/dev/mmcblk0", "size": 1000, "identity": {}, "read_back": "dropped",
            "read_back_sha256": over_all, "data_written": 100, "zeros_written": 0,
            "ranges": [range(0, 60, "aa"), range(60, 40, "bb")]
        }
    })
}

fn check(change: impl Fn(&mut Value), expected: Option<&str>) {
    let mut changed = receipt();
    change(&mut changed);
    let receipt: Receipt = serde_json::from_value(changed).unwrap();
    let found = sound(&receipt).err().map(|error| error.to_string());
    let expected = expected.map(|what| format!("the receipt proves nothing: {what}"));
    assert_eq!(found, expected);
}

#[test]
fn a_receipt_that_was_changed_proves_nothing() {
    check(|_| {}, None);
    check(|it| it["verdict"] = json!("failed"), Some("it says `failed`"));
    check(|it| it["verdict"] = json!("written, not proven"), Some("it says `written, not proven`"));
    let second = |verdict: &str| {
        let (image, mut medium) = (receipt()["image"].clone(), receipt()["medium"].clone());
        medium["ranges"][1]["read_back"] = json!(verdict);
        json!([{ "image": image, "medium": medium }])
    };
    check(|it| it["further"] = second("bb"), None);
    check(|it| it["further"] = second("cc"), Some("a range was not read back, or differs"));
    check(|it| it["medium"] = Value::Null, Some("it names no medium"));
    check(|it| it["image"]["decoded_sha256"] = Value::Null, Some("it has no digest of the image"));
    check(|it| it["image"]["decoded_length"] = json!(99), Some("its ranges do not cover the image"));
    check(|it| it["medium"]["ranges"][1]["offset"] = json!(61), Some("its ranges do not cover the image"));
    let differs = Some("a range was not read back, or differs");
    check(|it| it["medium"]["ranges"][1]["read_back"] = json!("cc"), differs);
    check(|it| it["medium"]["ranges"][0]["read_back"] = Value::Null, differs);
    let digest = Some("the digest over all ranges is another");
    check(|it| it["medium"]["read_back_sha256"] = json!("00"), digest);
    check(
        |it| {
            it["medium"]["ranges"][1]["read_back"] = json!("cc");
            it["medium"]["ranges"][1]["sha256"] = json!("cc");
        },
        digest,
    );
}

#[tokio::test]
async fn a_receipt_is_held_against_an_image_range_by_range() {
    let folder = tempfile::tempdir().unwrap();
    let image = folder.path().join("image");
    std::fs::write(&image, vec![7; 200_000]).unwrap();
    let summary = decoded(image.to_str().unwrap()).await.unwrap();
    let mut value = receipt();
    value["image"]["decoded_sha256"] = json!(summary.decoded_sha256.to_string());
    let ranges = summary.ranges.iter().map(|range| {
        let digest = range.sha256.to_string();
        json!({"offset": range.offset, "length": range.length, "kind": "data", "sha256": digest, "read_back": digest, "writes": 1})
    });
    value["medium"]["ranges"] = ranges.collect();
    let receipt: Receipt = serde_json::from_value(value.clone()).unwrap();
    let against = |receipt: &Receipt, summary: &Summary| {
        let (image, medium) = (&receipt.image, receipt.medium.as_ref().unwrap());
        same(receipt.job, &[Part { image, medium }], summary).map(str::to_owned)
    };
    assert_eq!(against(&receipt, &summary).unwrap(), "/dev/mmcblk0");
    // A dump is cut by rules of its own.
    let mut dump = value.clone();
    dump["job"] = json!("dump");
    dump["medium"]["ranges"][1]["sha256"] = json!("00");
    against(&serde_json::from_value(dump).unwrap(), &summary).unwrap();
    value["medium"]["ranges"][1]["sha256"] = json!("00");
    let receipt: Receipt = serde_json::from_value(value).unwrap();
    let error = against(&receipt, &summary).unwrap_err();
    assert_eq!(error.to_string(), "the receipt is of another image: the digests of its ranges are others");
    std::fs::write(&image, vec![8; 200_000]).unwrap();
    let other = decoded(image.to_str().unwrap()).await.unwrap();
    let error = against(&receipt, &other).unwrap_err();
    assert!(error.to_string().starts_with("the receipt is of another image: its sha256 is "), "{error}");
}
