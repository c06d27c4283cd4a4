//! Media: how one is known again, what was done to it, and what that says of its health.

use flasher_core::Receipt;
use flasher_core::flash::{MediumFacts, Site};
use rusqlite::Row;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::columns::{self, Listed, number, value, word};
use crate::{Ledger, Result};

/// Most bytes of what a board says of its medium that are kept.
const LONGEST: usize = 200;
/// From how much of its life on a medium counts as worn, per cent (JESD84-B51, 7.4.81: a device reports tenths).
const WORN_FROM: i64 = 90;
/// A medium that once wrote at less than this part of its last rate is slow in places.
const SLOW: f64 = 0.25;

/// By what a medium is known again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum IdentifiedBy {
    /// Its card identification register (CID): no two cards share one.
    Cid,
    /// Its worldwide identifier.
    Wwid,
    /// Its model and serial number.
    Serial,
    /// Nothing of its own: whatever is at this place counts as one medium.
    Place,
}

/// How a medium is known again.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct MediumKey {
    pub(crate) identified_by: IdentifiedBy,
    pub(crate) key: String,
    /// What people call it: its model, else where it is.
    pub(crate) name: String,
    /// Exporter, node and target.
    pub(crate) place: String,
}

/// How the medium of these facts is known again.
pub(crate) fn key(site: &Site, facts: &MediumFacts) -> MediumKey {
    let place = [site.exporter.as_deref(), site.node.as_deref(), Some(facts.target.as_str())];
    let place = place.into_iter().flatten().filter(|part| !part.is_empty()).collect::<Vec<_>>().join("/");
    let fact = |key: &str| facts.identity.get(key).map(|it| cut(it.trim())).filter(|it| !it.is_empty());
    let model = fact("model").or_else(|| fact("name")).unwrap_or_default();
    let (identified_by, own) = match (fact("cid"), fact("wwid"), fact("serial")) {
        (Some(cid), ..) => (IdentifiedBy::Cid, cid.to_owned()),
        (_, Some(wwid), _) => (IdentifiedBy::Wwid, wwid.to_owned()),
        (.., Some(serial)) => (IdentifiedBy::Serial, format!("{model}/{serial}")),
        _ => (IdentifiedBy::Place, format!("{}/{place}", site.host.as_deref().unwrap_or_default())),
    };
    let name = if model.is_empty() { &place } else { model };
    MediumKey { identified_by, key: format!("{}:{own}", word(&identified_by)), name: name.to_owned(), place }
}

fn cut(text: &str) -> &str {
    let end = (0..=LONGEST.min(text.len())).rev().find(|end| text.is_char_boundary(*end));
    text.get(..end.unwrap_or_default()).unwrap_or_default()
}

/// How much of its life a medium has used, per cent, as it says itself: the worse of the two estimates of an eMMC.
///
/// The kernel gives EXT_CSD's `DEVICE_LIFE_TIME_EST_TYP_A` and `_B` as `0x01 0x02`, in tenths of its life; `0x0b` is beyond it, and
/// `0x00` says nothing (JESD84-B51, 7.4.81 and 7.4.82).
pub(crate) fn worn_percent(facts: &MediumFacts) -> Option<i64> {
    let tenths = facts.identity.get("life_time")?.split_whitespace().filter_map(hex);
    tenths.filter(|it| (1..=11).contains(it)).max().map(|it| it * 10)
}

/// What an eMMC says of its spare blocks: 1 enough, 2 four fifths are used, 3 nearly all are (JESD84-B51, 7.4.83 `PRE_EOL_INFO`).
pub(crate) fn spare_blocks(facts: &MediumFacts) -> Option<i64> {
    facts.identity.get("pre_eol_info").and_then(|it| hex(it.trim())).filter(|it| (1..=3).contains(it))
}

fn hex(text: &str) -> Option<i64> {
    i64::from_str_radix(text.strip_prefix("0x")?, 16).ok()
}

/// What the ledger knows of a medium.
#[derive(Clone, Debug, PartialEq, Serialize, JsonSchema)]
pub struct MediumRecord {
    /// What people call it: its model, else where it is.
    pub name: String,
    /// What it is known by, for example `cid:0353…`.
    pub key: String,
    /// By what kind of thing it is known.
    pub identified_by: IdentifiedBy,
    /// Its size, bytes, as it was seen last.
    pub size: u64,
    /// Exporter, node and target where it was seen last.
    pub place: String,
    /// When it was seen first and last: RFC 3339, UTC.
    pub first_seen: String,
    /// When it was seen last: RFC 3339, UTC.
    pub last_seen: String,
    /// Jobs that got to know it.
    pub jobs: u64,
    /// Bytes that all of them wrote to it, zeros included.
    pub bytes_written: u64,
    /// SHA-256 of the decoded image that it was last proven to hold; none once something else was written.
    pub proven_image: Option<String>,
    /// When that was proven: RFC 3339, UTC.
    pub proven_at: Option<String>,
    /// Bytes a second of its last write that was long enough to count.
    pub last_write_rate: Option<f64>,
    /// The slowest of these.
    pub slowest_write_rate: Option<f64>,
    /// How often a range was read back with other bytes than were written.
    pub ranges_read_back_wrong: u64,
    /// Jobs that failed because of it.
    pub failed_jobs: u64,
    /// Jobs that found less room than it says it has.
    pub fake_capacity_jobs: u64,
    /// How much of its life it has used, per cent, as it says itself.
    pub worn_percent: Option<i64>,
    /// What it says of its spare blocks: 1 enough, 2 four fifths used, 3 nearly all used.
    pub spare_blocks: Option<i64>,
}

/// What a medium's record says of its health.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Health {
    /// Nothing speaks against it.
    Healthy,
    /// It has used up its life, or its spare blocks.
    Worn,
    /// It holds less than it says.
    FakeCapacity,
    /// It reads back other bytes than were written, or jobs failed because of it.
    Failing,
}

impl MediumRecord {
    /// Its health, and each fact that speaks against it.
    pub fn health(&self) -> (Health, Vec<String>) {
        let mut evidence = Vec::new();
        let mut note = |holds: bool, text: String| {
            if holds {
                evidence.push(text);
            }
            holds
        };
        let fake = note(
            self.fake_capacity_jobs > 0,
            format!("{} found less room than it says it has", jobs(self.fake_capacity_jobs)),
        );
        let wrong = note(
            self.ranges_read_back_wrong > 0,
            format!(
                "{} ranges were read back with other bytes than were written",
                self.ranges_read_back_wrong
            ),
        );
        let failed = note(self.failed_jobs > 0, format!("{} failed because of it", jobs(self.failed_jobs)));
        let worn = self.worn_percent.unwrap_or_default();
        let used = note(worn >= WORN_FROM, format!("it says that {} of its life is used", percent(worn)));
        let spare = self.spare_blocks.unwrap_or_default();
        let spare = note(spare >= 2, format!("it says that {} of its spare blocks are used", spares(spare)));
        if let (Some(slowest), Some(last)) = (self.slowest_write_rate, self.last_write_rate) {
            let text = format!("it once wrote at {:.1} MB/s, last at {:.1} MB/s", slowest / 1e6, last / 1e6);
            note(slowest < last * SLOW, text);
        }
        let health = match (fake, wrong || failed, used || spare) {
            (true, ..) => Health::FakeCapacity,
            (_, true, _) => Health::Failing,
            (.., true) => Health::Worn,
            _ => Health::Healthy,
        };
        (health, evidence)
    }
}

fn jobs(count: u64) -> String {
    if count == 1 { "1 job".to_owned() } else { format!("{count} jobs") }
}

fn percent(worn: i64) -> String {
    if worn > 100 { "more than all".to_owned() } else { format!("{worn} %") }
}

fn spares(said: i64) -> &'static str {
    if said == 2 { "four fifths" } else { "nearly all" }
}

/// The columns of [`record`], in its order.
const COLUMNS: &str = "name, key, identified_by, size, place, first_seen, last_seen, jobs, bytes_written, proven_image, \
    proven_at, last_write_rate, slowest_write_rate, ranges_read_back_wrong, failed_jobs, fake_capacity_jobs, worn_percent, \
    spare_blocks";

fn record(row: &Row<'_>) -> rusqlite::Result<MediumRecord> {
    Ok(MediumRecord {
        name: row.get(0)?,
        key: row.get(1)?,
        identified_by: value(row, 2)?,
        size: number(row, 3)?,
        place: row.get(4)?,
        first_seen: row.get(5)?,
        last_seen: row.get(6)?,
        jobs: number(row, 7)?,
        bytes_written: number(row, 8)?,
        proven_image: row.get(9)?,
        proven_at: row.get(10)?,
        last_write_rate: row.get(11)?,
        slowest_write_rate: row.get(12)?,
        ranges_read_back_wrong: number(row, 13)?,
        failed_jobs: number(row, 14)?,
        fake_capacity_jobs: number(row, 15)?,
        worn_percent: row.get(16)?,
        spare_blocks: row.get(17)?,
    })
}

impl Ledger {
    /// All media, those seen last first. Blocks.
    ///
    /// # Errors
    /// When the ledger cannot be read.
    pub fn media(&self) -> Result<Listed<MediumRecord>> {
        let media = self.read(|connection| {
            let order = format!("SELECT {COLUMNS} FROM media ORDER BY last_seen DESC, id DESC");
            let mut statement = connection.prepare(&order)?;
            columns::listed(&mut statement, [], record)
        })?;
        Ok(media.unwrap_or_default())
    }
}

/// The media of a receipt, each with what belongs to it, in the order they were written.
pub(crate) fn of_receipt(receipt: &Receipt) -> impl Iterator<Item = &MediumFacts> {
    receipt.medium.iter().chain(receipt.further.iter().filter_map(|it| it.medium.as_ref()))
}
