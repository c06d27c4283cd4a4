//! The diagnosis of a step that failed, out of what the job saw.

use std::net::IpAddr;

use failure_diagnosis::{Observed, PowerView, ServersView, SourceTrouble, diagnose};
use flasher_core::Error;

use super::run::Run;
use crate::staging;

impl Run {
    /// The error with what everything that was seen says of it.
    pub(crate) fn diagnosed(&self, error: Error) -> Error {
        let found = match error.diagnosis() {
            Some(_) => None,
            None => diagnose(error.class(), &self.observed(&error)),
        };
        match found {
            Some(found) => error.diagnosed(found),
            None => error,
        }
    }

    fn observed(&self, error: &Error) -> Observed {
        let seen = self.views.seen();
        let mut console = seen.console.clone();
        if let Some(transcript) = self.console.transcript() {
            console.heard = transcript.heard().saturating_sub(seen.heard_before);
            console.quiet = transcript.quiet().as_secs_f64();
        }
        let (state, evidence) = self.record.power_now();
        Observed {
            step: self.record.step_now(),
            stated: error.root(),
            console,
            servers: ServersView {
                tftp: seen.tftp.filter(|address| is_real(address.ip())),
                http: seen.http.filter(|address| is_real(address.ip())),
                folder: staging::folder(&self.token),
                transfers: self.evidence.transfers(),
            },
            power: PowerView { state, evidence, is_by_hand: seen.is_by_hand },
            medium: self.on_medium.now(),
            network: seen.network,
            is_caught: seen.is_caught,
            source: seen
                .source
                .as_ref()
                .map(|(at, said)| SourceTrouble { said: said.clone(), ago: at.elapsed().as_secs_f64() }),
        }
    }
}

/// Whether it names one machine.
fn is_real(address: IpAddr) -> bool {
    !address.is_unspecified()
}
