//! What a person can do: each is a POST that brings the token of its session, and is refused without.

mod flash;
mod line;
mod login;
mod request;

use std::sync::Arc;

use bytes::Bytes;
use flasher_core::Error;
use futures_util::StreamExt as _;
use warp::http::{HeaderValue, StatusCode};
use warp::reply::Response;

use self::request::{BoardAction, Form};
use crate::answer::{done, page, redirect, text};
use crate::board::ShownBoard;
use crate::pages::{self, board_path};
use crate::state::{RequestBody, WebRequest, WebState};
use crate::visitor::{Visitor, is_of_page};

/// Longest form, bytes.
const LONGEST_FORM: usize = 64 * 1024;
/// How long a form may take to arrive.
const ARRIVAL: std::time::Duration = std::time::Duration::from_secs(20);

/// Does what a request asks for. A cookie comes with the answer when the session changes.
pub(crate) async fn act(
    state: &Arc<WebState>,
    request: &WebRequest,
    body: RequestBody,
    visitor: &Visitor,
) -> (Response, Option<HeaderValue>) {
    let host = request.host.clone().unwrap_or_default();
    if !is_of_page(&request.headers, &host) {
        return (
            text(StatusCode::FORBIDDEN, "this action was made by a page of another site, and is refused"),
            None,
        );
    }
    let header = |name: &str| request.headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    let (token, tab) = (header("x-token"), header("x-tab"));
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    // An image comes as it is, so its token is in a header, and is looked at before the image.
    if let ["board", _, "upload", id] = path[..] {
        let may = token.is_some_and(|token| visitor.session.has_token(&token)) && visitor.session.is_in;
        let answer = if may { flash::upload(state, id, body).await } else { over() };
        return (answer, None);
    }
    let Some(body) = whole(body).await else {
        return (
            text(StatusCode::PAYLOAD_TOO_LARGE, "the form is too long, or took too long to arrive"),
            None,
        );
    };
    let is_typed = matches!(path[..], ["board", _, "line", "write"]);
    let form = if is_typed { Form::default() } else { Form::of(&body) };
    let token = token.or_else(|| form.get("token").map(str::to_owned));
    if !token.is_some_and(|token| visitor.session.has_token(&token)) {
        return (over(), None);
    }
    match path[..] {
        ["login"] => login::login(state, visitor, &form).await,
        ["logout"] => login::logout(state, visitor),
        _ if !visitor.session.is_in => (text(StatusCode::UNAUTHORIZED, "give the passphrase first"), None),
        ["board", name, ref what @ ..] => {
            let action = BoardAction { state, visitor, tab };
            (action.on_board(name, what, &form, body).await, None)
        }
        _ => (text(StatusCode::NOT_FOUND, "there is no such action"), None),
    }
}

/// The answer when the session is over: it may be that the exporter was started anew.
pub(crate) fn over() -> Response {
    text(
        StatusCode::FORBIDDEN,
        "this page is too old: the exporter was started anew, or you have logged out; reload it",
    )
}

impl BoardAction<'_> {
    async fn on_board(&self, name: &str, what: &[&str], form: &Form, body: Bytes) -> Response {
        if !self.state.hub.may_act() {
            return text(
                StatusCode::FORBIDDEN,
                "a controller gives this exporter to its clients; lease it to use its boards",
            );
        }
        let tree = self.state.hub.tree().await;
        let Some(board) = tree.as_ref().and_then(|tree| tree.board(name)) else {
            return text(StatusCode::NOT_FOUND, "this exporter has no such board now; reload the page");
        };
        let outcome = match what {
            ["power"] => self.power(board, form).await.map(|()| None),
            ["flash"] => flash::order(self, board, form).await,
            ["cancel"] => cancel(board).map(|()| None),
            ["line", what] => line::act(self, board, what, body).await.map(|()| None),
            _ => return text(StatusCode::NOT_FOUND, "there is no such action"),
        };
        board.ask();
        match outcome {
            Ok(Some(answer)) => text(StatusCode::OK, &answer),
            Ok(None) if self.tab.is_some() => done(),
            Ok(None) => redirect(&board_path(name)),
            Err(error) => self.refused(&error, &board_path(name)),
        }
    }

    async fn power(&self, board: &ShownBoard, form: &Form) -> Result<(), Error> {
        let path =
            board.nodes.power.as_deref().ok_or_else(|| Error::config("this board has no power switch"))?;
        let client = self.client(board);
        match form.get("to") {
            Some("on") => client.power(path, true).await,
            Some("off") => client.power(path, false).await,
            Some("cycle") => client.power_cycle(path).await,
            _ => Err(Error::config("power goes `on`, `off` or `cycle`")),
        }
    }

    fn refused(&self, error: &Error, back: &str) -> Response {
        let help = error.next_step().map(|help| format!("; {help}")).unwrap_or_default();
        let reason = flasher_core::safe::short(&format!("{}{help}", error.cause()), 2000);
        match self.tab {
            Some(_) => text(StatusCode::CONFLICT, &reason),
            None => {
                let frame = self.state.frame(self.visitor, None);
                page(StatusCode::CONFLICT, pages::problem(&frame, "Refused", &reason, back))
            }
        }
    }
}

fn cancel(board: &ShownBoard) -> Result<(), Error> {
    let path = board.nodes.flasher.as_deref().ok_or_else(|| Error::config("this board has no flasher"))?;
    board.client.cancel(path)
}

/// The whole of a short body; none when it is longer than a form may be, or does not come.
async fn whole(mut body: RequestBody) -> Option<Bytes> {
    let read = async {
        let mut all = Vec::new();
        while let Some(piece) = body.next().await {
            all.extend_from_slice(&piece.ok()?);
            if all.len() > LONGEST_FORM {
                return None;
            }
        }
        Some(Bytes::from(all))
    };
    tokio::time::timeout(ARRIVAL, read).await.ok().flatten()
}
