//! Serial devices: looking, opening, and telling why not.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;

use rustix::fs::{Access, FlockOperation, OFlags, access, flock};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};
use serialport::{DataBits, ErrorKind, FlowControl, Parity, StopBits};
use tokio_serial::SerialStream;

use crate::driver::name;
use crate::error::PortError;
use crate::holder;

/// How a device is set up. Always 8N1 without flow control.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Settings {
    /// Bits a second.
    pub(crate) baudrate: u32,
    /// Leave DTR as it is when the port is closed.
    pub(crate) keep_dtr: bool,
}

/// Whether the device is there and may be opened, without opening it. Blocks.
pub(crate) fn look(path: &Path) -> Result<(), PortError> {
    let metadata = fs::metadata(path).map_err(|error| unseen(path, &error))?;
    if !metadata.file_type().is_char_device() {
        return Err(PortError::NotSerial { port: name(path) });
    }
    match access(path, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Ok(()),
        Err(Errno::ACCESS) => Err(denied(path, metadata.mode(), metadata.gid())),
        Err(error) => Err(system(path, error.to_string())),
    }
}

/// Opens the device for nobody else. Blocks; must be called where a tokio runtime is entered.
pub(crate) fn open(path: &Path, settings: Settings) -> Result<SerialStream, PortError> {
    look(path)?;
    // Held until the port is open, so that the line is never closed with HUPCL still set.
    let keeper = settings.keep_dtr.then(|| keep_dtr(path));
    let builder = tokio_serial::new(path.to_string_lossy(), settings.baudrate)
        .data_bits(DataBits::Eight)
        .parity(Parity::None)
        .stop_bits(StopBits::One)
        .flow_control(FlowControl::None);
    let port = SerialStream::open(&builder).map_err(|error| refusal(path, &error))?;
    if let Some(Err(error)) = keeper {
        tracing::warn!(port = %path.display(), %error, "HUPCL stays set: DTR drops when the port is closed");
    }
    Ok(port)
}

/// Clears HUPCL, which is a setting of the line and outlives the handle. Leaves a port alone that somebody has locked.
fn keep_dtr(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
    let file = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive)?;
    let mut line = tcgetattr(&file)?;
    line.control_modes.remove(ControlModes::HUPCL);
    tcsetattr(&file, OptionalActions::Now, &line)?;
    flock(&file, FlockOperation::Unlock)?;
    Ok(file)
}

fn unseen(path: &Path, error: &io::Error) -> PortError {
    match error.kind() {
        io::ErrorKind::NotFound => PortError::Missing { port: name(path), others: holder::ports() },
        _ => system(path, error.to_string()),
    }
}

/// What serialport's error means. It says `NoDevice` for a port that is locked or busy.
fn refusal(path: &Path, error: &serialport::Error) -> PortError {
    let metadata = match fs::metadata(path) {
        Ok(metadata) => metadata,
        Err(error) => return unseen(path, &error),
    };
    match error.kind() {
        ErrorKind::NoDevice => PortError::Busy { port: name(path), holder: holder::of(path) },
        ErrorKind::Io(io::ErrorKind::PermissionDenied) => denied(path, metadata.mode(), metadata.gid()),
        ErrorKind::Unknown
            if error.description.contains("typewriter") || error.description.contains("ioctl") =>
        {
            PortError::NotSerial { port: name(path) }
        }
        _ => system(path, error.description.clone()),
    }
}

/// `mode` and `gid` are the device's: the group is a remedy only when it may read and write.
pub(crate) fn denied(path: &Path, mode: u32, gid: u32) -> PortError {
    let may = mode & 0o060 == 0o060;
    PortError::Denied { port: name(path), group: may.then(|| holder::group(gid)) }
}

fn system(path: &Path, reason: String) -> PortError {
    PortError::System { port: name(path), reason }
}
