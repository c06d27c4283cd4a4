//! Lines of the kernel's GPIO character device, through gpiocdev: any board with a Linux driver for its chip.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flasher_core::suggest;
use gpiocdev::chip::{self, Chip};
use gpiocdev::line::{self, Value};
use gpiocdev::request::{Builder, Request};

use crate::config::{Bias, Drive, LineId};
use crate::error::Error;
use crate::line::{GpioIn, GpioOut};

/// The name other programs see on a line that is ours.
pub const CONSUMER: &str = "flasher";
/// The chip of a line that is given by number only.
const FIRST: &str = "/dev/gpiochip0";
/// errno of a line that is taken, of one that is missing, and of a refusal.
const EBUSY: i32 = 16;

/// Which line, and its electrical settings.
#[derive(Clone, Debug)]
pub struct LineSettings {
    /// The chip, when the config names one.
    pub device: Option<PathBuf>,
    /// The line.
    pub line: LineId,
    /// Whether low means active.
    pub active_low: bool,
    /// The resistor.
    pub bias: Option<Bias>,
    /// The driver of an output.
    pub drive: Option<Drive>,
}

/// A line, held from its first use until released or dropped.
#[derive(Debug)]
pub struct CdevLine {
    settings: LineSettings,
    held: Mutex<Option<Request>>,
}

impl CdevLine {
    /// The line at `settings`; nothing is opened.
    pub fn new(settings: LineSettings) -> Self {
        Self { settings, held: Mutex::new(None) }
    }

    fn held(&self) -> MutexGuard<'_, Option<Request>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Chip and offset, also when another program holds the line.
    fn find(&self) -> Result<(Chip, u32), Error> {
        match (&self.settings.line, &self.settings.device) {
            (LineId::Number(number), device) => {
                let chip = open(device.as_deref().unwrap_or(Path::new(FIRST)))?;
                let info = chip.info().map_err(|error| self.refusal(&chip, *number, &error))?;
                if *number >= info.num_lines {
                    let (line, last) = (*number, info.num_lines.saturating_sub(1));
                    return Err(Error::NoLine { chip: shown(chip.path()), label: info.label, line, last });
                }
                Ok((chip, *number))
            }
            (LineId::Name(name), Some(device)) => {
                named(name, std::slice::from_ref(device), &format!("`{}`", shown(device)))
            }
            (LineId::Name(name), None) => {
                named(name, &chip::chips().unwrap_or_default(), "any GPIO chip of this machine")
            }
        }
    }

    fn free(&self) -> Result<(Chip, u32), Error> {
        let (chip, offset) = self.find()?;
        let info = chip.line_info(offset).map_err(|error| self.refusal(&chip, offset, &error))?;
        if info.used {
            return Err(Error::Busy { chip: shown(chip.path()), line: offset, holder: info.consumer });
        }
        Ok((chip, offset))
    }

    fn request(&self, set: impl FnOnce(&mut Builder)) -> Result<Request, Error> {
        let (chip, offset) = self.find()?;
        let mut builder = Request::builder();
        builder.on_chip(chip.path()).with_consumer(CONSUMER).with_line(offset);
        set(&mut builder);
        if self.settings.active_low {
            builder.as_active_low();
        }
        builder.with_bias(self.settings.bias.and_then(bias));
        builder.request().map_err(|error| self.refusal(&chip, offset, &error))
    }

    fn refusal(&self, chip: &Chip, line: u32, error: &gpiocdev::Error) -> Error {
        let path = shown(chip.path());
        if errno(error) == Some(EBUSY) {
            let holder = chip.line_info(line).map(|info| info.consumer).unwrap_or_default();
            return Error::Busy { chip: path, line, holder };
        }
        Error::System { chip: path, line: line.to_string(), reason: error.to_string() }
    }

    fn lost(&self, error: &gpiocdev::Error) -> Error {
        let chip = self.settings.device.as_deref().map_or_else(|| FIRST.to_owned(), shown);
        Error::System { chip, line: self.settings.line.to_string(), reason: error.to_string() }
    }
}

impl GpioOut for CdevLine {
    fn look(&self) -> Result<(), Error> {
        if self.is_held() { Ok(()) } else { self.free().map(drop) }
    }

    fn drive(&self, active: bool) -> Result<(), Error> {
        let value = if active { Value::Active } else { Value::Inactive };
        let mut held = self.held();
        if let Some(request) = held.as_ref() {
            return request.set_lone_value(value).map(drop).map_err(|error| self.lost(&error));
        }
        let driver = self.settings.drive.map(drive);
        *held = Some(self.request(|builder| {
            builder.as_output(value);
            if let Some(driver) = driver {
                builder.with_drive(driver);
            }
        })?);
        Ok(())
    }

    fn identity(&self) -> Option<String> {
        let (chip, offset) = self.find().ok()?;
        let path = fs::canonicalize(chip.path()).unwrap_or_else(|_| chip.path().to_owned());
        Some(format!("gpio {} {offset}", path.display()))
    }

    fn is_held(&self) -> bool {
        self.held().is_some()
    }

    fn release(&self) {
        self.held().take();
    }
}

impl GpioIn for CdevLine {
    fn look(&self) -> Result<(), Error> {
        GpioOut::look(self)
    }

    fn read(&self) -> Result<bool, Error> {
        let mut held = self.held();
        if held.is_none() {
            *held = Some(self.request(|builder| {
                builder.as_input();
            })?);
        }
        let Some(request) = held.as_ref() else { return Ok(false) };
        request.lone_value().map(|value| value == Value::Active).map_err(|error| self.lost(&error))
    }
}

/// The chips of this machine, by path.
pub fn chips() -> Vec<String> {
    chip::chips().unwrap_or_default().iter().map(|path| shown(path)).collect()
}

fn open(path: &Path) -> Result<Chip, Error> {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(_) => return Err(Error::NoChip { chip: shown(path), others: chips() }),
    };
    Chip::from_path(path).map_err(|error| match (&error, errno(&error)) {
        (gpiocdev::Error::GpioChip(..), _) => Error::NotChip { chip: shown(path), others: chips() },
        (_, Some(1 | 13)) => {
            let group = (metadata.mode() & 0o060 == 0o060).then(|| group(metadata.gid()));
            Error::Denied { chip: shown(path), group }
        }
        _ => Error::System { chip: shown(path), line: "of any number".to_owned(), reason: error.to_string() },
    })
}

fn named(name: &str, chips: &[PathBuf], searched: &str) -> Result<(Chip, u32), Error> {
    let mut names = Vec::new();
    for path in chips {
        let chip = open(path)?;
        if let Some(info) = chip.find_line_info(name) {
            return Ok((chip, info.offset));
        }
        let lines = chip.line_info_iter().into_iter().flatten().flatten();
        names.extend(lines.map(|info| info.name).filter(|name| !name.is_empty()));
    }
    let nearest = suggest::nearest(name, names.iter().map(String::as_str)).map(str::to_owned);
    Err(Error::NoName { name: name.to_owned(), searched: searched.to_owned(), nearest })
}

fn errno(error: &gpiocdev::Error) -> Option<i32> {
    match error {
        gpiocdev::Error::Os(errno) | gpiocdev::Error::Uapi(_, gpiocdev_uapi::Error::Os(errno)) => {
            Some(errno.0)
        }
        _ => None,
    }
}

fn bias(bias: Bias) -> Option<line::Bias> {
    match bias {
        Bias::AsIs => None,
        Bias::PullUp => Some(line::Bias::PullUp),
        Bias::PullDown => Some(line::Bias::PullDown),
        Bias::Disabled => Some(line::Bias::Disabled),
    }
}

fn drive(drive: Drive) -> line::Drive {
    match drive {
        Drive::PushPull => line::Drive::PushPull,
        Drive::OpenDrain => line::Drive::OpenDrain,
        Drive::OpenSource => line::Drive::OpenSource,
    }
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}

/// Name of the group `gid`, or its number when `/etc/group` does not know it.
fn group(gid: u32) -> String {
    let groups = fs::read_to_string("/etc/group").unwrap_or_default();
    let named = groups.lines().find_map(|line| {
        let mut fields = line.split(':');
        let (name, _password, id) = (fields.next()?, fields.next()?, fields.next()?);
        (id.parse() == Ok(gid)).then(|| name.to_owned())
    });
    named.unwrap_or_else(|| gid.to_string())
}
