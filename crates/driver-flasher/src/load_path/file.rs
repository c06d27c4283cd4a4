//! A file on its way into the board's memory, and why it did not come.

use std::net::SocketAddr;

use flasher_core::Error;

/// A file that is to come into the board's memory.
#[derive(Clone, Copy)]
pub(super) struct LoadFile<'a> {
    pub(super) address: u64,
    /// Its bytes.
    pub(super) length: u64,
    /// Its path below the TFTP folder.
    pub(super) path: &'a str,
    /// Our TFTP server, as the board reaches it.
    pub(super) server: SocketAddr,
}

/// Why a file did not come.
pub(super) enum LoadFailure {
    /// What the boot loader said of it.
    Said(board_console::Error),
    /// Something of ours failed.
    Ours(Error),
}
