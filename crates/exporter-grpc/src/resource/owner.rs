//! Whose a stream with data is.

use uuid::Uuid;

/// Whose a resource is: the node it was opened for, and the connection that opened it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Owner {
    pub(crate) node: Uuid,
    pub(crate) connection: u64,
}
