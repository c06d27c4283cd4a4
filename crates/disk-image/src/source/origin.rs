//! Where the stored bytes of an image are.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use crate::ExternalSource;
use crate::source::http::{Http, Validator};

/// Where the stored bytes are, to be read as often as needed.
pub(crate) enum Origin {
    File(PathBuf),
    /// What standard input held, in a file without a name.
    Spool(Arc<File>),
    /// Nothing but the copy in the cache: a demanded digest found it, and the source was not opened.
    Copy,
    Http(Arc<Http>, Validator),
    External(ExternalSource),
}
