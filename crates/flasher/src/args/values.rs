//! Values of options that several commands read: durations and sizes.

use std::time::Duration;

/// A wait in seconds, at most an hour: `2`, `0.5`.
pub(crate) fn seconds(text: &str) -> Result<Duration, String> {
    let number: f64 = text.parse().map_err(|_| "expected seconds, for example `2` or `0.5`".to_owned())?;
    Duration::try_from_secs_f64(number)
        .ok()
        .filter(|wait| *wait <= Duration::from_secs(3600))
        .ok_or_else(|| "expected 0 to 3600 seconds".to_owned())
}

/// A bound with its unit: `90s`, `20m`, `1h 30m`.
pub(crate) fn deadline(text: &str) -> Result<Duration, String> {
    let bound = humantime::parse_duration(text)
        .map_err(|_| "expected a duration with its unit, for example `90s`, `20m` or `1h 30m`".to_owned())?;
    if bound.is_zero() { Err("expected more than nothing".to_owned()) } else { Ok(bound) }
}

/// A number of bytes with a unit: `500MB`, `20GiB`.
pub(crate) fn size(text: &str) -> Result<u64, String> {
    let wrong = || "expected a size with its unit, for example `500MB` or `20GiB`".to_owned();
    let digits = text.find(|c: char| !c.is_ascii_digit()).unwrap_or(text.len());
    let (number, unit) = text.split_at(digits);
    let unit: u64 = match unit.trim() {
        "B" => 1,
        "kB" | "KB" => 1000,
        "MB" => 1000 * 1000,
        "GB" => 1000 * 1000 * 1000,
        "TB" => 1000 * 1000 * 1000 * 1000,
        "KiB" => 1 << 10,
        "MiB" => 1 << 20,
        "GiB" => 1 << 30,
        "TiB" => 1 << 40,
        _ => return Err(wrong()),
    };
    number.parse::<u64>().ok().and_then(|number| number.checked_mul(unit)).ok_or_else(wrong)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_bounds_and_units() {
        assert_eq!(seconds("0.5"), Ok(Duration::from_millis(500)));
        assert_eq!(deadline("1m 30s"), Ok(Duration::from_secs(90)));
        for wrong in ["-1", "nan", "inf", "1e9", "soon"] {
            assert!(seconds(wrong).is_err(), "{wrong}");
        }
        for wrong in ["90", "0s", "soon"] {
            assert!(deadline(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_size_has_a_unit() {
        for (text, bytes) in [
            ("0B", Some(0)),
            ("20GiB", Some(20 << 30)),
            ("3 MB", Some(3_000_000)),
            ("20", None),
            ("GB", None),
            ("-1GB", None),
            ("99999999999TB", None),
        ] {
            assert_eq!(size(text).ok(), bytes, "{text}");
        }
    }
}
