//! The driver: looks for the line, opens it for one owner, lets others hear it.

mod keep;

use std::path::Path;
use std::sync::{Arc, Mutex, OnceLock};
use std::time::Duration;

use flasher_core::{
    ByteStream, ControlLines, Device, Driver, DriverType, Error, Port, Result, SerialDriver, Wiring,
    async_trait,
};
use line_share::{Audience, Take};
use serialport::TTYPort;
use tokio::io::AsyncRead;
use tokio::time::sleep;

use crate::address::Address;
use crate::config::{Config, Record};
use crate::error::PortError;
use crate::line::{OpenSettings, blocking};
use crate::pace::Pace;
use crate::record::{self, LineRecord};
use crate::reopen::{OpenControlLines, locked};
use crate::tty;
use keep::{Open, Owned, Served};

/// A serial line by URL.
#[derive(Debug)]
pub struct PySerial {
    plan: OpenSettings,
    check_present: bool,
    record: Option<Record>,
    audience: Audience,
    recorder: OnceLock<Arc<LineRecord>>,
    open: Arc<Open>,
}

impl DriverType for PySerial {
    const NAME: &'static str = "serial";
    const ALIASES: &'static [&'static str] = &["jumpstarter_driver_pyserial.driver.PySerial", "pyserial"];
    const SUMMARY: &'static str =
        "serial port: a device path, socket://HOST:PORT, rfc2217://HOST:PORT, spy://FILE?URL or loop://";
    const EXAMPLE: &'static str = "type: serial\nconfig:\n  url: /dev/ttyUSB0\n  baudrate: 115200\n";
    type Config = Config;

    fn build(config: Config, wiring: Wiring) -> Result<Device> {
        let settings = config.settings()?;
        let address = Address::parse(&config.url)?.within(|path| wiring.file(path));
        config.part()?;
        let pace = match config.pause()? {
            Some(pause) => Pace::Fixed(pause),
            None if config.auto_pace => Pace::Careful,
            None => Pace::Free,
        };
        let plan = OpenSettings { address, settings, pace, away: config.away()? };
        let record = config.record.map(|record| Record { file: wiring.file(record.file), ..record });
        Ok(Device::Serial(Arc::new(Self {
            plan,
            check_present: config.check_present,
            record,
            audience: Audience::default(),
            recorder: OnceLock::new(),
            open: Arc::default(),
        })))
    }
}

#[async_trait]
impl Driver for PySerial {
    /// What is recorded can be written. With `check_present`: the device is there and may be opened, or the server takes a connection. A device is not
    /// opened, as that raises DTR, which resets some boards.
    async fn probe(&self) -> Result<()> {
        self.look(self.check_present).await
    }

    async fn examine(&self) -> Result<()> {
        self.look(true).await
    }

    async fn identities(&self) -> Vec<String> {
        match self.plan.address.innermost() {
            // Whichever of its names is used; a device that is not there yet has no other.
            Address::Device(path) => vec![tty::identity(path)],
            Address::Socket(host) | Address::Rfc2217 { host, .. } => {
                let hosts = flasher_core::owner::hosts(&host.name, host.port).await;
                hosts.into_iter().map(|host| format!("serial {host}")).collect()
            }
            Address::Loop | Address::Spy { .. } => Vec::new(),
        }
    }

    async fn close(&self) -> Result<()> {
        let kept = locked(&self.open.kept).take();
        if let Some(kept) = kept {
            drop(kept.take_back().await);
        }
        Ok(())
    }
}

#[async_trait]
impl SerialDriver for PySerial {
    async fn open(&self) -> Result<Box<dyn ByteStream>> {
        let kept = locked(&self.open.kept).take();
        let line = match kept {
            Some(kept) => kept.take_back().await,
            None => None,
        };
        let line = match line {
            Some(line) => line,
            None => self.open_anew().await?,
        };
        if self.record.is_some() {
            return Ok(Box::new(Owned::new(line, Arc::clone(&self.open))));
        }
        Ok(line)
    }

    async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
        let refused = |error: std::io::Error| {
            Error::infrastructure(format!("`{}` cannot be watched", self.plan.address))
                .because(error)
                .help("watch as the user who has it open")
        };
        self.audience.watch(self.shared_name().as_deref()).await.map_err(refused)
    }

    async fn port(&self) -> Port {
        let missing = match self.plan.address.innermost() {
            Address::Device(path) => matches!(tokio::fs::try_exists(path).await, Ok(false)),
            _ => false,
        };
        Port { name: format!("`{}`", self.plan.address), is_missing: missing }
    }

    async fn set_lines(&self, lines: ControlLines) -> Result<bool> {
        let server = locked(&self.open.handles.server).clone();
        match (self.plan.address.innermost(), server) {
            (Address::Rfc2217 { .. }, Some(server)) => {
                server.set(lines);
                if let Some(span) = lines.send_break {
                    server.set_break(true);
                    let _ends = EndOnDrop(|| server.set_break(false));
                    sleep(span.min(LONGEST_BREAK)).await;
                }
                Ok(true)
            }
            (Address::Device(_), _) => self.set_device(lines).await,
            _ => Ok(false),
        }
    }
}

impl Drop for PySerial {
    fn drop(&mut self) {
        drop(locked(&self.open.kept).take());
    }
}

impl PySerial {
    async fn look(&self, at_the_line: bool) -> Result<()> {
        if locked(&self.open.kept).is_some() {
            return Ok(());
        }
        let recorded = self.record.as_ref().map(|record| record.file.clone());
        let files: Vec<_> = recorded.into_iter().chain(self.plan.address.spies()).collect();
        blocking(move || files.iter().try_for_each(|file| record::look(file))).await?;
        if at_the_line {
            self.plan.look().await?;
        }
        Ok(())
    }

    async fn open_anew(&self) -> Result<Box<dyn ByteStream>> {
        let line = self.plan.open(&self.open.handles).await?;
        let recorder = match &self.record {
            None => None,
            Some(record) => Some(self.recorder(record).await? as Arc<dyn Take>),
        };
        let line = self.audience.hear(line, self.shared_name().as_deref(), recorder).await;
        Ok(Box::new(Served::new(line, Arc::clone(&self.open))))
    }

    /// What the line is called among the processes that share it; none for an echo, which is private.
    fn shared_name(&self) -> Option<String> {
        let name = match self.plan.address.innermost() {
            Address::Loop => return None,
            Address::Device(path) => {
                std::fs::canonicalize(path).unwrap_or_else(|_| path.clone()).display().to_string()
            }
            other => other.to_string(),
        };
        Some(flasher_core::owner::stable_name(&name))
    }

    async fn recorder(&self, record: &Record) -> Result<Arc<LineRecord>> {
        if let Some(recorder) = self.recorder.get() {
            return Ok(Arc::clone(recorder));
        }
        let record = record.clone();
        let recorder = blocking(move || LineRecord::new(&record.file, record.part_mib << 20)).await?;
        Ok(Arc::clone(self.recorder.get_or_init(|| Arc::new(recorder))))
    }

    /// On the open device, or, as Jumpstarter does, on one that is opened for the purpose.
    async fn set_device(&self, lines: ControlLines) -> Result<bool> {
        let Address::Device(path) = self.plan.address.innermost().clone() else { return Ok(false) };
        let (port, settings) = (Arc::clone(&self.open.handles.device), self.plan.settings);
        let port = if locked(&port).is_some() {
            port
        } else {
            let path = path.clone();
            let opened = blocking(move || tty::open(&path, settings)).await?;
            Arc::new(Mutex::new(Some(opened.lines)))
        };
        if !on(&path, &port, tty::has_lines).await? {
            return Ok(false);
        }
        if let Some(span) = lines.send_break {
            on(&path, &port, |path, port| tty::set_break(path, port, true)).await?;
            // Said once more below, where a refusal is heard.
            let _ends = EndOnDrop(|| {
                locked(&port).as_ref().map(|port| tty::set_break(&path, port, false));
            });
            sleep(span.min(LONGEST_BREAK)).await;
            on(&path, &port, |path, port| tty::set_break(path, port, false)).await?;
        }
        on(&path, &port, move |path, port| tty::set_lines(path, port, lines)).await
    }
}

/// Ends what was begun, also when no caller waits for it any more.
struct EndOnDrop<F: FnMut()>(F);

impl<F: FnMut()> Drop for EndOnDrop<F> {
    fn drop(&mut self) {
        (self.0)();
    }
}

/// Longer breaks are cut: no caller waits for a line that is dead on purpose.
const LONGEST_BREAK: Duration = Duration::from_secs(5);

/// Does something with an open port, off the runtime.
async fn on<T: Send + 'static>(
    path: &Path,
    port: &OpenControlLines,
    work: impl FnOnce(&Path, &mut TTYPort) -> Result<T, PortError> + Send + 'static,
) -> Result<T> {
    let (path, port) = (path.to_owned(), Arc::clone(port));
    let done = blocking(move || match locked(&port).as_mut() {
        Some(port) => work(&path, port),
        None => Err(PortError::Vanished { port: tty::name(&path), seconds: 0.0 }),
    });
    Ok(done.await?)
}
