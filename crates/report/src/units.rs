//! Bytes, durations and rates for people.

/// `512 bytes`, `1.5 KiB`, `48 MiB`.
pub fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["KiB", "MiB", "GiB", "TiB", "PiB"];
    if count < 1024 {
        return if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") };
    }
    let (mut value, mut unit) = (count as f64 / 1024.0, 0);
    while value >= 1023.95 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let number = format!("{value:.1}");
    format!("{} {}", number.strip_suffix(".0").unwrap_or(&number), UNITS[unit])
}

/// `0.3 s`, `1 min 02 s`, `1 h 02 min`.
pub fn seconds(seconds: f64) -> String {
    let whole = seconds.max(0.0).round() as u64;
    match whole {
        0..60 => format!("{:.1} s", seconds.max(0.0)),
        60..3600 => format!("{} min {:02} s", whole / 60, whole % 60),
        _ => format!("{} h {:02} min", whole / 3600, whole % 3600 / 60),
    }
}

/// `98 MiB/s`: so many bytes in so many seconds; none when that is no rate.
pub fn rate(count: u64, seconds: f64) -> Option<String> {
    let per_second = count as f64 / seconds;
    (seconds > 0.0 && per_second.is_finite()).then(|| format!("{}/s", bytes(per_second as u64)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bytes_are_rounded_for_people() {
        let cases = [
            (0, "0 bytes"),
            (1, "1 byte"),
            (1023, "1023 bytes"),
            (1024, "1 KiB"),
            (1536, "1.5 KiB"),
            (48 << 20, "48 MiB"),
            ((1 << 20) - 1, "1 MiB"),
            (u64::MAX, "16384 PiB"),
        ];
        for (count, expected) in cases {
            assert_eq!(bytes(count), expected, "{count}");
        }
    }

    #[test]
    fn durations_are_rounded_for_people() {
        let cases = [
            (0.04, "0.0 s"),
            (59.4, "59.4 s"),
            (62.0, "1 min 02 s"),
            (3725.0, "1 h 02 min"),
            (-1.0, "0.0 s"),
        ];
        for (duration, expected) in cases {
            assert_eq!(seconds(duration), expected, "{duration}");
        }
    }

    #[test]
    fn a_rate_needs_a_duration() {
        assert_eq!(rate(3 << 20, 2.0).as_deref(), Some("1.5 MiB/s"));
        for seconds in [0.0, -1.0, f64::NAN, f64::MIN_POSITIVE / 4.0] {
            assert_eq!(rate(u64::MAX, seconds), None, "{seconds}");
        }
    }
}
