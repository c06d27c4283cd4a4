//! A lease of an exporter, as a client of the lab has it: asked for, waited for, used through the router, and given back.

mod acquire;
mod ready;

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use exporter_wire::proto::client::{DeleteLeaseRequest, GetLeaseRequest, Lease};
use exporter_wire::proto::{DialRequest, DialResponse};
use exporter_yaml::ClientSettings;
use flasher_base::safe;
use flasher_core::{CancellationToken, Error, Result};
use tokio::io::DuplexStream;
use tokio::time::{Instant, sleep};
use tonic::{Code, Status};

use crate::backoff::Backoff;
use crate::link::{Link, LinkKind};
use crate::refusal::{CallRefusal, error, words};
use crate::reporter::bounded;
use crate::router::{RouterPlace, pump};

/// Between two tries to reach the exporter: at first, and at most.
const DIAL_PAUSES: (Duration, Duration) = (Duration::from_millis(300), Duration::from_secs(2));
/// How long the controller may be away while a lease is given back.
const RELEASE: Duration = Duration::from_secs(20);
/// How often it is asked whether the lease still lasts.
const LOOK: Duration = Duration::from_secs(10);
/// Bytes between the router and what uses the exporter.
const PIPE: usize = 512 * 1024;

/// Which lease is wanted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseChoice {
    /// A new one, of an exporter with these labels, for so long at most. It is given back.
    New {
        /// `label=value`, several with commas between.
        selector: String,
        /// How long it lasts unless it is given back.
        lasting: Duration,
    },
    /// One that is there, by its name. It stays.
    Existing(String),
}

/// What the user may want to know meanwhile.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LeaseNotice {
    /// No exporter is free yet; what the controller says of it.
    Waiting(String),
    /// The exporter is this client's.
    Leased {
        /// What the lab calls it.
        exporter: String,
        /// What the controller calls the lease.
        lease: String,
    },
    /// The exporter is not ready yet; what it says of itself.
    GettingReady(String),
}

/// A lease that this client has.
#[derive(Clone, Debug)]
pub struct ClientLease {
    link: Link,
    /// As `namespaces/NAMESPACE/leases/NAME`.
    resource: String,
    /// What the controller calls it.
    pub name: String,
    /// What the lab calls its exporter.
    pub exporter: String,
    /// How long the exporter may take to get ready.
    dial: Duration,
    /// Why a router refused a connection last.
    refusal: Arc<Mutex<Option<String>>>,
    /// Ends what goes through the router.
    over: CancellationToken,
}

/// A lease that was asked for, and may not have begun.
#[derive(Clone, Debug)]
pub struct AskedLease {
    link: Link,
    settings: Arc<ClientSettings>,
    choice: LeaseChoice,
    /// Its name there; of a new one that which it was asked for with.
    name: String,
}

impl AskedLease {
    /// Connects to nothing yet.
    ///
    /// # Errors
    /// When the settings cannot be used: no certificate in `tls.ca`, a token that is none, a name that is none.
    pub fn new(settings: ClientSettings, choice: LeaseChoice) -> Result<Self> {
        let link = Link::new(&settings.access, LinkKind::Client)?;
        let name = match &choice {
            LeaseChoice::New { .. } => uuid::Uuid::new_v4().to_string(),
            LeaseChoice::Existing(name) => last(name),
        };
        if name.is_empty() {
            return Err(Error::config("a lease has a name").help("`jmp get leases` lists them"));
        }
        Ok(Self { link, settings: Arc::new(settings), choice, name })
    }

    /// Gives the lease back, also one whose beginning was not heard of. One that was there before stays.
    ///
    /// # Errors
    /// Class infrastructure when the controller does not take it; the lease lasts until its time is over then.
    pub async fn release(&self) -> Result<()> {
        if matches!(self.choice, LeaseChoice::Existing(_)) {
            return Ok(());
        }
        let name = resource(&self.link, &self.name);
        let (begun, mut backoff) = (Instant::now(), Backoff::new(DIAL_PAUSES.0, DIAL_PAUSES.1));
        loop {
            let deleted =
                bounded(self.link.leases().delete_lease(DeleteLeaseRequest { name: name.clone() })).await;
            let status = match deleted {
                Ok(_) => return Ok(()),
                Err(status) if status.code() == Code::NotFound => return Ok(()),
                Err(status) => status,
            };
            if CallRefusal::of(&status) != CallRefusal::Passing || begun.elapsed() > RELEASE {
                let what = format!("the lease `{}` could not be given back: {}", self.name, words(&status));
                let help = format!(
                    "`jmp delete leases {}` gives it back; else it ends when its time is over",
                    self.name
                );
                return Err(Error::infrastructure(what).help(help));
            }
            backoff.pause().await;
        }
    }
}

impl ClientLease {
    /// A connection to the exporter, through a router: the bytes of one HTTP/2 connection.
    ///
    /// # Errors
    /// Class infrastructure when the lease is over, the exporter does not get ready in time, or the router does not connect.
    pub async fn connect(&self) -> Result<DuplexStream> {
        let DialResponse { router_endpoint, router_token } = self.dial().await?;
        let place = RouterPlace { endpoint: router_endpoint, token: router_token };
        let (frames, answer) = place.open(&self.link).await.map_err(|why| {
            Error::infrastructure(format!("the exporter `{}` cannot be reached: {why}", self.exporter))
                .help("the lab's administrator knows its routers; the exporter itself may be well")
        })?;
        let (ours, theirs) = tokio::io::duplex(PIPE);
        let (over, refusal) = (self.over.clone(), Arc::clone(&self.refusal));
        let answer = async move {
            let kept = |why| *refusal.lock().unwrap_or_else(PoisonError::into_inner) = Some(why);
            answer.await.map_err(kept).ok()
        };
        tokio::spawn(over.run_until_cancelled_owned(pump(ours, None, answer, frames)));
        Ok(theirs)
    }

    /// Asks for a connection, for as long as the exporter may take to get ready.
    async fn dial(&self) -> Result<DialResponse> {
        let (begun, mut backoff) = (Instant::now(), Backoff::new(DIAL_PAUSES.0, DIAL_PAUSES.1));
        loop {
            let request = DialRequest { lease_name: self.name.clone() };
            let status = match bounded(self.link.client().dial(request)).await {
                Ok(answer) => return Ok(answer.into_inner()),
                Err(status) => status,
            };
            let may_pass = matches!(
                status.code(),
                Code::FailedPrecondition
                    | Code::Unavailable
                    | Code::ResourceExhausted
                    | Code::DeadlineExceeded
            );
            if !may_pass || begun.elapsed() > self.dial {
                return Err(self.unreached(&status).await);
            }
            tracing::debug!(why = words(&status), "the exporter is not ready for a connection");
            backoff.pause().await;
        }
    }

    /// Why the exporter cannot be reached: most often the lease is over.
    async fn unreached(&self, status: &Status) -> Error {
        if let Some(over) = self.over().await {
            return over;
        }
        let refusal = self.refusal.lock().unwrap_or_else(PoisonError::into_inner).take();
        let why = refusal.unwrap_or_else(|| words(status));
        let what = format!("the exporter `{}` cannot be reached: {why}", self.exporter);
        Error::infrastructure(what)
            .help("`jmp get exporters` shows its status; try again, or lease another one")
    }

    /// The error of a lease that is over or not this client's any more; none while it lasts, and when that is not known.
    pub async fn over(&self) -> Option<Error> {
        let mut leases = self.link.leases();
        let asked = bounded(leases.get_lease(GetLeaseRequest { name: self.resource.clone() }));
        let why = match asked.await {
            Ok(lease) => self.ended(lease.get_ref())?,
            Err(status) if status.code() == Code::NotFound => "is not there any more".to_owned(),
            Err(_) => return None,
        };
        Some(
            Error::infrastructure(format!("the lease `{}` of the exporter `{}` {why}", self.name, self.exporter))
                .help(
                    "a flash that runs there goes on to its end, and its receipt is in the ledger of the exporter (`flasher history` there); \
                     a command by hand has ended",
                )
                .retryable(false),
        )
    }

    /// What has happened to the lease; none while it is this client's.
    fn ended(&self, lease: &Lease) -> Option<String> {
        if lease.effective_end_time.is_some() {
            return Some("is over".to_owned());
        }
        let holder = lease.client.as_deref().map(last)?;
        (holder != self.link.name).then(|| format!("has passed to the client `{}`", safe::one_line(&holder)))
    }

    /// Waits until the lease is over, and gives what that means.
    pub async fn until_over(&self) -> Error {
        loop {
            sleep(LOOK).await;
            if let Some(over) = self.over().await {
                return over;
            }
        }
    }

    /// Ends every connection through the router.
    pub fn cut(&self) {
        self.over.cancel();
    }
}

/// The last part of `namespaces/NAMESPACE/leases/NAME`.
fn last(name: &str) -> String {
    name.rsplit('/').next().unwrap_or_default().to_owned()
}

fn resource(link: &Link, lease: &str) -> String {
    format!("namespaces/{}/leases/{lease}", link.namespace)
}

/// The error of a call about a lease; `what` says what was asked for.
fn refused(what: &str, link: &Link, status: &Status) -> Option<Error> {
    match CallRefusal::of(status) {
        CallRefusal::Lasting(fault) => {
            let what = format!("{what}: the controller at `{}` refuses the client", link.endpoint);
            Some(error(&what, link, fault, status))
        }
        CallRefusal::Unknown => Some(
            Error::infrastructure(format!("{what}: the controller at `{}` gives no leases", link.endpoint))
                .help("is `endpoint` that of a Jumpstarter controller, 0.7 or later?")
                .retryable(false),
        ),
        CallRefusal::Passing => None,
    }
}
