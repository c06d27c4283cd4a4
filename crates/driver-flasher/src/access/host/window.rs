//! The part of a disk that is written or read: all of it, or a partition.

use flasher_core::{Class, Error, Result};

/// A part of a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Window {
    /// First byte on the disk.
    pub(super) start: u64,
    /// Bytes.
    pub(super) length: u64,
}

impl Window {
    /// Where on the disk the byte `offset` is, of `length` bytes that must all be inside.
    pub(super) fn place(self, offset: u64, length: u64) -> Result<u64> {
        let inside = offset.checked_add(length).is_some_and(|end| end <= self.length);
        match inside {
            true => Ok(self.start + offset),
            false => Err(Error::new(
                Class::Internal,
                format!(
                    "bytes {offset} to {} are not inside a target of {} bytes",
                    offset.saturating_add(length),
                    self.length
                ),
            )),
        }
    }

    /// Whether both have a byte in common.
    pub(super) fn meets(self, other: Self) -> bool {
        self.start < other.start + other.length && other.start < self.start + self.length
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_outside_is_touched() {
        let window = Window { start: 1000, length: 50 };
        assert_eq!(window.place(0, 50).unwrap(), 1000);
        assert_eq!(window.place(49, 1).unwrap(), 1049);
        for (offset, length) in [(0, 51), (50, 1), (u64::MAX, 2)] {
            assert_eq!(window.place(offset, length).unwrap_err().class(), Class::Internal);
        }
    }

    #[test]
    fn neighbours_do_not_meet() {
        let one = Window { start: 0, length: 10 };
        assert!(!one.meets(Window { start: 10, length: 5 }));
        assert!(one.meets(Window { start: 9, length: 5 }));
    }
}
