//! How far something has come, how quickly, and for how long yet.

use super::units::{bytes, seconds, tame};

/// Seconds from which on a rate says something.
const SETTLED: f64 = 1.0;

/// `12 MiB of 48 MiB (25 %), 3 MiB/s, 12.0 s left`, `took` seconds after its beginning.
pub(super) fn motion(done: u64, total: Option<u64>, took: f64) -> String {
    let rate = if took >= SETTLED { done as f64 / took } else { 0.0 };
    let pace = if rate >= 1.0 { format!(", {}/s", bytes(rate as u64)) } else { String::new() };
    match total {
        Some(total) if total > 0 => {
            let percent = u128::from(done) * 100 / u128::from(total);
            let left = total.saturating_sub(done);
            let left = match rate >= 1.0 && left > 0 {
                true => format!(", {} left", seconds(left as f64 / rate)),
                false => String::new(),
            };
            format!("{} of {} ({percent} %){pace}{left}", bytes(done), bytes(total))
        }
        _ => format!("{}{pace}", bytes(done)),
    }
}

/// `waiting for U-Boot: 0 bytes heard, 48 s left`.
pub(super) fn waiting(what: &str, heard: u64, left: f64) -> String {
    let left = if left < 60.0 { format!("{left:.0} s") } else { seconds(left) };
    format!("waiting for {}: {} heard, {left} left", tame(what), bytes(heard))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn progress_has_amount_share_rate_and_time_left() {
        let mib = 1 << 20;
        let cases = [
            (0, Some(48 * mib), 0.0, "0 bytes of 48 MiB (0 %)"),
            (12 * mib, Some(48 * mib), 0.5, "12 MiB of 48 MiB (25 %)"),
            (12 * mib, Some(48 * mib), 4.0, "12 MiB of 48 MiB (25 %), 3 MiB/s, 12.0 s left"),
            (48 * mib, Some(48 * mib), 16.0, "48 MiB of 48 MiB (100 %), 3 MiB/s"),
            (mib, Some(1024 * mib), 1.0, "1 MiB of 1 GiB (0 %), 1 MiB/s, 17 min 03 s left"),
            (12 * mib, None, 4.0, "12 MiB, 3 MiB/s"),
            (0, Some(0), 4.0, "0 bytes"),
            (0, Some(mib), 9.0, "0 bytes of 1 MiB (0 %)"),
            (u64::MAX, Some(u64::MAX), 1.0, "16384 PiB of 16384 PiB (100 %), 16384 PiB/s"),
        ];
        for (done, total, took, expected) in cases {
            assert_eq!(motion(done, total, took), expected);
        }
        assert_eq!(waiting("U-Boot", 0, 48.2), "waiting for U-Boot: 0 bytes heard, 48 s left");
        let shell = waiting("the shell", 2048, 90.0);
        assert_eq!(shell, "waiting for the shell: 2 KiB heard, 1 min 30 s left");
    }
}
