//! What is seen of a flash from outside.

use serde_json::Value;

use crate::run::Ran;

/// All that is seen from outside.
#[derive(Debug)]
pub(crate) struct Observation {
    pub(crate) ran: Ran,
    pub(crate) receipt: Option<Value>,
    pub(crate) medium: Vec<u8>,
    /// What the outlet says; one that was never switched is off.
    pub(crate) outlet: String,
    /// The switch got an order; none where the switch is inside of the program.
    pub(crate) switched: Option<bool>,
    pub(crate) leftovers: Vec<String>,
    /// How a healthy job went that came after a kill: empty when well.
    pub(crate) afterwards: Vec<String>,
}
