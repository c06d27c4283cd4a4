//! Config of a simulated board.

use std::collections::BTreeMap;
use std::net::Ipv4Addr;
use std::path::PathBuf;

use schemars::JsonSchema;
use serde::Deserialize;

use crate::faults::Faults;
use crate::network_stack::NetworkStack;
use crate::size::{MIB, Size};
use crate::storage_interface::StorageInterface;

/// A USB disk of this machine that is the board's medium while U-Boot's `ums` offers it.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct UsbGadget {
    /// The name under which it appears: a link that is made, and removed when the command ends.
    pub link: PathBuf,
    /// What it leads to: a disk of this machine that has the medium's file, as `losetup` makes one.
    pub disk: PathBuf,
}

/// Config of a simulated board. Everything has a default.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Config {
    /// The file that is the board's medium. Made when missing, extended when smaller than `size`, never shortened.
    /// Default: a file in the board's own temporary folder.
    pub medium: Option<PathBuf>,
    /// A file that says `on` or `off`: the outlet the board is plugged into, which another switch turns, as a `power-command`
    /// does. The board then has no `power` of its own. Default: its own `power`.
    pub outlet: Option<PathBuf>,
    /// Size of the medium: bytes, or text like `64MiB`. A larger existing file keeps its size.
    pub size: Size,
    /// Bytes of the medium's sectors (logical blocks), as Linux tells them: 512 or 4096.
    pub sector_size: u32,
    /// Device paths that all mean the medium.
    pub targets: Vec<String>,
    /// Controller address, as it stands in the links of `/sys/class/block`, to kernel name of the block device.
    pub block_addresses: BTreeMap<String, String>,
    /// Partitions, each a stretch of the medium. Linux on the board has them as devices that `dd`, `blockdev` and `test -b`
    /// know.
    pub partitions: Vec<Partition>,
    /// Interfaces by whose commands U-Boot reaches the medium, each with the numbers of its devices; all are the one
    /// medium.
    pub uboot_interfaces: BTreeMap<StorageInterface, Vec<u32>>,
    /// What U-Boot's `ums` makes appear on this machine.
    pub usb_gadget: Option<UsbGadget>,
    /// Commands that U-Boot was built without. Default: those that Debian's U-Boot 2023.01 for QEMU has not.
    pub without_commands: Vec<String>,
    /// Bytes of the board's memory.
    pub dram: Size,
    /// The address where the board's memory begins. Default: as on many Arm boards.
    pub dram_start: Size,
    /// U-Boot's network stack.
    pub network: NetworkStack,
    /// Number of U-Boot's network interface. With lwIP the lease of any but 0 goes to `ipaddr1` and so on.
    pub network_interface: u32,
    /// The server that a lease names beside the DHCP server itself (`siaddr`); lwIP makes it `tftpserverip`.
    pub next_server: Option<Ipv4Addr>,
    /// U-Boot drops the first character typed after `dhcp` has returned, as on Allwinner H3.
    pub drop_after_dhcp: bool,
    /// U-Boot's prompt.
    pub prompt: String,
    /// Seconds that U-Boot's countdown lasts.
    pub bootdelay: u32,
    /// The countdown that only its own keys stop (CONFIG_AUTOBOOT_KEYED). Default: any key does.
    pub autoboot: Option<KeyedAutoboot>,
    /// What Linux prints to ask for the user name.
    pub login_prompt: String,
    /// The prompt of the Linux shell.
    pub shell_prompt: String,
    /// The user who may log in; any when not given.
    pub username: Option<String>,
    /// The password; not asked for when not given.
    pub password: Option<String>,
    /// U-Boot's version line.
    pub banner: String,
    /// The port of TFTP servers while the variable `tftpdstp` is not set.
    pub tftp_port: u16,
    /// Runs the board's shell with the host's bash, which knows `pipefail` as busybox does. Jumpstarter's own client
    /// needs it; the host's plain shell, which is taken otherwise, is the harder test.
    pub bash: bool,
    /// The board has a `blkdiscard -z`, and the kernel vouches for its zeros. Busybox' own cannot do that.
    pub zeroout: bool,
    /// Tools of the host that the board has not: `zstd`, `gzip`, `zcat`.
    pub without_tools: Vec<String>,
    /// What goes wrong.
    pub faults: Faults,
}

impl Default for Config {
    fn default() -> Self {
        let text = |texts: &[&str]| texts.iter().map(|&text| text.to_owned()).collect();
        let addresses = [("4fb0000", "mmcblk0"), ("4f80000", "mmcblk1")];
        Self {
            medium: None,
            outlet: None,
            size: Size(64 * MIB),
            sector_size: 512,
            targets: text(&["/dev/mmcblk0", "/dev/mmcblk1", "/dev/sda", "/dev/vda", "/dev/nvme0n1"]),
            block_addresses: addresses.map(|(address, name)| (address.to_owned(), name.to_owned())).into(),
            partitions: Vec::new(),
            uboot_interfaces: [(StorageInterface::Mmc, vec![0, 1]), (StorageInterface::Virtio, vec![0])]
                .into(),
            usb_gadget: None,
            without_commands: text(&["hash", "sha256sum", "tftpput", "ums", "wget", "zboot"]),
            dram: Size(2048 * MIB),
            dram_start: Size(1024 * MIB),
            network: NetworkStack::Legacy,
            network_interface: 0,
            next_server: None,
            drop_after_dhcp: false,
            prompt: "=> ".to_owned(),
            bootdelay: 2,
            autoboot: None,
            login_prompt: "login:".to_owned(),
            shell_prompt: "# ".to_owned(),
            username: None,
            password: None,
            banner: "U-Boot 2023.01-sim (Jan 09 2023 - 16:07:33 +0000)".to_owned(),
            tftp_port: 69,
            bash: false,
            zeroout: false,
            without_tools: Vec::new(),
            faults: Faults::default(),
        }
    }
}

impl Config {
    /// Kernel names of the block devices: those of `targets` below `/dev`, and those of `block_addresses`.
    pub(crate) fn block_names(&self) -> Vec<String> {
        let targets = self.targets.iter().filter_map(|path| path.strip_prefix("/dev/"));
        let mut names: Vec<String> = targets.map(str::to_owned).collect();
        names.extend(self.block_addresses.values().cloned());
        names.sort();
        names.dedup();
        names
    }

    /// What does not make sense, in words.
    pub(crate) fn problem(&self) -> Option<String> {
        let plain = |name: &str| {
            !name.is_empty()
                && name.chars().all(|letter| letter.is_ascii_alphanumeric() || "-_:.@".contains(letter))
                && !name.contains("..")
        };
        if !matches!(self.sector_size, 512 | 4096) {
            return Some(format!("`sector_size` is {}, expected 512 or 4096", self.sector_size));
        }
        if let Some(target) = self.targets.iter().find(|path| !path.strip_prefix("/dev/").is_some_and(plain))
        {
            return Some(format!(
                "target `{target}` must be a plain name below /dev, for example `/dev/mmcblk0`"
            ));
        }
        let mut names = self.block_addresses.iter().flat_map(|(address, name)| [address, name]);
        if let Some(name) = names.find(|name| !plain(name)) {
            return Some(format!("`{name}` in block_addresses must be letters and digits"));
        }
        if let Some(part) = self.partitions.iter().find(|part| !part.fits(self)) {
            return Some(format!(
                "the partition `{}` must be on a block device and lie inside the medium in whole MiB",
                part.label
            ));
        }
        if !(4 * MIB..=3072 * MIB).contains(&self.dram.0) || !self.dram.0.is_multiple_of(MIB) {
            return Some("`dram` must be whole MiB, from 4MiB to 3GiB".to_owned());
        }
        let last = 4096 * MIB - self.dram.0;
        if self.dram_start.0 > last || !self.dram_start.0.is_multiple_of(MIB) {
            return Some("`dram_start` must be whole MiB, and `dram` must end at 4GiB or before".to_owned());
        }
        if self.prompt.trim().is_empty() || self.shell_prompt.trim().is_empty() {
            return Some("a prompt must not be empty".to_owned());
        }
        if self.autoboot.as_ref().is_some_and(|keyed| keyed.stop.is_empty()) {
            return Some("`stop` of the autoboot must not be empty".to_owned());
        }
        let real = self.faults.real_size.map(|real| real.bytes.0);
        if real.is_some_and(|real| real == 0 || !real.is_multiple_of(512) || real >= self.size.0) {
            return Some(
                "the real size must be whole sectors of 512 bytes, and less than the size".to_owned(),
            );
        }
        (self.size.0 == 0).then(|| "the size of the medium must not be 0".to_owned())
    }
}

/// A countdown with keys of its own.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct KeyedAutoboot {
    /// What is printed once, with `%d` for the seconds (CONFIG_AUTOBOOT_PROMPT).
    #[serde(default = "keyed_prompt")]
    pub prompt: String,
    /// The characters that stop it (CONFIG_AUTOBOOT_STOP_STR).
    pub stop: String,
    /// U-Boot holds only a hash of them: a line end must follow, and nothing stand before them on their line
    /// (CONFIG_AUTOBOOT_ENCRYPTION).
    #[serde(default)]
    pub hashed: bool,
}

fn keyed_prompt() -> String {
    "Autoboot in %d seconds".to_owned()
}

/// A partition of the simulated medium.
#[derive(Clone, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct Partition {
    /// Its label in the partition table.
    pub label: String,
    /// Kernel name of the block device it is on.
    #[serde(default = "first_disk")]
    pub disk: String,
    /// Where it begins on the medium, in whole MiB.
    pub start: Size,
    /// Its size, in whole MiB.
    pub size: Size,
}

fn first_disk() -> String {
    "mmcblk0".to_owned()
}

impl Partition {
    /// Kernel name of the `number`th partition of its disk.
    pub(crate) fn name(&self, number: usize) -> String {
        let between = if self.disk.ends_with(|letter: char| letter.is_ascii_digit()) { "p" } else { "" };
        format!("{}{between}{number}", self.disk)
    }

    fn fits(&self, config: &Config) -> bool {
        let end = self.start.0.checked_add(self.size.0);
        config.block_names().contains(&self.disk)
            && !self.label.contains(['\n', '\r'])
            && self.size.0 > 0
            && [self.start.0, self.size.0].iter().all(|bytes| bytes.is_multiple_of(MIB))
            && end.is_some_and(|end| end <= config.size.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_read_wherever_they_stand() {
        let config: Config = serde_json::from_str(r#"{"size": 512, "faults": {"full_at": "1KiB"}}"#).unwrap();
        assert_eq!((config.size, config.faults.full_at), (Size(512), Some(Size(1024))));
    }

    #[test]
    fn a_config_without_sense_is_named() {
        let cases = [
            (
                r#"{"targets": ["/dev/../etc"]}"#,
                "target `/dev/../etc` must be a plain name below /dev, for example `/dev/mmcblk0`",
            ),
            (
                r#"{"block_addresses": {"4fb0000": "a/b"}}"#,
                "`a/b` in block_addresses must be letters and digits",
            ),
            (r#"{"dram": "2MiB"}"#, "`dram` must be whole MiB, from 4MiB to 3GiB"),
            (
                r#"{"dram": "2GiB", "dram_start": "3GiB"}"#,
                "`dram_start` must be whole MiB, and `dram` must end at 4GiB or before",
            ),
            (
                r#"{"dram_start": 4096}"#,
                "`dram_start` must be whole MiB, and `dram` must end at 4GiB or before",
            ),
            (r#"{"prompt": " "}"#, "a prompt must not be empty"),
            (
                r#"{"partitions": [{"label": "root", "start": 512, "size": "1MiB"}]}"#,
                "the partition `root` must be on a block device and lie inside the medium in whole MiB",
            ),
            (
                r#"{"faults": {"real_size": {"bytes": "64MiB", "beyond": "wrap"}}}"#,
                "the real size must be whole sectors of 512 bytes, and less than the size",
            ),
            (r#"{"autoboot": {"stop": ""}}"#, "`stop` of the autoboot must not be empty"),
            (r#"{"size": 0}"#, "the size of the medium must not be 0"),
        ];
        for (text, problem) in cases {
            let config: Config = serde_json::from_str(text).unwrap();
            assert_eq!(config.problem().as_deref(), Some(problem), "{text}");
        }
        assert_eq!(Config::default().problem(), None);
        serde_json::from_str::<Config>(r#"{"sizes": 1}"#).unwrap_err();
    }
}
