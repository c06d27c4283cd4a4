//! Makes of receipts what people and other programs look at: a page, a short text, CI results and a signed statement.
//!
//! Nothing here prints or opens a file. What a receipt says is the text of others: whatever it holds is shown as text,
//! within bounds, and is never obeyed by a terminal or a browser.

mod ansi;
mod attest;
mod bounds;
mod console;
mod job;
mod junit;
mod kcidb;
mod map;
mod page;
mod picture;
mod standing;
mod text;
pub mod units;
mod words;

pub use attest::{SigningKey, attest};
pub use console::{ConsoleText, LONGEST_CONSOLE};
pub use job::{ConsoleOfJob, ReportedJob};
pub use junit::junit;
pub use kcidb::{kcidb, origin};
pub use page::{STYLE, page, policy};
pub use standing::Standing;
pub use text::text;
pub use words::blamed;
