//! Fetches a source for a thread to read, and takes it up again where it was cut.

use std::sync::Arc;

use bytes::Bytes;
use flasher_base::source_exchange::SourceBody;
use sha2::{Digest as _, Sha256};
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::AbortHandle;

use super::answer::SourceResponse;
use super::client::Http;
use super::retry::RetryBudget;
use super::validator::Validator;
use crate::source::body::Body;
use crate::{Digest, Error};

/// Chunks between the network and the decoder; hyper's are at most some hundred KiB.
const QUEUE: usize = 4;

/// Asks for the source anew. It must still be the one that had `length` and `validator`. The handle stops the transfer.
pub(crate) fn start_transfer(
    runtime: &Handle,
    http: Arc<Http>,
    length: Option<u64>,
    validator: Validator,
) -> (Body, AbortHandle) {
    let (sender, chunks) = mpsc::channel(QUEUE);
    let label = http.label.clone();
    let task = runtime.spawn(async move {
        let mut transfer = BodyTransfer::new(&http, length, validator, &sender);
        let end = transfer.run().await;
        transfer.note(&end);
        if let Err(error) = end {
            // A receiver that is gone wants no error either.
            let _ = sender.send(Err(error)).await;
        }
    });
    (Body::new(label, chunks), task.abort_handle())
}

/// Who receives the body is gone, so there is nothing more to do.
struct ReceiverGone;

/// How a transfer goes on after one answer.
enum AfterResponse {
    Done,
    Again(Error),
}

/// What has been handed over, and how to go on from there.
struct BodyTransfer<'t> {
    http: &'t Http,
    length: Option<u64>,
    validator: Validator,
    sender: &'t mpsc::Sender<Result<Bytes, Error>>,
    delivered: u64,
    hash: Sha256,
    /// Who reads it closed it before its end.
    is_unwanted: bool,
}

impl<'t> BodyTransfer<'t> {
    fn new(
        http: &'t Http,
        length: Option<u64>,
        validator: Validator,
        sender: &'t mpsc::Sender<Result<Bytes, Error>>,
    ) -> BodyTransfer<'t> {
        BodyTransfer {
            http,
            length,
            validator,
            sender,
            delivered: 0,
            hash: Sha256::new(),
            is_unwanted: false,
        }
    }

    /// Shows how far it came to who sees it.
    fn note(&self, end: &Result<(), Error>) {
        let Some(exchanges) = &self.http.exchanges else { return };
        let sha256 = Digest::from(<[u8; 32]>::from(self.hash.clone().finalize())).to_string();
        let unwanted = self.is_unwanted.then(|| "nothing more was wanted".to_owned());
        let error = end.as_ref().err().map(ToString::to_string).or(unwanted);
        exchanges.handed_on(SourceBody { bytes: self.delivered, sha256, error });
    }

    /// Hands over the body and then no bytes as the mark of its end.
    async fn run(&mut self) -> Result<(), Error> {
        let mut patience = RetryBudget::new(self.http.retries);
        loop {
            let before = self.delivered;
            let answer = match self.delivered {
                0 => self.http.ask(None).await,
                delivered => self.http.get_from(delivered, &self.validator).await,
            };
            let next = match answer {
                Ok(answer) => self.take(answer).await?,
                Err(error) => AfterResponse::Again(error),
            };
            let AfterResponse::Again(error) = next else { return Ok(()) };
            if self.delivered > before {
                patience.renew();
            }
            self.http.asked_again(&error);
            patience.pause(error).await?;
        }
    }

    /// Takes all of an answer. One that begins at the beginning is no continuation until what was delivered before is proven.
    async fn take(&mut self, mut answer: SourceResponse) -> Result<AfterResponse, Error> {
        self.check_same(&answer)?;
        if answer.offset != self.delivered
            && let Some(next) = self.catch_up(&mut answer).await?
        {
            return Ok(next);
        }
        loop {
            match answer.next().await {
                Ok(Some(chunk)) => {
                    if self.hand_over(chunk).await.is_err() {
                        return Ok(AfterResponse::Done);
                    }
                }
                Ok(None) => {
                    let _ = self.sender.send(Ok(Bytes::new())).await; // no receiver, no need of an end
                    return Ok(AfterResponse::Done);
                }
                Err(error) => return Ok(AfterResponse::Again(error)),
            }
        }
    }

    /// Reads what was delivered before once more and compares its digest.
    async fn catch_up(&mut self, answer: &mut SourceResponse) -> Result<Option<AfterResponse>, Error> {
        let (mut again, mut left) = (Sha256::new(), self.delivered);
        while left > 0 {
            let chunk = match answer.next().await {
                Ok(Some(chunk)) => chunk,
                Ok(None) => return Err(self.changed(format!("cut to {} bytes", self.delivered - left))),
                Err(error) => return Ok(Some(AfterResponse::Again(error))),
            };
            let old = chunk.len().min(usize::try_from(left).unwrap_or(usize::MAX));
            again.update(&chunk[..old]);
            left -= old as u64;
            if left > 0 {
                continue;
            }
            if again.clone().finalize() != self.hash.clone().finalize() {
                return Err(self.changed(format!("another in its first {} bytes", self.delivered)));
            }
            if self.hand_over(chunk.slice(old..)).await.is_err() {
                return Ok(Some(AfterResponse::Done));
            }
        }
        Ok(None)
    }

    async fn hand_over(&mut self, chunk: Bytes) -> Result<(), ReceiverGone> {
        if chunk.is_empty() {
            return Ok(());
        }
        self.hash.update(&chunk);
        self.delivered += chunk.len() as u64;
        let handed = self.sender.send(Ok(chunk)).await.map_err(|_| ReceiverGone);
        self.is_unwanted = handed.is_err();
        handed
    }

    fn check_same(&self, answer: &SourceResponse) -> Result<(), Error> {
        let told = |length: Option<u64>| {
            length.map_or("of no known length".into(), |length| format!("{length} bytes"))
        };
        if answer.length != self.length {
            let label = self.http.label.clone();
            return Err(Error::Changed { label, before: told(self.length), now: told(answer.length) });
        }
        if self.validator.excludes(&answer.validator) {
            let (before, now) = (self.validator.describe(), answer.validator.describe());
            return Err(Error::Changed { label: self.http.label.clone(), before, now });
        }
        Ok(())
    }

    fn changed(&self, now: String) -> Error {
        let before = format!("read up to byte {}", self.delivered);
        Error::Changed { label: self.http.label.clone(), before, now }
    }
}
