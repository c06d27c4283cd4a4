//! The driver: orders become commands, and their output a state.

use std::path::Path;
use std::sync::Arc;

use flasher_core::switch::{Care, Guarded, Switch};
use flasher_core::{Device, DriverType, Result, Wiring, async_trait};

use crate::config::{Config, Plan};
use crate::error::Error;
use crate::run::{Surroundings, last_line, run};

/// The driver type `power-command`.
#[derive(Debug)]
pub struct PowerCommand {
    plan: Plan,
    around: Surroundings,
}

impl DriverType for PowerCommand {
    const NAME: &'static str = "power-command";
    const SUMMARY: &'static str = "power by commands of this machine: any outlet or hub with a command line";
    const EXAMPLE: &'static str = "type: power-command\nconfig:\n  preset: uhubctl   # or: on, off and status with commands of your own\n  hub: 1-1\n  port: 2\n";
    type Config = Config;

    fn build(config: Config, wiring: Wiring) -> Result<Device> {
        let plan = config.plan()?;
        let care = Care::from_seconds(config.min_off_seconds, config.confirm_seconds)?;
        let folder = wiring.file(config.folder.unwrap_or_default());
        let folder = if folder.as_os_str().is_empty() { ".".into() } else { folder };
        let around = Surroundings { env: config.env.into_iter().collect(), folder, timeout: plan.timeout };
        Ok(Device::Power(Arc::new(Guarded::new(Self { plan, around }, care)), None))
    }
}

#[async_trait]
impl Switch for PowerCommand {
    async fn set(&self, on: bool) -> Result<()> {
        let (key, argv) = if on { ("on", &self.plan.on) } else { ("off", &self.plan.off) };
        Ok(run(key, argv, &self.around).await.map(drop)?)
    }

    async fn get(&self) -> Result<Option<bool>> {
        let Some(argv) = &self.plan.status else { return Ok(None) };
        let said = run("status", argv, &self.around).await?;
        Ok(Some(self.meaning(&said, argv)?))
    }

    async fn cycle(&self) -> Result<bool> {
        let Some(argv) = &self.plan.cycle else { return Ok(false) };
        run("cycle", argv, &self.around).await?;
        Ok(true)
    }

    /// The programs are there, and `status` answers.
    async fn probe(&self) -> Result<()> {
        for (key, argv) in [("on", &self.plan.on), ("off", &self.plan.off)] {
            let program = argv.first().map(String::as_str).unwrap_or_default();
            if !is_there(program, &self.around.folder) {
                return Err(Error::Missing { key, program: program.to_owned() }.into());
            }
        }
        self.get().await.map(drop)
    }
}

impl PowerCommand {
    fn meaning(&self, said: &str, argv: &[String]) -> Result<bool, Error> {
        match (self.plan.is_on.is_match(said), self.plan.is_off.is_match(said)) {
            (true, false) => Ok(true),
            (false, true) => Ok(false),
            _ => {
                let said = last_line(&[said.to_owned()], &self.around.env);
                Err(Error::Unclear { program: argv.first().cloned().unwrap_or_default(), said })
            }
        }
    }
}

/// Whether the program can be found as the system will: a path from the folder, a name in the PATH.
fn is_there(program: &str, folder: &Path) -> bool {
    if program.contains('/') {
        return folder.join(program).is_file();
    }
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).any(|place| place.join(program).is_file())
}
