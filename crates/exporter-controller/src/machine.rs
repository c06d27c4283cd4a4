//! What an exporter does with what it hears, as a pure state machine: events in, actions out. `run` carries the actions out.
//!
//! ```text
//! Idle ─► Starting ─► [BeforeHook] ─► Ready ─► Draining ─► [AfterHook] ─► [Releasing] ─► Closing ─► Idle
//! ```
//! A client that ends its session where no hook follows leaves the lease `Unused` until the controller takes it back.

use exporter_wire::proto::ExporterStatus;

use crate::lease::{HookKind, HookOutcome, Lease};

/// Something that has happened.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum LeaseEvent {
    /// The controller says who has this exporter.
    Leased(Lease),
    /// The controller says that no client has it.
    Unleased,
    /// The driver tree of the lease is there.
    Opened,
    /// It cannot be had; why.
    NotOpened(String),
    HookEnded(HookOutcome),
    /// The client has ended its session.
    SessionEnded,
    /// A flash goes on although its lease is over.
    StillBusy,
    /// No flash runs any more.
    Drained,
    /// The lease was given back, or only the pause before its end is over.
    Released,
    /// The driver tree is closed.
    Closed,
    /// The exporter has to go.
    Stop(Stop),
}

/// When the exporter has to go.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Stop {
    /// Once no lease is held.
    AfterLease,
    /// At once, in good order.
    Now,
}

/// Something to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Action {
    /// Make the driver tree of this lease.
    Open(Lease),
    /// Take connections of clients from now on.
    Listen,
    /// Report a status, to the controller and to clients.
    Report(ExporterStatus, String),
    RunHook(HookKind),
    /// Wait until no flash runs.
    Drain,
    /// Leave clients a moment to read the status; then give the lease back, if so.
    Release {
        give_back: bool,
    },
    /// End the connections of the client that had the lease.
    CutTunnels,
    /// End everything that belongs to the lease.
    Close,
    Leave(Leave),
}

/// Why an exporter goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leave {
    /// It was stopped.
    Stopped,
    /// It was to go after its lease.
    LeaseOver,
    /// A hook that failed ends it.
    HookFailed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Phase {
    Idle,
    /// The driver tree is being made.
    Starting,
    BeforeHook,
    Ready,
    /// The client has ended its session, and still has the lease.
    Unused,
    /// The lease is over for its client; a flash may still run.
    Draining,
    AfterHook,
    Releasing,
    Closing,
    Gone,
}

/// What an exporter is to do around leases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Rules {
    pub(crate) before_hook: bool,
    pub(crate) after_hook: bool,
    pub(crate) exit_on_lease_end: bool,
}

#[derive(Debug)]
pub(crate) struct LeaseMachine {
    rules: Rules,
    pub(crate) phase: Phase,
    /// The lease that is held; there is one in every phase but `Idle` and `Gone`.
    lease: Option<Lease>,
    /// Whether the controller has taken it back.
    is_over: bool,
    /// Whether its after-hook has run, or must not.
    no_after_hook: bool,
    /// The lease that follows: the controller says so only once.
    next: Option<Lease>,
    /// A lease that we have ended, of which the controller may still speak.
    finished: Option<String>,
    stop: Option<Stop>,
    leave: Option<Leave>,
}

impl LeaseMachine {
    pub(crate) fn new(rules: Rules) -> Self {
        Self {
            rules,
            phase: Phase::Idle,
            lease: None,
            is_over: false,
            no_after_hook: false,
            next: None,
            finished: None,
            stop: None,
            leave: None,
        }
    }

    /// The lease that is held.
    pub(crate) fn lease(&self) -> Option<&Lease> {
        self.lease.as_ref()
    }

    /// What to do, in this order, because of `event`. An event that means nothing now gives nothing to do.
    pub(crate) fn on(&mut self, event: LeaseEvent) -> Vec<Action> {
        match (self.phase, event) {
            (Phase::Gone, _) => Vec::new(),
            (_, LeaseEvent::Leased(lease)) => self.leased(lease),
            (_, LeaseEvent::Unleased) => {
                (self.finished, self.next) = (None, None);
                self.taken_back()
            }
            (_, LeaseEvent::Stop(stop)) => self.stopped(stop),
            (Phase::Starting, LeaseEvent::Opened) => self.opened(),
            (Phase::Starting, LeaseEvent::NotOpened(why)) => {
                self.failed(ExporterStatus::BeforeLeaseHookFailed, why)
            }
            (Phase::BeforeHook, LeaseEvent::HookEnded(outcome)) => self.before_hook_ended(outcome),
            (Phase::Ready, LeaseEvent::SessionEnded) => self.session_ended(),
            (Phase::Draining, LeaseEvent::StillBusy) => {
                vec![report(ExporterStatus::AfterLeaseHook, "Waiting for a flash to end")]
            }
            (Phase::Draining, LeaseEvent::Drained) => self.drained(),
            (Phase::AfterHook, LeaseEvent::HookEnded(outcome)) => self.after_hook_ended(outcome),
            (Phase::Releasing, LeaseEvent::Released) => self.close(),
            (Phase::Closing, LeaseEvent::Closed) => self.closed(),
            _ => Vec::new(),
        }
    }

    fn leased(&mut self, lease: Lease) -> Vec<Action> {
        match &mut self.lease {
            None if self.finished.as_ref() == Some(&lease.name) => Vec::new(),
            None => self.begin(lease),
            Some(held) if held.name == lease.name && !self.is_over => {
                let passed_on = held.client.is_some() && held.client != lease.client;
                *held = lease;
                self.next = None;
                match self.phase {
                    _ if !passed_on => Vec::new(),
                    Phase::Unused => {
                        self.phase = Phase::Ready;
                        vec![Action::CutTunnels, report(ExporterStatus::LeaseReady, READY)]
                    }
                    Phase::BeforeHook | Phase::Ready => vec![Action::CutTunnels],
                    _ => Vec::new(),
                }
            }
            Some(held) if held.name == lease.name => Vec::new(),
            Some(_) => {
                self.next = Some(lease);
                self.taken_back()
            }
        }
    }

    fn begin(&mut self, lease: Lease) -> Vec<Action> {
        (self.is_over, self.no_after_hook, self.finished) = (false, false, None);
        self.phase = Phase::Starting;
        self.lease = Some(lease.clone());
        vec![Action::Open(lease)]
    }

    /// The lease that was held is not ours any more.
    fn taken_back(&mut self) -> Vec<Action> {
        if self.lease.is_none() || std::mem::replace(&mut self.is_over, true) {
            return Vec::new();
        }
        match self.phase {
            // Who had it must not use it any more, also while a flash goes on.
            Phase::Ready | Phase::Unused => [vec![Action::CutTunnels], self.drain()].concat(),
            Phase::Releasing => self.close(),
            // What runs ends by itself, within its time.
            _ => Vec::new(),
        }
    }

    fn stopped(&mut self, stop: Stop) -> Vec<Action> {
        self.stop = self.stop.max(Some(stop));
        match (self.phase, stop) {
            (Phase::Idle, _) => self.leave(Leave::Stopped),
            (Phase::Closing, Stop::Now) => {
                self.leave = Some(Leave::Stopped);
                Vec::new()
            }
            (_, Stop::Now) => {
                self.leave = Some(Leave::Stopped);
                self.close()
            }
            (_, Stop::AfterLease) => Vec::new(),
        }
    }

    fn opened(&mut self) -> Vec<Action> {
        if self.is_over {
            return self.close();
        }
        if self.rules.before_hook {
            self.phase = Phase::BeforeHook;
            let status = report(ExporterStatus::BeforeLeaseHook, "Running the beforeLease hook");
            return vec![Action::Listen, status, Action::RunHook(HookKind::Before)];
        }
        self.phase = Phase::Ready;
        vec![Action::Listen, report(ExporterStatus::LeaseReady, READY)]
    }

    fn before_hook_ended(&mut self, outcome: HookOutcome) -> Vec<Action> {
        let message = match outcome {
            HookOutcome::Passed => READY.to_owned(),
            HookOutcome::Warned(why) => format!("{WARNING}{why}"),
            HookOutcome::EndsLease(why) => return self.failed(ExporterStatus::BeforeLeaseHookFailed, why),
            HookOutcome::EndsExporter(why) => {
                self.leave = Some(Leave::HookFailed);
                return self.failed(ExporterStatus::BeforeLeaseHookFailed, why);
            }
        };
        if self.is_over {
            return self.drain();
        }
        self.phase = Phase::Ready;
        vec![Action::Report(ExporterStatus::LeaseReady, message)]
    }

    fn session_ended(&mut self) -> Vec<Action> {
        if self.wants_after_hook() {
            return self.drain();
        }
        self.phase = Phase::Unused;
        vec![report(ExporterStatus::Available, FREE)]
    }

    /// Clients learn of a failure; then the lease goes back.
    fn failed(&mut self, status: ExporterStatus, why: String) -> Vec<Action> {
        self.no_after_hook = true;
        let mut actions = vec![Action::Report(status, why)];
        actions.extend(self.release());
        actions
    }

    fn release(&mut self) -> Vec<Action> {
        if self.is_over {
            return self.close();
        }
        self.phase = Phase::Releasing;
        vec![Action::Release { give_back: true }]
    }

    fn drain(&mut self) -> Vec<Action> {
        self.phase = Phase::Draining;
        vec![Action::Drain]
    }

    fn wants_after_hook(&self) -> bool {
        let has_client = self.lease.as_ref().is_some_and(|lease| lease.client.is_some());
        self.rules.after_hook && has_client && !self.no_after_hook
    }

    fn drained(&mut self) -> Vec<Action> {
        if !self.wants_after_hook() {
            return self.close();
        }
        self.no_after_hook = true;
        self.phase = Phase::AfterHook;
        let status = report(ExporterStatus::AfterLeaseHook, "Running the afterLease hook");
        vec![status, Action::RunHook(HookKind::After)]
    }

    fn after_hook_ended(&mut self, outcome: HookOutcome) -> Vec<Action> {
        let (status, message) = match outcome {
            HookOutcome::Passed => (ExporterStatus::Available, FREE.to_owned()),
            HookOutcome::Warned(why) => (ExporterStatus::Available, format!("{WARNING}{why}")),
            HookOutcome::EndsLease(why) => (ExporterStatus::AfterLeaseHookFailed, why),
            HookOutcome::EndsExporter(why) => {
                self.leave = Some(Leave::HookFailed);
                // Unregister gives the lease back.
                self.phase = Phase::Releasing;
                let status = Action::Report(ExporterStatus::AfterLeaseHookFailed, why);
                return vec![status, Action::Release { give_back: false }];
            }
        };
        let mut actions = vec![Action::Report(status, message)];
        actions.extend(self.release());
        actions
    }

    fn close(&mut self) -> Vec<Action> {
        self.phase = Phase::Closing;
        vec![Action::Close]
    }

    fn closed(&mut self) -> Vec<Action> {
        let lease = self.lease.take();
        self.finished = lease.filter(|_| !self.is_over).map(|lease| lease.name);
        self.phase = Phase::Idle;
        match (self.leave, self.stop) {
            (Some(leave), _) => return self.leave(leave),
            (None, Some(_)) => return self.leave(Leave::Stopped),
            (None, None) if self.rules.exit_on_lease_end => return self.leave(Leave::LeaseOver),
            (None, None) => {}
        }
        let mut actions = vec![report(ExporterStatus::Available, FREE)];
        if let Some(next) = self.next.take() {
            actions.extend(self.begin(next));
        }
        actions
    }

    fn leave(&mut self, leave: Leave) -> Vec<Action> {
        self.phase = Phase::Gone;
        vec![Action::Leave(leave)]
    }
}

/// What the field's exporters say with these statuses.
const READY: &str = "Ready for commands";
const FREE: &str = "Available for new lease";
/// How a message begins that clients show to their users.
const WARNING: &str = "[HOOK_WARNING] ";

fn report(status: ExporterStatus, message: &str) -> Action {
    Action::Report(status, message.to_owned())
}

#[cfg(test)]
mod tests;
