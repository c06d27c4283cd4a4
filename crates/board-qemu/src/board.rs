//! The emulated board as a whole: its power switch, its serial line, its network.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::owner;
use line_share::{Audible, Audience, Watched};
use serde_json::json;
use tokio::net::UnixListener;
use tokio::sync::Mutex;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use crate::arguments::{self, arguments};
use crate::config::{BoardNetwork, Config};
use crate::dhcp::DhcpServer;
use crate::error::QemuError;
use crate::folder::{TemporaryFolder, prepare};
use crate::host::{self, blocking};
use crate::monitor::Monitor;
use crate::process::Process;
use crate::serial_line::{HostEnd, SerialLine};
use crate::tap::{self, Tap};

/// How long QEMU may take to report; it takes a few hundred milliseconds.
const START: Duration = Duration::from_secs(30);
/// How long a killed QEMU may take to be gone.
const END: Duration = Duration::from_secs(10);

/// An emulated board. Dropping the last handle on it kills QEMU, and removes its tap and its temporary folder.
#[derive(Debug)]
pub struct QemuBoard {
    config: Arc<Config>,
    serial: Arc<SerialLine>,
    audience: Audience,
    state: Mutex<State>,
}

/// What has been made so far. Fields are dropped in this order.
#[derive(Debug, Default)]
struct State {
    running: Option<RunningQemu>,
    network: Option<LocalNetwork>,
    folder: Option<Arc<TemporaryFolder>>,
}

/// What exists from power on to power off.
#[derive(Debug)]
struct RunningQemu {
    process: Process,
    relay: JoinHandle<()>,
    monitor: Monitor,
}

impl Drop for RunningQemu {
    fn drop(&mut self) {
        self.relay.abort();
    }
}

/// What exists from the first power on until the board is closed.
#[derive(Debug)]
struct LocalNetwork {
    dhcp: Option<DhcpServer>,
    tap: Tap,
}

impl QemuBoard {
    /// A board that is off. Nothing is made or opened before the first power on.
    pub fn new(config: Config) -> Arc<Self> {
        Arc::new(Self {
            config: Arc::new(config),
            serial: Arc::default(),
            audience: Audience::default(),
            state: Mutex::default(),
        })
    }

    /// The config it was made from.
    pub fn config(&self) -> &Config {
        &self.config
    }

    /// Whether QEMU runs. It does not after power off, [`Self::cut`], or when the guest has switched the board off.
    pub async fn is_on(&self) -> bool {
        self.state.lock().await.running.as_ref().is_some_and(|running| !running.process.has_ended())
    }

    /// Plugs (`true`) or unplugs (`false`) the cable of the network card.
    ///
    /// # Errors
    /// When the board is off or has no network.
    pub async fn link(&self, up: bool) -> Result<(), QemuError> {
        let arguments = json!({ "name": arguments::NETDEV, "up": up });
        self.monitor("switch the link", "set_link", arguments).await
    }

    /// Presses the reset button: the board starts anew, its memory is kept.
    ///
    /// # Errors
    /// When the board is off.
    pub async fn reset(&self) -> Result<(), QemuError> {
        self.monitor("reset", "system_reset", json!({})).await
    }

    /// Cuts the power as a failing supply does: QEMU is killed, and the switch still stands at on. The next power on
    /// starts the board anew.
    ///
    /// # Errors
    /// When the board is off.
    pub async fn cut(&self) -> Result<(), QemuError> {
        let state = self.state.lock().await;
        let running = state.running.as_ref().ok_or(QemuError::Off("cut the power"))?;
        end(&running.process).await
    }

    /// Looks whether everything it needs is there. Makes nothing.
    pub(crate) async fn probe(&self) -> Result<(), QemuError> {
        let config = Arc::clone(&self.config);
        blocking(move || host::check(&config)).await?;
        if self.config.has_network() { tap::check_namespace().await } else { Ok(()) }
    }

    /// The files it writes: two boards with one of them are one board.
    pub(crate) async fn identities(&self) -> Vec<String> {
        let config = Arc::clone(&self.config);
        let named = blocking(move || {
            let files = config.disk.iter().map(|disk| &disk.file).chain(&config.environment);
            Ok(files.flat_map(|it| owner::file(it)).collect())
        });
        named.await.unwrap_or_default()
    }

    pub(crate) async fn switch_on(&self) -> Result<(), QemuError> {
        let mut state = self.state.lock().await;
        if state.running.as_ref().is_some_and(|running| !running.process.has_ended()) {
            return Ok(());
        }
        state.running = None;
        self.probe().await?;
        if let (Some(network), None) = (&self.config.network, &state.network) {
            state.network = Some(LocalNetwork::up(network).await?);
        }
        let config = Arc::clone(&self.config);
        let kept = state.folder.take();
        let folder = blocking(move || prepare(&config, kept)).await?;
        state.folder = Some(Arc::clone(&folder));
        state.running = Some(self.start(folder.path()).await?);
        Ok(())
    }

    pub(crate) async fn switch_off(&self) -> Result<(), QemuError> {
        let Some(mut running) = self.state.lock().await.running.take() else { return Ok(()) };
        end(&running.process).await?;
        // Hands over what the board printed last; ends by itself now that QEMU has hung up.
        if let Ok(Err(failure)) = timeout(END, &mut running.relay).await {
            return if failure.is_panic() { Err(QemuError::Worker) } else { Ok(()) };
        }
        Ok(())
    }

    /// Switches off, and removes tap, DHCP server and folder.
    pub(crate) async fn close(&self) -> Result<(), QemuError> {
        self.switch_off().await?;
        let mut state = self.state.lock().await;
        if let Some(local) = state.network.take() {
            local.down().await?;
        }
        state.folder = None;
        Ok(())
    }

    pub(crate) async fn open_serial(&self) -> Result<Audible<HostEnd>, QemuError> {
        let line = self.serial.open()?;
        Ok(self.audience.hear(line, self.shared_name().await.as_deref(), None).await)
    }

    pub(crate) async fn watch_serial(&self) -> std::io::Result<Option<Watched>> {
        self.audience.watch(self.shared_name().await.as_deref()).await
    }

    /// What its serial line is called among processes; none when no other process can have this board.
    async fn shared_name(&self) -> Option<String> {
        let disk = self.identities().await.into_iter().next()?;
        Some(owner::stable_name(&format!("emulated {disk}")))
    }

    async fn monitor(
        &self,
        purpose: &'static str,
        command: &'static str,
        arguments: serde_json::Value,
    ) -> Result<(), QemuError> {
        let mut state = self.state.lock().await;
        let running = state.running.as_mut().filter(|running| !running.process.has_ended());
        running.ok_or(QemuError::Off(purpose))?.monitor.execute(command, arguments).await.map(drop)
    }

    /// Starts QEMU and waits until its main loop runs.
    async fn start(&self, folder: &Path) -> Result<RunningQemu, QemuError> {
        let serial = listen(&folder.join(arguments::SERIAL))?;
        let monitor = listen(&folder.join(arguments::MONITOR))?;
        let program = host::find(&self.config.emulator()).unwrap_or_else(|| self.config.emulator());
        let process =
            Process::start(&program, arguments(&self.config, folder), &folder.join("messages")).await?;
        let connected = async {
            let lost = |action| QemuError::file(action, folder);
            let (board, _) = serial.accept().await.map_err(lost("accept the serial line in"))?;
            let relay = AbortOnDrop(Some(tokio::spawn(Arc::clone(&self.serial).relay(board))));
            let (stream, _) = monitor.accept().await.map_err(lost("accept the monitor in"))?;
            Ok((relay, Monitor::new(stream).await?))
        };
        let result = tokio::select! {
            biased;
            status = process.ended() => Err(QemuError::Died { status, stderr: process.messages() }),
            connected = timeout(START, connected) => connected
                .unwrap_or_else(|_| Err(QemuError::Silent(START.as_secs(), process.messages()))),
        };
        let (relay, monitor) = match result {
            // A monitor that ended is a QEMU that ends: its own words say why.
            Err(QemuError::Monitor { .. }) if timeout(END, process.ended()).await.is_ok() => {
                let status = process.ended().await;
                return Err(QemuError::Died { status, stderr: process.messages() });
            }
            result => result?,
        };
        tracing::debug!(process = process.id(), "QEMU runs");
        Ok(RunningQemu { process, relay: relay.keep()?, monitor })
    }
}

impl LocalNetwork {
    async fn up(network: &BoardNetwork) -> Result<Self, QemuError> {
        let tap = Tap::make(network).await?;
        let dhcp = network.dhcp.then(|| DhcpServer::start(network)).transpose()?;
        Ok(Self { dhcp, tap })
    }

    async fn down(self) -> Result<(), QemuError> {
        if let Some(dhcp) = self.dhcp {
            dhcp.stop().await;
        }
        self.tap.remove().await
    }
}

/// A task that is aborted unless it is kept.
struct AbortOnDrop(Option<JoinHandle<()>>);

impl AbortOnDrop {
    fn keep(mut self) -> Result<JoinHandle<()>, QemuError> {
        self.0.take().ok_or(QemuError::Worker)
    }
}

impl Drop for AbortOnDrop {
    fn drop(&mut self) {
        if let Some(task) = &self.0 {
            task.abort();
        }
    }
}

/// Kills QEMU and waits until it is gone.
async fn end(process: &Process) -> Result<(), QemuError> {
    process.kill();
    timeout(END, process.ended()).await.map(drop).map_err(|_| QemuError::Survivor(process.id()))
}

fn listen(path: &Path) -> Result<UnixListener, QemuError> {
    UnixListener::bind(path).map_err(QemuError::file("listen on", path))
}
