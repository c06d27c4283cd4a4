//! Where the stored bytes of an image are.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ExternalSource;
use crate::source::http::{Http, Validator};

/// Where the stored bytes are, to be read as often as needed.
pub(crate) enum Origin {
    File(PathBuf),
    /// A copy: of standard input, without a name, or in the cache.
    Spool(Arc<File>),
    Http(Arc<Http>, Validator),
    External(ExternalSource),
}
