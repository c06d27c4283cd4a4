//! Config of a simulated board.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::path::PathBuf;

use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use crate::faults::Faults;

const MIB: u64 = 1024 * 1024;

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

/// A number of bytes: a number, or text with a unit (`KiB`, `MiB`, `GiB`, or `kB`, `MB`, `GB`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Size(pub u64);

impl Size {
    /// Reads `64MiB`, `512 KiB`, `1GB` or `4096`.
    pub fn parse(text: &str) -> Option<Self> {
        let text = text.trim();
        let digits = text.find(|letter: char| !letter.is_ascii_digit()).unwrap_or(text.len());
        let unit = match text[digits..].trim() {
            "" | "B" => 1,
            "K" | "KiB" => 1024,
            "M" | "MiB" => MIB,
            "G" | "GiB" => 1024 * MIB,
            "kB" => 1000,
            "MB" => 1_000_000,
            "GB" => 1_000_000_000,
            _ => return None,
        };
        text[..digits].parse::<u64>().ok()?.checked_mul(unit).map(Self)
    }
}

impl<'de> Deserialize<'de> for Size {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        match NumberOrText::deserialize(deserializer)? {
            NumberOrText::Number(bytes) => Ok(Self(bytes)),
            NumberOrText::Text(text) => Self::parse(&text).ok_or_else(|| {
                D::Error::custom(format!("`{text}` is no size; write bytes or for example `64MiB`"))
            }),
        }
    }
}

#[derive(Deserialize)]
#[serde(untagged)]
enum NumberOrText {
    Number(u64),
    Text(String),
}

impl JsonSchema for Size {
    fn schema_name() -> Cow<'static, str> {
        "Size".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "bytes, or text like `64MiB`",
            "anyOf": [{"type": "integer", "minimum": 0}, {"type": "string"}],
        })
    }
}

/// A byte of the medium that is changed after writes that cover it.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct FlipBit {
    /// Where the byte is, bytes from the start of the medium.
    pub offset: u64,
    /// The bits of the byte that change.
    pub mask: u8,
    /// How often this happens; always when not given.
    #[serde(default)]
    pub times: Option<u32>,
}

/// What a medium holds that tells more.
#[derive(Clone, Copy, Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RealSize {
    /// So much it holds, in whole sectors of 512 bytes.
    pub bytes: Size,
    /// What becomes of what is written behind that.
    pub beyond: Beyond,
}

/// What becomes of what is written behind the real end of a medium. No error is reported.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Beyond {
    /// It begins again at its beginning: each place answers to several addresses.
    Wrap,
    /// It is lost, and zeros are read there.
    Drop,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_are_numbers_or_text_with_a_unit() {
        let cases = [
            ("4096", 4096),
            ("64MiB", 64 * MIB),
            ("512 KiB", 524_288),
            ("1GB", 1_000_000_000),
            ("2G", 2048 * MIB),
        ];
        for (text, bytes) in cases {
            assert_eq!(Size::parse(text), Some(Size(bytes)), "{text}");
        }
        for text in ["", "MiB", "1.5G", "12 parsecs", "99999999999G"] {
            assert_eq!(Size::parse(text), None, "{text}");
        }
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
