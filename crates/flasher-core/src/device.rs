//! What a node of the driver tree can be, and what a driver is built from.

use std::collections::BTreeMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::driver::{
    BootConsole, ContentServer, Driver, FileServer, Flasher, OtherDriver, PowerDriver, PowerMeter,
    SerialDriver, StorageMux,
};
use crate::error::{Error, Result};
use crate::python::PythonNode;
use crate::wrapper::{
    BootConsoleWrapper, ContentServerWrapper, FileServerWrapper, PowerWrapper, SerialWrapper, Wrapped,
};

/// The closed list of what a node can be. Cloning shares the driver.
#[derive(Clone, Debug)]
pub enum Device {
    /// A power switch, and its meter when it has one.
    Power(Arc<dyn PowerDriver>, Option<Arc<dyn PowerMeter>>),
    /// A serial line.
    Serial(Arc<dyn SerialDriver>),
    /// A file server.
    FileServer(Arc<dyn FileServer>),
    /// A file server that also serves what is made as it goes.
    ContentServer(Arc<dyn ContentServer>),
    /// How a boot loader's console is recognised.
    BootConsole(Arc<dyn BootConsole>),
    /// What gives a medium to its board or to this machine.
    StorageMux(Arc<dyn StorageMux>),
    /// A flasher.
    Flasher(Arc<dyn Flasher>),
    /// A node whose driver only Python has.
    Python(Arc<PythonNode>),
    /// Something that is named and cannot be used here.
    Other(Arc<dyn OtherDriver>),
    /// Nodes below one name.
    Group(BTreeMap<String, Device>),
}

/// The kind of a [`Device`], for messages and child lists.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// [`Device::Power`]
    Power,
    /// [`Device::Serial`]
    Serial,
    /// [`Device::FileServer`], or a content server standing in for one.
    FileServer,
    /// [`Device::ContentServer`]
    ContentServer,
    /// [`Device::BootConsole`]
    BootConsole,
    /// [`Device::StorageMux`]
    StorageMux,
    /// [`Device::Flasher`]
    Flasher,
    /// [`Device::Python`]
    Python,
    /// [`Device::Other`]
    Other,
    /// [`Device::Group`]
    Group,
}

impl Kind {
    /// Whether a device of kind `other` can stand where this kind is wanted. What a Python class is cannot be known here: it can
    /// be a switch or a line.
    pub fn accepts(self, other: Self) -> bool {
        self == other
            || (self == Self::FileServer && other == Self::ContentServer)
            || (matches!(self, Self::Power | Self::Serial) && other == Self::Python)
    }
}

impl fmt::Display for Kind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Power => "power",
            Self::Serial => "serial",
            Self::FileServer => "file server",
            Self::ContentServer => "content server",
            Self::BootConsole => "boot console",
            Self::StorageMux => "storage mux",
            Self::Flasher => "flasher",
            Self::Python => "Python driver",
            Self::Other => "other",
            Self::Group => "group",
        })
    }
}

impl Device {
    /// What this device is.
    pub fn kind(&self) -> Kind {
        match self {
            Self::Power(..) => Kind::Power,
            Self::Serial(_) => Kind::Serial,
            Self::FileServer(_) => Kind::FileServer,
            Self::ContentServer(_) => Kind::ContentServer,
            Self::BootConsole(_) => Kind::BootConsole,
            Self::StorageMux(_) => Kind::StorageMux,
            Self::Flasher(_) => Kind::Flasher,
            Self::Python(_) => Kind::Python,
            Self::Other(_) => Kind::Other,
            Self::Group(_) => Kind::Group,
        }
    }

    /// The same; a node that Python runs as the power switch or serial line that it is.
    #[must_use]
    pub fn usable(&self) -> Self {
        match self {
            Self::Python(node) if node.is_power() => {
                let meter = Arc::clone(node) as Arc<dyn PowerMeter>;
                Self::Power(Arc::clone(node) as Arc<dyn PowerDriver>, Some(meter))
            }
            Self::Python(node) if node.is_serial() => Self::Serial(Arc::clone(node) as Arc<dyn SerialDriver>),
            _ => self.clone(),
        }
    }

    /// The driver behind it; none for a group.
    pub fn driver(&self) -> Option<Arc<dyn Driver>> {
        Some(match self {
            Self::Power(driver, _) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::Serial(driver) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::FileServer(driver) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::ContentServer(driver) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::BootConsole(driver) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::StorageMux(driver) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::Flasher(driver) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::Python(node) => Arc::clone(node) as Arc<dyn Driver>,
            Self::Other(driver) => Arc::clone(driver) as Arc<dyn Driver>,
            Self::Group(_) => return None,
        })
    }
}

/// A child a driver needs or can use.
#[derive(Clone, Copy, Debug)]
pub struct ChildSpec {
    /// Its name below `children:`.
    pub role: &'static str,
    /// What it has to be.
    pub kind: Kind,
    /// What happens without it.
    pub absent: Absent,
    /// What it is for, in a few words.
    pub purpose: &'static str,
}

/// What happens when a child is not given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Absent {
    /// The driver cannot be built.
    Refused,
    /// The driver does without.
    Fine,
    /// A child of this driver type is made from the parent's own config.
    Made(&'static str),
}

/// What a driver is built from besides its config: its children and where it stands.
#[derive(Debug, Default)]
pub struct Wiring {
    path: String,
    folder: PathBuf,
    children: BTreeMap<String, Device>,
}

impl Wiring {
    /// The wiring of the node at the dotted `path`, from a file in `folder`.
    pub fn new(
        path: impl Into<String>,
        folder: impl Into<PathBuf>,
        children: BTreeMap<String, Device>,
    ) -> Self {
        Self { path: path.into(), folder: folder.into(), children }
    }

    /// Where the node stands, for messages: `board.power`.
    pub fn path(&self) -> &str {
        &self.path
    }

    /// A path from the config: relative ones are taken from the folder of the exporter YAML.
    pub fn file(&self, path: impl AsRef<Path>) -> PathBuf {
        self.folder.join(path)
    }

    /// The power child called `role`.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn power(&self, role: &str) -> Result<Arc<dyn PowerDriver>> {
        match self.children.get(role) {
            Some(Device::Power(switch, _)) => Ok(Arc::clone(switch)),
            Some(Device::Python(node)) => {
                node.stands_for_power();
                Ok(Arc::clone(node) as Arc<dyn PowerDriver>)
            }
            other => Err(self.wrong(role, Kind::Power, other)),
        }
    }

    /// The serial child called `role`.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn serial(&self, role: &str) -> Result<Arc<dyn SerialDriver>> {
        match self.children.get(role) {
            Some(Device::Serial(serial)) => Ok(Arc::clone(serial)),
            Some(Device::Python(node)) => {
                node.stands_for_serial();
                Ok(Arc::clone(node) as Arc<dyn SerialDriver>)
            }
            other => Err(self.wrong(role, Kind::Serial, other)),
        }
    }

    /// The file server child called `role`; a content server will do.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn file_server(&self, role: &str) -> Result<Arc<dyn FileServer>> {
        match self.children.get(role) {
            Some(Device::FileServer(server)) => Ok(Arc::clone(server)),
            Some(Device::ContentServer(server)) => Ok(Arc::clone(server) as Arc<dyn FileServer>),
            other => Err(self.wrong(role, Kind::FileServer, other)),
        }
    }

    /// The content server child called `role`.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn content_server(&self, role: &str) -> Result<Arc<dyn ContentServer>> {
        match self.children.get(role) {
            Some(Device::ContentServer(server)) => Ok(Arc::clone(server)),
            other => Err(self.wrong(role, Kind::ContentServer, other)),
        }
    }

    /// The boot console child called `role`.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn boot_console(&self, role: &str) -> Result<Arc<dyn BootConsole>> {
        match self.children.get(role) {
            Some(Device::BootConsole(console)) => Ok(Arc::clone(console)),
            other => Err(self.wrong(role, Kind::BootConsole, other)),
        }
    }

    /// The storage mux child called `role`.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn storage_mux(&self, role: &str) -> Result<Arc<dyn StorageMux>> {
        match self.children.get(role) {
            Some(Device::StorageMux(mux)) => Ok(Arc::clone(mux)),
            other => Err(self.wrong(role, Kind::StorageMux, other)),
        }
    }

    /// Whether a child called `role` was given or made.
    pub fn has(&self, role: &str) -> bool {
        self.children.contains_key(role)
    }

    /// Wraps the power child called `role`: who asks for it next gets the wrapper. Its meter stays.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn wrap_power<W: PowerWrapper>(
        &mut self,
        role: &str,
        wrap: impl FnOnce(Arc<dyn PowerDriver>) -> W,
    ) -> Result<()> {
        let wrapped = Arc::new(Wrapped(wrap(self.power(role)?)));
        match self.children.get_mut(role) {
            Some(Device::Power(switch, _)) => *switch = wrapped,
            _ => self.replace(role, Device::Power(wrapped, None)),
        }
        Ok(())
    }

    /// Wraps the serial child called `role`: who asks for it next gets the wrapper.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn wrap_serial<W: SerialWrapper>(
        &mut self,
        role: &str,
        wrap: impl FnOnce(Arc<dyn SerialDriver>) -> W,
    ) -> Result<()> {
        let wrapped = Arc::new(Wrapped(wrap(self.serial(role)?)));
        self.replace(role, Device::Serial(wrapped));
        Ok(())
    }

    /// Wraps the file server child called `role`: who asks for it next gets the wrapper. A content server there is one
    /// no longer; [`Wiring::wrap_content_server`] keeps it one.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn wrap_file_server<W: FileServerWrapper>(
        &mut self,
        role: &str,
        wrap: impl FnOnce(Arc<dyn FileServer>) -> W,
    ) -> Result<()> {
        let wrapped = Arc::new(Wrapped(wrap(self.file_server(role)?)));
        self.replace(role, Device::FileServer(wrapped));
        Ok(())
    }

    /// Wraps the content server child called `role`: who asks for it next gets the wrapper.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn wrap_content_server<W: ContentServerWrapper>(
        &mut self,
        role: &str,
        wrap: impl FnOnce(Arc<dyn ContentServer>) -> W,
    ) -> Result<()> {
        let wrapped = Arc::new(Wrapped(wrap(self.content_server(role)?)));
        self.replace(role, Device::ContentServer(wrapped));
        Ok(())
    }

    /// Wraps the boot console child called `role`: who asks for it next gets the wrapper.
    ///
    /// # Errors
    /// When it is missing or something else.
    pub fn wrap_boot_console<W: BootConsoleWrapper>(
        &mut self,
        role: &str,
        wrap: impl FnOnce(Arc<dyn BootConsole>) -> W,
    ) -> Result<()> {
        let wrapped = Arc::new(Wrapped(wrap(self.boot_console(role)?)));
        self.replace(role, Device::BootConsole(wrapped));
        Ok(())
    }

    /// All children, for a group.
    pub fn into_children(self) -> BTreeMap<String, Device> {
        self.children
    }

    fn replace(&mut self, role: &str, device: Device) {
        self.children.insert(role.to_owned(), device);
    }

    fn wrong(&self, role: &str, kind: Kind, found: Option<&Device>) -> Error {
        child_error(role, kind, "", found.map(Device::kind)).with("node", self.path.clone())
    }
}

/// The error for a child that is missing (`found` is none) or of the wrong kind.
pub fn child_error(role: &str, kind: Kind, purpose: &str, found: Option<Kind>) -> Error {
    let purpose = if purpose.is_empty() { String::new() } else { format!(" ({purpose})") };
    match found {
        None => Error::config(format!("the child `{role}` of kind {kind} is missing{purpose}")).help(format!(
            "give it below `children:`, either with its own `type:` or as `{role}: {{ ref: path.to.node }}`"
        )),
        Some(found) => Error::config(format!("the child `{role}` must be of kind {kind}{purpose}, found {found}"))
            .help(format!("point `{role}` at a node of kind {kind}; `flasher drivers` lists what each driver is")),
    }
}
