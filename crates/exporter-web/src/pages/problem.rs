//! A page that says what went wrong.

use maud::{Markup, html};

use super::Frame;

/// `back` is where the person was.
pub(crate) fn problem(frame: &Frame, title: &str, text: &str, back: &str) -> Markup {
    let content = html! {
        h1 { (title) }
        p { (text) }
        p { a href=(back) { "Back" } }
    };
    frame.page(title, None, &content)
}
