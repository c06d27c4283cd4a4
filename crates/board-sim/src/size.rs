//! Sizes in the config, which both virtual boards read alike.

pub(crate) use flasher_core::virtual_board::MIB;
pub use flasher_core::virtual_board::Size;
