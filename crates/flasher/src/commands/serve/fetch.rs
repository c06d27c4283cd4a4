//! What an exporter may fetch for its clients.

use clap::Args as ClapArgs;
use flasher_core::fetch::{FetchRules, LARGEST, Network};

use crate::args::values::size;

/// What clients may have this machine fetch: images of their flashes, and files for its servers.
#[derive(ClapArgs)]
pub(crate) struct FetchArgs {
    /// Fetch for clients from this network or address alone, for example `192.168.7.0/24`; several times for several. When not
    /// given, from everywhere but link-local addresses, those of clouds' metadata, and, for clients at other machines, this
    /// machine itself
    #[arg(long = "fetch-from", value_name = "NETWORK")]
    networks: Vec<Network>,
    /// Fetch for clients over https alone
    #[arg(long = "fetch-https")]
    https_only: bool,
    /// Fetch no more than this for a client at once; 256GiB when not given
    #[arg(long = "fetch-max", value_name = "SIZE", value_parser = size)]
    largest: Option<u64>,
    /// Fetch bundles that clients name from this registry (`host` or `host:port`) too; several times for several. Those of quay.io
    /// and of the registry in the exporter YAML always may be fetched
    #[arg(long = "fetch-registry", value_name = "HOST")]
    registries: Vec<String>,
}

impl FetchArgs {
    /// The rules for clients at other machines.
    pub(crate) fn rules(&self) -> FetchRules {
        let (networks, https_only) = (self.networks.clone(), self.https_only);
        let (largest, registries) = (self.largest.unwrap_or(LARGEST), self.registries.clone());
        FetchRules { networks, https_only, largest, registries, is_local: false }
    }
}
