//! Which way files come into the board's memory: the best is tried first, another one where it fails or crawls.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Slower than this another way is tried, bytes a second.
const CRAWL: f64 = 512.0 * 1024.0;
/// Shorter files tell nothing of the speed, bytes.
const TELLING: u64 = 1 << 20;
/// So many packets that are sent again, of all, call for a smaller window; fewer for another protocol.
const LOSSY: f64 = 0.02;
/// A block that passes wherever IP does, bytes (RFC 1350).
const SMALL_BLOCK: u16 = 512;

/// How files come into the board's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum LoadSetting {
    /// By TFTP.
    Tftp {
        /// Bytes of a block.
        block: u16,
        /// Blocks of a window.
        window: u16,
    },
    /// By HTTP, with U-Boot's `wget`.
    Http,
}

impl fmt::Display for LoadSetting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tftp { block, window } => {
                write!(f, "TFTP with blocks of {block} bytes and a window of {window}")
            }
            Self::Http => write!(f, "HTTP (`wget`)"),
        }
    }
}

/// What a load has cost, as the server saw it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) struct LoadCost {
    pub(crate) bytes: u64,
    pub(crate) seconds: f64,
    /// Packets that were sent again.
    pub(crate) resends: u64,
}

impl LoadCost {
    /// Bytes a second.
    fn rate(self) -> f64 {
        self.bytes as f64 / self.seconds.max(1e-6)
    }

    /// Whether it is so slow that another way is worth a try.
    pub(crate) fn crawls(self) -> bool {
        self.bytes >= TELLING && self.rate() < CRAWL
    }
}

/// What is known of one way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum TrialResult {
    Nothing,
    Failed,
    /// It worked, at so many bytes a second.
    Rate(f64),
}

/// The ways of one board, the best first, and the one that is taken.
#[derive(Clone, Debug)]
pub(crate) struct Tuner {
    ways: Vec<(LoadSetting, TrialResult)>,
    now: usize,
}

impl Tuner {
    /// The ways from this block and window downwards; `begin` is the one that was good before.
    pub(crate) fn new(block: u16, window: u16, begin: Option<LoadSetting>) -> Self {
        let tftp = |block, window| LoadSetting::Tftp { block, window };
        let mut settings = vec![
            tftp(block, window),
            tftp(block, (window / 4).max(1)),
            tftp(block, 1),
            tftp(block.min(SMALL_BLOCK), 1),
        ];
        settings.dedup();
        if begin == Some(LoadSetting::Http) {
            settings.push(LoadSetting::Http);
        }
        let now = settings.iter().position(|setting| Some(*setting) == begin).unwrap_or(0);
        Self { ways: settings.into_iter().map(|setting| (setting, TrialResult::Nothing)).collect(), now }
    }

    /// The way that is taken.
    pub(crate) fn setting(&self) -> LoadSetting {
        self.ways[self.now].0
    }

    /// The way that is worth being remembered: one that works, and is not the best.
    pub(crate) fn to_remember(&self) -> Option<LoadSetting> {
        let (setting, seen) = self.ways[self.now];
        (self.now > 0 && matches!(seen, TrialResult::Rate(_))).then_some(setting)
    }

    /// Whether no further way by TFTP is left, so that it is worth all the patience there is.
    pub(crate) fn is_last_by_tftp(&self) -> bool {
        !self.ways[self.now + 1..].iter().any(|(setting, _)| *setting != LoadSetting::Http)
    }

    /// This board's U-Boot has `wget`.
    pub(crate) fn add_http(&mut self) {
        if self.ways.iter().all(|(setting, _)| *setting != LoadSetting::Http) {
            self.ways.push((LoadSetting::Http, TrialResult::Nothing));
        }
    }

    /// The way that is taken has failed; false when no other is left. `lower` when a smaller window may do, otherwise another
    /// protocol comes first.
    pub(crate) fn failed(&mut self, lower: bool) -> bool {
        self.ways[self.now].1 = TrialResult::Failed;
        let works = |(index, (_, seen)): (usize, &(LoadSetting, TrialResult))| {
            (*seen != TrialResult::Failed).then_some(index)
        };
        let http = self.http().filter(|index| self.ways[*index].1 != TrialResult::Failed);
        let below = self.ways.iter().enumerate().skip(self.now).find_map(works);
        let any = self.ways.iter().enumerate().find_map(works);
        let next = if lower { below.or(any) } else { http.or(below).or(any) };
        self.now = next.unwrap_or(self.now);
        next.is_some()
    }

    /// A file came the way that is taken. One that crawls sends the next file another way, until the best is known. A stack that
    /// has no windows asks by TFTP in one way only.
    pub(crate) fn loaded(&mut self, cost: LoadCost, has_windows: bool) {
        let before = match self.ways[self.now].1 {
            TrialResult::Rate(rate) => rate,
            _ => 0.0,
        };
        if cost.bytes < TELLING && before == 0.0 {
            // It works; how quickly is not known.
            self.ways[self.now].1 = TrialResult::Rate(0.0);
        }
        if cost.bytes < TELLING {
            return;
        }
        let rate = cost.rate();
        self.ways[self.now].1 = TrialResult::Rate(rate.max(before));
        if cost.crawls() {
            self.now = self.after_a_crawl(cost, has_windows);
        }
    }

    fn after_a_crawl(&self, cost: LoadCost, has_windows: bool) -> usize {
        let block = match self.setting() {
            LoadSetting::Tftp { block, .. } => u64::from(block),
            LoadSetting::Http => return self.best(),
        };
        let packets = (cost.bytes / block).max(1);
        let is_lossy = cost.resends as f64 / packets as f64 > LOSSY;
        let untried =
            |index: usize| self.ways.get(index).is_some_and(|(_, seen)| *seen == TrialResult::Nothing);
        let may_be_smaller = is_lossy && has_windows;
        let below =
            Some(self.now + 1).filter(|index| may_be_smaller && self.best() == self.now && untried(*index));
        let http = self.http().filter(|index| untried(*index));
        below.or(http).unwrap_or_else(|| self.best())
    }

    /// The quickest way that is known.
    fn best(&self) -> usize {
        let rate = |seen: TrialResult| if let TrialResult::Rate(rate) = seen { rate } else { -1.0 };
        let rates = self.ways.iter().enumerate().map(|(index, (_, seen))| (index, rate(*seen)));
        rates.fold((self.now, -1.0), |best, next| if next.1 > best.1 { next } else { best }).0
    }

    /// The board was switched off and on: what failed gets another chance, but for the first that did.
    pub(crate) fn begin_again(&mut self) {
        let failed = |(_, seen): &(LoadSetting, TrialResult)| *seen == TrialResult::Failed;
        let Some(first) = self.ways.iter().position(failed) else { return };
        for (_, seen) in self.ways.iter_mut().filter(|way| failed(way)) {
            *seen = TrialResult::Nothing;
        }
        self.now = (first + 1).min(self.ways.len() - 1);
    }

    fn http(&self) -> Option<usize> {
        self.ways.iter().position(|(setting, _)| *setting == LoadSetting::Http)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: u64 = 1 << 20;

    /// What happens to one load.
    enum Load {
        Fails,
        NeverArrives,
        /// KiB a second, and packets sent again.
        Comes(u64, u64),
    }
    use Load::{Comes, Fails, NeverArrives};

    /// `network` has `http` and `windows`, or not.
    fn check(network: &str, loads: &[Load], ways: &[&str]) {
        let mut tuner = Tuner::new(1468, 16, None);
        if network.contains("http") {
            tuner.add_http();
        }
        let mut taken = vec![short(tuner.setting())];
        for load in loads {
            match load {
                Fails => drop(tuner.failed(true)),
                NeverArrives => drop(tuner.failed(false)),
                Comes(kib, resends) => {
                    let seconds = 8.0 * MIB as f64 / (*kib as f64 * 1024.0);
                    tuner.loaded(
                        LoadCost { bytes: 8 * MIB, seconds, resends: *resends },
                        network.contains("windows"),
                    );
                }
            }
            taken.push(short(tuner.setting()));
        }
        assert_eq!(taken, ways);
    }

    fn short(setting: LoadSetting) -> String {
        match setting {
            LoadSetting::Tftp { block, window } => format!("{block}/{window}"),
            LoadSetting::Http => "http".to_owned(),
        }
    }

    #[test]
    fn what_works_well_is_kept() {
        check("http windows", &[Comes(20_000, 0), Comes(20_000, 400), Comes(900, 0)], &["1468/16"; 4]);
    }

    #[test]
    fn what_fails_makes_the_next_smaller_one_do() {
        check(
            "http windows",
            &[Fails, Fails, Fails, Fails],
            &["1468/16", "1468/4", "1468/1", "512/1", "http"],
        );
        check(
            "windows",
            &[Fails, Comes(3000, 0), Comes(3000, 0)],
            &["1468/16", "1468/4", "1468/4", "1468/4"],
        );
        check("http windows", &[NeverArrives, Comes(3000, 0)], &["1468/16", "http", "http"]);
        check("windows", &[NeverArrives], &["1468/16", "1468/4"]);
    }

    #[test]
    fn what_crawls_makes_the_best_way_be_looked_for() {
        check("http windows", &[Comes(50, 0), Comes(9000, 0)], &["1468/16", "http", "http"]);
        check(
            "http windows",
            &[Comes(50, 0), Comes(20, 0), Comes(50, 0)],
            &["1468/16", "http", "1468/16", "1468/16"],
        );
        check("windows", &[Comes(50, 0), Comes(50, 0)], &["1468/16"; 3]);
        check(
            "windows",
            &[Comes(50, 3000), Comes(200, 3000), Comes(100, 900), Comes(150, 900)],
            &["1468/16", "1468/4", "1468/1", "1468/4", "1468/4"],
        );
        check("http", &[Comes(50, 3000), Comes(900, 0)], &["1468/16", "http", "http"]);
    }

    #[test]
    fn every_way_is_tried_once_before_a_load_is_given_up() {
        let mut tuner = Tuner::new(1468, 16, Some(LoadSetting::Http));
        assert_eq!(tuner.setting(), LoadSetting::Http);
        let mut tries = 1;
        while tuner.failed(true) {
            tries += 1;
        }
        assert_eq!(tries, 5);
        tuner.begin_again();
        assert_eq!(short(tuner.setting()), "1468/4", "the first that failed is not the first that is tried");
    }

    #[test]
    fn what_is_worth_remembering_works_and_is_not_the_best() {
        let mut tuner = Tuner::new(1468, 16, None);
        assert_eq!(tuner.to_remember(), None);
        tuner.loaded(LoadCost { bytes: 9, seconds: 0.1, resends: 0 }, true);
        assert_eq!(tuner.to_remember(), None);
        tuner.failed(true);
        assert_eq!(tuner.to_remember(), None);
        tuner.loaded(LoadCost { bytes: 9, seconds: 0.1, resends: 0 }, true);
        assert_eq!(tuner.to_remember(), Some(LoadSetting::Tftp { block: 1468, window: 4 }));
        let again = Tuner::new(1468, 16, tuner.to_remember());
        assert_eq!(again.setting(), tuner.setting());
        assert_eq!(short(Tuner::new(512, 1, tuner.to_remember()).setting()), "512/1", "not among these");
    }
}
