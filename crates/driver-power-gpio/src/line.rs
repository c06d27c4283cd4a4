//! A GPIO line as the driver sees it. Calls are short but may wait for the kernel: they are made off the runtime.

use std::fmt;

use crate::error::Error;

/// A line that can be driven. Nothing is touched before [`GpioOut::drive`] is called.
pub trait GpioOut: fmt::Debug + Send + Sync + 'static {
    /// Whether the line is there and free, or ours already. Changes nothing.
    ///
    /// # Errors
    /// What stands in the way.
    fn look(&self) -> Result<(), Error>;

    /// Takes the line when it is not held yet, with this value from the first moment on, and drives it.
    ///
    /// # Errors
    /// When the line cannot be had or does not obey.
    fn drive(&self, active: bool) -> Result<(), Error>;

    /// Words that are equal for the same line however it is named; none when it cannot be found.
    fn identity(&self) -> Option<String> {
        None
    }

    /// Whether the line is held.
    fn is_held(&self) -> bool;

    /// Lets go of the line without changing its value, as far as the kernel keeps it.
    fn release(&self);
}

/// A line that can be read.
pub trait GpioIn: fmt::Debug + Send + Sync + 'static {
    /// Whether the line is there and free, or ours already. Changes nothing.
    ///
    /// # Errors
    /// What stands in the way.
    fn look(&self) -> Result<(), Error>;

    /// Whether the line is active.
    ///
    /// # Errors
    /// When the line cannot be had.
    fn read(&self) -> Result<bool, Error>;
}
