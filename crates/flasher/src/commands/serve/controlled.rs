//! `flasher serve --controller`: the driver tree for the clients of a lab, under its controller.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;

use exporter_controller::{LeaseBench, Leave, Notice, Notices, OpenBench, Stop};
use exporter_grpc::{Access, LeasedExporter, Records};
use exporter_web::{LeasedTrees, TreeSource};
use exporter_yaml::{ControllerSettings, Document, Findings};
use flasher_core::tree::DriverTree;
use flasher_core::{Class, Error, Result, async_trait};
use tokio::sync::watch;

use super::args::ServeArgs;
use super::manager::{self, Watchdog};
use super::start::{Signals, beside, probe};
use super::{metrics, web};
use crate::args::python::PythonOption;
use crate::commands::shell_env::{Client, ExporterAddress};
use crate::failure::Failure;
use crate::screen::Screen;

/// The exit code when a hook of the lab has ended the exporter.
const HOOK_FAILED: u8 = 1;

/// Serves until a signal, or until a hook or `exitOnLeaseEnd` ends it. SIGHUP reads the file anew after the lease that is held.
pub(super) async fn run(
    args: &ServeArgs,
    file: &Path,
    python: &PythonOption,
    screen: &Screen,
) -> Result<u8, Failure> {
    let mut signals = Signals::new()?;
    let mut found = read(file)?;
    let counted = metrics::start(args.metrics.as_deref(), Some(&found.1.access.name), screen).await?;
    let shown = Arc::new(LeasedTrees::default());
    let records = Records { ledger: args.ledger.of(&found.2), metrics: counted.metrics.clone() };
    let page = web::bind(args, &records).await?;
    let _page = page.map(|page| page.serve(Arc::clone(&shown) as Arc<dyn TreeSource>, screen));
    loop {
        let (document, settings, tree) = found;
        probe(&tree).await?;
        for option in &settings.access.unused_options {
            screen.aside(&format!("warning: `grpcOptions` has `{option}`, which has no effect here\n"));
        }
        let access = Access { fetch: args.fetch.rules(), ..Access::default() };
        let records = Records { ledger: args.ledger.of(&tree), metrics: counted.metrics.clone() };
        let shown = Arc::clone(&shown);
        let bench = ControlledBench {
            document,
            python: python.clone(),
            access,
            records,
            shown,
            screen: screen.clone(),
        };
        match live(settings, Arc::new(bench), file, &mut signals, screen).await? {
            Some(code) => return Ok(code),
            None => {
                manager::reloading();
                screen.aside("reloading\n");
                found = read(file)?;
            }
        }
    }
}

/// What the file says of the controller, and its tree.
fn read(file: &Path) -> Result<(Document, ControllerSettings, DriverTree), Findings> {
    let document = Document::read(file)?;
    let settings = exporter_yaml::controller(&document, |name| std::env::var(name).ok())?;
    let tree = exporter_yaml::build(&document)?;
    Ok((document, settings, tree))
}

/// Lives under the controller; gives the exit code, or none when the file has to be read anew.
async fn live(
    settings: ControllerSettings,
    bench: Arc<dyn LeaseBench>,
    file: &Path,
    signals: &mut Signals,
    screen: &Screen,
) -> Result<Option<u8>, Failure> {
    let access = &settings.access;
    let name = format!("{}/{} at {}", access.namespace, access.name, access.endpoint);
    let shown = screen.clone();
    let notices = Notices::new(move |notice| {
        if notice == Notice::Available {
            manager::ready();
        }
        shown.aside(&format!("{}\n", sentence(&notice, &name)));
    });
    let (stop, stops) = watch::channel(None);
    let mut work = tokio::spawn(exporter_controller::run(settings, bench, stops, notices));
    let (mut asked, mut watchdog) = (None, Watchdog::new());
    let ended = loop {
        let code = tokio::select! {
            ended = &mut work => break ended,
            () = watchdog.live() => continue,
            _ = signals.hangup.recv() => {
                after_lease(file, &stop, screen);
                continue;
            }
            _ = signals.interrupt.recv() => Class::Interrupted.exit_code(),
            _ = signals.terminate.recv() => 0,
        };
        if asked.replace(code).is_some() {
            return Ok(Some(code)); // once more stops at once
        }
        screen.aside("stopping; once more stops at once\n");
        manager::stopping();
        stop.send_replace(Some(Stop::Now));
    };
    let leave = ended.map_err(|error| {
        Error::new(Class::Internal, "the exporter under the controller broke down").because(error)
    })??;
    Ok(match leave {
        Leave::Stopped => asked,
        Leave::LeaseOver => Some(0),
        Leave::HookFailed => Some(HOOK_FAILED),
    })
}

/// Has the file read anew after the lease; a mistake in it changes nothing.
fn after_lease(file: &Path, stop: &watch::Sender<Option<Stop>>, screen: &Screen) {
    match read(file) {
        Ok(_) => {
            screen.aside("reloading once no client has the exporter\n");
            stop.send_modify(|stop| *stop = (*stop).max(Some(Stop::AfterLease)));
        }
        Err(findings) => screen.aside(&format!("{findings}\nnothing was reloaded\n")),
    }
}

fn sentence(notice: &Notice, name: &str) -> String {
    match notice {
        Notice::Available => format!("available as {name}"),
        Notice::LeaseBegun { lease, client } => format!("leased to {client} (lease {lease})"),
        Notice::LeaseOver { lease } => format!("the lease {lease} is over"),
        Notice::OldController { call } => {
            format!("warning: the controller does not know `{call}`, so what it is for is left out")
        }
        Notice::Telemetry { endpoints } => format!(
            "the lab collects telemetry at {}; this exporter sends none there, `--metrics` lets it be read",
            endpoints.join(", ")
        ),
        Notice::Rival { lease } => format!(
            "warning: clients of the lease {lease} were handed to another exporter: does a second exporter with this identity run?"
        ),
        Notice::Trouble { what, why } => format!("warning: {what}: {why}; trying again"),
        Notice::ControllerBack => "the controller answers again".to_owned(),
    }
}

/// Makes the driver trees of leases of the file as it was read.
struct ControlledBench {
    document: Document,
    python: PythonOption,
    access: Access,
    records: Records,
    /// What the web page shows.
    shown: Arc<LeasedTrees>,
    screen: Screen,
}

impl fmt::Debug for ControlledBench {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("ControlledBench").field("file", &self.document.name()).finish_non_exhaustive()
    }
}

#[async_trait]
impl LeaseBench for ControlledBench {
    async fn open(&self) -> Result<OpenBench> {
        let tree = exporter_yaml::build(&self.document).map_err(|findings| {
            let first = findings.0.first().map(|finding| finding.message.clone()).unwrap_or_default();
            Error::config(format!("`{}` cannot be used any more: {first}", self.document.name()))
        })?;
        let python = beside(&self.python, &tree, &self.screen).await?;
        let (exporter, ends) = LeasedExporter::new(tree, python, self.access.clone(), self.records.clone());
        self.shown.set(&exporter);
        Ok(OpenBench { exporter, ends })
    }

    fn variables(&self, socket: &Path) -> Vec<(OsString, OsString)> {
        let client = Client { place: ExporterAddress::Unix(socket.to_owned()), passphrase_file: None };
        client.variables().into_iter().map(|(name, value)| (name.into(), value)).collect()
    }
}
