//! What a content server serves that is no file, and what it takes from clients.

use std::fmt;
use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bytes::Bytes;
use futures_util::{Sink, Stream};

/// Takes a body piece by piece, at its own pace. Closed when the body is whole; dropped without when it broke off.
pub type UploadSink = Pin<Box<dyn Sink<Bytes, Error = io::Error> + Send>>;

/// Somewhere a client may send bytes to. Cloning shares it.
#[derive(Clone)]
pub struct Upload {
    limit: u64,
    open: Arc<dyn Fn() -> Option<UploadSink> + Send + Sync>,
    received: Arc<AtomicU64>,
}

impl Upload {
    /// Takes bodies of at most `limit` bytes. `open` is called for each, and gives `None` when there is no taker (any
    /// more): the request is answered 410 Gone.
    pub fn new(limit: u64, open: impl Fn() -> Option<UploadSink> + Send + Sync + 'static) -> Self {
        Self { limit, open: Arc::new(open), received: Arc::new(AtomicU64::new(0)) }
    }

    /// The most bytes of one body.
    pub fn limit(&self) -> u64 {
        self.limit
    }

    /// Opens the taker for one body.
    pub fn open(&self) -> Option<UploadSink> {
        (self.open)()
    }

    /// Body bytes taken so far, over all requests.
    pub fn received(&self) -> u64 {
        self.received.load(Ordering::Relaxed)
    }

    /// Called by the server for each piece taken.
    pub fn count(&self, bytes: u64) {
        self.received.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Upload {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Upload").field("limit", &self.limit).field("received", &self.received()).finish()
    }
}

/// A body, in pieces. An error ends the transfer so that the client notices.
pub type ContentStream = Pin<Box<dyn Stream<Item = io::Result<Bytes>> + Send>>;

/// Something to serve that is no file.
#[derive(Clone)]
pub struct Content {
    length: Option<u64>,
    open: Arc<dyn Fn() -> Option<ContentStream> + Send + Sync>,
    delivered: Arc<AtomicU64>,
}

impl Content {
    /// Fixed bytes, served as often as asked for.
    pub fn bytes(bytes: impl Into<Bytes>) -> Self {
        let bytes = bytes.into();
        let length = Some(bytes.len() as u64);
        Self::stream(length, move || {
            let piece = bytes.clone();
            let stream: ContentStream = Box::pin(futures_util::stream::once(async move { Ok(piece) }));
            Some(stream)
        })
    }

    /// A stream made anew for each request. `length` in bytes when it is known. `open` gives `None` when it cannot be
    /// had (again): the request is answered 410 Gone.
    pub fn stream(
        length: Option<u64>,
        open: impl Fn() -> Option<ContentStream> + Send + Sync + 'static,
    ) -> Self {
        Self { length, open: Arc::new(open), delivered: Arc::new(AtomicU64::new(0)) }
    }

    /// Length of the body, bytes, when known.
    pub fn length(&self) -> Option<u64> {
        self.length
    }

    /// Opens the body for one request.
    pub fn open(&self) -> Option<ContentStream> {
        (self.open)()
    }

    /// Body bytes handed to the network so far, over all requests.
    pub fn delivered(&self) -> u64 {
        self.delivered.load(Ordering::Relaxed)
    }

    /// Called by the server for each piece handed to the network.
    pub fn count(&self, bytes: u64) {
        self.delivered.fetch_add(bytes, Ordering::Relaxed);
    }
}

impl fmt::Debug for Content {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Content").field("length", &self.length).field("delivered", &self.delivered()).finish()
    }
}
