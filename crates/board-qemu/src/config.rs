//! Config of an emulated board.

use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};

use flasher_core::virtual_board::MIB;
pub use flasher_core::virtual_board::Size;
use schemars::JsonSchema;
use serde::Deserialize;

use crate::model::Model;

/// Config of an emulated board. Everything has a default: an arm64 board with U-Boot, without disk and network.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The board that is emulated. It decides whatever of `qemu`, `machine`, `cpu` and `bios` is not given.
    pub model: Model,
    /// The emulator: a name looked up in PATH, or a path.
    pub qemu: Option<PathBuf>,
    /// QEMU's `-machine`.
    pub machine: Option<String>,
    /// QEMU's `-cpu`.
    pub cpu: Option<String>,
    /// Memory of the board, MiB.
    pub memory: u32,
    /// Processor cores of the board, at least as many as its machine has. More than one is slower on a host with few cores.
    pub smp: Option<u8>,
    /// The boot loader: U-Boot built for this machine.
    pub bios: Option<PathBuf>,
    /// The board's medium; none when not given.
    pub disk: Option<Disk>,
    /// The flash in which U-Boot keeps its environment: a file of 64 MiB, made when missing. Without it, what `saveenv`
    /// saves is lost at power off.
    pub environment: Option<PathBuf>,
    /// The board's network; none when not given.
    pub network: Option<BoardNetwork>,
    /// More arguments for QEMU, after all others.
    pub arguments: Vec<String>,
}

impl Default for Config {
    fn default() -> Self {
        Self {
            model: Model::Arm64,
            qemu: None,
            machine: None,
            cpu: None,
            memory: 1024,
            smp: None,
            bios: None,
            disk: None,
            environment: None,
            network: None,
            arguments: Vec::new(),
        }
    }
}

/// The board's medium.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Disk {
    /// How the board sees it: `virtio` is `/dev/vda`, `nvme` is `/dev/nvme0n1`, `sd` is `/dev/mmcblk0`.
    #[serde(default)]
    pub kind: DiskKind,
    /// The file that is the medium, raw. Made sparse when missing.
    pub file: PathBuf,
    /// Its size, for example `512MiB`, which is also the size of a new file when not given. A smaller file is extended,
    /// a larger one is left as it is. For `sd` it must be a power of two.
    #[serde(default)]
    pub size: Option<Size>,
    /// QEMU's cache mode of the file.
    #[serde(default)]
    pub cache: Cache,
    /// Rules of QEMU's `blkdebug` driver, for disk errors on purpose, in the text form of QEMU's manual:
    /// sections `[inject-error]` with `event` (`pwritev`), `iotype` (`write`), `errno`, `sector` and `once`, every value
    /// in quotes. Without `iotype` a rule strikes reads as well once its event has come.
    #[serde(default)]
    pub blkdebug: Option<String>,
}

/// How the board sees its medium.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum DiskKind {
    /// A virtio disk on PCI.
    #[default]
    Virtio,
    /// An NVMe disk on PCI.
    Nvme,
    /// An SD card in an SDHCI controller on PCI. Slow: about 4 MB/s.
    Sd,
}

/// QEMU's cache modes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Cache {
    /// The guest's flushes do not reach this machine's disk. What the guest wrote survives a power cut of the board, as
    /// it is in this machine's page cache; it does not survive a crash of this machine.
    #[default]
    Unsafe,
    /// The guest's flushes are flushes of the file.
    Writeback,
    /// Every write is flushed.
    Writethrough,
    /// Past this machine's page cache.
    None,
    /// Past the page cache, and every write is flushed.
    Directsync,
}

/// The board's network: a tap in a private network namespace.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct BoardNetwork {
    /// Name of the tap that is made. Each board needs its own.
    pub tap: String,
    /// This side's address on the tap, with the length of the subnet's prefix.
    pub address: HostAddress,
    /// The first address for the board. U-Boot and Linux have different MAC addresses: who asks second gets the next one.
    pub board: Ipv4Addr,
    /// Answer the board's DHCP requests.
    pub dhcp: bool,
    /// Name this side as router in DHCP answers. This side forwards nothing by itself.
    pub router: bool,
    /// MAC address of the board's network card. Default: made from the name of the tap.
    pub mac: Option<String>,
}

impl Default for BoardNetwork {
    fn default() -> Self {
        Self {
            tap: "qtap0".to_owned(),
            address: HostAddress { address: Ipv4Addr::new(10, 77, 0, 1), prefix: 24 },
            board: Ipv4Addr::new(10, 77, 0, 50),
            dhcp: true,
            router: false,
            mac: None,
        }
    }
}

impl BoardNetwork {
    /// The MAC address of the card: that of the config, or one of QEMU's range that depends on the name of the tap only.
    pub fn mac(&self) -> String {
        self.mac.clone().unwrap_or_else(|| {
            // FNV-1a, 32 bit.
            let hash = self
                .tap
                .bytes()
                .fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193));
            let [_, a, b, c] = hash.to_be_bytes();
            format!("52:54:00:{a:02x}:{b:02x}:{c:02x}")
        })
    }

    fn problem(&self) -> Option<String> {
        let plain = |letter: char| letter.is_ascii_alphanumeric() || letter == '-' || letter == '_';
        if !(1..=15).contains(&self.tap.len()) || !self.tap.chars().all(plain) || self.tap.starts_with('-') {
            return Some(format!(
                "the tap `{}` must be 1 to 15 letters, digits, `-` or `_`, for example `qtap0`",
                self.tap
            ));
        }
        if !is_mac(&self.mac()) {
            return Some(format!("the MAC address `{}` must look like `52:54:00:12:34:56`", self.mac()));
        }
        (!self.address.holds(self.board)).then(|| {
            format!(
                "the board's address {} must be a free address of the subnet of {}",
                self.board, self.address
            )
        })
    }
}

/// Unicast, six bytes in hexadecimal.
fn is_mac(text: &str) -> bool {
    let digits = |byte: &str| byte.len() == 2 && byte.bytes().all(|digit| digit.is_ascii_hexdigit());
    let unicast = u8::from_str_radix(text.get(..2).unwrap_or_default(), 16).is_ok_and(|first| first & 1 == 0);
    unicast && text.split(':').count() == 6 && text.split(':').all(digits)
}

/// An IPv4 address of this side with the prefix length of its subnet, as text `10.77.0.1/24`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(try_from = "String")]
#[schemars(with = "String")]
pub struct HostAddress {
    /// The address.
    pub address: Ipv4Addr,
    /// Bits of the network, 8 to 30.
    pub prefix: u8,
}

impl HostAddress {
    /// The subnet mask (DHCP option 1).
    pub fn mask(&self) -> Ipv4Addr {
        Ipv4Addr::from_bits(u32::MAX << (32 - u32::from(self.prefix)))
    }

    /// Whether `other` is an address that another host of the subnet can have.
    pub fn holds(&self, other: Ipv4Addr) -> bool {
        let mask = self.mask().to_bits();
        let host = other.to_bits() & !mask;
        other.to_bits() & mask == self.address.to_bits() & mask
            && host != 0
            && host != !mask
            && other != self.address
    }
}

impl TryFrom<String> for HostAddress {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let parse = || {
            let (address, prefix) = text.split_once('/')?;
            let (address, prefix) = (address.parse().ok()?, prefix.parse().ok()?);
            (8..=30).contains(&prefix).then_some(Self { address, prefix })
        };
        parse().ok_or_else(|| {
            format!("`{text}` is no address with a prefix of 8 to 30, for example `10.77.0.1/24`")
        })
    }
}

impl std::fmt::Display for HostAddress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{}/{}", self.address, self.prefix)
    }
}

impl Disk {
    /// Size of a file made anew.
    pub(crate) const NEW: Size = Size(512 * MIB);

    /// Says why a medium of `size` cannot be had.
    pub(crate) fn refuse(&self, size: Size, model: Model) -> Option<String> {
        if size.0 == 0 {
            return Some(format!("the size of `{}` must not be 0", self.file.display()));
        }
        let is_card = self.kind == DiskKind::Sd || model == Model::OrangepiPc;
        (is_card && !size.0.is_power_of_two()).then(|| {
            let (below, above) = (1 << size.0.ilog2(), size.0.checked_next_power_of_two().unwrap_or(1 << 63));
            format!(
                "an SD card must be a power of two in size, `{}` would be {} bytes; the nearest are {below} and {above}",
                self.file.display(),
                size.0,
            )
        })
    }
}

/// Size of the flash of U-Boot's environment, bytes: what the machine `virt` has.
pub(crate) const ENVIRONMENT: Size = Size(64 * MIB);

impl Config {
    /// What does not make sense, in words.
    pub(crate) fn problem(&self) -> Option<String> {
        if self.memory == 0 || self.smp == Some(0) {
            return Some("memory and smp must not be 0".to_owned());
        }
        let disk =
            self.disk.as_ref().and_then(|disk| disk.refuse(disk.size.unwrap_or(Disk::NEW), self.model));
        let faulty = self.disk.as_ref().is_some_and(|disk| disk.blkdebug.is_some());
        if faulty && self.model == Model::OrangepiPc {
            return Some("`blkdebug` does not work with the card of an orangepi-pc".to_owned());
        }
        disk.or_else(|| self.network.as_ref().and_then(BoardNetwork::problem))
    }

    /// The emulator: a name looked up in PATH, or a path.
    pub fn emulator(&self) -> PathBuf {
        self.qemu.clone().unwrap_or_else(|| self.model.emulator())
    }

    /// The boot loader's file.
    pub fn boot_loader(&self) -> PathBuf {
        self.bios.clone().unwrap_or_else(|| self.model.profile().boot_loader.0.into())
    }

    /// Takes relative paths from where `place` puts them.
    pub(crate) fn place(&mut self, place: impl Fn(&Path) -> PathBuf) {
        self.qemu =
            self.qemu.take().map(|qemu| if qemu.components().count() > 1 { place(&qemu) } else { qemu });
        self.bios = self.bios.as_deref().map(&place);
        self.environment = self.environment.as_deref().map(&place);
        if let Some(disk) = &mut self.disk {
            disk.file = place(&disk.file);
        }
    }

    /// Whether packets can come out of QEMU: by the config's network, or by arguments of the user's own.
    pub(crate) fn has_network(&self) -> bool {
        let own = |argument: &String| matches!(argument.trim_start_matches('-'), "net" | "nic" | "netdev");
        self.network.is_some() || self.arguments.iter().any(own)
    }
}

#[cfg(test)]
mod tests;
