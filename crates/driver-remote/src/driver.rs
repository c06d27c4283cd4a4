//! The driver type `remote`: a power switch and a serial line of another exporter, as nodes of an exporter YAML.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use flasher_core::{Device, DriverType, Error, Result, Wiring};
use schemars::JsonSchema;
use serde::Deserialize;
use tonic::transport::Uri;

use crate::access::RemoteAccess;
use crate::devices;
use crate::node::NodeKind;
use crate::session::{Place, RemoteSession};

/// The driver type `remote`.
#[derive(Debug)]
pub struct Remote;

/// Config of `remote`.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Config {
    /// Where the exporter is: HOST:PORT, or `unix:PATH` for a socket of this machine.
    address: String,
    /// File with the exporter's passphrase.
    #[serde(default)]
    passphrase_file: Option<PathBuf>,
    /// PEM file with the CA of the exporter's certificate. With it the exporter is spoken to over TLS.
    #[serde(default)]
    ca_file: Option<PathBuf>,
    /// Dotted path there of what is used, or of a node above it. Not needed where the exporter has one of the kind.
    #[serde(default)]
    device: Option<String>,
    /// What this node is. A group of `power` and `serial` when not given.
    #[serde(default)]
    kind: Option<RemoteKind>,
}

/// What a node of another exporter is here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum RemoteKind {
    /// A power switch.
    Power,
    /// A serial line.
    Serial,
}

flasher_core::register_driver!(Remote);

impl DriverType for Remote {
    const NAME: &'static str = "remote";
    const SUMMARY: &'static str = "power and serial of another exporter, ours or Jumpstarter's in Python";
    const EXAMPLE: &'static str = "type: remote\nconfig:\n  address: lab.example:18083\n  passphrase_file: ./lab-passphrase\n  device: board.power\n  kind: power\n";
    type Config = Config;

    fn build(config: Config, wiring: Wiring) -> Result<Device> {
        check_address(&config.address)?;
        let access = RemoteAccess {
            passphrase_file: config.passphrase_file.map(|file| wiring.file(file)),
            ca_file: config.ca_file.map(|file| wiring.file(file)),
            ..RemoteAccess::open(config.address)
        };
        let session = Arc::new(RemoteSession::new(access));
        let place = |kind| Place { session: Arc::clone(&session), kind, path: config.device.clone() };
        let power = || devices::power(place(NodeKind::Power));
        let serial = || devices::serial(place(NodeKind::Serial));
        Ok(match config.kind {
            Some(RemoteKind::Power) => power(),
            Some(RemoteKind::Serial) => serial(),
            None => Device::Group(BTreeMap::from([
                ("power".to_owned(), power()),
                ("serial".to_owned(), serial()),
            ])),
        })
    }
}

fn check_address(address: &str) -> Result<()> {
    let is_socket = address.strip_prefix("unix:").is_some_and(|path| path.starts_with('/'));
    let uri = format!("http://{address}").parse::<Uri>().ok();
    let authority = uri.as_ref().and_then(Uri::authority);
    let is_place = authority.is_some_and(|place| {
        place.as_str() == address
            && !place.host().is_empty()
            && place.port_u16().is_some()
            && !address.contains('@')
    });
    match is_socket || is_place {
        true => Ok(()),
        false => Err(Error::config(format!("`{address}` is no address of an exporter"))
            .help("give `address` as HOST:PORT, for example `lab.example:18083`, or as `unix:/PATH`")),
    }
}
