//! Receipts of real flashes, altered ten thousand times: none is accepted that would let a person conclude something else.

use std::process::{Command, Stdio};
use std::time::Duration;

use disk_image::{BlockMapChoice, Image, SourceOptions};
use flasher_core::flash::audit::{ImageMap, ImageRange, against, audit};
use flasher_core::flash::{JobKind, PartitionImage, RangeKind, Site};
use flasher_core::{FlashJob, Receipt, Verdict};
use serde_json::Value;

use crate::lab::{Lab, has, noise};

/// Altered receipts for each receipt that is altered.
const COUNT: usize = 5_000;

/// What only the writer knew and nothing else in a receipt or an image tells: the digest over the whole guards it, and a person who
/// makes that digest anew can say what he likes here. `*` stands for everything below.
const SAID_ONCE: [&str; 31] = [
    "/tool",
    "/site/*",
    "/attempts",
    "/history/0/*",
    "/history/1/begun",
    "/history/1/seconds",
    "/image/source",
    "/image/content",
    "/image/format_choice",
    "/image/cached",
    "/image/checked",
    "/image/block_map",
    "/board/*",
    "/medium/target",
    "/medium/via",
    "/medium/device",
    "/medium/size",
    "/medium/partition",
    "/medium/identity/*",
    "/medium/zeros_by",
    "/medium/read_back",
    "/medium/digests_by",
    "/medium/wire",
    "/traffic/*",
    "/medium/compare",
    "/medium/compare/sample/*",
    "/medium/compare/skipped",
    "/medium/kept/0/label",
    "/medium/compare/read_again",
    "/transcript/*",
    "/warnings/*",
];

/// A flash of an image with data, zeros and gaps of its block map, whose first attempt failed.
async fn mapped() -> (String, Vec<ImageMap>) {
    let lab = Lab::new("power_stuck: 1");
    let mut content = vec![0; (4 << 20) + 65_536];
    content[..1 << 20].copy_from_slice(&noise(1 << 20, 7));
    content[510..512].copy_from_slice(&[0x55, 0xaa]);
    content[4 << 20..].copy_from_slice(&noise(65_536, 8));
    let image = lab.image(&content, None);
    let map = "<bmap version=\"1.2\"><ImageSize>4259840</ImageSize><BlockSize>65536</BlockSize><BlocksCount>65</BlocksCount>\
        <MappedBlocksCount>33</MappedBlocksCount><BlockMap><Range>0-15</Range><Range>32-47</Range><Range>64</Range></BlockMap></bmap>";
    std::fs::write(lab.path("image.bmap"), map).unwrap();
    let job = FlashJob { transcript: Some(lab.path("console.log")), retries: 1, ..lab.job(&image) };
    let (receipt, _) = lab.flash(job).await;
    assert_eq!((receipt.verdict, receipt.attempts), (Verdict::Proven, 2), "{:#?}", receipt.failure);
    let kinds: Vec<RangeKind> =
        receipt.medium.as_ref().unwrap().ranges.iter().map(|range| range.kind).collect();
    let (data, zero, gap) = (RangeKind::Data, RangeKind::Zero, RangeKind::Unmapped);
    assert_eq!(kinds, [data, data, gap, zero, gap, data]);
    let maps = vec![image_map(&image, BlockMapChoice::Beside).await];
    (written(receipt), maps)
}

/// The receipt as a file. Of its traffic, which nothing else tells, only a little stays: most alterations are to be elsewhere.
fn written(mut receipt: Receipt) -> String {
    receipt.traffic.rates.truncate(1);
    receipt.traffic.rates.iter_mut().for_each(|rate| rate.points.truncate(2));
    receipt.traffic.transfers.truncate(1);
    serde_json::to_string_pretty(&receipt.sealed()).unwrap()
}

/// A flash of two partitions.
async fn partitioned() -> (String, Vec<ImageMap>) {
    let mut lab = Lab::new("");
    lab.board = format!(
        "{}\n      partitions: [{{ label: a, start: 1MiB, size: 2MiB }}, {{ label: b, start: 4MiB, size: 2MiB }}]",
        lab.board
    );
    let (first, second) = (lab.path("first"), lab.path("second"));
    std::fs::write(&first, noise(300_000, 1)).unwrap();
    std::fs::write(&second, [noise(100_000, 2), vec![0; 70_000]].concat()).unwrap();
    let also = vec![PartitionImage { label: "b".to_owned(), image: second.to_str().unwrap().to_owned() }];
    let (receipt, _) = lab.flash(FlashJob { partition: Some("a".to_owned()), also, ..lab.job(&first) }).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let maps =
        vec![image_map(&first, BlockMapChoice::Off).await, image_map(&second, BlockMapChoice::Off).await];
    (written(receipt), maps)
}

/// A flash that left a partition as it was; none without `sfdisk`.
async fn kept() -> Option<(String, Vec<ImageMap>)> {
    if !has("sfdisk") {
        return None;
    }
    let lab = Lab::new("");
    let image = lab.image(&noise(6 << 20, 5), None);
    let script = "label: gpt\nstart=2048, size=2048, name=boot\nstart=4096, size=4096, name=calib\n";
    for place in [&image, &lab.path("medium")] {
        let mut sfdisk = Command::new("sfdisk");
        let sfdisk = sfdisk.args(["--quiet", "--wipe", "never"]).arg(place).stdin(Stdio::piped());
        let mut sfdisk = sfdisk.stdout(Stdio::null()).spawn().unwrap();
        std::io::Write::write_all(&mut sfdisk.stdin.take().unwrap(), script.as_bytes()).unwrap();
        assert!(sfdisk.wait().unwrap().success());
    }
    // Without the table's copy: a warning of it would be one for anything else.
    let mut before = lab.medium();
    let end = before.len();
    before[end - 20_480..].fill(0xa5);
    std::fs::write(lab.path("medium"), &before).unwrap();
    let (receipt, _) = lab.flash(FlashJob { keep: vec!["calib".to_owned()], ..lab.job(&image) }).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let calib = 2 << 20..4 << 20;
    assert!(lab.medium()[calib.clone()] == before[calib.clone()], "the partition has changed");
    let stretches = std::iter::once(calib.start as u64..calib.end as u64).collect();
    let map = decoded_map(&image, BlockMapChoice::Off, stretches).await;
    Some((written(receipt), vec![map]))
}

/// An image as it is decoded now.
async fn image_map(image: &std::path::Path, block_map: BlockMapChoice) -> ImageMap {
    decoded_map(image, block_map, Vec::new()).await
}

/// The same with stretches that are left alone.
async fn decoded_map(
    image: &std::path::Path,
    block_map: BlockMapChoice,
    left_alone: Vec<std::ops::Range<u64>>,
) -> ImageMap {
    let options = SourceOptions { block_map, ..SourceOptions::default() };
    let image = Image::open(image.to_str().unwrap(), options).await.unwrap();
    image.leave_alone(left_alone);
    let mut decoding = image.decode();
    while decoding.next().await.unwrap().is_some() {}
    let summary = decoding.summary().unwrap();
    let kind = |kind| match kind {
        disk_image::RangeKind::Data => RangeKind::Data,
        disk_image::RangeKind::Zero => RangeKind::Zero,
        disk_image::RangeKind::Unmapped => RangeKind::Unmapped,
    };
    let ranges = summary.ranges.iter().map(|range| ImageRange {
        offset: range.offset,
        length: range.length,
        kind: kind(range.kind),
        sha256: range.sha256.to_string(),
    });
    let formats: Vec<String> = summary.formats.iter().rev().map(ToString::to_string).collect();
    ImageMap {
        source_length: summary.source_length,
        source_sha256: summary.source_sha256.to_string(),
        decoded_length: summary.decoded_length,
        decoded_sha256: summary.decoded_sha256.to_string(),
        format: if formats.is_empty() { "raw".to_owned() } else { formats.join(" in ") },
        mapped: image.block_map().is_some(),
        data_length: summary.data_length,
        zero_length: summary.zero_length,
        ranges: ranges.collect(),
    }
}

/// A generator that gives the same numbers every time.
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        (self.0 % bound.max(1) as u64) as usize
    }
}

/// The paths of everything in a JSON value that can be altered by itself.
fn paths(value: &Value, at: &str, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(key, value)| paths(value, &format!("{at}/{key}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, value)| paths(value, &format!("{at}/{index}"), found));
        }
        _ => {}
    }
    if !at.is_empty() {
        found.push(at.to_owned());
    }
}

/// Another value of the same kind, or of none.
fn other(value: &Value, dice: &mut Dice) -> Value {
    const WORDS: [&str; 12] =
        ["proven", "data", "zero", "dont-care", "off", "full", "mapped", "flash", "dump", "direct", "on", ""];
    match (value, dice.below(6)) {
        (_, 0) => Value::Null,
        (Value::Bool(it), _) => Value::Bool(!it),
        (Value::Number(it), way) => match (it.as_u64(), way) {
            (Some(it), 1) => (it + 1).into(),
            (Some(it), 2) => it.saturating_sub(1).into(),
            (Some(it), 3) => (it * 2).into(),
            (Some(_), _) => (dice.below(1 << 24) as u64).into(),
            (None, way) => (it.as_f64().unwrap() + way as f64).into(),
        },
        (Value::String(it), 1..4) if !it.is_empty() => {
            let mut bytes = it.clone().into_bytes();
            let place = dice.below(bytes.len());
            bytes[place] = b"0123456789abcdef"[dice.below(16)];
            String::from_utf8(bytes).map_or(Value::Null, Value::from)
        }
        (Value::Array(items), _) if !items.is_empty() => {
            let mut items = items.clone();
            match dice.below(3) {
                0 => drop(items.pop()),
                1 => items.push(items[0].clone()),
                _ => items.rotate_left(1),
            }
            items.into()
        }
        _ => WORDS[dice.below(WORDS.len())].into(),
    }
}

/// The receipt with one thing altered, and where.
fn altered(receipt: &Value, dice: &mut Dice) -> (Value, String) {
    let mut all = Vec::new();
    paths(receipt, "", &mut all);
    let path = all.swap_remove(dice.below(all.len()));
    let mut altered = receipt.clone();
    let (above, key) = path.rsplit_once('/').unwrap();
    match (altered.pointer_mut(above).unwrap(), dice.below(8)) {
        (Value::Object(fields), 0) => drop(fields.remove(key)),
        (above, _) => {
            let value = match above {
                Value::Object(fields) => &mut fields[key],
                list => &mut list[key.parse::<usize>().unwrap()],
            };
            *value = other(value, dice);
        }
    }
    (altered, path)
}

/// Whether a receipt is accepted, by itself or against all of its images.
fn accepted(text: &str, maps: &[ImageMap]) -> Option<Receipt> {
    let receipt = Receipt::read(text).ok().filter(Receipt::is_sealed)?;
    audit(&receipt).ok()?;
    maps.iter().all(|map| against(&receipt, map).is_ok_and(|found| found.same_source)).then_some(receipt)
}

/// One byte replaced, left out or put in.
fn with_another_byte(text: &str, dice: &mut Dice) -> Option<String> {
    let mut bytes = text.as_bytes().to_vec();
    let (place, byte) = (dice.below(bytes.len()), (0x20 + dice.below(0x5f)) as u8);
    match dice.below(3) {
        0 => bytes[place] = byte,
        1 => drop(bytes.remove(place)),
        _ => bytes.insert(place, byte),
    }
    String::from_utf8(bytes).ok()
}

/// Whether nothing else tells what stands at `path`. A receipt of several images of which one is left out proves the others,
/// and shows only against that image.
fn is_said_once(path: &str, maps: &[ImageMap]) -> bool {
    if path == "/further" {
        return maps.is_empty();
    }
    // Each image of a job is described in the same words.
    let path = path.strip_prefix("/further/0").unwrap_or(path);
    SAID_ONCE.iter().any(|pattern| match pattern.strip_suffix('*') {
        Some(beginning) => path.starts_with(beginning) || path == beginning.trim_end_matches('/'),
        None => path == *pattern,
    })
}

/// Alters a receipt [`COUNT`] times, half of them by a byte and half by a field, and the latter with the digest made anew as well.
fn check(text: &str, maps: &[ImageMap], seed: u64) {
    let original = accepted(text, maps).expect("the receipt as it was written");
    let value: Value = serde_json::from_str(text).unwrap();
    let mut dice = Dice(seed);
    for _ in 0..COUNT / 2 {
        let Some(changed) = with_another_byte(text, &mut dice) else { continue };
        if let Some(receipt) = accepted(&changed, maps) {
            assert_eq!(receipt, original, "{changed}");
        }
    }
    let mut told = 0;
    for _ in 0..COUNT / 2 {
        let (changed, path) = altered(&value, &mut dice);
        if changed == value {
            continue;
        }
        assert!(accepted(&changed.to_string(), maps).is_none(), "{path}: {changed}");
        // The same by a person who makes the digest anew.
        let Ok(receipt) = serde_json::from_value::<Receipt>(changed) else { continue };
        let sealed = serde_json::to_string(&receipt.sealed()).unwrap();
        if let Some(receipt) = accepted(&sealed, maps) {
            let same = receipt == original;
            // What an image has where a partition stays is on no medium: the image alone tells it.
            let stays = maps.is_empty() && value["medium"]["kept"].is_array();
            let stays = stays && path == "/medium/ranges/2/sha256";
            assert!(
                same || stays || is_said_once(&path, maps),
                "{path} was altered, and nothing shows it: {sealed}"
            );
        } else {
            told += 1;
        }
    }
    assert!(told > COUNT / 10, "only {told} showed without the digest");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_altered_receipt_lets_a_person_conclude_something_else() {
    let flashed = [Some(mapped().await), Some(partitioned().await), kept().await];
    for (seed, (text, maps)) in (1..).zip(flashed.into_iter().flatten()) {
        check(&text, &maps, seed);
        check(&text, &[], seed + 10);
    }
}

#[test]
fn anybody_can_make_the_digest_of_a_receipt_with_jq() {
    if !has("jq") || !has("sha256sum") {
        return;
    }
    let begun = std::time::SystemTime::now();
    let mut receipt =
        Receipt::blank("flasher 1", JobKind::Flash, Site::here(), begun, Duration::from_millis(1500));
    receipt.warnings = vec!["ü \"quoted\" \u{1b}[1m\n".to_owned()];
    let receipt = receipt.sealed();
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), serde_json::to_string_pretty(&receipt).unwrap()).unwrap();
    let command = "jq -cjS 'del(.sha256)' \"$1\" | sha256sum";
    let ran = Command::new("sh").args(["-c", command, "sh"]).arg(file.path()).output().unwrap();
    assert_eq!(String::from_utf8(ran.stdout).unwrap(), format!("{}  -\n", receipt.sha256));
}
