//! Where a person gives the passphrase.

use maud::{Markup, html};

use super::Frame;

pub(crate) fn login(frame: &Frame, problem: Option<&str>) -> Markup {
    let content = html! {
        h1 { "Passphrase" }
        @if let Some(problem) = problem { p.bad role="alert" { (problem) } }
        form.fields method="post" action="/login" {
            (frame.token_field())
            label for="passphrase" { "Passphrase of this exporter" }
            input id="passphrase" name="passphrase" type="password" autocomplete="current-password" required autofocus;
            div.buttons { button { "Log in" } }
        }
    };
    frame.page("Passphrase", None, &content)
}
