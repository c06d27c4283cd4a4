//! Bytes, durations, paths and text of others, for people.

use std::path::Path;

pub(crate) use flasher_core::safe::line as tame;
pub(crate) use report::units::{bytes, seconds};

/// A path as text, for JSON and messages.
pub(crate) fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// `7.2 of 7.4 GiB`, `512 KiB of 7.4 GiB`.
pub(crate) fn part(some: u64, all: u64) -> String {
    let (some, all) = (bytes(some), bytes(all));
    match (some.split_once(' '), all.split_once(' ')) {
        (Some((number, unit)), Some((_, of))) if unit == of => format!("{number} of {all}"),
        _ => format!("{some} of {all}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_part_says_its_unit_once_where_it_is_the_same() {
        assert_eq!(part(7_730_941_133, 7_945_689_498), "7.2 of 7.4 GiB");
        assert_eq!(part(0, 5 << 20), "0 bytes of 5 MiB");
        assert_eq!(part(5 << 20, 5 << 20), "5 of 5 MiB");
    }
}
