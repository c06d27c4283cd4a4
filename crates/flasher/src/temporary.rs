//! Files that are not finished: in the folder of what they will be, in use by this process, and gone with it.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use flasher_core::leftovers::{self, InUse};
use tempfile::NamedTempFile;

/// How names begin of receipts that are not finished, of dumps, and of reports.
pub(crate) const RECEIPT: &str = ".flasher-receipt-";
pub(crate) const DUMP: &str = ".flasher-dump-";
pub(crate) const REPORT: &str = ".flasher-report-";

/// A file beside `path` whose name begins with `prefix`, removed unless it is kept. What killed processes left there is
/// removed first.
///
/// # Errors
/// When the folder cannot be written.
pub(crate) fn beside(path: &Path, prefix: &str) -> io::Result<(NamedTempFile, InUse)> {
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    for left in [RECEIPT, DUMP, REPORT].iter().flat_map(|prefix| leftovers::sweep(folder, prefix)) {
        tracing::info!(file = %left.display(), "removed what a killed process left");
    }
    let make = || {
        tempfile::Builder::new()
            .prefix(prefix)
            .permissions(Permissions::from_mode(0o666)) // the umask takes its share
            .tempfile_in(folder)
    };
    leftovers::made(make, |file| file.path().to_owned())
}
