//! Why a step failed: what the console, the file servers, the power switch and the medium showed is put together into one root cause.
//!
//! [`Observed`] holds what was seen of one attempt. [`diagnose`] goes through the rules in their order; the first that applies names
//! the root cause, the evidence for it, and what to do next. Nothing here opens or waits for anything, so a story is a value.

mod console;
mod facts;
mod observed;
mod rules;
mod servers;
#[cfg(test)]
mod stories;

use flasher_core::flash::Diagnosis;
use flasher_core::{Class, RootCause};

pub use console::{ConsoleView, Sign};
pub use observed::{BoardNetwork, Observed, PowerView, SourceTrouble};
pub use servers::{ServersView, sentence};

/// The root cause of a failure of `class`, by what was seen until then; none where only the order or the image is at fault.
pub fn diagnose(class: Class, observed: &Observed) -> Option<Diagnosis> {
    let by_rule = rules::ALL.iter().find_map(|rule| rule(observed));
    match (by_rule, observed.stated) {
        (Some(found), _) => Some(found),
        (None, Some(stated)) => Some(facts::stated(stated, observed)),
        (None, None) => match class {
            Class::Infrastructure | Class::Board | Class::Medium => {
                Some(facts::with_all(RootCause::Unknown, observed))
            }
            Class::Config | Class::Source | Class::Internal | Class::Interrupted => None,
        },
    }
}
