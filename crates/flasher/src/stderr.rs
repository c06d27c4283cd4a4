//! Standard error, where everything goes that is no result.

use std::io::{self, Write};

use flasher_core::safe;
use flasher_core::userinfo::hide_passwords;

use crate::render::paint::Paint;

/// Writes to standard error. Its reader may be gone; a job goes on, for its board must not be left half written.
pub(crate) fn aside(text: &str) {
    io::stderr().lock().write_all(harmless(text).as_bytes()).ok();
}

/// The same while the terminal is raw, where a new line does not begin at the left by itself.
pub(crate) fn aside_raw(text: &str) {
    let raw = format!("\n{}", harmless(text)).replace('\n', "\r\n");
    io::stderr().lock().write_all(raw.as_bytes()).ok(); // as in `aside`
}

/// Text without passwords and without what a terminal would obey, but for colours where they are wanted.
fn harmless(text: &str) -> String {
    safe::lines(&hide_passwords(text), Paint::of(&io::stderr()).allowed())
}
