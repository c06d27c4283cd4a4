//! What the service manager (systemd) hears of an exporter. Without one, nothing is said.

use std::time::Duration;

use sd_notify::NotifyState;
use tokio::time::{Interval, MissedTickBehavior, interval};

/// Clients can use the exporter.
pub(super) fn ready() {
    say(NotifyState::Ready);
}

/// It reads its file anew.
pub(super) fn reloading() {
    say(NotifyState::Reloading);
}

/// It is about to end.
pub(super) fn stopping() {
    say(NotifyState::Stopping);
}

fn say(state: NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        tracing::debug!(%error, "the service manager does not listen");
    }
}

/// The signs of life that the service manager wants, if it does.
#[derive(Debug)]
pub(super) struct Watchdog(Option<Interval>);

impl Watchdog {
    pub(super) fn new() -> Self {
        let wanted = sd_notify::watchdog_enabled().filter(|every| *every > Duration::ZERO);
        Self(wanted.map(|every| {
            let mut interval = interval(every / 3);
            interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
            interval
        }))
    }

    /// Gives a sign of life whenever it is due, for ever.
    pub(super) async fn live(&mut self) {
        let Some(interval) = &mut self.0 else { return std::future::pending().await };
        loop {
            interval.tick().await;
            say(NotifyState::Watchdog);
        }
    }
}
