//! A clock that can be made to jump: the program is started with `libfaketime`, which reads from a file how far it is off.
//!
//! Only the time of day jumps. The clock that measures how long something takes cannot be set on a real machine either.

use std::path::{Path, PathBuf};

/// Where Debian's package `libfaketime` puts it, below the folder of this machine's libraries.
const LIBRARY: &str = "faketime/libfaketime.so.1";

/// The library, where it is installed; else nothing happens to the clock.
pub(crate) fn library() -> Option<PathBuf> {
    let triplet = format!("{}-linux-gnu", std::env::consts::ARCH);
    Some(Path::new("/usr/lib").join(triplet).join(LIBRARY)).filter(|path| path.is_file())
}

/// Variables for a program whose clock is off by what the file says.
pub(crate) fn variables(library: &Path, file: &Path) -> Vec<(&'static str, PathBuf)> {
    let set = PathBuf::from("1");
    vec![
        ("LD_PRELOAD", library.to_owned()),
        ("FAKETIME_TIMESTAMP_FILE", file.to_owned()),
        ("FAKETIME_NO_CACHE", set.clone()),
        ("FAKETIME_DISABLE_SHM", set.clone()),
        ("FAKETIME_DONT_FAKE_MONOTONIC", set.clone()),
        ("DONT_FAKE_MONOTONIC", set.clone()),
        ("NO_FAKE_STAT", set),
    ]
}

/// What the file says of a clock that is off by so many seconds.
pub(crate) fn offset(seconds: i64) -> String {
    format!("{seconds:+}\n")
}
