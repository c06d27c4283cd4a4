//! Which page or action a request means, and whether its sender may have it.

use std::sync::Arc;

use ledger::{Filter, HistoryEntry};
use report::{ConsoleOfJob, ReportedJob};
use warp::http::header::CONTENT_SECURITY_POLICY;
use warp::http::{HeaderValue, Method, StatusCode};
use warp::reply::Response;

use crate::actions;
use crate::answer::{guarded, page, redirect, text, typed};
use crate::events;
use crate::hub::ShownTree;
use crate::pages::{self, BoardPage, Frame, HistoryPage};
use crate::state::{RequestBody, WebRequest, WebState};
use crate::visitor::Visitor;

/// Jobs of a list.
const LISTED: u32 = 100;
/// Jobs on the page of a board.
const LAST: u32 = 10;

impl WebState {
    /// Answers a request.
    pub(crate) async fn answer(self: Arc<Self>, request: WebRequest, body: RequestBody) -> Response {
        let host = request.host.clone().unwrap_or_default();
        if !self.settings.hosts.are_asked(&host, self.settings.certificate.as_ref()) {
            let name = flasher_base::safe::short(&host, 100);
            let reason = format!(
                "this exporter is not called `{name}`; ask for it by its address or the name of its machine, or start it with `flasher serve --host NAME`"
            );
            return guarded(text(StatusCode::MISDIRECTED_REQUEST, &reason), None);
        }
        if let Some(fixed) = fixed(&request) {
            return guarded(fixed, None);
        }
        let known = self.cookies.session(&request.headers, &self.sessions);
        let is_open = self.settings.passphrase.is_none();
        let is_new = known.is_none();
        let Some(session) = known.or_else(|| self.sessions.begin(is_open)) else {
            let reason = "the exporter has no random bytes for a session";
            return guarded(text(StatusCode::INTERNAL_SERVER_ERROR, reason), None);
        };
        let cookie = is_new.then(|| self.cookies.cookie(&session)).flatten();
        let visitor = Visitor { session, peer: request.peer };
        let response = match request.method {
            Method::GET | Method::HEAD if !visitor.session.is_in => self.stranger(&request, &visitor),
            Method::GET | Method::HEAD => self.show(&request, &visitor).await,
            Method::POST => return self.act(&request, body, &visitor, is_new).await,
            _ => text(
                StatusCode::METHOD_NOT_ALLOWED,
                "a page is asked for with GET, and an action made with POST",
            ),
        };
        guarded(response, cookie)
    }

    async fn act(
        self: &Arc<Self>,
        request: &WebRequest,
        body: RequestBody,
        visitor: &Visitor,
        is_new: bool,
    ) -> Response {
        // A browser without a session has no token either.
        let (response, cookie) = match is_new {
            true => (actions::over(), None),
            false => actions::act(self, request, body, visitor).await,
        };
        guarded(response, cookie)
    }

    /// What a browser gets that did not give the passphrase.
    fn stranger(&self, request: &WebRequest, visitor: &Visitor) -> Response {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match path[..] {
            ["login"] => {
                page(StatusCode::OK, pages::login(&Frame::of_stranger(&visitor.session.token), None))
            }
            // A stream of events cannot be led to a page.
            [.., "events"] => text(StatusCode::UNAUTHORIZED, "give the passphrase first"),
            _ => redirect("/login"),
        }
    }

    async fn show(self: &Arc<Self>, request: &WebRequest, visitor: &Visitor) -> Response {
        let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
        match path[..] {
            ["metrics"] => {
                let kind = "application/openmetrics-text; version=1.0.0; charset=utf-8";
                typed(StatusCode::OK, kind, self.settings.metrics.text())
            }
            ["history"] => self.history(&request.query, visitor).await,
            ["history", id] => self.report(id, visitor).await,
            ["login"] => redirect("/"),
            _ => match self.hub.tree().await {
                Some(tree) => self.show_tree(&path, request, visitor, tree).await,
                None => {
                    let frame = self.frame(visitor, None);
                    page(
                        StatusCode::SERVICE_UNAVAILABLE,
                        pages::problem(&frame, "No boards now", self.hub.absent(), "/"),
                    )
                }
            },
        }
    }

    async fn show_tree(
        self: &Arc<Self>,
        path: &[&str],
        request: &WebRequest,
        visitor: &Visitor,
        tree: Arc<ShownTree>,
    ) -> Response {
        let frame = self.frame(visitor, Some(&tree));
        match path[..] {
            [] => {
                futures_util::future::join_all(tree.boards.iter().map(|board| board.freshen())).await;
                page(StatusCode::OK, pages::overview(&frame, &tree))
            }
            ["events"] => events::of_all(self, tree),
            ["board", name] if tree.board(name).is_some() => {
                let Some(board) = tree.board(name) else { return self.missing(&frame) };
                board.freshen().await;
                let exporter = frame.bench.clone();
                let node = board.nodes.flasher.clone();
                let history = self.jobs(board_filter(&exporter, node.as_deref()), LAST).await.0;
                page(StatusCode::OK, pages::board(&BoardPage { frame: &frame, board, history: &history }))
            }
            ["board", name, "events"] => match tree.board(name).cloned() {
                Some(board) => events::of_board(self, &tree, board, request),
                None => text(StatusCode::NOT_FOUND, "this exporter has no such board"),
            },
            _ => self.missing(&frame),
        }
    }

    fn missing(&self, frame: &Frame) -> Response {
        let text = "This exporter has no such page or board. Its file may have changed.";
        page(StatusCode::NOT_FOUND, pages::problem(frame, "Not found", text, "/"))
    }

    async fn history(&self, query: &str, visitor: &Visitor) -> Response {
        let value = |name: &str| {
            let mut pairs = form_urlencoded::parse(query.as_bytes());
            pairs.find(|(key, value)| key == name && !value.is_empty()).map(|(_, value)| value.into_owned())
        };
        let (board, failed) = (value("board"), value("failed").is_some());
        let filter = Filter { board: board.clone(), failed, ..Filter::default() };
        let (mut jobs, problem) = self.jobs(filter, LISTED + 1).await;
        let frame = self.frame(visitor, self.hub.tree().await.as_deref());
        if let Some(problem) = problem {
            return page(
                StatusCode::SERVICE_UNAVAILABLE,
                pages::problem(&frame, "No history", &problem, "/"),
            );
        }
        let has_more = jobs.len() > LISTED as usize;
        jobs.truncate(LISTED as usize);
        let page_of = HistoryPage { frame: &frame, jobs: &jobs, failed, board: board.as_deref(), has_more };
        page(StatusCode::OK, pages::history(&page_of))
    }

    /// Jobs out of the ledger, or why there are none.
    async fn jobs(&self, filter: Filter, limit: u32) -> (Vec<HistoryEntry>, Option<String>) {
        let Some(ledger) = self.settings.ledger.clone() else {
            return (
                Vec::new(),
                Some("This exporter keeps no receipts (`--no-ledger`, or `ledger:` in its file).".to_owned()),
            );
        };
        let filter = Filter { limit: Some(limit), ..filter };
        let read =
            tokio::task::spawn_blocking(move || ledger.history(&filter).map_err(|error| error.to_string()));
        match read.await {
            Ok(Ok(listed)) => (listed.rows, None),
            Ok(Err(why)) => (Vec::new(), Some(why)),
            Err(_) => (Vec::new(), Some("the ledger could not be read".to_owned())),
        }
    }

    /// The report of a job of the ledger, as `flasher report` makes it.
    async fn report(&self, id: &str, visitor: &Visitor) -> Response {
        let number = id.parse::<i64>().ok();
        let made = match (number, self.settings.ledger.clone()) {
            (Some(number), Some(ledger)) => {
                let made = tokio::task::spawn_blocking(move || {
                    let receipt = ledger.receipt(number).map_err(|error| error.to_string())?;
                    let console = receipt.transcript.as_ref().map_or(ConsoleOfJob::None, |transcript| {
                        ConsoleOfJob::Lost(format!("the transcript is in `{}`", transcript.file))
                    });
                    Ok(report::page(&[ReportedJob::new(
                        &format!("job {number} of the ledger"),
                        receipt,
                        console,
                    )]))
                });
                made.await.unwrap_or_else(|_| Err("the report could not be made".to_owned()))
            }
            _ => Err("The ledger has no such job.".to_owned()),
        };
        match made {
            Ok(html) => {
                let mut response = typed(StatusCode::OK, "text/html; charset=utf-8", html);
                let policy = HeaderValue::from_str(&format!("{}; frame-ancestors 'none'", report::policy()));
                if let Ok(policy) = policy {
                    response.headers_mut().insert(CONTENT_SECURITY_POLICY, policy);
                }
                response
            }
            Err(why) => {
                let frame = self.frame(visitor, None);
                page(StatusCode::NOT_FOUND, pages::problem(&frame, "No report", &why, "/history"))
            }
        }
    }
}

/// The jobs of a board of this exporter.
fn board_filter(exporter: &str, node: Option<&str>) -> Filter {
    let node = node.unwrap_or_default();
    let board = if exporter.is_empty() { node.to_owned() } else { format!("{exporter}/{node}") };
    Filter { board: Some(board), ..Filter::default() }
}

/// What is the same for everyone.
fn fixed(request: &WebRequest) -> Option<Response> {
    let path: Vec<&str> = request.path.iter().map(String::as_str).collect();
    let (kind, content) = match path[..] {
        ["style.css"] => ("text/css; charset=utf-8", pages::STYLES.concat()),
        ["script.js"] => ("text/javascript; charset=utf-8", pages::SCRIPT.to_owned()),
        ["icon.svg"] => ("image/svg+xml", pages::ICON.to_owned()),
        _ => return None,
    };
    (request.method == Method::GET).then(|| typed(StatusCode::OK, kind, content))
}
