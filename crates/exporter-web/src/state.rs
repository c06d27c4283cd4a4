//! What all requests share, and what a request is.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};

use bytes::Bytes;
use exporter_grpc::ImageIntake;
use flasher_core::CancellationToken;
use futures_util::Stream;
use percent_encoding::percent_decode_str;
use tokio::sync::Semaphore;
use warp::http::Method;
use warp::http::header::HeaderMap;

use crate::guesses::WrongPassphrases;
use crate::hub::{Hub, ShownTree};
use crate::pages::Frame;
use crate::sessions::Sessions;
use crate::settings::WebSettings;
use crate::visitor::{CookieRules, Visitor};

/// Pages that hear of what changes, of all browsers together.
const WATCHERS: usize = 128;
/// The body of a request as it comes.
pub(crate) type RequestBody = Pin<Box<dyn Stream<Item = Result<Bytes, warp::Error>> + Send>>;

/// What all requests share.
#[derive(Debug)]
pub(crate) struct WebState {
    pub(crate) hub: Arc<Hub>,
    pub(crate) settings: WebSettings,
    pub(crate) sessions: Sessions,
    pub(crate) wrong: WrongPassphrases,
    pub(crate) cookies: CookieRules,
    /// Places for pages that hear of what changes.
    pub(crate) watchers: Arc<Semaphore>,
    /// Images that were ordered and have not come.
    pub(crate) intakes: Mutex<HashMap<String, ImageIntake>>,
    /// Cancelled when the server stops.
    pub(crate) stop: CancellationToken,
}

/// A request.
pub(crate) struct WebRequest {
    pub(crate) method: Method,
    /// The parts of its path, decoded.
    pub(crate) path: Vec<String>,
    pub(crate) query: String,
    /// The host it is for, as the browser has it.
    pub(crate) host: Option<String>,
    pub(crate) headers: HeaderMap,
    pub(crate) peer: SocketAddr,
}

/// The parts of a path, decoded.
pub(crate) fn parts(path: &str) -> Vec<String> {
    let parts = path.trim_matches('/').split('/').filter(|part| !part.is_empty());
    parts.map(|part| percent_decode_str(part).decode_utf8_lossy().into_owned()).collect()
}

impl WebState {
    pub(crate) fn new(
        hub: Arc<Hub>,
        settings: WebSettings,
        cookies: CookieRules,
        stop: CancellationToken,
    ) -> Self {
        Self {
            hub,
            settings,
            sessions: Sessions::default(),
            wrong: WrongPassphrases::default(),
            cookies,
            watchers: Arc::new(Semaphore::new(WATCHERS)),
            intakes: Mutex::default(),
            stop,
        }
    }

    /// What the frame of a page shows.
    pub(crate) fn frame(&self, visitor: &Visitor, tree: Option<&ShownTree>) -> Frame {
        Frame {
            bench: tree.and_then(|tree| tree.client.bench()).unwrap_or_default().to_owned(),
            token: visitor.session.token.clone(),
            tree: tree.map(|tree| tree.client.tree().to_string()).unwrap_or_default(),
            has_history: self.settings.ledger.is_some(),
            has_metrics: true,
            has_login: self.settings.passphrase.is_some(),
            may_act: self.hub.may_act(),
        }
    }
}
