//! A row of the tables of faults.

use std::time::Duration;

use fastrand::Rng;
use serde_json::Value;

use crate::act::Act;
use crate::case::{Case, Effect, End, InjectedFault, Moment, Setting, Via};

/// One kind of fault.
pub(super) struct Row {
    pub(super) name: &'static str,
    /// At most one fault of a group is drawn.
    pub(super) group: &'static str,
    pub(super) fits: fn(&Case) -> bool,
    pub(super) make: fn(&mut Rng, &Case) -> Vec<Effect>,
    pub(super) ends: &'static [End],
    pub(super) traits: &'static [Trait],
}

/// What else there is to know of a fault.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Trait {
    MediumLies,
    PowerLies,
    MuxLies,
    /// It takes long: it is drawn seldom.
    Slow,
}

impl Row {
    /// The fault, drawn for a case.
    pub(super) fn fault(&self, rng: &mut Rng, case: &Case) -> InjectedFault {
        InjectedFault {
            name: self.name,
            effects: (self.make)(rng, case),
            ends: self.ends,
            medium_lies: self.traits.contains(&Trait::MediumLies),
            power_lies: self.traits.contains(&Trait::PowerLies),
            mux_lies: self.traits.contains(&Trait::MuxLies),
        }
    }
}

/// A fault knob of the simulated board.
pub(super) fn set(at: &'static str, value: Value) -> Effect {
    Effect::Set(Setting { at, value })
}

/// Something at a moment of this step.
pub(super) fn later(rng: &mut Rng, steps: &[&'static str], act: Act) -> Vec<Effect> {
    let step = rng.choice(steps).copied().unwrap_or("write");
    let after = Duration::from_millis(rng.u64(..400));
    vec![Effect::Later(Moment { step, after }, act)]
}

pub(super) fn any(_: &Case) -> bool {
    true
}

/// With a simulated board, whichever way its medium is reached.
pub(super) fn simulated(case: &Case) -> bool {
    case.is_simulated()
}

/// With a power switch that is a command.
pub(super) fn switched(case: &Case) -> bool {
    case.via != Via::Emulated
}
