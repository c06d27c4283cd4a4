//! What a way to a medium can do, where the ways differ.

use flasher_core::flash::ViaUsed;

/// What a way to a medium can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Abilities {
    /// Which way it is.
    pub(crate) via: ViaUsed,
    /// A few bytes here and there are read at little cost, as a look for counterfeit media needs it.
    pub(crate) small_reads: bool,
    /// Whatever the medium holds can be sent here, as a dump and a diagnosis need it.
    pub(crate) sends: bool,
}
