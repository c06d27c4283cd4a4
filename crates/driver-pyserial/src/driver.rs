//! The driver: looks for the line, opens it, hands out its bytes.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::{ByteStream, Device, Driver, DriverType, Result, SerialDriver, Wiring, async_trait};
use tokio::io::SimplexStream;
use tokio::net::TcpStream;
use tokio::time::timeout;

use crate::config::{Address, Config};
use crate::error::{ConfigError, PortError};
use crate::pace::Paced;
use crate::tty;

/// Longest wait for a port or a connection.
const DEADLINE: Duration = Duration::from_secs(10);
/// What an echo holds until it is read, bytes.
const ECHO: usize = 64 * 1024;

/// A serial line by URL.
#[derive(Debug)]
pub struct PySerial {
    address: Address,
    check_present: bool,
    pause: Option<Duration>,
    settings: tty::Settings,
}

impl DriverType for PySerial {
    const NAME: &'static str = "serial";
    const ALIASES: &'static [&'static str] = &["jumpstarter_driver_pyserial.driver.PySerial", "pyserial"];
    const SUMMARY: &'static str = "serial port: a device path, socket://HOST:PORT or loop://";
    const EXAMPLE: &'static str = "type: serial\nconfig:\n  url: /dev/ttyUSB0\n  baudrate: 115200\n";
    type Config = Config;

    fn build(config: Config, wiring: Wiring) -> Result<Device> {
        if config.baudrate == 0 {
            return Err(ConfigError::Baudrate.into());
        }
        let address = match Address::parse(&config.url)? {
            Address::Device(path) => Address::Device(wiring.file(path)),
            other => other,
        };
        let pause = config.pause()?;
        let settings = tty::Settings { baudrate: config.baudrate, keep_dtr: config.disable_hupcl };
        Ok(Device::Serial(Arc::new(Self { address, check_present: config.check_present, pause, settings })))
    }
}

#[async_trait]
impl Driver for PySerial {
    /// With `check_present`: the device is there and may be opened, or the socket takes a connection. A device is not
    /// opened, as that raises DTR, which resets some boards.
    async fn probe(&self) -> Result<()> {
        if !self.check_present {
            return Ok(());
        }
        match &self.address {
            Address::Loop => Ok(()),
            Address::Device(path) => {
                let path = path.clone();
                Ok(within(&self.address, blocking(move || tty::look(&path))).await?)
            }
            Address::Socket { host, port } => {
                within(&self.address, self.connect(host, *port)).await?;
                Ok(())
            }
        }
    }
}

#[async_trait]
impl SerialDriver for PySerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        match &self.address {
            Address::Loop => Ok(self.paced(SimplexStream::new_unsplit(ECHO))),
            Address::Device(path) => {
                let (path, settings) = (path.clone(), self.settings);
                let port = within(&self.address, blocking(move || tty::open(&path, settings))).await?;
                Ok(self.paced(port))
            }
            Address::Socket { host, port } => {
                let stream = within(&self.address, self.connect(host, *port)).await?;
                Ok(self.paced(stream))
            }
        }
    }
}

impl PySerial {
    fn paced(&self, stream: impl ByteStream + 'static) -> Box<dyn ByteStream> {
        match self.pause {
            Some(pause) => Box::new(Paced::new(stream, pause)),
            None => Box::new(stream),
        }
    }

    async fn connect(&self, host: &str, port: u16) -> Result<TcpStream, PortError> {
        let refused = |source| PortError::Connect { url: self.address.to_string(), source };
        let stream = TcpStream::connect((host, port)).await.map_err(refused)?;
        stream.set_nodelay(true).map_err(refused)?;
        Ok(stream)
    }
}

async fn within<T>(
    address: &Address,
    work: impl Future<Output = Result<T, PortError>>,
) -> Result<T, PortError> {
    let late = || PortError::Deadline { url: address.to_string(), seconds: DEADLINE.as_secs() };
    timeout(DEADLINE, work).await.map_err(|_| late())?
}

/// Runs what may wait for a device off the runtime. Dropped, its result closes itself.
async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, PortError> + Send + 'static,
) -> Result<T, PortError> {
    let ended = tokio::task::spawn_blocking(work).await;
    ended.map_err(|error| PortError::System {
        port: "serial port".to_owned(),
        reason: io::Error::other(error).to_string(),
    })?
}

/// The port as messages name it.
pub(crate) fn name(path: &Path) -> String {
    path.display().to_string()
}
