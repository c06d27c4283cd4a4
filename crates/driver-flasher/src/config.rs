//! What an exporter YAML may say below `config:` of a flasher.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;
use std::time::Duration;

use bundle_store::Architecture;
use flasher_core::flash::{Compare, Via, ViaUsed, Wire};
use flasher_core::virtual_board::Size;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::device_name::DeviceName;
use crate::holding::Holding;

/// What a command of the script gets besides its work: on a noisy line it is typed again, more slowly, and its answer is asked
/// for again.
pub(crate) const DIALOGUE: Duration = Duration::from_secs(40);

/// Config of a flasher. The upper half has Jumpstarter's keys and defaults, the lower half is ours.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct FlasherConfig {
    /// Flash bundle: a folder, or a reference in an OCI registry such as `quay.io/acme/bundle:v1`, which is pulled.
    pub flasher_bundle: Option<String>,
    /// Device-tree variant; the manifest's default when not given.
    pub variant: Option<String>,
    /// Name of the manifest inside the bundle.
    pub manifest: String,
    /// Target taken when a job names none; the manifest's default when not given.
    pub default_target: Option<String>,
    /// Where pulled bundles are kept.
    pub cache_dir: PathBuf,
    /// Folder the TFTP server serves, when no `tftp` child is given.
    pub tftp_dir: PathBuf,
    /// Folder the HTTP server serves, when no `http` child is given.
    pub http_dir: PathBuf,
    /// PEM file with the CA of https image sources and registries.
    pub cacert: Option<PathBuf>,

    /// A board of this build; gives the bundle reference when `flasher_bundle` does not.
    pub board: Option<String>,
    /// Architecture of the board as registries name it (`arm64`, `arm/v7`), in place of what the bundle's manifest says:
    /// decides which image is taken where a registry has several.
    #[schemars(with = "Option<String>")]
    pub architecture: Option<Architecture>,
    /// Registries (`host` or `host:port`) that speak plain HTTP. Those at loopback addresses always may.
    pub insecure_registries: Vec<String>,
    /// Take only bundles that `signature_key` has signed (cosign's layout).
    pub require_signature: bool,
    /// Public key of those who sign bundles, PEM: `cosign.pub`.
    pub signature_key: Option<PathBuf>,
    /// The way to the medium, for jobs that do not say.
    pub via: Via,
    /// Media by their names. One that the boot loader writes by itself (`via: uboot`) is what U-Boot calls it, such as `mmc 1`; one that
    /// is a disk of this machine (`via: host`) is a path below `/dev/disk/by-path` or `by-id`, or `serial:…`.
    pub targets: BTreeMap<String, String>,
    /// What is known of media that are disks of this machine (`via: host`).
    pub host: HostOptions,
    /// The boot loader lies on the medium that is written, as a manifest says it too: the old first block is not erased
    /// beforehand, so that the board still starts when the flash fails.
    pub medium_holds_bootloader: bool,
    /// A fixed address for the board, instead of DHCP.
    pub network: Option<StaticNetwork>,
    /// How long power stays off before it is switched on, seconds.
    pub power_off_seconds: f64,
    /// Deadlines of the steps.
    pub timeouts: Timeouts,
    /// Who makes the digests of what is read back.
    pub read_back: ReadBack,
    /// Whether an image is compared with what the medium holds already, for jobs that do not say.
    pub compare: Compare,
    /// How the image travels to the board, for jobs that do not say.
    pub wire: Wire,
    /// Block size asked for in TFTP transfers, bytes (RFC 2348).
    pub tftp_block_size: u16,
    /// Window size asked for in TFTP transfers, blocks (RFC 7440). U-Boot's receive ring overflows beyond 16 on some boards. Where
    /// loads fail or crawl, smaller ones are tried.
    pub tftp_window_size: u16,
    /// Where it is remembered how a board loads best; `flasher` in this user's folder for state when not given.
    pub state_dir: Option<PathBuf>,
    /// How many recordings of failed flashes are kept below that folder, for `flasher replay`; 0 keeps none.
    pub record_failures: usize,
}

impl Default for FlasherConfig {
    fn default() -> Self {
        Self {
            flasher_bundle: None,
            variant: None,
            manifest: "manifest.yaml".to_owned(),
            default_target: None,
            cache_dir: "/var/lib/jumpstarter/flasher".into(),
            tftp_dir: "/var/lib/tftpboot".into(),
            http_dir: "/var/www/html".into(),
            cacert: None,
            board: None,
            architecture: None,
            insecure_registries: Vec::new(),
            require_signature: false,
            signature_key: None,
            via: Via::Auto,
            targets: BTreeMap::new(),
            host: HostOptions::default(),
            medium_holds_bootloader: false,
            network: None,
            power_off_seconds: 2.0,
            timeouts: Timeouts::default(),
            read_back: ReadBack::Auto,
            compare: Compare::Auto,
            wire: Wire::Auto,
            tftp_block_size: 1468,
            tftp_window_size: 16,
            state_dir: None,
            record_failures: 20,
        }
    }
}

impl FlasherConfig {
    /// The targets of one way, by their names. A small Linux has its own, in the manifest.
    pub(crate) fn targets_of(&self, via: ViaUsed) -> impl Iterator<Item = (&str, &str)> {
        let is_of = move |device: &str| match via {
            ViaUsed::Linux => false,
            ViaUsed::Uboot => !DeviceName::is_meant_by(device),
            ViaUsed::Host => DeviceName::is_meant_by(device),
        };
        let all = self.targets.iter().map(|(name, device)| (name.as_str(), device.as_str()));
        all.filter(move |(_, device)| is_of(device))
    }
}

/// What is known of media that are disks of this machine.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct HostOptions {
    /// How long a medium may take to appear once it was given to this machine, seconds.
    pub appear_seconds: f64,
    /// A disk that is smaller is not the medium.
    pub min_size: Option<Size>,
    /// A disk that is larger is not the medium.
    pub max_size: Option<Size>,
    /// What U-Boot's `ums` is given, as `0 mmc 1` (controller, interface, device): the board's own boot loader makes the medium a USB
    /// disk of this machine, through the board's USB cable. Takes the place of a mux.
    pub ums: Option<String>,
    /// What the board's media may hold that otherwise tells a disk of this machine, which is never written.
    pub may_hold: Vec<Holding>,
}

impl Default for HostOptions {
    fn default() -> Self {
        Self { appear_seconds: 30.0, min_size: None, max_size: None, ums: None, may_hold: Vec::new() }
    }
}

/// Who makes the digests of what is read back from the medium.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ReadBack {
    /// Whichever is faster, as measured.
    Auto,
    /// The exporter, when the board has a tool that can send: the bytes travel.
    Network,
    /// The board: only digests travel.
    Board,
}

/// A fixed address for the board.
#[derive(Clone, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct StaticNetwork {
    /// The board's IPv4 address.
    pub address: Ipv4Addr,
    /// Its netmask.
    #[serde(default = "slash_24")]
    pub netmask: Ipv4Addr,
    /// Its gateway, when the exporter is in another network.
    pub gateway: Option<Ipv4Addr>,
}

fn slash_24() -> Ipv4Addr {
    Ipv4Addr::new(255, 255, 255, 0)
}

/// Deadlines, seconds each.
#[derive(Clone, Copy, Debug, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Timeouts {
    /// From power on to the boot loader's prompt.
    pub bootloader: f64,
    /// For one DHCP exchange.
    pub dhcp: f64,
    /// For one file over TFTP.
    pub tftp: f64,
    /// From the boot command to a working shell.
    pub shell: f64,
    /// For one command in the shell.
    pub command: f64,
    /// How long the transfer of the image may stand still.
    pub stall: f64,
    /// For reading one range back.
    pub read_back: f64,
    /// From power on to the text that proves the new system boots.
    pub boot_check: f64,
}

impl Default for Timeouts {
    fn default() -> Self {
        Self {
            bootloader: 60.0,
            dhcp: 60.0,
            tftp: 120.0,
            shell: 180.0,
            command: 60.0,
            stall: 20.0,
            read_back: 120.0,
            boot_check: 180.0,
        }
    }
}

/// Seconds of a config as a duration; nonsense counts as zero.
pub(crate) fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or(Duration::ZERO)
}
