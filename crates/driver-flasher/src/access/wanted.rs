//! Which ranges of a medium are wanted.

use std::sync::Arc;

use disk_image::{Image, Range};

use crate::job::Count;

/// The wanted ranges and where they are.
#[derive(Clone, Copy)]
pub(crate) struct Wanted<'a> {
    pub(crate) ranges: &'a [Range],
    pub(crate) indices: &'a [usize],
    /// The image the ranges are of, where what is read can be compared with it.
    pub(crate) image: Option<&'a Image>,
    /// Where it is counted; nowhere when what is read is small, and no part of a proof.
    pub(crate) count: Option<&'a Arc<Count>>,
}

impl<'a> Wanted<'a> {
    /// A small reading beside the proof.
    pub(crate) fn quietly(ranges: &'a [Range], indices: &'a [usize]) -> Self {
        Self { ranges, indices, image: None, count: None }
    }

    /// All of it was read.
    pub(crate) fn settle(&self) {
        if let Some(count) = self.count {
            count.settle(self.length());
        }
    }

    /// Bytes in all.
    pub(crate) fn length(&self) -> u64 {
        self.indices.iter().map(|index| self.ranges[*index].length).sum()
    }
}
