//! What a page hears while it is open, as server-sent events: new parts of it as HTML, and the new lines of the console. Each stream reads
//! what there is when its browser takes more; a browser that takes nothing has no queue here.

use std::convert::Infallible;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use futures_util::Stream;
use serde_json::json;
use tokio::sync::OwnedSemaphorePermit;
use tokio::time::sleep;
use warp::Reply as _;
use warp::http::StatusCode;
use warp::reply::Response;
use warp::sse::Event;

use crate::answer::text;
use crate::board::{ShownBoard, Watcher};
use crate::hub::ShownTree;
use crate::pages;
use crate::sessions::random;
use crate::state::{WebRequest, WebState};

/// Pause between two looks at what is new: what comes meanwhile goes together.
const PAUSE: Duration = Duration::from_millis(100);
/// How often the list of boards is looked at.
const LIST_PAUSE: Duration = Duration::from_millis(500);
/// A sign of life when nothing is new.
const ALIVE: Duration = Duration::from_secs(10);

type Item = Result<Event, Infallible>;

/// What the page with all boards hears.
pub(crate) fn of_all(state: &Arc<WebState>, tree: Arc<ShownTree>) -> Response {
    let Some(place) = place(state) else { return full() };
    let stop = state.stop.clone();
    let events = async_stream::stream! {
        let _place = place;
        let _watched: Vec<Watcher> = tree.boards.iter().map(|board| board.watched()).collect();
        yield Ok(hello(&tree, ""));
        let mut before = String::new();
        loop {
            let now = pages::boards(&tree).into_string();
            if now != before {
                yield Ok(Event::default().event("boards").data(now.clone()));
                before = now;
            }
            tokio::select! {
                () = sleep(LIST_PAUSE) => {}
                () = tree.over.cancelled() => return,
                () = stop.cancelled() => return,
            }
        }
    };
    reply(events)
}

/// What the page of a board hears.
pub(crate) fn of_board(
    state: &Arc<WebState>,
    tree: &Arc<ShownTree>,
    board: Arc<ShownBoard>,
    request: &WebRequest,
) -> Response {
    let (Some(place), Some(tab)) = (place(state), random()) else { return full() };
    let (tree, stop) = (Arc::clone(tree), state.stop.clone());
    let may_act = state.hub.may_act();
    let mut view = BoardView::new(board, tab, first_line(request), may_act);
    let events = async_stream::stream! {
        let _place = place;
        yield Ok(hello(&tree, &view.tab.id));
        loop {
            for event in view.news() {
                yield Ok(event);
            }
            tokio::select! {
                () = view.changed() => {}
                () = tree.over.cancelled() => return,
                () = stop.cancelled() => return,
            }
            sleep(PAUSE).await;
        }
    };
    reply(events)
}

/// The next line of the console that the page has not: where it broke off, else where it began.
fn first_line(request: &WebRequest) -> u64 {
    let last = request.headers.get("last-event-id").and_then(|id| id.to_str().ok()?.parse().ok());
    let mut pairs = form_urlencoded::parse(request.query.as_bytes());
    last.or_else(|| pairs.find(|(key, _)| key == "from").and_then(|(_, value)| value.parse().ok()))
        .unwrap_or(0)
}

fn place(state: &WebState) -> Option<OwnedSemaphorePermit> {
    Arc::clone(&state.watchers).try_acquire_owned().ok()
}

fn full() -> Response {
    text(StatusCode::SERVICE_UNAVAILABLE, "as many pages as the exporter allows are open already; close some")
}

fn reply(events: impl Stream<Item = Item> + Send + 'static) -> Response {
    let alive = warp::sse::keep_alive().interval(ALIVE).text("");
    let events = SharedStream(Mutex::new(Box::pin(events)));
    warp::sse::reply(alive.stream(events)).into_response()
}

/// A stream that warp takes: the lock makes it `Sync` and is never taken.
struct SharedStream(Mutex<Pin<Box<dyn Stream<Item = Item> + Send>>>);

impl Stream for SharedStream {
    type Item = Item;

    fn poll_next(self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<Option<Item>> {
        self.get_mut().0.get_mut().unwrap_or_else(PoisonError::into_inner).as_mut().poll_next(context)
    }
}

fn hello(tree: &ShownTree, tab: &str) -> Event {
    let data = json!({ "tree": tree.client.tree().to_string(), "tab": tab });
    Event::default().event("hello").data(data.to_string())
}

/// A tab of a browser, as far as it can have the line: gone, it has it no longer.
struct Tab {
    id: String,
    board: Arc<ShownBoard>,
}

impl Drop for Tab {
    fn drop(&mut self) {
        self.board.line.leave(&self.id);
    }
}

/// What one page has seen of a board.
struct BoardView {
    board: Arc<ShownBoard>,
    tab: Tab,
    may_act: bool,
    next: u64,
    unfinished: String,
    status: String,
    job: String,
    announced: String,
    line: &'static str,
    changes: Changes,
    _watched: Watcher,
}

/// Where news come from.
struct Changes {
    console: tokio::sync::watch::Receiver<()>,
    line: tokio::sync::watch::Receiver<()>,
    status: tokio::sync::watch::Receiver<crate::board::BoardStatus>,
    job: tokio::sync::watch::Receiver<Option<Arc<crate::board::JobView>>>,
    /// More lines are there already.
    has_more: bool,
}

impl BoardView {
    fn new(board: Arc<ShownBoard>, tab: String, next: u64, may_act: bool) -> Self {
        board.line.arrive(&tab);
        let changes = Changes {
            console: board.console.changes(),
            line: board.line.changes(),
            status: board.status.subscribe(),
            job: board.job.subscribe(),
            has_more: false,
        };
        Self {
            tab: Tab { id: tab, board: Arc::clone(&board) },
            may_act,
            next,
            // What the page has of these is not known, so they are sent once.
            unfinished: "\0".to_owned(),
            status: String::new(),
            job: String::new(),
            announced: "\0".to_owned(),
            line: "",
            changes,
            _watched: board.watched(),
            board,
        }
    }

    /// Waits until something may be new.
    async fn changed(&mut self) {
        let changes = &mut self.changes;
        if changes.has_more {
            return;
        }
        // The senders live as long as the board.
        tokio::select! {
            _ = changes.console.changed() => {}
            _ = changes.line.changed() => {}
            _ = changes.status.changed() => {}
            _ = changes.job.changed() => {}
        }
    }

    /// What the page has not seen yet.
    fn news(&mut self) -> Vec<Event> {
        let changes = &mut self.changes;
        changes.console.borrow_and_update();
        changes.line.borrow_and_update();
        let status = pages::status(&changes.status.borrow_and_update()).into_string();
        let view = changes.job.borrow_and_update().clone();
        let mut news = Vec::new();
        let lines = self.board.console.after(self.next);
        if !lines.html.is_empty() {
            news.push(Event::default().event("lines").id(lines.next.to_string()).data(lines.html));
        }
        (self.next, self.changes.has_more) = (lines.next, lines.has_more);
        let mut changed = |name: &str, seen: &mut String, now: String| {
            if *seen != now {
                news.push(Event::default().event(name).data(now.clone()));
                *seen = now;
            }
        };
        changed("unfinished", &mut self.unfinished, lines.unfinished);
        changed("status", &mut self.status, status);
        if self.board.nodes.flasher.is_some() {
            changed("job", &mut self.job, pages::job(view.as_deref(), self.may_act).into_string());
            changed("announce", &mut self.announced, pages::announced(view.as_deref()));
        }
        let line = self.board.line.state(&self.tab.id).word();
        if self.line != line {
            news.push(Event::default().event("line").data(line));
            self.line = line;
        }
        news
    }
}
