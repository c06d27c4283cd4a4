//! `flasher shell-env`: the environment in which Jumpstarter's own clients find an exporter.
//!
//! The variables are those of `jmp shell` (docs/wire.md, Environment of a client).

use std::ffi::{OsStr, OsString};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::ExitStatus;

use clap::Args as ClapArgs;
use exporter_wire::passphrase::Passphrase;
use flasher_core::{Error, Result};
use rustix::process::{Pid, Signal};
use tokio::process::{Child, Command};

use crate::failure::Failure;
use crate::screen::Screen;

/// Which exporter, and how it is reached.
#[derive(ClapArgs)]
pub(crate) struct ShellEnvArgs {
    /// Where the exporter listens: HOST:PORT, or the path of its socket
    pub(crate) address: String,
    /// PEM file with the certificate to trust; the exporter is spoken to over TLS
    #[arg(long, value_name = "FILE")]
    pub(crate) ca: Option<PathBuf>,
    /// File with the exporter's passphrase; never printed
    #[arg(long, value_name = "FILE")]
    pub(crate) passphrase_file: Option<PathBuf>,
    /// A command to run in that environment; its exit code is passed on
    #[arg(last = true, value_name = "COMMAND")]
    pub(crate) command: Vec<OsString>,
}

/// Prints the environment for a shell, or runs a command in it and gives its exit code.
pub(super) async fn run(args: ShellEnvArgs, screen: &Screen) -> Result<u8, Failure> {
    let place = match args.address.contains('/') {
        true => ExporterAddress::Unix(args.address.into()),
        false => ExporterAddress::Tcp { address: args.address, ca: args.ca },
    };
    let client = Client { place, passphrase_file: args.passphrase_file };
    if args.command.is_empty() {
        screen.text(&client.exports()?)?;
        return Ok(0);
    }
    let ended = client.spawn(&args.command)?.wait().await?;
    Ok(code(ended))
}

/// How a client on this machine reaches an exporter.
pub(super) struct Client {
    pub(super) place: ExporterAddress,
    pub(super) passphrase_file: Option<PathBuf>,
}

/// Where the exporter listens.
pub(super) enum ExporterAddress {
    /// A unix socket.
    Unix(PathBuf),
    /// TCP; with a CA, over TLS.
    Tcp {
        /// `HOST:PORT`.
        address: String,
        /// PEM file with the certificate to trust.
        ca: Option<PathBuf>,
    },
}

impl Client {
    /// Variables without secrets.
    pub(super) fn variables(&self) -> Vec<(&'static str, OsString)> {
        let mut all =
            vec![("JMP_DRIVERS_ALLOW", "UNSAFE".into()), ("_JMP_SUPPRESS_DRIVER_WARNINGS", "1".into())];
        match &self.place {
            ExporterAddress::Unix(path) => all.push(("JUMPSTARTER_HOST", absolute(path).into())),
            ExporterAddress::Tcp { address, ca } => {
                all.push(("JUMPSTARTER_HOST", address.into()));
                all.extend(["JMP_LEASE", "JMP_EXPORTER"].map(|name| (name, "direct".into())));
                match ca {
                    None => all.push(("JMP_GRPC_INSECURE", "1".into())),
                    Some(ca) => all.push(("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH", absolute(ca).into())),
                }
            }
        }
        all
    }

    /// Lines for a shell to `eval`. The passphrase stays in its file until the shell reads it.
    fn exports(&self) -> Result<String> {
        let mut text = String::new();
        for (name, value) in self.variables() {
            text += &format!("export {name}={}\n", quoted(&value)?);
        }
        if let Some(file) = &self.passphrase_file {
            text +=
                &format!("export JMP_GRPC_PASSPHRASE=\"$(cat {})\"\n", quoted(absolute(file).as_os_str())?);
        }
        Ok(text)
    }

    /// Starts a command in this environment.
    pub(super) fn spawn(&self, command: &[OsString]) -> Result<Child> {
        let (program, arguments) =
            command.split_first().ok_or_else(|| Error::config("no command is given"))?;
        let mut all = Command::new(program);
        all.args(arguments).envs(self.variables()).kill_on_drop(true);
        if let Some(file) = &self.passphrase_file {
            all.env("JMP_GRPC_PASSPHRASE", Passphrase::read(file)?.reveal());
        }
        all.spawn().map_err(|error| {
            Error::config(format!("cannot run `{}`", program.display()))
                .help("`j` is of the Python packages jumpstarter-cli and jumpstarter-driver-*; activate their venv first")
                .because(error)
        })
    }
}

fn absolute(path: &Path) -> PathBuf {
    std::path::absolute(path).unwrap_or_else(|_| path.to_owned())
}

/// One word for a POSIX shell.
fn quoted(value: &OsStr) -> Result<String> {
    let text = value
        .to_str()
        .ok_or_else(|| Error::config("a path that is no text cannot be printed for a shell"))?;
    Ok(format!("'{}'", text.replace('\'', "'\\''")))
}

/// The exit code of a command, or 128 and the number of the signal that ended it.
pub(super) fn code(status: ExitStatus) -> u8 {
    let code = status.code().unwrap_or_else(|| 128 + status.signal().unwrap_or_default());
    u8::try_from(code).unwrap_or(u8::MAX)
}

/// Asks a command to end.
pub(super) fn terminate(child: &Child) {
    let pid = child.id().and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
    // One that has just ended needs no signal.
    pid.map(|pid| rustix::process::kill_process(pid, Signal::TERM).ok());
}

#[cfg(test)]
mod tests {
    use super::*;

    fn exports(place: ExporterAddress, passphrase: Option<&str>) -> String {
        Client { place, passphrase_file: passphrase.map(PathBuf::from) }.exports().unwrap()
    }

    #[test]
    fn a_shell_gets_the_variables_of_jmp_shell() {
        assert_eq!(
            exports(ExporterAddress::Unix("/run/it's/socket".into()), None),
            "export JMP_DRIVERS_ALLOW='UNSAFE'\nexport _JMP_SUPPRESS_DRIVER_WARNINGS='1'\n\
             export JUMPSTARTER_HOST='/run/it'\\''s/socket'\n"
        );
        let tcp = |ca: Option<&str>| ExporterAddress::Tcp {
            address: "lab:18083".into(),
            ca: ca.map(PathBuf::from),
        };
        let plain = exports(tcp(None), None);
        assert!(plain.ends_with("JUMPSTARTER_HOST='lab:18083'\nexport JMP_LEASE='direct'\nexport JMP_EXPORTER='direct'\nexport JMP_GRPC_INSECURE='1'\n"));
        let secure = exports(tcp(Some("/etc/ca.pem")), Some("/etc/secret"));
        assert!(secure.contains("export GRPC_DEFAULT_SSL_ROOTS_FILE_PATH='/etc/ca.pem'\n"));
        assert!(!secure.contains("INSECURE"));
        assert!(secure.ends_with("export JMP_GRPC_PASSPHRASE=\"$(cat '/etc/secret')\"\n"));
    }
}
