//! Times as records and receipts show them: RFC 3339 in UTC, whatever the clock of the machine says.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// `2026-11-28T20:24:41Z`: the time `at`, cut to whole seconds.
///
/// A clock may stand before 1970 (a board without a battery) or far in the future; the years 0 to 9999 are written, and
/// other times as the nearest of them.
pub fn seconds(at: SystemTime) -> String {
    let (date, time) = parts(utc(at));
    format!("{date}T{time}Z")
}

/// `2026-11-28T20:24:41.123Z`: as [`seconds`], cut to milliseconds.
pub fn milliseconds(at: SystemTime) -> String {
    let at = utc(at);
    let (date, time) = parts(at);
    format!("{date}T{time}.{:03}Z", at.millisecond())
}

/// As [`milliseconds`], for what [`parse`] gives.
pub fn from_milliseconds(since_1970: i64) -> String {
    let length = Duration::from_millis(since_1970.unsigned_abs());
    let at = if since_1970 < 0 { UNIX_EPOCH.checked_sub(length) } else { UNIX_EPOCH.checked_add(length) };
    milliseconds(at.unwrap_or(UNIX_EPOCH))
}

/// The time that an RFC 3339 `text` tells, in milliseconds since 1970, negative before; none when it tells none.
pub fn parse(text: &str) -> Option<i64> {
    let at = OffsetDateTime::parse(text, &Rfc3339).ok()?;
    i64::try_from(at.unix_timestamp_nanos().div_euclid(1_000_000)).ok()
}

/// A time in records: written as [`milliseconds`], read as any RFC 3339 text.
pub mod serde_milliseconds {
    use std::time::{Duration, SystemTime, UNIX_EPOCH};

    use serde::{Deserialize, Deserializer, Serializer, de};

    /// Writes `at` as text.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &SystemTime, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&super::milliseconds(*at))
    }

    /// Reads a time.
    ///
    /// # Errors
    /// When it is no RFC 3339 text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<SystemTime, D::Error> {
        let text = String::deserialize(deserializer)?;
        let since =
            super::parse(&text).ok_or_else(|| de::Error::custom("`time` is no date and time (RFC 3339)"))?;
        let length = Duration::from_millis(since.unsigned_abs());
        let at = if since < 0 { UNIX_EPOCH.checked_sub(length) } else { UNIX_EPOCH.checked_add(length) };
        at.ok_or_else(|| de::Error::custom("`time` is beyond what this machine can tell"))
    }
}

/// As [`serde_milliseconds`], for a time that may not be known.
pub mod serde_optional_milliseconds {
    use std::time::SystemTime;

    use serde::{Deserialize, Deserializer, Serialize, Serializer};

    #[derive(Serialize, Deserialize)]
    struct Time(#[serde(with = "super::serde_milliseconds")] SystemTime);

    /// Writes `at` as text, or nothing.
    ///
    /// # Errors
    /// Those of the serializer.
    pub fn serialize<S: Serializer>(at: &Option<SystemTime>, serializer: S) -> Result<S::Ok, S::Error> {
        at.map(Time).serialize(serializer)
    }

    /// Reads a time, or none.
    ///
    /// # Errors
    /// When it is no RFC 3339 text.
    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<Option<SystemTime>, D::Error> {
        Ok(Option::<Time>::deserialize(deserializer)?.map(|Time(at)| at))
    }
}

fn parts(at: OffsetDateTime) -> (String, String) {
    let date = format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day());
    (date, format!("{:02}:{:02}:{:02}", at.hour(), at.minute(), at.second()))
}

fn utc(at: SystemTime) -> OffsetDateTime {
    let nanos = |duration: Duration| i128::try_from(duration.as_nanos()).unwrap_or(i128::MAX);
    let since = at.duration_since(UNIX_EPOCH).map_or_else(|before| -nanos(before.duration()), nanos);
    let (first, last) = (-62_167_219_200_000_000_000, 253_402_300_799_999_999_999); // the years 0 and 9999
    OffsetDateTime::from_unix_timestamp_nanos(since.clamp(first, last)).unwrap_or(OffsetDateTime::UNIX_EPOCH)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_clock_has_a_time() {
        let at = |milliseconds: i64| match u64::try_from(milliseconds) {
            Ok(after) => UNIX_EPOCH + Duration::from_millis(after),
            Err(_) => UNIX_EPOCH - Duration::from_millis(milliseconds.unsigned_abs()),
        };
        for (milliseconds, expected) in [
            (1_795_811_081_123, "2026-11-27T20:24:41.123Z"),
            (0, "1970-01-01T00:00:00.000Z"),
            (-1, "1969-12-31T23:59:59.999Z"),
            (-62_167_219_200_001, "0000-01-01T00:00:00.000Z"),
            (951_782_400_000, "2000-02-29T00:00:00.000Z"),
            (253_402_300_800_000, "9999-12-31T23:59:59.999Z"),
        ] {
            let told = super::milliseconds(at(milliseconds));
            assert_eq!(told, expected);
            assert_eq!(seconds(at(milliseconds)), format!("{}Z", &expected[..19]));
            let beyond = [-62_167_219_200_001, 253_402_300_800_000].contains(&milliseconds);
            assert!(beyond || parse(&told) == Some(milliseconds), "{told}");
            assert_eq!(from_milliseconds(milliseconds), told);
        }
    }

    #[test]
    fn what_is_no_time_is_none() {
        for text in ["", "now", "2026-13-01T00:00:00Z", "2026-11-28 20:24", "1795811081"] {
            assert_eq!(parse(text), None, "{text}");
        }
        assert_eq!(parse("2026-11-28T21:24:41.5+01:00"), parse("2026-11-28T20:24:41.500Z"));
    }
}
