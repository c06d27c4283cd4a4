//! The manifest: how a board boots a small Linux from the network, and where an image may go.

use indexmap::IndexMap;
use schemars::JsonSchema;
use serde::Serialize;

use crate::{
    Address, Architecture, Error, Interrupt, Problems, Secret, Warning,
    inherit::{self, Base, Lookup},
    read::{Findings, Read},
};

/// The `apiVersion` of every manifest.
pub const API_VERSION: &str = "jumpstarter.dev/v1alpha1";
/// The `kind` of every manifest.
pub const KIND: &str = "FlashBundleManifest";

/// A flash bundle manifest, v1alpha1: Jumpstarter's `FlashBundleManifest` and a few optional keys of ours.
///
/// Made by [`Manifest::parse`] only, so that its cross references hold. Serialising leaves passwords out.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Manifest {
    /// Always `jumpstarter.dev/v1alpha1`, which is also the default.
    #[serde(rename = "apiVersion", default = "api_version")]
    #[schemars(extend("const" = API_VERSION))]
    pub api_version: String,
    /// Always `FlashBundleManifest`, which is also the default.
    #[serde(default = "kind")]
    #[schemars(extend("const" = KIND))]
    pub kind: String,
    /// What identifies the manifest.
    pub metadata: Metadata,
    /// The board.
    pub spec: Spec,
}

/// What identifies a manifest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Metadata {
    /// Name of the board or board family.
    pub name: String,
}

/// The board: how it boots and what can be written.
///
/// `interrupt`, `uboot`, `medium_holds_bootloader`, `expect_boot`, `bundle`, `architecture` and `inherits` are ours and optional.
/// `link` and (with one target) `default_target` may be left out here; Jumpstarter's own tools require both.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Spec {
    /// Who makes the board.
    pub manufacturer: String,
    /// Where the board is described, usually a URL.
    pub link: Option<String>,
    /// U-Boot command that boots what was loaded; a variant may have its own.
    pub bootcmd: String,
    /// What stops the boot loader's countdown, where not any key does.
    #[serde(skip_serializing_if = "Interrupt::is_secret")]
    pub interrupt: Option<Interrupt>,
    /// The shell of the booted Linux.
    #[serde(default)]
    pub shelltype: ShellType,
    /// How to log in to the booted Linux.
    #[serde(default)]
    pub login: Login,
    /// The target that is written when none is named. May be left out when there is exactly one.
    pub default_target: Option<String>,
    /// Where an image may be written: a device such as `/dev/mmcblk0`, or `/sys/class/block#TEXT` for the
    /// block device whose line in `ls -l /sys/class/block/` contains TEXT, such as a controller's address.
    #[schemars(extend("minProperties" = 1))]
    pub targets: IndexMap<String, String>,
    /// Media that the boot loader can write by itself, without a bundle (`via: uboot`): a name, and what U-Boot calls it, such as
    /// `mmc 1`.
    #[serde(default, skip_serializing_if = "IndexMap::is_empty")]
    pub uboot: IndexMap<String, String>,
    /// The kernel, or a FIT image that holds it.
    pub kernel: Load,
    /// The initial RAM disk, if it is a file of its own.
    pub initram: Option<Load>,
    /// The device trees, or the boot variants of one FIT image.
    pub dtb: Option<Dtb>,
    /// Shell commands the booted Linux runs before it writes the image.
    #[serde(default)]
    pub preflash_commands: Vec<String>,
    /// The medium can hold the boot loader: its old first block is not wiped before writing, so that the
    /// board still starts when the flash fails. Default `false`.
    #[serde(default)]
    pub medium_holds_bootloader: bool,
    /// Regular expression that the console shows once the newly written system has booted.
    pub expect_boot: Option<String>,
    /// OCI reference of the bundle that is used for this board when none is named.
    pub bundle: Option<String>,
    /// Architecture of the board as registries name it: `arm64`, `arm/v7`. Of an image or bundle that a registry has for
    /// several platforms, the one for this architecture is taken.
    #[schemars(with = "Option<String>")]
    pub architecture: Option<Architecture>,
    /// Name of a board whose manifest this one is laid over (RFC 7396: mappings merge, the rest replaces, `null` removes).
    pub inherits: Option<String>,
}

/// The shell of the booted Linux.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum ShellType {
    /// The shell of busybox, or any other POSIX shell with the same tools.
    #[default]
    Busybox,
}

/// How to log in to the booted Linux.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Login {
    /// What the console shows when it wants a user name.
    pub login_prompt: String,
    /// What the shell shows when it is ready.
    pub prompt: String,
    /// User name; without one the shell is expected at once.
    pub username: Option<String>,
    /// Password, if the user has one.
    #[serde(skip_serializing)]
    pub password: Option<Secret>,
}

/// A file that is loaded into the board's memory.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Load {
    /// Path of the file, relative to the bundle.
    #[schemars(length(min = 1))]
    pub file: String,
    /// Where it is loaded.
    pub address: Address,
}

/// The device trees of a board.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Dtb {
    /// The variant that is used when none is named.
    pub default: String,
    /// Where a variant's file is loaded.
    pub address: Address,
    /// The variants by name.
    #[schemars(extend("minProperties" = 1))]
    pub variants: IndexMap<String, Variant>,
}

/// One variant of a board.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, JsonSchema)]
#[schemars(deny_unknown_fields)]
pub struct Variant {
    /// Its own boot command; missing or empty: that of the board.
    pub bootcmd: Option<String>,
    /// Its device tree, relative to the bundle; missing or empty: none is loaded.
    pub file: Option<String>,
}

/// What is loaded and how it boots, for one variant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Boot<'m> {
    /// The variant; `None` if the manifest has none.
    pub variant: Option<&'m str>,
    /// The U-Boot command that boots what was loaded, without white space at its ends.
    pub bootcmd: &'m str,
    /// The kernel.
    pub kernel: &'m Load,
    /// The initial RAM disk.
    pub initram: Option<&'m Load>,
    /// The device tree's file, relative to the bundle, and its address.
    pub dtb: Option<(&'m str, Address)>,
}

impl Manifest {
    /// Reads a manifest that stands for itself. `origin` is its file name, for messages.
    ///
    /// # Errors
    /// [`Error::TooLarge`], [`Error::Empty`], [`Error::NotText`], [`Error::Yaml`]; [`Error::Invalid`] with
    /// every problem found; [`Error::UnknownBase`] if it inherits (then use [`Manifest::parse_with`]).
    pub fn parse(text: &str, origin: &str) -> Result<(Manifest, Vec<Warning>), Error> {
        Manifest::parse_with(text, origin, &|_| None)
    }

    /// Reads a manifest and lays it over those it inherits from; `lookup` gives the text of a board's manifest.
    ///
    /// # Errors
    /// As [`Manifest::parse`]; also [`Error::InheritsInCircle`]. What is wrong in a base names that base.
    pub fn parse_with(
        text: &str,
        origin: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<(Manifest, Vec<Warning>), Error> {
        parse_bases(text, origin, lookup).map(|parsed| (parsed.manifest, parsed.warnings))
    }

    /// Names of the device-tree variants, in the order of the manifest.
    pub fn variants(&self) -> Vec<&str> {
        self.spec.dtb.iter().flat_map(|dtb| dtb.variants.keys().map(String::as_str)).collect()
    }

    /// What is loaded and how it boots for `variant`, or for the default one.
    ///
    /// # Errors
    /// [`Error::UnknownVariant`] with those there are, [`Error::NoVariants`] if there are none,
    /// [`Error::NoBootCommand`] if neither the variant nor the board has one.
    pub fn boot(&self, variant: Option<&str>) -> Result<Boot<'_>, Error> {
        let chosen = self.choose(variant)?;
        let name = chosen.map(|(name, ..)| name);
        let own = chosen.and_then(|(_, variant, _)| filled(variant.bootcmd.as_deref()));
        let bootcmd = own.or_else(|| filled(Some(&self.spec.bootcmd)));
        let missing = || Error::NoBootCommand { manifest: self.name(), variant: name.map(str::to_owned) };
        Ok(Boot {
            variant: name,
            bootcmd: bootcmd.ok_or_else(missing)?,
            kernel: &self.spec.kernel,
            initram: self.spec.initram.as_ref(),
            dtb: chosen.and_then(|(_, variant, address)| Some((filled(variant.file.as_deref())?, address))),
        })
    }

    /// Name and value of the target `name`, or of the default one.
    ///
    /// # Errors
    /// [`Error::UnknownTarget`] with those there are.
    pub fn target(&self, name: Option<&str>) -> Result<(&str, &str), Error> {
        let targets = &self.spec.targets;
        let only = || targets.keys().next().filter(|_| targets.len() == 1);
        let name = name.or(self.spec.default_target.as_deref()).or_else(|| only().map(String::as_str));
        let name = name.unwrap_or_default();
        let unknown = || Error::UnknownTarget {
            manifest: self.name(),
            name: name.into(),
            known: targets.keys().cloned().collect(),
        };
        targets.get_key_value(name).map(|(name, value)| (&**name, &**value)).ok_or_else(unknown)
    }

    fn choose(&self, variant: Option<&str>) -> Result<Option<(&str, &Variant, Address)>, Error> {
        let Some(dtb) = &self.spec.dtb else {
            let refused = |name: &str| Error::NoVariants { manifest: self.name(), name: name.into() };
            return variant.map_or(Ok(None), |name| Err(refused(name)));
        };
        let name = variant.unwrap_or(&dtb.default);
        let unknown = || Error::UnknownVariant {
            manifest: self.name(),
            name: name.into(),
            known: dtb.variants.keys().cloned().collect(),
        };
        let (name, variant) = dtb.variants.get_key_value(name).ok_or_else(unknown)?;
        Ok(Some((name, variant, dtb.address)))
    }

    fn name(&self) -> String {
        self.metadata.name.clone()
    }
}

/// A manifest and all that reading it brought up.
#[derive(Debug)]
pub(crate) struct Parsed {
    pub(crate) manifest: Manifest,
    pub(crate) warnings: Vec<Warning>,
    pub(crate) bases: Vec<Base>,
}

/// As [`Manifest::parse_with`], keeping what was inherited from.
pub(crate) fn parse_bases(text: &str, origin: &str, lookup: Lookup<'_>) -> Result<Parsed, Error> {
    let resolved = inherit::resolve(text, origin, lookup)?;
    let bases = resolved.bases.iter().map(|base| base.name.clone());
    let mut found = Findings::none_in(std::iter::once(origin.to_owned()).chain(bases).collect());
    let manifest = Manifest::read(&resolved.root, "", &mut found);
    match manifest {
        Some(manifest) if found.problems.is_empty() => {
            Ok(Parsed { manifest, warnings: found.warnings, bases: resolved.bases })
        }
        _ => Err(Error::Invalid { origin: origin.into(), problems: Problems(found.problems) }),
    }
}

/// The text without white space at its ends, unless nothing is left.
fn filled(text: Option<&str>) -> Option<&str> {
    text.map(str::trim).filter(|text| !text.is_empty())
}

fn api_version() -> String {
    API_VERSION.into()
}

fn kind() -> String {
    KIND.into()
}

impl Default for Login {
    fn default() -> Login {
        Login { login_prompt: "login:".into(), prompt: "#".into(), username: None, password: None }
    }
}

#[cfg(test)]
mod tests;
