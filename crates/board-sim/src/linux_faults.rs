//! What goes wrong while Linux has the board: tools that lie, a medium that gives back something else, a console that is hostile.

use schemars::JsonSchema;
use serde::Deserialize;

use crate::strikes::FlipBit;

/// Fault knobs of the small Linux. Those of the medium beside them hold here too.
#[derive(Clone, Debug, Default, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct LinuxFaults {
    /// `dd` says that it has written to the medium, and has not.
    pub lost_writes: bool,
    /// What is read from the medium is what it held when the power came, as a cache would have it.
    pub stale_reads: bool,
    /// A byte of the medium that is changed when it is read; the medium itself is good.
    pub flip_read: Option<FlipBit>,
    /// The medium cannot be written to any more, as at the end of its life.
    pub read_only: bool,
    /// In each power cycle `sha256sum` gives wrong digests once it has given so many right ones.
    pub digests_lie_after: Option<u32>,
    /// A line of hostile bytes appears every so many milliseconds: escape sequences, zeros, no text, prompts of others.
    pub hostile_lines: Option<u64>,
}
