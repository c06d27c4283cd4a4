//! What several sections of the page have.

use maud::{Markup, html};

/// The place of a job on the page.
pub(super) fn anchor(index: usize) -> String {
    format!("job-{}", index + 1)
}

/// A line that says how many of something are not shown.
pub(super) fn left_out(count: usize, what: &str) -> Markup {
    html! { @if count > 0 { p.aside { (count) " more " (what) " not shown" } } }
}
