//! Opens what a URL names, and lays around it what the config asks for: pace, watchers, recorder.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::ByteStream;
use tokio::io::SimplexStream;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::address::{Address, Host};
use crate::error::PortError;
use crate::pace::{Pace, Paced};
use crate::reopen::{Device, OpenControlLines, Recipe};
use crate::rfc2217::{self, Control};
use crate::settings::Settings;
use crate::spy::Spied;
use crate::tty;

/// Longest wait for a port or a connection.
const DEADLINE: Duration = Duration::from_secs(10);
/// How often a port server may hang up before that is believed, and the pause after each.
const HANG_UPS: u32 = 10;
const PAUSE: Duration = Duration::from_millis(100);
/// How long a device that is named by a link may be away.
const AWAY: Duration = Duration::from_secs(10);
/// What an echo holds until it is read, bytes.
const ECHO: usize = 64 * 1024;

/// How a line is opened.
#[derive(Debug)]
pub(crate) struct OpenSettings {
    pub(crate) address: Address,
    pub(crate) settings: Settings,
    pub(crate) pace: Pace,
    /// How long a device may be away, when the config says so.
    pub(crate) away: Option<Duration>,
}

/// The control lines of an open line.
#[derive(Debug, Default)]
pub(crate) struct Handles {
    pub(crate) device: OpenControlLines,
    pub(crate) server: std::sync::Mutex<Option<Control>>,
}

impl OpenSettings {
    /// Opens the line.
    pub(crate) async fn open(&self, handles: &Handles) -> Result<Box<dyn ByteStream>, PortError> {
        let line = within(&self.address, self.raw(&self.address, handles)).await?;
        Ok(match self.pace {
            Pace::Free => line,
            pace => Box::new(Paced::new(line, pace)),
        })
    }

    async fn raw(&self, address: &Address, handles: &Handles) -> Result<Box<dyn ByteStream>, PortError> {
        Ok(match address {
            Address::Loop => Box::new(SimplexStream::new_unsplit(ECHO)),
            Address::Device(path) => Box::new(self.device(path.clone(), handles).await?),
            Address::Socket(host) => Box::new(connect(address, host).await?),
            Address::Rfc2217 { host, leave_lines } => {
                let port = self.served(address, host, *leave_lines).await?;
                *crate::reopen::locked(&handles.server) = Some(port.control());
                Box::new(port)
            }
            Address::Spy { file, line } => {
                let line = Box::pin(self.raw(line, handles)).await?;
                let file = file.clone();
                Box::new(blocking(move || Spied::new(line, &file)).await?)
            }
        })
    }

    /// A line behind a port server. Right after its last client has gone, a server still hangs up on the next one.
    async fn served(
        &self,
        address: &Address,
        host: &Host,
        leave_lines: bool,
    ) -> Result<rfc2217::Port<TcpStream>, PortError> {
        let mut left = HANG_UPS;
        loop {
            let stream = connect(address, host).await?;
            match rfc2217::open(stream, &address.to_string(), self.settings, leave_lines).await {
                Err(error) if left > 0 && error.is_hang_up() => left -= 1,
                opened => return opened,
            }
            sleep(PAUSE).await;
        }
    }

    async fn device(&self, path: PathBuf, handles: &Handles) -> Result<Device, PortError> {
        let (given, settings) = (self.away, self.settings);
        let named = path.clone();
        let (opened, by_link) = blocking(move || {
            let by_link = named.symlink_metadata().is_ok_and(|it| it.is_symlink());
            Ok((tty::open(&named, settings)?, by_link))
        })
        .await?;
        let away = given.unwrap_or(if by_link { AWAY } else { Duration::ZERO });
        Ok(Device::new(Recipe { path, settings, away }, opened, Arc::clone(&handles.device)))
    }

    /// The device is there, may be opened, and no other process has it; or the server takes a connection. A device is not opened, as that raises DTR,
    /// which resets some boards.
    pub(crate) async fn look(&self) -> Result<(), PortError> {
        match self.address.innermost() {
            Address::Device(path) => {
                let path = path.clone();
                within(&self.address, blocking(move || tty::look_whether_free(&path))).await
            }
            Address::Socket(host) | Address::Rfc2217 { host, .. } => {
                within(&self.address, connect(&self.address, host)).await.map(drop)
            }
            Address::Loop | Address::Spy { .. } => Ok(()),
        }
    }
}

async fn connect(address: &Address, host: &Host) -> Result<TcpStream, PortError> {
    let refused = |source| PortError::Connect { url: address.to_string(), source };
    let stream = TcpStream::connect((host.name.as_str(), host.port)).await.map_err(refused)?;
    stream.set_nodelay(true).map_err(refused)?;
    Ok(stream)
}

async fn within<T>(
    address: &Address,
    work: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let late = || PortError::Deadline { url: address.to_string(), seconds: DEADLINE.as_secs() };
    timeout(DEADLINE, work).await.map_err(|_| late())?
}

/// Runs what may wait for a device off the runtime. Dropped, its result closes itself.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| PortError::System {
        port: "serial port".to_owned(),
        reason: io::Error::other(error).to_string(),
    })?
}
