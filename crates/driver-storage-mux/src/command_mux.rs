//! The driver type `storage-mux`: orders become commands, and their output a position.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::{Device, Driver, DriverType, MuxPosition, Result, StorageMux, Wiring, async_trait};
use lab_command::{CommandEnvironment, find, looked, run};
use tokio::sync::Mutex;

use crate::config::{Config, MuxCommands};
use crate::confirm::confirm;
use crate::error::Error;

/// A mux that has a command line. Calls never overlap.
#[derive(Debug)]
pub struct CommandMux {
    commands: MuxCommands,
    around: CommandEnvironment,
    confirm: Duration,
    row: Mutex<()>,
}

impl CommandMux {
    async fn order(&self, position: MuxPosition) -> Result<()> {
        let _row = self.row.lock().await;
        let (key, argv) = match position {
            MuxPosition::Host => ("host", &self.commands.host),
            MuxPosition::Dut => ("dut", &self.commands.dut),
            MuxPosition::Off => ("off", &self.commands.off),
        };
        run(key, argv, &self.around).await?;
        // Where `off` is what `host` is, this is what the mux will report.
        let expected = if *argv == self.commands.host { MuxPosition::Host } else { position };
        confirm(expected, self.confirm, || self.ask()).await
    }

    async fn ask(&self) -> Result<Option<MuxPosition>> {
        let Some(argv) = &self.commands.status else { return Ok(None) };
        let output = run("status", argv, &self.around).await?;
        Ok(self.commands.meaning(&output))
    }
}

#[async_trait]
impl Driver for CommandMux {
    /// The mux is there, its commands could be started, and `status` answers.
    async fn probe(&self) -> Result<()> {
        let MuxCommands { host, dut, off, status, path, .. } = &self.commands;
        let given =
            [("host", Some(host)), ("dut", Some(dut)), ("off", Some(off)), ("status", status.as_ref())];
        for (key, argv) in given.into_iter().filter_map(|(key, argv)| Some((key, argv?))) {
            looked(key, argv, &self.around).await?;
        }
        if let Some(path) = path
            && tokio::fs::metadata(path).await.is_err()
        {
            return Err(Error::Absent { path: path.display().to_string() }.into());
        }
        self.ask().await.map(drop)
    }

    /// The commands that switch, and what else tells them apart.
    async fn identities(&self) -> Vec<String> {
        let (around, argv) = (self.around.clone(), [self.commands.host.clone(), self.commands.dut.clone()]);
        let named = tokio::task::spawn_blocking(move || {
            let folder = around.folder.canonicalize().ok();
            let program = |argv: &Vec<String>| find(argv.first().map_or("", String::as_str), &around);
            let programs: Vec<_> = argv.iter().map(program).collect();
            format!("storage mux {programs:?} {argv:?} {:?} {folder:?}", around.env)
        });
        named.await.into_iter().collect()
    }
}

#[async_trait]
impl StorageMux for CommandMux {
    async fn host(&self) -> Result<()> {
        self.order(MuxPosition::Host).await
    }

    async fn dut(&self) -> Result<()> {
        self.order(MuxPosition::Dut).await
    }

    async fn off(&self) -> Result<()> {
        self.order(MuxPosition::Off).await
    }

    async fn position(&self) -> Result<Option<MuxPosition>> {
        let _row = self.row.lock().await;
        self.ask().await
    }
}

impl DriverType for CommandMux {
    const NAME: &'static str = "storage-mux";
    const SUMMARY: &'static str =
        "gives a medium to its board or to this machine: an SD mux, by its own tool or commands of the lab";
    const EXAMPLE: &'static str = "type: storage-mux\nconfig:\n  preset: usbsdmux   # or sd-mux-ctrl; or: host, dut and status with commands of your own\n  device: /dev/usb-sd-mux/id-00048.00643\n";
    type Config = Config;

    fn build(config: Config, wiring: Wiring) -> Result<Device> {
        let (commands, timeout, confirm) = (config.commands()?, config.timeout()?, config.confirm()?);
        let folder = wiring.file(config.folder.unwrap_or_default());
        let folder = if folder.as_os_str().is_empty() { ".".into() } else { folder };
        let env = config.env.into_iter().collect();
        let around = CommandEnvironment { device: "storage mux", env, folder, timeout };
        Ok(Device::StorageMux(Arc::new(Self { commands, around, confirm, row: Mutex::default() })))
    }
}
