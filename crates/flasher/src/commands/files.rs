//! `flasher files`: a folder over TFTP and HTTP, served by hand until ^C.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use clap::Args as ClapArgs;
use exporter_yaml::Document;
use flasher_core::tree::DriverTree;
use flasher_core::{
    CancellationToken, Device, Error, Event, FileServer, Result, Timed, Transfer, TransferLog,
};
use serde_json::{Value, json};
use tokio::sync::mpsc;

use super::driver_tree;
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::units::shown;
use crate::render::{self, transfers};
use crate::screen::Screen;
use crate::signals;
use crate::stderr::aside;

/// What is served, and where.
#[derive(ClapArgs)]
pub(crate) struct FilesArgs {
    /// Folder to serve, with the folders below it
    pub(crate) dir: PathBuf,
    /// Where TFTP is served; port 0 takes any free one, `off` serves none
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:69", value_parser = place)]
    pub(crate) tftp: ServePlace,
    /// Where HTTP is served; port 0 takes any free one, `off` serves none
    #[arg(long, value_name = "HOST:PORT", default_value = "0.0.0.0:8080", value_parser = place)]
    pub(crate) http: ServePlace,
}

/// Where to serve.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum ServePlace {
    Off,
    At { host: String, port: u16 },
}

/// Transfers waiting to be shown, at most; a flood of requests must not fill the memory.
const WAITING: usize = 4096;

/// Serves until it is stopped; the exit code is 0 then.
pub(super) async fn run(args: &FilesArgs, screen: &Screen) -> Result<u8, Failure> {
    let stop = CancellationToken::new();
    signals::watch(stop.clone(), Arc::new(|_: Event| aside("stopping\n")))?;
    let tree = tree(args)?;
    let served = serve(&tree, args, &stop, screen).await;
    driver_tree::close(&tree, screen).await;
    served.map(|()| 0)
}

async fn serve(
    tree: &DriverTree,
    args: &FilesArgs,
    stop: &CancellationToken,
    screen: &Screen,
) -> Result<(), Failure> {
    let (log, mut transfers, lost) = log();
    let tftp = start(tree, "tftp", &log).await?;
    let http = start(tree, "http", &log).await?;
    drop(log);
    let root = shown(&args.dir);
    screen.show(&Message::Serving { root: root.clone(), tftp, http }, |_| {
        let on =
            |name: &str, address: Option<SocketAddr>| address.map(|address| format!("{name} on {address}"));
        let places: Vec<_> = [on("tftp", tftp), on("http", http)].into_iter().flatten().collect();
        format!("serving `{root}`: {}\n", places.join(", "))
    })?;
    loop {
        let transfer = tokio::select! {
            () = stop.cancelled() => return Ok(()),
            transfer = transfers.recv() => transfer,
        };
        let Some(transfer) = transfer else { return Ok(()) };
        show(&transfer, screen)?;
        let count = lost.swap(0, Ordering::Relaxed);
        if count > 0 {
            screen.aside(&format!("warning: {count} transfers are not shown: too many at once\n"));
        }
    }
}

fn show(transfer: &Transfer, screen: &Screen) -> std::io::Result<()> {
    if screen.is_json() {
        screen.text(&render::json_line(&Timed::now(Event::Transfer(transfer.clone())))?)
    } else {
        screen.text(&format!("{}\n", transfers::line(transfer)))
    }
}

/// A log, what comes out of it, and how many transfers did not fit.
fn log() -> (TransferLog, mpsc::Receiver<Transfer>, Arc<AtomicU64>) {
    let (sender, receiver) = mpsc::channel(WAITING);
    let lost = Arc::new(AtomicU64::new(0));
    let count = Arc::clone(&lost);
    let log = TransferLog::new(move |transfer| {
        if sender.try_send(transfer).is_err() {
            count.fetch_add(1, Ordering::Relaxed);
        }
    });
    (log, receiver, lost)
}

async fn start(tree: &DriverTree, name: &str, log: &TransferLog) -> Result<Option<SocketAddr>> {
    let server: Arc<dyn FileServer> = match tree.find(name) {
        Ok(Device::FileServer(server)) => server,
        Ok(Device::ContentServer(server)) => server,
        _ => return Ok(None),
    };
    server.start(log.clone()).await.map(Some)
}

/// The two servers as an exporter YAML would have them.
fn tree(args: &FilesArgs) -> Result<DriverTree, Failure> {
    let root = root(&args.dir)?;
    let mut export = serde_json::Map::new();
    for (name, place) in [("tftp", &args.tftp), ("http", &args.http)] {
        if let ServePlace::At { host, port } = place {
            let config = json!({ "root_dir": root, "host": host, "port": port });
            export.insert(name.to_owned(), json!({ "type": name, "config": config }));
        }
    }
    if export.is_empty() {
        return Err(Error::config("both servers are off")
            .help("leave out `--tftp off` or `--http off`")
            .into());
    }
    // A text of JSON is one of YAML.
    let text = json!({ "export": Value::Object(export) }).to_string();
    let document = Document::parse("files", Path::new("/"), &text)?;
    Ok(exporter_yaml::build(&document)?)
}

fn root(folder: &Path) -> Result<String> {
    let no_folder = |why: &str| {
        Error::config(format!("cannot serve `{}`: {why}", folder.display()))
            .help("give a folder this user may read")
    };
    let path = folder.canonicalize().map_err(|error| no_folder("it cannot be found").because(error))?;
    if !path.is_dir() {
        return Err(no_folder("it is no folder"));
    }
    path.to_str().map(str::to_owned).ok_or_else(|| no_folder("its path is no UTF-8"))
}

fn place(text: &str) -> Result<ServePlace, String> {
    let expected = || "expected `HOST:PORT`, for example `192.168.7.1:69` or `[::1]:0`, or `off`".to_owned();
    if text == "off" {
        return Ok(ServePlace::Off);
    }
    let (host, port) = text.rsplit_once(':').ok_or_else(expected)?;
    let port = port.parse().map_err(|_| expected())?;
    let host = match host.strip_prefix('[') {
        Some(inner) => inner.strip_suffix(']').ok_or_else(expected)?,
        None if host.is_empty() || host.contains(':') => return Err(expected()),
        None => host,
    };
    Ok(ServePlace::At { host: host.to_owned(), port })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_host_and_port_or_off() {
        let at = |host: &str, port| Ok(ServePlace::At { host: host.to_owned(), port });
        assert_eq!(place("127.0.0.1:0"), at("127.0.0.1", 0));
        assert_eq!(place("lab.local:69"), at("lab.local", 69));
        assert_eq!(place("[::1]:8080"), at("::1", 8080));
        assert_eq!(place("off"), Ok(ServePlace::Off));
        for wrong in ["", "69", ":69", "host", "host:", "host:65536", "::1:69", "[::1:69"] {
            assert!(place(wrong).is_err(), "{wrong}");
        }
    }
}
