//! A flash: its order, and the image when it is a file of the browser's machine.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use exporter_grpc::ImageIntake;
use exporter_wire::order::{JobOrder, OrderedFile, OrderedSource};
use flasher_core::Error;
use futures_util::StreamExt as _;
use warp::http::StatusCode;
use warp::reply::Response;

use super::request::{BoardAction, Form};
use crate::answer::{done, text};
use crate::board::ShownBoard;
use crate::sessions::random;
use crate::state::{RequestBody, WebState};

/// How long an image may take to begin to come; its job ends then.
const BEGIN: Duration = Duration::from_secs(60);
/// Images on their way at most.
const MOST: usize = 64;

/// Begins a flash. Gives under which name the image has to come, when it is a file.
pub(super) async fn order(
    action: &BoardAction<'_>,
    board: &ShownBoard,
    form: &Form,
) -> Result<Option<String>, Error> {
    let path = board.nodes.flasher.as_deref().ok_or_else(|| Error::config("this board has no flasher"))?;
    let order = ordered(form)?;
    let Some(intake) = action.client(board).flash(path, &order).await? else { return Ok(None) };
    let id = random().ok_or_else(|| Error::infrastructure("the exporter has no random bytes for a name"))?;
    keep(action.state, &id, intake)?;
    Ok(Some(format!("{}/upload/{id}", crate::pages::board_path(board.name()))))
}

/// The order that a form stands for.
fn ordered(form: &Form) -> Result<JobOrder, Error> {
    let wrong = |text: &str| Error::config(text).retryable(false);
    let mut order = match (form.get("url"), form.get("name"), form.get("length")) {
        (None, Some(name), Some(length)) => {
            let length = length.parse().map_err(|_| wrong("the length of the file is no number"))?;
            let mut order = JobOrder::new(OrderedSource::File(0));
            order.files.push(OrderedFile { name: name.to_owned(), length, beside: None });
            order
        }
        (Some(url), None, _) => {
            let source = OrderedSource::url(url);
            let mut order = JobOrder::new(source.ok_or_else(|| {
                wrong("this is no address of an image; expected `http://…` or `https://…`")
            })?);
            order.checksums_beside = form.get("sha256").is_none();
            order
        }
        _ => return Err(wrong("give the URL of an image, or a file")),
    };
    order.sha256 = form.get("sha256").map(str::to_owned);
    order.target = form.get("target").map(str::to_owned);
    Ok(order)
}

/// Keeps the way into the job until the image comes.
fn keep(state: &Arc<WebState>, id: &str, intake: ImageIntake) -> Result<(), Error> {
    let mut intakes = state.intakes.lock().unwrap_or_else(PoisonError::into_inner);
    if intakes.len() >= MOST {
        return Err(Error::infrastructure("too many images are on their way; try again when some have come"));
    }
    intakes.insert(id.to_owned(), intake);
    let (state, id) = (Arc::clone(state), id.to_owned());
    tokio::spawn(async move {
        tokio::time::sleep(BEGIN).await;
        drop(take(&state, &id)); // the job hears that its image does not come
    });
    Ok(())
}

fn take(state: &WebState, id: &str) -> Option<ImageIntake> {
    state.intakes.lock().unwrap_or_else(PoisonError::into_inner).remove(id)
}

/// Takes an image, and hands it on as it comes. How quickly it comes is the job's affair.
pub(super) async fn upload(state: &WebState, id: &str, mut body: RequestBody) -> Response {
    let Some(mut intake) = take(state, id) else {
        return text(StatusCode::NOT_FOUND, "no job waits for this image; order the flash once more");
    };
    while let Some(piece) = body.next().await {
        let Ok(piece) = piece else { return text(StatusCode::BAD_REQUEST, "the image was cut short") };
        if let Err(error) = intake.take(piece).await {
            return text(StatusCode::CONFLICT, &error.cause());
        }
    }
    match intake.finish().await {
        Ok(()) => done(),
        Err(error) => text(StatusCode::CONFLICT, &error.cause()),
    }
}
