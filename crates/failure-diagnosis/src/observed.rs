//! What was seen of one attempt.

use std::net::{IpAddr, Ipv4Addr};

use flasher_core::flash::{MediumState, PowerEvidence, PowerState};
use flasher_core::{RootCause, Step};

use crate::console::ConsoleView;
use crate::servers::ServersView;

/// What was seen of one attempt until a step of it failed.
#[derive(Clone, Debug)]
pub struct Observed {
    /// The step that failed.
    pub step: Step,
    /// What the failure itself shows of its cause.
    pub stated: Option<RootCause>,
    /// What the board printed.
    pub console: ConsoleView,
    /// What the file servers of the job saw.
    pub servers: ServersView,
    /// What the power switch was asked and said.
    pub power: PowerView,
    /// What is on the medium.
    pub medium: MediumState,
    /// The board's place in its network, once it has one.
    pub network: Option<BoardNetwork>,
    /// Whether the boot loader was at its prompt in this attempt.
    pub is_caught: bool,
    /// What the server of the image failed of last, where it is asked again.
    pub source: Option<SourceTrouble>,
}

/// A failure of the image's server that may pass.
#[derive(Clone, Debug)]
pub struct SourceTrouble {
    /// What happened.
    pub said: String,
    /// How long ago, seconds.
    pub ago: f64,
}

/// What the power switch was asked and said.
#[derive(Clone, Copy, Debug)]
pub struct PowerView {
    /// What was asked last.
    pub state: PowerState,
    /// How sure that is.
    pub evidence: PowerEvidence,
    /// Whether a person does the switching.
    pub is_by_hand: bool,
}

/// The board's place in its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BoardNetwork {
    /// Its address.
    pub address: Ipv4Addr,
    /// Its netmask.
    pub netmask: Ipv4Addr,
    /// Its way to other networks.
    pub gateway: Option<Ipv4Addr>,
}

impl BoardNetwork {
    /// Whether the board can send to `address` by what it knows of its network.
    pub(crate) fn reaches(&self, address: IpAddr) -> bool {
        let IpAddr::V4(address) = address else { return true };
        let mask = u32::from(self.netmask);
        self.gateway.is_some() || u32::from(address) & mask == u32::from(self.address) & mask
    }
}

impl Observed {
    /// Whether the failure itself shows nothing of its cause, or one of these.
    pub(crate) fn states_nothing_but(&self, causes: &[RootCause]) -> bool {
        self.stated.is_none_or(|stated| causes.contains(&stated))
    }

    /// Whether the failure itself shows one of these.
    pub(crate) fn states(&self, causes: &[RootCause]) -> bool {
        self.stated.is_some_and(|stated| causes.contains(&stated))
    }
}
