//! When to send again, and when to give up.

use std::time::Duration;

/// Shortest wait before sending again. A client that is merely busy for longer gets one block twice, which does no harm.
const SHORTEST: Duration = Duration::from_millis(20);
/// Longest wait before sending again.
const LONGEST: Duration = Duration::from_secs(5);
/// Shortest wait after a sign that the first block of a window was lost.
const SHORTEST_FAST: Duration = Duration::from_millis(2);
/// A client that has never answered is given up after this time. U-Boot's own timer strikes after 5 s, and then it asks again.
pub(crate) const NO_ANSWER_LIMIT: Duration = Duration::from_secs(12);
/// A client that has answered before is given up when nothing at all comes from it for so long.
pub(crate) const SILENCE_LIMIT: Duration = Duration::from_secs(30);
/// A client that talks and takes nothing new is given up after this time.
pub(crate) const NO_PROGRESS_LIMIT: Duration = Duration::from_secs(120);

/// How patient a transfer is.
#[derive(Clone, Copy, Debug)]
pub(crate) struct GiveUpLimits {
    /// Wait until a round trip was measured.
    pub(crate) first_wait: Duration,
    /// Repetitions without any progress that end it.
    pub(crate) retries: u32,
}

/// The re-send timer: smoothed round trip and its variation, as in RFC 6298, doubled for each wait in vain.
#[derive(Clone, Copy, Debug)]
pub(crate) struct RetransmitTimer {
    first: Duration,
    measured: Option<(Duration, Duration)>,
    /// The shortest round trip so far.
    least: Option<Duration>,
    doublings: u32,
}

impl RetransmitTimer {
    /// A timer that waits `first` until a round trip was measured.
    pub(crate) fn new(first: Duration) -> Self {
        Self { first, measured: None, least: None, doublings: 0 }
    }

    /// A round trip was measured, of a packet sent once only (Karn's rule).
    pub(crate) fn measure(&mut self, trip: Duration) {
        self.least = Some(self.least.map_or(trip, |least| least.min(trip)));
        self.measured = Some(match self.measured {
            None => (trip, trip / 2),
            Some((smooth, varies)) => ((smooth * 7 + trip) / 8, (varies * 3 + smooth.abs_diff(trip)) / 4),
        });
    }

    /// The smoothed round trip, once one was measured.
    pub(crate) fn round_trip(&self) -> Option<Duration> {
        self.measured.map(|(smooth, _)| smooth)
    }

    /// The client made progress.
    pub(crate) fn progressed(&mut self) {
        self.doublings = 0;
    }

    /// A wait was in vain.
    pub(crate) fn timed_out(&mut self) {
        self.doublings = (self.doublings + 1).min(16);
    }

    /// How long to wait for an acknowledgement.
    pub(crate) fn wait(&self) -> Duration {
        let once = match self.measured {
            Some((smooth, varies)) => (smooth + varies * 4).max(SHORTEST),
            None => self.first,
        };
        once.saturating_mul(1 << self.doublings).min(LONGEST)
    }

    /// How long after sending again an acknowledgement is likely to be of what was sent before: not much longer than the
    /// shortest round trip.
    pub(crate) fn echo(&self) -> Duration {
        self.least.map_or(Duration::ZERO, |least| least * 3 / 2)
    }

    /// How long to wait when the client seems to have lost the beginning of a window.
    pub(crate) fn fast_wait(&self) -> Duration {
        self.measured.map_or(self.first, |(smooth, _)| (smooth * 2).max(SHORTEST_FAST)).min(self.wait())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: fn(u64) -> Duration = Duration::from_millis;

    #[test]
    fn the_wait_follows_the_round_trip_and_doubles_in_vain() {
        let mut timer = RetransmitTimer::new(MS(500));
        assert_eq!(timer.wait(), MS(500));
        timer.timed_out();
        assert_eq!(timer.wait(), MS(1000));
        timer.progressed();
        timer.measure(MS(80));
        assert_eq!(timer.wait(), MS(240));
        for _ in 0..200 {
            timer.measure(Duration::from_micros(100));
        }
        assert_eq!((timer.wait(), timer.fast_wait()), (SHORTEST, SHORTEST_FAST));
        assert_eq!(timer.round_trip().map(|trip| trip.as_micros()), Some(100));
        assert_eq!(timer.echo(), Duration::from_micros(150));
        (0..40).for_each(|_| timer.timed_out());
        assert_eq!(timer.wait(), LONGEST);
    }
}
