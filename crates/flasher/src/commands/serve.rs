//! `flasher serve`: the driver tree for Jumpstarter's clients, until a signal or the end of a command; `controlled` is the same under a controller.

pub(crate) mod args;
mod controlled;
mod fetch;
mod manager;
mod metrics;
mod start;
mod web;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use exporter_grpc::{Access, Exporter, ListenAddress, Listener, Records};
use exporter_web::TreeSource;
use exporter_wire::passphrase::Passphrase;
use flasher_core::leftovers::{self, InUse};
use flasher_core::{CancellationToken, Class, Error, Result};
use tempfile::TempDir;

use super::driver_tree;
use super::shell_env::{self, Client, ExporterAddress};
use crate::args::python::PythonOption;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::screen::Screen;
use args::ServeArgs;
use start::{Signals, beside, probe, resolve};

/// How the names of folders for sockets begin.
const SOCKET_FOLDER: &str = "flasher-serve-";

/// Serves; with a command, gives its exit code.
pub(super) async fn run(
    args: ServeArgs,
    exporter: Option<&Path>,
    choice: &PythonOption,
    screen: &Screen,
) -> Result<u8, Failure> {
    let file = driver_tree::named(exporter)?.to_path_buf();
    if args.controller {
        return controlled::run(&args, &file, choice, screen).await;
    }
    let tree = exporter_yaml::load(&file)?;
    let passphrase = args.passphrase_file.as_deref().map(Passphrase::read).transpose()?;
    let mut signals = Signals::new()?;
    let (listeners, private) = listeners(&args).await?;
    probe(&tree).await?;
    let counted = metrics::start(args.metrics.as_deref(), tree.bench(), screen).await?;
    announce(&listeners, &args, screen)?;
    let beside = beside(choice, &tree, screen).await?;
    let records = Records { ledger: args.ledger.of(&tree), metrics: counted.metrics.clone() };
    let page = web::bind(&args, &records).await?;
    let client = listeners.first().map(|listener| client(listener, &args));
    let stop = CancellationToken::new();
    let access = Access { passphrase, hosts: args.hosts.clone(), fetch: args.fetch.rules() };
    let serving = Exporter::new(tree, beside, access, records);
    let page = page.map(|page| page.serve(Arc::clone(&serving) as Arc<dyn TreeSource>, screen));
    let work = tokio::spawn({
        let (serving, stop, grace) = (Arc::clone(&serving), stop.clone(), args.grace);
        async move { serving.serve(listeners, stop, grace).await }
    });
    let ended = match client.filter(|_| !args.command.is_empty()) {
        Some(client) => signals.with_command(client, &args.command, (&file, choice), &serving, screen).await,
        None => signals.until_told((&file, choice), &serving, screen).await,
    };
    drop(page);
    stop.cancel();
    tokio::select! {
        _ = work => {}
        () = signals.any() => {} // once more stops at once
    }
    drop(private);
    ended
}

/// What was asked for; for a command alone, a socket in a folder of its own, which goes when it is dropped.
async fn listeners(args: &ServeArgs) -> Result<(Vec<Listener>, Option<SocketFolder>)> {
    let certificate = args.certificate()?;
    let mut listeners = Vec::new();
    if let Some(address) = &args.listen {
        let place = resolve(address).await?;
        refuse_exposed(address, place.ip().is_loopback(), args)?;
        listeners.push(Listener::tcp(place, certificate.as_ref()).await?);
    }
    if let Some(path) = &args.unix {
        listeners.push(Listener::unix(path)?);
    }
    match (listeners.is_empty(), args.command.is_empty()) {
        (false, _) => Ok((listeners, None)),
        (true, true) if args.web.is_some() => Ok((listeners, None)),
        (true, true) => Err(Error::config("nowhere to listen")
            .help("give `--listen HOST:PORT`, `--unix PATH`, `--web`, or a command to run behind `--`")),
        (true, false) => {
            let folder = SocketFolder::new(&std::env::temp_dir())?;
            Ok((vec![Listener::unix(&folder.folder.path().join("socket"))?], Some(folder)))
        }
    }
}

/// A folder for a socket. It goes when it is dropped; what a killed process left goes with the next one.
#[derive(Debug)]
struct SocketFolder {
    folder: TempDir,
    _in_use: InUse,
}

impl SocketFolder {
    fn new(parent: &Path) -> Result<Self> {
        leftovers::sweep(parent, SOCKET_FOLDER);
        let make = || tempfile::Builder::new().prefix(SOCKET_FOLDER).tempdir_in(parent);
        let failed = |error| Error::infrastructure("no folder can be made for a socket").because(error);
        let (folder, in_use) =
            leftovers::made(make, |folder: &TempDir| folder.path().to_owned()).map_err(failed)?;
        Ok(Self { folder, _in_use: in_use })
    }
}

/// Refuses to give boards to everybody who reaches this machine, or hears what goes there, unless that is asked for.
fn refuse_exposed(address: &str, is_loopback: bool, args: &ServeArgs) -> Result<()> {
    let (what, help) = match (args.passphrase_file.is_some(), args.cert.is_some()) {
        _ if is_loopback || args.insecure => return Ok(()),
        (true, true) => return Ok(()),
        (false, _) => (
            "without a passphrase gives the boards to every client that reaches it",
            "give `--passphrase-file FILE` with `--cert FILE --key FILE`",
        ),
        (true, false) => (
            "without TLS shows the passphrase to everyone who can read the network traffic",
            "give `--cert FILE --key FILE`",
        ),
    };
    Err(Error::config(format!("listening on `{address}` {what}"))
        .help(format!("{help}, listen on 127.0.0.1 behind an ssh tunnel, or accept it with `--insecure`")))
}

fn announce(listeners: &[Listener], args: &ServeArgs, screen: &Screen) -> Result<(), Failure> {
    for listener in listeners {
        let address = listener.address().to_string();
        if !args.command.is_empty() {
            continue;
        }
        screen.show(&Message::Listening { address: address.clone() }, |_| {
            format!("listening on {address}\n")
        })?;
        if matches!(listener.address(), ListenAddress::Tcp(bound) if !bound.ip().is_loopback())
            && args.insecure
        {
            screen.aside(&format!(
                "warning: every client that reaches {address} may use the boards; `--passphrase-file` with `--cert` keeps others out\n"
            ));
        }
    }
    Ok(())
}

/// How a client on this machine reaches the exporter.
fn client(listener: &Listener, args: &ServeArgs) -> Client {
    let place = match listener.address() {
        ListenAddress::Unix(path) => ExporterAddress::Unix(path.clone()),
        ListenAddress::Tcp(address) => ExporterAddress::Tcp {
            address: SocketAddr::new(
                if address.ip().is_unspecified() { [127, 0, 0, 1].into() } else { address.ip() },
                address.port(),
            )
            .to_string(),
            ca: args.cert.clone(),
        },
    };
    Client { place, passphrase_file: args.passphrase_file.clone() }
}

/// Waiting with an exporter.
impl Signals {
    /// Reloads at SIGHUP; returns at ^C or SIGTERM.
    async fn until_told(
        &mut self,
        (file, python): (&Path, &PythonOption),
        exporter: &Arc<Exporter>,
        screen: &Screen,
    ) -> Result<u8, Failure> {
        loop {
            tokio::select! {
                _ = self.interrupt.recv() => return Ok(Class::Interrupted.exit_code()),
                _ = self.terminate.recv() => break,
                _ = self.hangup.recv() => reload(file, python, exporter, screen),
            }
        }
        screen.aside("stopping: clients may end what they do; once more stops at once\n");
        Ok(0)
    }

    /// Runs a command to its end. ^C is the command's own affair, SIGTERM is passed on.
    async fn with_command(
        &mut self,
        client: Client,
        command: &[std::ffi::OsString],
        (file, python): (&Path, &PythonOption),
        exporter: &Arc<Exporter>,
        screen: &Screen,
    ) -> Result<u8, Failure> {
        let mut child = client.spawn(command)?;
        loop {
            tokio::select! {
                ended = child.wait() => return Ok(shell_env::code(ended?)),
                _ = self.terminate.recv() => shell_env::terminate(&child),
                _ = self.interrupt.recv() => {}
                _ = self.hangup.recv() => reload(file, python, exporter, screen),
            }
        }
    }
}

/// Reads the exporter YAML anew; a mistake in it changes nothing.
fn reload(file: &Path, python: &PythonOption, exporter: &Arc<Exporter>, screen: &Screen) {
    match exporter_yaml::load(file) {
        Ok(tree) => {
            screen.aside("reloading once no client is connected\n");
            let (exporter, python, screen) = (Arc::clone(exporter), python.clone(), screen.clone());
            tokio::spawn(async move {
                match beside(&python, &tree, &screen).await {
                    Ok(beside) => exporter.reload(tree, beside).await,
                    Err(error) => screen.aside(&format!("{}; nothing was reloaded\n", error.cause())),
                }
            });
        }
        Err(findings) => screen.aside(&format!("{findings}\nnothing was reloaded\n")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_killed_process_leaves_its_socket_folder_to_the_next() {
        let parent = tempfile::tempdir().unwrap();
        let first = SocketFolder::new(parent.path()).unwrap();
        let left = parent.path().join(format!("{SOCKET_FOLDER}left"));
        std::fs::create_dir(&left).unwrap();
        std::fs::write(left.join("socket"), "").unwrap();
        let second = SocketFolder::new(parent.path()).unwrap();
        assert!(!left.exists(), "nobody held it");
        assert!(first.folder.path().exists() && second.folder.path().exists());
        drop((first, second));
        assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
    }
}
