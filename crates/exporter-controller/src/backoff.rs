//! Pauses between tries: short at first, then longer, never the same for all exporters of a lab.

use std::time::Duration;

/// A pause that doubles up to a bound.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Backoff {
    first: Duration,
    most: Duration,
    next: Duration,
}

impl Backoff {
    /// Begins with `first`, and never waits for longer than `most`, a third more at most.
    pub(crate) fn new(first: Duration, most: Duration) -> Self {
        Self { first, most, next: first }
    }

    /// What was tried has worked.
    pub(crate) fn reset(&mut self) {
        self.next = self.first;
    }

    /// Waits before the next try.
    pub(crate) async fn pause(&mut self) {
        let pause = self.next;
        self.next = (self.next * 2).min(self.most);
        tokio::time::sleep(pause + pause.mul_f64(jitter())).await;
    }
}

/// 0 to 0.3; without randomness, which is no reason to fail, 0.15.
fn jitter() -> f64 {
    let mut byte = [0];
    let random = getrandom::fill(&mut byte).map(|()| f64::from(byte[0]) / 255.0);
    0.3 * random.unwrap_or(0.5)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn pauses_grow_to_their_bound_and_begin_anew() {
        let mut backoff = Backoff::new(Duration::from_secs(1), Duration::from_secs(4));
        for (expected, reset) in [(1, false), (2, false), (4, false), (4, true), (1, false)] {
            let begun = tokio::time::Instant::now();
            backoff.pause().await;
            let seconds = begun.elapsed().as_secs_f64();
            let expected = f64::from(expected);
            assert!(seconds >= expected && seconds <= expected * 1.31, "{seconds} {expected}");
            if reset {
                backoff.reset();
            }
        }
    }
}
