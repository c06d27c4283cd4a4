//! Where the stored bytes of an image are, and how they are read.

pub(crate) mod body;
pub(crate) mod external;
pub(crate) mod file;
pub(crate) mod http;
pub(crate) mod label;
pub(crate) mod locate;
pub(crate) mod origin;
pub(crate) mod s3;
pub(crate) mod small;
pub(crate) mod spool;
