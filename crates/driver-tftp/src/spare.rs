//! Whether this machine has processors to spare.

use std::thread;

/// The processors that waiting awake takes: one for the server, one for the client, and one that stays free.
const NEEDED: f64 = 3.0;

/// Whether a thread may wait awake without keeping other threads from a processor. Looks at the load of the last minute.
pub(crate) fn has_spare_processors() -> bool {
    let processors = thread::available_parallelism().map_or(1, usize::from);
    // Linux counts in parts of 65536 (sysinfo(2)).
    let load = rustix::system::sysinfo().loads[0] as f64 / 65536.0;
    leaves_enough(processors, load)
}

/// `load` is how many threads want a processor on average.
fn leaves_enough(processors: usize, load: f64) -> bool {
    processors as f64 - load >= NEEDED
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waiting_awake_needs_three_idle_processors() {
        let cases = [
            (1, 0.0, false),
            (2, 0.0, false),
            (3, 0.0, true),
            (4, 0.9, true),
            (4, 1.1, false),
            (16, 3.0, true),
            (16, 16.0, false),
        ];
        for (processors, load, expected) in cases {
            assert_eq!(leaves_enough(processors, load), expected, "{processors} processors, load {load}");
        }
    }
}
