//! What may be typed behind `flasher bundle`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args as ClapArgs, Subcommand};

use crate::args::values::deadline;

/// What is done with bundles.
#[derive(Subcommand)]
pub(crate) enum BundleAction {
    /// Look for what would go wrong on a board: files, addresses, boot command, targets, login
    Check {
        /// A folder, or a reference in a registry
        bundle: String,
        /// Name of the manifest inside the bundle
        #[arg(long, value_name = "FILE", default_value = "manifest.yaml")]
        manifest: String,
        /// Take warnings for errors
        #[arg(long)]
        strict: bool,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Pull a bundle into the cache, and into a folder when one is named
    Pull {
        /// Reference in a registry: `registry/repository:tag` or `…@sha256:…`
        reference: String,
        /// Folder to make; it must not be there, or be empty
        dir: Option<PathBuf>,
        /// Take it only if this public key has signed it
        #[arg(long, value_name = "FILE")]
        key: Option<PathBuf>,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Push a folder as a bundle, in the layout that Jumpstarter pulls
    Push {
        /// The folder
        dir: PathBuf,
        /// Reference in a registry, with a tag
        reference: String,
        /// Push although `bundle check` finds errors
        #[arg(long)]
        unchecked: bool,
        #[command(flatten)]
        access: AccessArgs,
    },
    /// Pin every bundle of an exporter YAML by digest, in `flasher.lock` beside it
    Lock {
        /// Exporter YAML; the one of `--exporter` when not given
        file: Option<PathBuf>,
    },
    /// Remove from the cache what is not needed any more
    Gc {
        /// Forget also the bundles that were not used for so long, for example `30d`
        #[arg(long, value_name = "D", value_parser = deadline)]
        unused_for: Option<Duration>,
        /// Show what would be removed; remove nothing
        #[arg(long)]
        dry_run: bool,
        #[command(flatten)]
        cache: CacheArgs,
    },
}

/// How registries are reached.
#[derive(ClapArgs)]
pub(crate) struct AccessArgs {
    /// This registry (`host:port`) speaks plain HTTP; those at loopback addresses always may
    #[arg(long, value_name = "HOST")]
    pub(crate) plain_http: Vec<String>,
    /// PEM file with the CA of the registry
    #[arg(long, value_name = "FILE")]
    pub(crate) cacert: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) cache: CacheArgs,
}

/// Where bundles are kept.
#[derive(ClapArgs)]
pub(crate) struct CacheArgs {
    /// Folder of the cache, `cache_dir` of an exporter YAML
    #[arg(
        long,
        value_name = "DIR",
        env = "FLASHER_CACHE_DIR",
        default_value = "/var/lib/jumpstarter/flasher"
    )]
    pub(crate) cache_dir: PathBuf,
}
