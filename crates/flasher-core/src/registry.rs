//! Every driver and board linked into this binary, collected by `inventory`.
//!
//! inventory gives no order and no uniqueness: entries are sorted by name on reading, and a name given twice is an
//! error of the first tree that is built. A crate that no source line names registers nothing.

use std::collections::BTreeMap;

use schemars::JsonSchema;
use schemars::generate::SchemaSettings;
use serde::de::DeserializeOwned;

use crate::device::{ChildSpec, Device, Wiring};
use crate::error::{Error, Result};

/// A driver type: what an exporter YAML names in `type:`.
pub trait DriverType: 'static {
    /// Its name, unique in a build.
    const NAME: &'static str;
    /// Other names it answers to, for example the Python class paths of Jumpstarter.
    const ALIASES: &'static [&'static str] = &[];
    /// One line for `flasher drivers`.
    const SUMMARY: &'static str;
    /// A working node as it stands in an exporter YAML. A test builds it.
    const EXAMPLE: &'static str;
    /// Python classes of Jumpstarter that do the same under other keys.
    const COUNTERPARTS: &'static [Counterpart] = &[];
    /// The children it needs or can use.
    const CHILDREN: &'static [ChildSpec] = &[];
    /// Its `config:`. With `#[serde(deny_unknown_fields)]`, and a doc comment on every field.
    type Config: DeserializeOwned + JsonSchema;

    /// Config of a child that is made because none was given ([`crate::device::Absent::Made`]).
    fn made_child(config: &Self::Config, role: &str) -> serde_json::Value {
        let _ = (config, role);
        serde_json::Value::Null
    }

    /// Parses and wires. Touches no hardware, opens nothing: this runs on any laptop.
    ///
    /// # Errors
    /// When config values that parse do not make sense.
    fn build(config: Self::Config, wiring: Wiring) -> Result<Device>;
}

/// A Python class of Jumpstarter that does what a driver of ours does, but takes other keys, so that no alias will do.
#[derive(Clone, Copy, Debug)]
pub struct Counterpart {
    /// The class, by its import path.
    pub class: &'static str,
    /// The node to write in its place, in YAML. `{key}` stands for the value of that key of the class's config, `{key|default}` gives
    /// one for where it is missing, and a dot goes one mapping down. A line whose value is missing is left out.
    pub lines: &'static str,
    /// What the lines do not say; empty when they say all.
    pub note: &'static str,
}

/// A registered driver type, its own type erased.
#[derive(Debug)]
pub struct DriverEntry {
    /// [`DriverType::NAME`]
    pub name: &'static str,
    /// [`DriverType::ALIASES`]
    pub aliases: &'static [&'static str],
    /// [`DriverType::SUMMARY`]
    pub summary: &'static str,
    /// [`DriverType::EXAMPLE`]
    pub example: &'static str,
    /// [`DriverType::COUNTERPARTS`]
    pub counterparts: &'static [Counterpart],
    /// [`DriverType::CHILDREN`]
    pub children: &'static [ChildSpec],
    schema: fn() -> serde_json::Value,
    prepare: fn(&mut dyn erased_serde::Deserializer<'_>) -> Prepared,
}

type Prepared = std::result::Result<Box<dyn Ready>, erased_serde::Error>;

/// A driver whose config has been parsed.
pub trait Ready {
    /// [`DriverType::made_child`]
    fn made_child(&self, role: &str) -> serde_json::Value;

    /// [`DriverType::build`]
    ///
    /// # Errors
    /// As there.
    fn build(self: Box<Self>, wiring: Wiring) -> Result<Device>;
}

struct Parsed<T: DriverType>(T::Config);

impl<T: DriverType> Ready for Parsed<T> {
    fn made_child(&self, role: &str) -> serde_json::Value {
        T::made_child(&self.0, role)
    }

    fn build(self: Box<Self>, wiring: Wiring) -> Result<Device> {
        T::build(self.0, wiring)
    }
}

impl DriverEntry {
    /// The entry of the driver type `T`.
    pub const fn of<T: DriverType>() -> Self {
        Self {
            name: T::NAME,
            aliases: T::ALIASES,
            summary: T::SUMMARY,
            example: T::EXAMPLE,
            counterparts: T::COUNTERPARTS,
            children: T::CHILDREN,
            schema: schema_of::<T::Config>,
            prepare: |config| Ok(Box::new(Parsed::<T>(erased_serde::deserialize(config)?))),
        }
    }

    /// JSON Schema of its `config:`.
    pub fn schema(&self) -> serde_json::Value {
        (self.schema)()
    }

    /// Whether `name` is its name or an alias.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }

    /// Parses its `config:`, in whatever format that is written.
    ///
    /// # Errors
    /// What the type of the config refuses.
    pub fn prepare(&self, config: &mut dyn erased_serde::Deserializer<'_>) -> Prepared {
        (self.prepare)(config)
    }

    /// Builds a device with this `config:`.
    ///
    /// # Errors
    /// When the config is not one of this driver, or its children do not fit.
    pub fn build(&self, config: serde_json::Value, wiring: Wiring) -> Result<Device> {
        let prepared = self.prepare(&mut <dyn erased_serde::Deserializer<'_>>::erase(config));
        let prepared = prepared.map_err(|error| {
            Error::config(format!("this is no config of the driver `{}`: {error}", self.name))
        })?;
        prepared.build(wiring)
    }
}

/// In one piece, without references, so that it can stand inside another schema.
fn schema_of<C: JsonSchema>() -> serde_json::Value {
    let whole = SchemaSettings::draft2020_12().with(|settings| settings.inline_subschemas = true);
    whole.into_generator().into_root_schema_for::<C>().to_value()
}

inventory::collect!(DriverEntry);

/// A registered board: its manifest, and the flasher driver that serves it.
#[derive(Debug)]
pub struct BundleEntry {
    /// The board's name; an exporter YAML may name it in `type:`.
    pub name: &'static str,
    /// Other names it answers to in `type:`.
    pub aliases: &'static [&'static str],
    /// Its manifest, YAML.
    pub manifest: &'static str,
    /// Name of the driver type that flashes it; it takes the board's name as `config.board`.
    pub driver: &'static str,
}

impl BundleEntry {
    /// Whether `name` is its name or an alias.
    pub fn answers_to(&self, name: &str) -> bool {
        self.name == name || self.aliases.contains(&name)
    }
}

inventory::collect!(BundleEntry);

/// Registers a type that implements [`DriverType`]: `register_driver!(PySerial);`
#[macro_export]
macro_rules! register_driver {
    ($type:ty) => {
        $crate::__inventory::submit! { $crate::DriverEntry::of::<$type>() }
    };
}

/// Registers the board whose manifest is `boards/NAME.yaml` of the calling crate:
/// `register_bundle!("acme-one");`, with other names as `aliases: ["…"]`, and for a board with a flasher driver of its
/// own `driver: "acme-flasher"`.
#[macro_export]
macro_rules! register_bundle {
    ($name:literal $(, aliases: [$($alias:literal),* $(,)?])? $(, driver: $driver:literal)? $(,)?) => {
        $crate::__inventory::submit! {
            $crate::BundleEntry {
                name: $name,
                aliases: &[$($($alias),*)?],
                manifest: include_str!(concat!(env!("CARGO_MANIFEST_DIR"), "/boards/", $name, ".yaml")),
                driver: $crate::register_bundle!(@driver $($driver)?),
            }
        }
    };
    (@driver $driver:literal) => { $driver };
    (@driver) => { "flasher" };
}

/// Every driver of this build, by name.
pub fn drivers() -> Vec<&'static DriverEntry> {
    let mut all: Vec<_> = inventory::iter::<DriverEntry>().collect();
    all.sort_by_key(|entry| entry.name);
    all
}

/// Every board of this build, by name.
pub fn boards() -> Vec<&'static BundleEntry> {
    let mut all: Vec<_> = inventory::iter::<BundleEntry>().collect();
    all.sort_by_key(|entry| entry.name);
    all
}

/// The driver that answers to `name`.
pub fn driver(name: &str) -> Option<&'static DriverEntry> {
    drivers().into_iter().find(|entry| entry.answers_to(name))
}

/// The driver that does what a Python class does under other keys.
pub fn counterpart(class: &str) -> Option<(&'static DriverEntry, &'static Counterpart)> {
    drivers().into_iter().find_map(|entry| {
        let found = entry.counterparts.iter().find(|it| it.class == class)?;
        Some((entry, found))
    })
}

/// The board that answers to `name`.
pub fn board(name: &str) -> Option<&'static BundleEntry> {
    boards().into_iter().find(|entry| entry.answers_to(name))
}

/// Names and aliases that more than one driver or board claims.
pub fn collisions() -> Vec<String> {
    let mut claims = BTreeMap::<&str, usize>::new();
    let drivers = drivers().into_iter().map(|entry| (entry.name, entry.aliases));
    let boards = boards().into_iter().map(|entry| (entry.name, entry.aliases));
    for (name, aliases) in drivers.chain(boards) {
        for claimed in std::iter::once(&name).chain(aliases) {
            *claims.entry(claimed).or_default() += 1;
        }
    }
    claims.into_iter().filter(|(_, count)| *count > 1).map(|(name, _)| name.to_owned()).collect()
}
