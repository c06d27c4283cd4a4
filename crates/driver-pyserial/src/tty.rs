//! Serial devices: looking, opening, and telling why not.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _, OpenOptionsExt as _};
use std::path::Path;
use std::time::Duration;

use flasher_core::ControlLines;
use rustix::fs::{Access, FlockOperation, OFlags, access, flock, major, minor};
use rustix::io::Errno;
use rustix::termios::{ControlModes, OptionalActions, tcgetattr, tcsetattr};
use serialport::{ErrorKind, FlowControl, SerialPort, SerialPortBuilder, TTYPort};
use tokio_serial::SerialStream;

use crate::error::PortError;
use crate::holder;
use crate::settings::{Flow, Parity, Settings};

/// How often, and how long apart, a port that is just being closed is tried before it counts as in use.
const CLOSING: u32 = 10;
const POLL_INTERVAL: Duration = Duration::from_millis(20);

/// An open device: its bytes, and a handle on its control lines.
pub(crate) struct Opened {
    pub(crate) stream: SerialStream,
    pub(crate) lines: TTYPort,
}

/// Whether the device is there and may be opened, without opening it. Blocks.
pub(crate) fn look(path: &Path) -> Result<(), PortError> {
    let metadata = fs::metadata(path).map_err(|error| unseen(path, &error))?;
    let device = metadata.rdev();
    if !metadata.file_type().is_char_device()
        || holder::is_terminal(major(device), minor(device)) == Some(false)
    {
        return Err(PortError::NotSerial { port: name(path) });
    }
    match access(path, Access::READ_OK | Access::WRITE_OK) {
        Ok(()) => Ok(()),
        Err(Errno::ACCESS) => Err(denied(path, metadata.mode(), metadata.gid())),
        Err(error) => Err(system(path, error.to_string())),
    }
}

/// The same, and no other process has it open: a program that reads it as well gets half of what the board says. Blocks.
pub(crate) fn look_whether_free(path: &Path) -> Result<(), PortError> {
    look(path)?;
    match holder::other(path) {
        Some(holder) => Err(PortError::Busy { port: name(path), holder: Some(holder) }),
        None => Ok(()),
    }
}

/// The device by its number, which all its names share; by its name when it is not there.
pub(crate) fn identity(path: &Path) -> String {
    match fs::metadata(path) {
        Ok(about) if about.file_type().is_char_device() => format!("serial device {}", about.rdev()),
        _ => format!("serial {}", fs::canonicalize(path).unwrap_or_else(|_| path.to_owned()).display()),
    }
}

/// Opens the device for this process alone. One that is in use, but by no process that can be found, is just being closed: that is waited
/// for, briefly. Blocks; must be called where a tokio runtime is entered.
pub(crate) fn open(path: &Path, settings: Settings) -> Result<Opened, PortError> {
    for _ in 0..CLOSING {
        match open_now(path, settings) {
            Err(PortError::Busy { holder: None, .. }) => std::thread::park_timeout(POLL_INTERVAL),
            opened => return opened,
        }
    }
    open_now(path, settings)
}

fn open_now(path: &Path, settings: Settings) -> Result<Opened, PortError> {
    look(path)?;
    // Held until the port is open, so that the line is never closed with HUPCL still set.
    let keeper = settings.keep_dtr.then(|| keep_dtr(path));
    let port = builder(path, settings).open_native().map_err(|error| refusal(path, &error))?;
    if let Some(Err(error)) = keeper {
        tracing::warn!(port = %path.display(), %error, "HUPCL stays set: DTR drops when the port is closed");
    }
    runs_at(path, &port, settings.baudrate)?;
    let mut lines = port.try_clone_native().map_err(|error| refusal(path, &error))?;
    let wanted = ControlLines { dtr: settings.dtr, rts: settings.rts, send_break: None };
    if !set_lines(path, &mut lines, wanted)? {
        tracing::warn!(port = %path.display(), "the port has no DTR and RTS to set");
    }
    let stream = SerialStream::try_from(port).map_err(|error| refusal(path, &error))?;
    Ok(Opened { stream, lines })
}

/// Whether there are lines beside the data. A pty has none, and takes a break without a word.
pub(crate) fn has_lines(path: &Path, port: &mut TTYPort) -> Result<bool, PortError> {
    let read = port.read_carrier_detect().map(drop);
    present(path, port, read)
}

/// Sets DTR and RTS; false when the port has none.
pub(crate) fn set_lines(path: &Path, port: &mut TTYPort, lines: ControlLines) -> Result<bool, PortError> {
    let dtr = lines.dtr.map(|level| port.write_data_terminal_ready(level));
    let rts = lines.rts.map(|level| port.write_request_to_send(level));
    for done in [dtr, rts].into_iter().flatten() {
        if !present(path, port, done)? {
            return Ok(false);
        }
    }
    Ok(true)
}

/// False when `port` refused because it has no such lines, as a pty: serialport has no kind of error for that. A port that still tells its
/// speed is there; one that was unplugged does not.
fn present(path: &Path, port: &TTYPort, done: serialport::Result<()>) -> Result<bool, PortError> {
    match done {
        Ok(()) => Ok(true),
        Err(error) if error.kind() == ErrorKind::Unknown && port.baud_rate().is_ok() => Ok(false),
        Err(error) => Err(refusal(path, &error)),
    }
}

fn builder(path: &Path, settings: Settings) -> SerialPortBuilder {
    let parity = match settings.parity {
        Parity::None => serialport::Parity::None,
        Parity::Odd => serialport::Parity::Odd,
        Parity::Even => serialport::Parity::Even,
    };
    let flow = match settings.flow {
        Flow::None => FlowControl::None,
        Flow::Software => FlowControl::Software,
        Flow::Hardware => FlowControl::Hardware,
    };
    tokio_serial::new(path.to_string_lossy(), settings.baudrate)
        .data_bits(settings.data_bits)
        .parity(parity)
        .stop_bits(settings.stop_bits)
        .flow_control(flow)
}

/// Adapters round to what they can divide; three percent is what a UART forgives.
fn runs_at(path: &Path, port: &TTYPort, asked: u32) -> Result<(), PortError> {
    let got = port.baud_rate().map_err(|error| refusal(path, &error))?;
    if u64::from(got.abs_diff(asked)) * 100 <= u64::from(asked) * 3 {
        return Ok(());
    }
    Err(PortError::Setting {
        port: name(path),
        asked: format!("{asked} baud"),
        got: Some(format!("{got} baud")),
    })
}

/// Opens a device without waiting for its carrier, and not as this process's terminal.
fn open_without_waiting(path: &Path) -> io::Result<File> {
    let flags = (OFlags::NOCTTY | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)
}

/// Clears HUPCL, which is a setting of the line and outlives the handle. Leaves a port alone that another process has locked.
fn keep_dtr(path: &Path) -> io::Result<File> {
    let file = open_without_waiting(path)?;
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
        ErrorKind::InvalidInput => {
            PortError::Setting { port: name(path), asked: "these settings".to_owned(), got: None }
        }
        ErrorKind::Unknown if is_no_terminal(path) => PortError::NotSerial { port: name(path) },
        _ => system(path, error.description.clone()),
    }
}

/// Whether the device has no settings of a terminal (ENOTTY), which every serial port has.
fn is_no_terminal(path: &Path) -> bool {
    open_without_waiting(path).is_ok_and(|file| matches!(tcgetattr(&file), Err(Errno::NOTTY)))
}

/// `mode` and `gid` are the device's: the group is a remedy only when it may read and write.
pub(crate) fn denied(path: &Path, mode: u32, gid: u32) -> PortError {
    let may = mode & 0o060 == 0o060;
    PortError::Denied { port: name(path), group: may.then(|| holder::group(gid)) }
}

/// The port as messages name it.
pub(crate) fn name(path: &Path) -> String {
    path.display().to_string()
}

fn system(path: &Path, reason: String) -> PortError {
    PortError::System { port: name(path), reason }
}

/// Begins or ends a break.
pub(crate) fn set_break(path: &Path, port: &TTYPort, on: bool) -> Result<(), PortError> {
    let done = if on { port.set_break() } else { port.clear_break() };
    done.map_err(|error| system(path, error.description))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_terminal_is_told_by_the_kernel() {
        assert!(is_no_terminal(Path::new("/dev/null")));
        assert!(!is_no_terminal(Path::new("/no/such/device")));
        let error = serialport::Error::new(ErrorKind::Unknown, "whatever serialport calls it");
        assert!(matches!(refusal(Path::new("/dev/null"), &error), PortError::NotSerial { .. }));
    }
}
