//! The driver: orders become commands, and their output a state.

use std::time::Duration;

use flasher_core::registry::Counterpart;
use flasher_core::switch::{Built, Seconds, Switch, SwitchType};
use flasher_core::{Result, Wiring, async_trait};
use lab_command::{CommandEnvironment, CommandName, find, last_line, looked, run};

use crate::config::{Config, ResolvedCommands};
use crate::counterparts::COUNTERPARTS;
use crate::error::Error;
use crate::shell;

/// What messages call the device.
const DEVICE: &str = "power switch";

/// The driver type `power-command`.
#[derive(Debug)]
pub struct PowerCommand {
    plan: ResolvedCommands,
    around: CommandEnvironment,
}

impl SwitchType for PowerCommand {
    const NAME: &'static str = "power-command";
    const SUMMARY: &'static str = "power by commands of this machine: any outlet or hub with a command line";
    const EXAMPLE: &'static str = "type: power-command\nconfig:\n  preset: uhubctl   # or: on, off and status with commands of your own\n  hub: 1-1\n  port: 2\n";
    const COUNTERPARTS: &'static [Counterpart] = COUNTERPARTS;
    const CONFIRM: Seconds = Seconds {
        default: 5.0,
        meaning: "How long `status` may report the old state after a switch, seconds.",
    };
    const TIMEOUT: Option<Seconds> =
        Some(Seconds { default: 30.0, meaning: "Longest time a command may take, seconds." });
    type Config = Config;

    fn build(config: Config, timeout: Duration, wiring: &Wiring) -> Result<Built<Self>> {
        let plan = config.plan()?;
        let folder = wiring.file(config.folder.unwrap_or_default());
        let folder = if folder.as_os_str().is_empty() { ".".into() } else { folder };
        let around =
            CommandEnvironment { device: DEVICE, env: config.env.into_iter().collect(), folder, timeout };
        Ok(Self { plan, around }.into())
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

    /// The commands that switch, and what else tells them apart. Two boards may share one of them, such as an `off` that does nothing.
    async fn identities(&self) -> Vec<String> {
        let (around, on, off) = (self.around.clone(), self.plan.on.clone(), self.plan.off.clone());
        let folder = (!self.plan.is_known).then(|| around.folder.clone());
        let named = tokio::task::spawn_blocking(move || {
            let program = |argv: &[String]| find(argv.first().map_or("", String::as_str), &around);
            let folder = folder.and_then(|it| it.canonicalize().ok());
            let (first, second) = (program(&on), program(&off));
            format!("command {first:?} {on:?} {second:?} {off:?} {:?} {folder:?}", around.env)
        });
        named.await.into_iter().collect()
    }

    async fn cycle(&self) -> Result<bool> {
        let Some(argv) = &self.plan.cycle else { return Ok(false) };
        run("cycle", argv, &self.around).await?;
        Ok(true)
    }

    /// The programs could be started, the lines for a shell are none of nonsense and their tools are there, and `status` answers.
    async fn probe(&self) -> Result<()> {
        let plan = &self.plan;
        let given = [
            ("on", Some(&plan.on)),
            ("off", Some(&plan.off)),
            ("cycle", plan.cycle.as_ref()),
            ("status", plan.status.as_ref()),
        ];
        for (key, argv) in given.into_iter().filter_map(|(key, argv)| Some((key, argv?))) {
            looked(key, argv, &self.around).await?;
            if let (true, Some(line)) = (plan.shell, line_for_a_shell(argv)) {
                self.probe_line(key, line).await?;
            }
        }
        self.get().await.map(drop)
    }
}

impl PowerCommand {
    /// A shell reads the line without running it, and finds its tools.
    async fn probe_line(&self, key: &'static str, line: &str) -> Result<(), Error> {
        let sh = |words: &[&str]| words.iter().map(|it| (*it).to_owned()).collect::<Vec<_>>();
        let read = run(key, &sh(&["sh", "-n", "-c", line]), &self.around).await;
        if let Err(lab_command::Error::Failed { said, .. }) = read {
            return Err(Error::Line { key, said });
        }
        for tool in shell::tools(line) {
            let asked = sh(&["sh", "-c", "command -v \"$1\" >/dev/null", "sh", &tool]);
            match run(key, &asked, &self.around).await {
                Err(lab_command::Error::Failed { .. }) => {
                    return Err(lab_command::Error::Missing(CommandName {
                        key,
                        device: DEVICE,
                        program: tool,
                    })
                    .into());
                }
                asked => drop(asked?),
            }
        }
        Ok(())
    }

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

/// The line, when the command is one that goes through a shell.
fn line_for_a_shell(argv: &[String]) -> Option<&str> {
    match argv {
        [program, option, line] if program == "sh" && option == "-c" => Some(line),
        _ => None,
    }
}
