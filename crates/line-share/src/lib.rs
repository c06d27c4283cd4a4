//! Lets others hear a serial line that one process has open: watchers in the same process, and those of the same user in others.
//!
//! * [`Audience`]: the watchers of a line; it outlives each opening
//! * [`Audible`]: an open line whose owner is heard by the audience
//! * [`Take`]: a receiver of everything, a recorder for example
//!
//! The owner waits for no watcher: one that reads too slowly misses something, and a line in its text says so.

mod audience;
mod share;
mod tap;

pub use audience::{Audible, Audience, Watched};
pub use tap::{PIECE, Take};
