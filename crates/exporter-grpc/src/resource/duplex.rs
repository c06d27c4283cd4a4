//! A stream with a client that is used both ways, by a worker thread that may wait.

use std::time::Duration;

use bytes::Bytes;
use tokio::runtime::Handle;
use tokio::sync::mpsc;

use super::{Pipe, StreamItem};
use crate::failure::{CallFailure, CallResult};
use crate::minimum_rate::MinimumRate;

/// Both directions of a stream.
#[derive(Debug)]
pub(crate) struct Duplex {
    incoming: mpsc::Receiver<StreamItem>,
    outgoing: mpsc::Sender<CallResult<Bytes>>,
    minimum_rate: MinimumRate,
}

impl Duplex {
    /// The stream, when it is not compressed.
    pub(crate) fn new(pipe: Pipe) -> Option<Self> {
        let Pipe { incoming, outgoing, encoding } = pipe;
        encoding.is_none().then(|| Self { incoming, outgoing, minimum_rate: MinimumRate::default() })
    }

    /// Sends a piece. Blocks until there is room for it.
    ///
    /// # Errors
    /// When the client is gone, or takes too little.
    pub(crate) fn send(&mut self, piece: Bytes) -> CallResult<()> {
        let length = piece.len();
        let sent = self.minimum_rate.block_on(self.outgoing.send(Ok(piece)))?;
        self.minimum_rate.moved(length);
        sent.map_err(|_| CallFailure::gone())
    }

    /// What has come, if anything has.
    ///
    /// # Errors
    /// When the client is gone.
    pub(crate) fn try_next(&mut self) -> CallResult<Option<Bytes>> {
        match self.incoming.try_recv() {
            Ok(item) => data(Some(item)).map(Some),
            Err(mpsc::error::TryRecvError::Empty) => Ok(None),
            Err(mpsc::error::TryRecvError::Disconnected) => Err(CallFailure::gone()),
        }
    }

    /// The next piece. Blocks for at most `bound`.
    ///
    /// # Errors
    /// When the client is gone, or says nothing for so long.
    pub(crate) fn next_within(&mut self, bound: Duration) -> CallResult<Bytes> {
        let internal = |_| CallFailure::new(tonic::Code::Internal, "a transfer runs outside the runtime");
        let runtime = Handle::try_current().map_err(internal)?;
        let waited = runtime.block_on(async { tokio::time::timeout(bound, self.incoming.recv()).await });
        data(waited.map_err(|_| {
            let text = format!("the client did not answer within {} s", bound.as_secs());
            CallFailure::new(tonic::Code::DeadlineExceeded, text)
        })?)
    }
}

fn data(item: Option<StreamItem>) -> CallResult<Bytes> {
    match item {
        Some(StreamItem::Data(data)) => Ok(data),
        Some(StreamItem::Broken(failure)) => Err(failure),
        Some(StreamItem::End) | None => Err(CallFailure::gone()),
    }
}
