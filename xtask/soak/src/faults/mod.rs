//! The faults that can be drawn: tables by where they strike.

mod board;
mod emulated;
mod files;
mod host;
mod medium;
mod process;
mod row;
mod source;

use fastrand::Rng;

use crate::case::{Case, InjectedFault};
use row::{Row, Trait};

/// Of how many cases with a slow fault one is kept.
const ONE_SLOW_IN: u8 = 3;

/// One to three faults that fit the case.
pub(crate) fn draw(rng: &mut Rng, case: &Case) -> Vec<InjectedFault> {
    let count = match rng.u8(..10) {
        0..=5 => 1,
        6..=8 => 2,
        _ => 3,
    };
    let rows: Vec<&Row> = all().filter(|row| (row.fits)(case)).collect();
    let mut chosen: Vec<&Row> = Vec::new();
    while chosen.len() < count {
        let Some(&row) = rng.choice(&rows) else { break };
        let is_slow = row.traits.contains(&Trait::Slow) && rng.u8(..ONE_SLOW_IN) > 0;
        if !is_slow && chosen.iter().all(|it| it.group != row.group) {
            chosen.push(row);
        }
    }
    chosen.into_iter().map(|row| row.fault(rng, case)).collect()
}

/// Names of all faults.
pub(crate) fn names() -> Vec<&'static str> {
    all().map(|row| row.name).collect()
}

fn all() -> impl Iterator<Item = &'static Row> {
    let tables =
        [source::ROWS, files::ROWS, board::ROWS, medium::ROWS, host::ROWS, emulated::ROWS, process::ROWS];
    tables.into_iter().flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_unique_and_fit_on_a_command_line() {
        let mut names = names();
        let is_plain =
            |name: &str| name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-.".contains(&byte));
        assert!(names.iter().all(|name| is_plain(name)), "{names:?}");
        let count = names.len();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), count);
    }
}
