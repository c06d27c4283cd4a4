//! Getting a lease: asking for it, and waiting until an exporter is free.

use std::time::Duration;

use exporter_wire::proto::Condition;
use exporter_wire::proto::client::{CreateLeaseRequest, GetLeaseRequest, Lease};
use flasher_base::safe;
use flasher_core::{CancellationToken, Error, Result};
use tokio::time::{Instant, timeout};
use tonic::{Code, Status};

use super::{AskedLease, ClientLease, LeaseChoice, LeaseNotice, last, refused, resource};
use crate::backoff::Backoff;
use crate::refusal::words;
use crate::reporter::bounded;

/// Between two looks at a lease: at first, and at most.
const PAUSES: (Duration, Duration) = (Duration::from_millis(250), Duration::from_secs(5));
/// How long the controller may be away while it is waited for.
const AWAY: Duration = Duration::from_secs(60);
/// How long no exporter may fit: one that is started anew is not known for a moment, to old controllers.
const NO_EXPORTER: Duration = Duration::from_secs(20);
/// The reason that a controller gives when no exporter fits.
const NONE_FITS: &str = "NoExporter";
/// Longest text of a controller in a message of ours, characters.
const LONGEST: usize = 300;

/// How a lease stands.
#[derive(Debug, PartialEq, Eq)]
enum LeaseState {
    /// The exporter is this client's.
    Ready,
    /// Why it is not yet.
    Waiting(String),
    /// No exporter fits at present; what the controller says.
    NoneFits(String),
    /// There will be no such lease, and why.
    Denied(String),
    /// It has ended.
    Over,
}

impl AskedLease {
    /// Asks for the lease, and waits until its exporter is this client's. What is waited for is said to `told`.
    ///
    /// # Errors
    /// Class config when the controller refuses this client or such a lease for good; class infrastructure when no exporter becomes
    /// free in time, or the controller does not answer.
    pub async fn acquire(&mut self, told: impl Fn(LeaseNotice) + Send + Sync) -> Result<ClientLease> {
        let begun = Instant::now();
        let within = self.settings.acquisition;
        let acquired = timeout(within, self.acquired(&told)).await;
        acquired.unwrap_or_else(|_| {
            let seconds = begun.elapsed().as_secs();
            Err(Error::infrastructure(format!("no exporter for {} became free within {seconds} s", self.wanted()))
                .help("`jmp get exporters --with leases` shows who has them; `leases.acquisition_timeout` in the client file says how long is waited"))
        })
    }

    async fn acquired(&mut self, told: &(impl Fn(LeaseNotice) + Send + Sync)) -> Result<ClientLease> {
        let mut lease = match &self.choice {
            LeaseChoice::New { .. } => self.create().await?,
            LeaseChoice::Existing(_) => self.look().await?,
        };
        let (mut backoff, mut said, mut unfit) = (Backoff::new(PAUSES.0, PAUSES.1), String::new(), None);
        loop {
            let waiting = match state(&lease) {
                LeaseState::Ready => return self.begun(&lease, told),
                LeaseState::Over => return Err(self.over()),
                LeaseState::Denied(why) => return Err(self.denied(&why)),
                LeaseState::Waiting(why) => why,
                LeaseState::NoneFits(why) => {
                    let since = *unfit.get_or_insert_with(Instant::now);
                    if since.elapsed() > NO_EXPORTER || matches!(self.choice, LeaseChoice::Existing(_)) {
                        return Err(self.denied(&why));
                    }
                    why
                }
            };
            if said != waiting {
                told(LeaseNotice::Waiting(waiting.clone()));
                said = waiting;
            }
            backoff.pause().await;
            lease = self.look().await?;
        }
    }

    /// Asks for a new lease. It has a name of ours, so that one whose answer is lost can be given back.
    async fn create(&mut self) -> Result<Lease> {
        let LeaseChoice::New { selector, lasting } = &self.choice else { return self.look().await };
        let wanted =
            Lease { selector: selector.clone(), duration: (*lasting).try_into().ok(), ..Lease::default() };
        let request = CreateLeaseRequest {
            parent: format!("namespaces/{}", self.link.namespace),
            lease_id: self.name.clone(),
            lease: Some(wanted),
        };
        let (what, link) = (format!("no lease of {}", self.wanted()), self.link.clone());
        let lease = patient(&what, &link, async || {
            let created = bounded(self.link.leases().create_lease(request.clone())).await;
            match created {
                // An answer was lost: it is there already.
                Err(status) if status.code() == Code::AlreadyExists => self.get().await,
                created => created.map(tonic::Response::into_inner),
            }
        })
        .await?;
        self.name =
            Some(last(&lease.name)).filter(|name| !name.is_empty()).unwrap_or_else(|| self.name.clone());
        Ok(lease)
    }

    /// How the lease stands now.
    async fn look(&self) -> Result<Lease> {
        let what = format!("the lease `{}` cannot be used", self.name);
        patient(&what, &self.link, || self.get()).await
    }

    async fn get(&self) -> Result<Lease, Status> {
        let name = resource(&self.link, &self.name);
        bounded(self.link.leases().get_lease(GetLeaseRequest { name })).await.map(tonic::Response::into_inner)
    }

    fn begun(&self, lease: &Lease, told: &impl Fn(LeaseNotice)) -> Result<ClientLease> {
        let holder = lease.client.as_deref().map(last).filter(|holder| *holder != self.link.name);
        if let Some(holder) = holder {
            let holder = safe::one_line(&holder);
            return Err(Error::config(format!("the lease `{}` is that of the client `{holder}`", self.name))
                .help(format!("this client is `{}`; `jmp get leases` lists its leases", self.link.name)));
        }
        let exporter = safe::one_line(&lease.exporter.as_deref().map(last).unwrap_or_default());
        told(LeaseNotice::Leased { exporter: exporter.clone(), lease: self.name.clone() });
        Ok(ClientLease {
            link: self.link.clone(),
            resource: resource(&self.link, &self.name),
            name: self.name.clone(),
            exporter,
            dial: self.settings.dial,
            refusal: Default::default(),
            over: CancellationToken::new(),
        })
    }

    /// What was asked for, for messages.
    fn wanted(&self) -> String {
        match &self.choice {
            LeaseChoice::New { selector, .. } => format!("`{selector}`"),
            LeaseChoice::Existing(name) => format!("the lease `{name}`"),
        }
    }

    fn denied(&self, why: &str) -> Error {
        Error::config(format!("the lab gives no lease of {}: {why}", self.wanted()))
            .help("`jmp get exporters` lists the exporters with their labels")
    }

    fn over(&self) -> Error {
        Error::config(format!("the lease `{}` is over", self.name))
            .help("`jmp get leases` lists those that last; `--lease SELECTOR` makes a new one")
    }
}

/// What a call gives that is made again while the controller is away.
async fn patient<T, C: Future<Output = Result<T, Status>>>(
    what: &str,
    link: &crate::link::Link,
    call: impl Fn() -> C,
) -> Result<T> {
    let (begun, mut backoff) = (Instant::now(), Backoff::new(PAUSES.0, PAUSES.1));
    loop {
        let status = match call().await {
            Ok(answer) => return Ok(answer),
            Err(status) => status,
        };
        if status.code() == Code::NotFound {
            return Err(Error::config(format!(
                "{what}: the controller at `{}` does not know it",
                link.endpoint
            ))
            .help("`jmp get leases` lists the leases"));
        }
        if let Some(refused) = refused(what, link, &status) {
            return Err(refused);
        }
        if begun.elapsed() > AWAY {
            let why = words(&status);
            return Err(Error::infrastructure(format!(
                "{what}: the controller at `{}` does not answer: {why}",
                link.endpoint
            ))
            .help("check `endpoint` in the client file, and the way there"));
        }
        backoff.pause().await;
    }
}

/// What a lease's conditions say.
fn state(lease: &Lease) -> LeaseState {
    if lease.effective_end_time.is_some() {
        return LeaseState::Over;
    }
    let find = |kind: &str, status: &str| {
        lease
            .conditions
            .iter()
            .find(|it| it.r#type.as_deref() == Some(kind) && it.status.as_deref() == Some(status))
    };
    if find("Ready", "True").is_some() {
        return LeaseState::Ready;
    }
    if let Some(condition) = find("Unsatisfiable", "True") {
        return match condition.reason.as_deref() {
            Some(NONE_FITS) => LeaseState::NoneFits(message(condition)),
            _ => LeaseState::Denied(message(condition)),
        };
    }
    if let Some(condition) = find("Invalid", "True") {
        return LeaseState::Denied(message(condition));
    }
    let waiting = find("Pending", "True").map(message).unwrap_or_default();
    LeaseState::Waiting(if waiting.is_empty() {
        "the controller looks for an exporter".to_owned()
    } else {
        waiting
    })
}

fn message(condition: &Condition) -> String {
    let said = condition.message.as_ref().or(condition.reason.as_ref()).cloned().unwrap_or_default();
    safe::short(&safe::one_line(&said), LONGEST)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease(conditions: &[(&str, &str, &str, &str)]) -> Lease {
        let condition = |(kind, status, reason, message): &(&str, &str, &str, &str)| Condition {
            r#type: Some((*kind).to_owned()),
            status: Some((*status).to_owned()),
            reason: Some((*reason).to_owned()),
            message: Some((*message).to_owned()),
        };
        Lease { conditions: conditions.iter().map(condition).collect(), ..Lease::default() }
    }

    #[test]
    fn conditions_say_how_a_lease_stands() {
        let check = |conditions: &[(&str, &str, &str, &str)], expected: LeaseState| {
            assert_eq!(state(&lease(conditions)), expected, "{conditions:?}");
        };
        let waiting = |text: &str| LeaseState::Waiting(text.to_owned());
        check(&[], waiting("the controller looks for an exporter"));
        check(&[("Pending", "True", "NotAvailable", "all\nare taken")], waiting("all; are taken"));
        check(&[("Pending", "True", "Offline", "")], waiting("the controller looks for an exporter"));
        check(&[("Pending", "True", "x", "y"), ("Ready", "True", "Ready", "")], LeaseState::Ready);
        check(
            &[("Unsatisfiable", "True", "NoAccess", "no policy")],
            LeaseState::Denied("no policy".to_owned()),
        );
        check(&[("Unsatisfiable", "True", "NoExporter", "none")], LeaseState::NoneFits("none".to_owned()));
        check(&[("Invalid", "True", "", "bad selector")], LeaseState::Denied("bad selector".to_owned()));
        check(&[("Ready", "False", "Released", "")], waiting("the controller looks for an exporter"));
        let over =
            Lease { effective_end_time: Some(Default::default()), ..lease(&[("Ready", "True", "", "")]) };
        assert_eq!(state(&over), LeaseState::Over);
    }
}
