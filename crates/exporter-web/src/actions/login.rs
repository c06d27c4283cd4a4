//! The passphrase comes, and goes.

use std::sync::Arc;

use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use super::request::Form;
use crate::answer::{page, redirect};
use crate::guesses::MEMORY;
use crate::pages::{self, Frame};
use crate::state::WebState;
use crate::visitor::Visitor;

/// Lets a browser in that gives the passphrase, with a session of its own.
pub(super) async fn login(
    state: &Arc<WebState>,
    visitor: &Visitor,
    form: &Form,
) -> (Response, Option<HeaderValue>) {
    let Some(passphrase) = &state.settings.passphrase else { return (redirect("/"), None) };
    let again = |status, text: &str| {
        (page(status, pages::login(&Frame::of_stranger(&visitor.session.token), Some(text))), None)
    };
    let address = visitor.peer.ip();
    if !state.wrong.may_try(address) {
        let text =
            format!("Too many wrong passphrases from your address. Try again in {} s.", MEMORY.as_secs());
        return again(StatusCode::TOO_MANY_REQUESTS, &text);
    }
    if !passphrase.is(form.get("passphrase").unwrap_or_default().as_bytes()) {
        tracing::warn!(peer = %visitor.peer, "a browser sent a wrong passphrase");
        return again(StatusCode::UNAUTHORIZED, "This is not the passphrase.");
    }
    state.wrong.forget(address);
    // The session from before the passphrase may be known to others.
    state.sessions.end(&visitor.session.id);
    let cookie = state.sessions.begin(true).and_then(|session| state.cookies.cookie(&session));
    (redirect("/"), cookie)
}

/// Ends a session.
pub(super) fn logout(state: &WebState, visitor: &Visitor) -> (Response, Option<HeaderValue>) {
    state.sessions.end(&visitor.session.id);
    (redirect("/"), None)
}
