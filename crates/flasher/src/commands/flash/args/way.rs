//! Options that say how the image gets to the board.

use clap::{Args as ClapArgs, ValueEnum};
use flasher_core::flash::{Compare, Via, Wire};

/// How the image gets to the board.
#[derive(ClapArgs)]
pub(crate) struct WayArgs {
    /// How the medium is reached [default: what the config says, else `auto`]
    #[arg(long, value_enum, value_name = "WAY", help_heading = "Board")]
    pub(crate) via: Option<ViaChoice>,
    /// Compare the image with what the medium holds already, and write what differs [default: what the config says, else `auto`]
    #[arg(long, value_enum, value_name = "WHEN", help_heading = "Image")]
    pub(crate) compare: Option<CompareChoice>,
    /// How the image travels to the board [default: what the config says, else whichever is quicker, as measured]
    #[arg(long, value_enum, value_name = "HOW", help_heading = "Image")]
    pub(crate) wire: Option<WireChoice>,
    /// Have the board fetch the image's URL and unpack it with its own tools, where the exporter is slow; what is
    /// written is proven all the same
    #[arg(long, conflicts_with_all = ["wire", "bmap", "headers", "bearer_file"], help_heading = "Image")]
    pub(crate) direct: bool,
}

/// How the image travels.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum WireChoice {
    /// Whichever brings a sample to the board soonest
    Auto,
    /// As it is
    Identity,
    /// Packed with gzip
    Gzip,
    /// Packed with zstd
    Zstd,
}

impl From<WireChoice> for Wire {
    fn from(choice: WireChoice) -> Self {
        match choice {
            WireChoice::Auto => Self::Auto,
            WireChoice::Identity => Self::Identity,
            WireChoice::Gzip => Self::Gzip,
            WireChoice::Zstd => Self::Zstd,
        }
    }
}

/// Whether an image is compared with what the medium holds already.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum CompareChoice {
    /// Where a sample shows that it pays, and after an attempt that has written
    Auto,
    /// In any case, and all of it
    Always,
    /// Not at all
    Never,
}

impl From<CompareChoice> for Compare {
    fn from(choice: CompareChoice) -> Self {
        match choice {
            CompareChoice::Auto => Self::Auto,
            CompareChoice::Always => Self::Always,
            CompareChoice::Never => Self::Never,
        }
    }
}

/// The way to the medium.
#[derive(Clone, Copy, ValueEnum)]
pub(crate) enum ViaChoice {
    /// A small Linux where the config names a bundle or a board, else the boot loader or this machine, by the targets
    Auto,
    /// A small Linux out of a bundle
    Linux,
    /// The boot loader's own commands, without a bundle
    Uboot,
    /// The medium as a disk of this machine, by a storage mux or a card reader
    Host,
}

impl From<ViaChoice> for Via {
    fn from(choice: ViaChoice) -> Self {
        match choice {
            ViaChoice::Auto => Self::Auto,
            ViaChoice::Linux => Self::Linux,
            ViaChoice::Uboot => Self::Uboot,
            ViaChoice::Host => Self::Host,
        }
    }
}
