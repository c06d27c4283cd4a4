//! Nodes of other exporters that cannot be used here.

use super::Driver;
use crate::error::Error;

/// A node that this build has no device for: it is there by its name and class, and refuses to be used.
pub trait OtherDriver: Driver {
    /// Its class, as the one who serves it names it.
    fn class(&self) -> &str;

    /// Why it cannot be used, and what to do instead.
    fn refusal(&self) -> Error;
}
