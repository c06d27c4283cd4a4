//! An exporter at work under its controller: carries out what the state machine says, and brings it what happens.

use std::ffi::OsString;
use std::fmt;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use exporter_grpc::LeasedExporter;
use exporter_wire::proto::{
    ExporterStatus, GetServiceEndpointsRequest, RegisterRequest, TelemetryEndpoint, UnregisterRequest,
};
use exporter_yaml::ControllerSettings;
use flasher_base::safe;
use flasher_core::{CancellationToken, Result, async_trait};
use tokio::sync::{mpsc, watch as changes};
use tokio::time::{Instant, sleep_until, timeout};

use crate::backoff::Backoff;
use crate::hook::HookRun;
use crate::lease::{HookKind, Lease};
use crate::link::{Link, LinkKind};
use crate::listen::{ListenFor, listen};
use crate::machine::{Action, LeaseEvent, LeaseMachine, Leave, Phase, Rules, Stop};
use crate::notice::{Notice, Notices, OpenBench, RunnerInput};
use crate::place::HookPlace;
use crate::refusal::{CallRefusal, error, words};
use crate::reporter::{Reporter, bounded, release, report};
use crate::watch::watch;

/// Between two tries to register: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(30));
/// Bound on making the driver tree of a lease.
const OPEN: Duration = Duration::from_secs(30);
/// Bound on closing it: a flash that is stopped switches its board off first.
const CLOSE: Duration = Duration::from_secs(130);
/// The same when the exporter has to go.
const LAST_CLOSE: Duration = Duration::from_secs(6);
/// When an exporter that has to go goes at the latest.
const LAST: Duration = Duration::from_secs(7);
/// What clients get to read a status before the lease ends: at least, and at most.
const READ: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(5));
/// Bound on the last calls to the controller.
const FAREWELL: Duration = Duration::from_secs(3);
/// Longest address of the controller's in a message of ours, characters.
const LONGEST_ENDPOINT: usize = 300;
/// Events that wait.
const QUEUE: usize = 64;

/// Makes the driver trees that leases use.
#[async_trait]
pub trait LeaseBench: fmt::Debug + Send + Sync {
    /// A new driver tree, which no client uses yet.
    ///
    /// # Errors
    /// When its file has problems, or hardware does not answer.
    async fn open(&self) -> Result<OpenBench>;

    /// Variables with which commands on this machine find an exporter that listens on `socket`.
    fn variables(&self, socket: &Path) -> Vec<(OsString, OsString)>;
}

/// Lives under a controller until `stops` says otherwise or the settings do. Gives why it went.
///
/// # Errors
/// When the settings cannot be used, or the controller refuses this exporter for good: class config, with what to mend.
pub async fn run(
    settings: ControllerSettings,
    bench: Arc<dyn LeaseBench>,
    mut stops: changes::Receiver<Option<Stop>>,
    notices: Notices,
) -> Result<Leave> {
    LeasedExporter::sweep().await;
    let link = Link::new(&settings.access, LinkKind::Exporter)?;
    tokio::select! {
        registered = register(&link, &*bench, &notices) => registered?,
        _ = stops.wait_for(Option::is_some) => return Ok(Leave::Stopped),
    }
    let reporter = Reporter::start(link.clone(), notices.clone());
    reporter.report(ExporterStatus::Available, "Exporter registered and available");
    let (inputs, mut events) = mpsc::channel(QUEUE);
    tokio::spawn(look_for_telemetry(link.clone(), notices.clone()));
    let watching = tokio::spawn(watch(link.clone(), inputs.clone(), reporter.clone(), notices.clone()));
    let rules = Rules {
        before_hook: settings.before_lease.is_some(),
        after_hook: settings.after_lease.is_some(),
        exit_on_lease_end: settings.exit_on_lease_end,
    };
    let (machine, held) = (LeaseMachine::new(rules), Held::default());
    let mut runner =
        Runner { machine, settings, bench, link, reporter, notices, inputs, held, is_last: false };
    let leave = runner.until_leave(&mut events, &mut stops).await;
    watching.abort();
    // In the middle of the last call the process may end: the controller finds out by itself.
    timeout(FAREWELL, farewell(&runner.link)).await.ok();
    Ok(leave)
}

/// Makes the exporter known, for as long as that takes.
async fn register(link: &Link, bench: &dyn LeaseBench, notices: &Notices) -> Result<()> {
    let OpenBench { exporter, ends } = bench.open().await?;
    let reports = exporter.reports();
    drop(ends);
    exporter.close().await;
    let mut backoff = Backoff::new(PAUSES.0, PAUSES.1);
    let mut is_failing = false;
    loop {
        // Labels belong to the administrator; those sent here would replace some of them.
        let request = RegisterRequest { labels: Default::default(), reports: reports.clone() };
        let Err(status) = bounded(link.client().register(request)).await else { return Ok(()) };
        match CallRefusal::of(&status) {
            CallRefusal::Lasting(fault) => {
                let what = format!("the controller at `{}` does not take the exporter", link.endpoint);
                return Err(error(&what, link, fault, &status));
            }
            CallRefusal::Passing | CallRefusal::Unknown => {}
        }
        if !std::mem::replace(&mut is_failing, true) {
            notices.send(Notice::Trouble { what: "the exporter cannot register", why: words(&status) });
        }
        backoff.pause().await;
    }
}

/// Asks where the lab collects logs and metrics. Without an answer it collects none; older controllers do not know the call.
async fn look_for_telemetry(link: Link, notices: Notices) {
    match bounded(link.client().get_service_endpoints(GetServiceEndpointsRequest {})).await {
        Ok(answer) => {
            let shown = |it: &TelemetryEndpoint| safe::short(&safe::one_line(&it.endpoint), LONGEST_ENDPOINT);
            let endpoints: Vec<_> = answer.get_ref().telemetry_endpoints.iter().map(shown).collect();
            if !endpoints.is_empty() {
                notices.send(Notice::Telemetry { endpoints });
            }
        }
        Err(status) => tracing::debug!(why = words(&status), "the controller names no place for telemetry"),
    }
}

/// Tells the controller that the exporter goes.
async fn farewell(link: &Link) {
    let why = "Exporter shutting down";
    if let Err(status) = report(link, ExporterStatus::Offline, why, false).await {
        tracing::debug!(why = words(&status), "the last status could not be reported");
    }
    let request = UnregisterRequest { reason: "Exporter shutdown".to_owned() };
    if let Err(status) = bounded(link.client().unregister(request)).await {
        tracing::debug!(why = words(&status), "the exporter could not unregister");
    }
}

/// Waits until then; without a time, for ever.
async fn at(time: Option<Instant>) {
    match time {
        Some(time) => sleep_until(time).await,
        None => std::future::pending().await,
    }
}

/// What belongs to the lease that is held.
#[derive(Debug, Default)]
struct Held {
    /// Ends what runs for it.
    over: CancellationToken,
    exporter: Option<Arc<LeasedExporter>>,
    place: Option<HookPlace>,
}

#[derive(Debug)]
struct Runner {
    machine: LeaseMachine,
    settings: ControllerSettings,
    bench: Arc<dyn LeaseBench>,
    link: Link,
    reporter: Reporter,
    notices: Notices,
    inputs: mpsc::Sender<RunnerInput>,
    held: Held,
    /// Whether the exporter has to go now.
    is_last: bool,
}

impl Runner {
    async fn until_leave(
        &mut self,
        events: &mut mpsc::Receiver<RunnerInput>,
        stops: &mut changes::Receiver<Option<Stop>>,
    ) -> Leave {
        let mut last = None;
        loop {
            let event = tokio::select! {
                () = at(last) => return Leave::Stopped,
                Some(input) = events.recv() => match input {
                    RunnerInput::Event(event) => event,
                    RunnerInput::Opened(bench) => match self.take(bench) {
                        Some(event) => event,
                        None => continue,
                    },
                },
                Ok(()) = stops.changed() => match *stops.borrow_and_update() {
                    Some(stop) => LeaseEvent::Stop(stop),
                    None => continue,
                },
            };
            if event == LeaseEvent::Stop(Stop::Now) {
                self.is_last = true;
                last = last.or(Some(Instant::now() + LAST));
            }
            for action in self.machine.on(event) {
                if let Action::Leave(leave) = action {
                    return leave;
                }
                self.act(action).await;
            }
        }
    }

    /// Keeps the driver tree that was made for a lease, and gives what that means; none when the lease is over already.
    fn take(&mut self, bench: OpenBench) -> Option<LeaseEvent> {
        let OpenBench { exporter, mut ends } = bench;
        if self.machine.phase != Phase::Starting {
            tokio::spawn(async move { exporter.close().await });
            return None;
        }
        let (inputs, over) = (self.inputs.clone(), self.held.over.clone());
        tokio::spawn(over.run_until_cancelled_owned(async move {
            while ends.recv().await.is_some() {
                // Without a receiver the exporter is at its end.
                inputs.send(RunnerInput::Event(LeaseEvent::SessionEnded)).await.ok();
            }
        }));
        if self.settings.before_lease.is_some() || self.settings.after_lease.is_some() {
            match HookPlace::new(&exporter) {
                Ok(place) => self.held.place = Some(place),
                Err(error) => {
                    self.held.exporter = Some(exporter);
                    return Some(LeaseEvent::NotOpened(error.cause()));
                }
            }
        }
        exporter.begin();
        self.held.exporter = Some(exporter);
        Some(LeaseEvent::Opened)
    }

    async fn act(&mut self, action: Action) {
        match action {
            Action::Open(lease) => self.open(lease),
            Action::Listen => self.listen().await,
            Action::Report(status, message) => {
                if let Some(exporter) = &self.held.exporter {
                    exporter.set_status(status, &message);
                }
                self.reporter.report(status, &message);
            }
            Action::RunHook(kind) => self.run_hook(kind),
            Action::Drain => self.drain(),
            Action::Release { give_back } => self.release(give_back),
            Action::CutTunnels => self.held.exporter.iter().for_each(|exporter| exporter.cut_tunnels()),
            Action::Close => self.close(),
            Action::Leave(_) => {}
        }
    }

    /// Does something for the lease that is held, and brings the machine what comes of it, unless the lease ends before.
    fn spawn(&self, work: impl Future<Output = Option<RunnerInput>> + Send + 'static) {
        let (inputs, over) = (self.inputs.clone(), self.held.over.clone());
        tokio::spawn(async move {
            if let Some(Some(input)) = over.run_until_cancelled(work).await {
                inputs.send(input).await.ok(); // the exporter may be at its end
            }
        });
    }

    fn open(&mut self, lease: Lease) {
        let client = lease.client.unwrap_or_else(|| "a client".to_owned());
        self.notices.send(Notice::LeaseBegun { lease: lease.name, client });
        self.held = Held::default();
        let (bench, inputs) = (Arc::clone(&self.bench), self.inputs.clone());
        // It is taken, or closed, also when the lease is over meanwhile.
        tokio::spawn(async move {
            let input = match timeout(OPEN, bench.open()).await {
                Ok(Ok(bench)) => RunnerInput::Opened(bench),
                Ok(Err(error)) => RunnerInput::Event(LeaseEvent::NotOpened(error.cause())),
                Err(_) => {
                    let why = format!("the hardware did not answer within {} s", OPEN.as_secs());
                    RunnerInput::Event(LeaseEvent::NotOpened(why))
                }
            };
            inputs.send(input).await.ok(); // the exporter may be at its end
        });
    }

    async fn listen(&self) {
        let (Some(exporter), Some(lease)) = (&self.held.exporter, self.machine.lease()) else { return };
        let client = lease.client.as_deref().unwrap_or("a client");
        listen(ListenFor {
            link: self.link.clone(),
            lease: lease.name.clone(),
            peer: format!("{client} of the lease {}", lease.name),
            exporter: Arc::clone(exporter),
            over: self.held.over.clone(),
            notices: self.notices.clone(),
        })
        .await;
    }

    fn run_hook(&self, kind: HookKind) {
        let settings = match kind {
            HookKind::Before => &self.settings.before_lease,
            HookKind::After => &self.settings.after_lease,
        };
        let (Some(settings), Some(exporter), Some(place), Some(lease)) =
            (settings, &self.held.exporter, &self.held.place, self.machine.lease())
        else {
            return;
        };
        let run = HookRun {
            kind,
            settings: settings.clone(),
            lease: lease.clone(),
            exporter: Arc::clone(exporter),
            environment: self.bench.variables(&place.socket()),
            motd: place.motd(),
        };
        let (inputs, over) = (self.inputs.clone(), self.held.over.clone());
        tokio::spawn(async move {
            if let Some(outcome) = run.run(&over).await {
                inputs.send(RunnerInput::Event(LeaseEvent::HookEnded(outcome))).await.ok(); // the exporter may be at its end
            }
        });
    }

    fn drain(&self) {
        let Some(exporter) = self.held.exporter.clone() else { return };
        let inputs = self.inputs.clone();
        self.spawn(async move {
            if exporter.is_busy() {
                inputs.send(RunnerInput::Event(LeaseEvent::StillBusy)).await.ok()?;
                exporter.idle().await;
            }
            Some(RunnerInput::Event(LeaseEvent::Drained))
        });
    }

    fn release(&self, give_back: bool) {
        let lease = self.machine.lease().map(|lease| lease.name.clone()).unwrap_or_default();
        let (link, reporter, exporter) =
            (self.link.clone(), self.reporter.clone(), self.held.exporter.clone());
        self.spawn(async move {
            tokio::time::sleep(READ.0).await;
            if let Some(exporter) = exporter {
                timeout(READ.1, exporter.until_read()).await.ok(); // the client may be gone
            }
            if give_back {
                release(&link, &lease, &reporter).await;
            }
            Some(RunnerInput::Event(LeaseEvent::Released))
        });
    }

    fn close(&mut self) {
        let Held { over, exporter, place } = std::mem::take(&mut self.held);
        over.cancel();
        let lease = self.machine.lease().map(|lease| lease.name.clone()).unwrap_or_default();
        let bound = if self.is_last { LAST_CLOSE } else { CLOSE };
        let (inputs, notices) = (self.inputs.clone(), self.notices.clone());
        tokio::spawn(async move {
            if let Some(exporter) = exporter
                && timeout(bound, exporter.close()).await.is_err()
            {
                tracing::error!(
                    seconds = bound.as_secs(),
                    "the driver tree of a lease was not closed in time"
                );
            }
            drop(place);
            notices.send(Notice::LeaseOver { lease });
            inputs.send(RunnerInput::Event(LeaseEvent::Closed)).await.ok(); // the exporter may be at its end
        });
    }
}
