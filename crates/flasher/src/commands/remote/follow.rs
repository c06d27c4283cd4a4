//! The events of a flash on an exporter, shown as they come.

use std::sync::Arc;

use exporter_wire::notice::JobNotice;
use flasher_core::flash::{MediumState, audit};
use flasher_core::{Error, Event, Progress, Receipt, Result, Timed, Verdict};
use futures_util::{Stream, StreamExt};

use super::transcript::RemoteTranscript;
use crate::screen::Screen;

/// From when on a job is heard.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum From {
    /// It has just begun: its events are shown with the time of this machine, as what is shown of the sending.
    Now,
    /// It may have begun long before: its events are shown with their own times, by the exporter's clock.
    TheBeginning,
}

/// Where the events go.
pub(super) struct Follower<'a> {
    pub(super) progress: &'a Arc<dyn Progress>,
    pub(super) from: From,
    /// Refuses a receipt that does not prove what it says, before anything is shown of it.
    pub(super) check: &'a (dyn Fn(&Receipt) -> Result<()> + Sync),
    /// Where the transcript goes; none when it is not kept.
    pub(super) transcript: Option<RemoteTranscript>,
    pub(super) screen: &'a Screen,
}

impl Follower<'_> {
    /// Shows every event, and gives the receipt of the last one.
    ///
    /// # Errors
    /// When the job was refused, its receipt does not arrive, or it is not as it must be.
    pub(super) async fn follow(mut self, events: impl Stream<Item = Result<String>>) -> Result<Receipt> {
        let mut events = std::pin::pin!(events);
        let (mut receipt, mut is_begun) = (None, false);
        while let Some(text) = events.next().await {
            let text = text.map_err(|error| if is_begun { out_of_sight(error) } else { error })?;
            match serde_json::from_str::<Timed>(&text) {
                Ok(event) => {
                    is_begun = true;
                    if let Event::Finished { receipt: last } = &event.what {
                        (self.check)(last)?;
                        self.keep_transcript(last).await;
                        receipt = Some((**last).clone());
                    }
                    self.show(event);
                }
                Err(error) => self.other(&text, &error)?,
            }
        }
        receipt.ok_or_else(|| {
            out_of_sight(Error::infrastructure("the exporter ended the job without a receipt"))
                .help("`flasher --remote … attach` tells how it stands")
        })
    }

    fn show(&self, event: Timed) {
        match self.from {
            From::Now => self.progress.report(event.what),
            From::TheBeginning => self.progress.replay(event),
        }
    }

    /// Before the end is shown, which is the last that is shown.
    async fn keep_transcript(&mut self, receipt: &Receipt) {
        let Some(transcript) = self.transcript.take() else { return };
        if let Some(message) = transcript.keep(receipt).await {
            self.progress.report(Event::Warning { message });
        }
    }

    /// What is no event of a job: the job was refused, is over, or the exporter is of another version.
    fn other(&mut self, text: &str, error: &serde_json::Error) -> Result<()> {
        match serde_json::from_str(text) {
            Ok(JobNotice::Refused { class, reason }) => {
                return Err(Error::new(class, format!("the exporter refused the job: {reason}"))
                    .with("medium", MediumState::Untouched.to_string()));
            }
            Ok(JobNotice::JobOver) => {
                self.screen.aside("no job is running; this is how the last one went\n");
            }
            Ok(JobNotice::Transcript { text }) => {
                self.transcript.iter_mut().for_each(|transcript| transcript.take(&text));
            }
            // Meant for the client that has ordered the job, or a plan.
            Ok(JobNotice::SendFiles | JobNotice::Planned { .. }) => {}
            Err(_) => tracing::warn!(%error, "the exporter sent an event this version does not know"),
        }
        Ok(())
    }
}

/// A receipt off the network proves something only when it is whole and all of it fits together.
///
/// # Errors
/// Class infrastructure when it was changed, or does not bear out its verdict.
pub(super) fn bears_out(receipt: &Receipt) -> Result<()> {
    let flawed = |flaw: String| {
        Error::infrastructure(format!("the exporter's receipt does not bear out what it says: {flaw}"))
            .retryable(false)
            .with("medium", MediumState::Unknown.to_string())
            .help("use the same release of `flasher` here and on the exporter's machine, then flash again")
    };
    if receipt.clone().sealed().sha256 != receipt.sha256 {
        return Err(flawed("its `sha256` is not that of the rest".to_owned()));
    }
    if receipt.verdict == Verdict::Failed {
        return Ok(());
    }
    audit::audit(receipt).map(drop).map_err(|flaw| flawed(flaw.to_string()))
}

/// The failure of a job that goes on, or went on, where it cannot be seen: what is on the medium is not known here.
fn out_of_sight(error: Error) -> Error {
    error.with("medium", MediumState::Unknown.to_string())
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use flasher_core::Class;
    use flasher_core::flash::{JobKind, Site};
    use serde_json::json;

    use super::*;

    async fn follow(events: Vec<Result<String>>) -> Error {
        let quiet: Arc<dyn Progress> = Arc::new(flasher_core::Quiet);
        let screen = Screen::new(false, crate::log::Chatter::Normal);
        let follower = Follower {
            progress: &quiet,
            from: From::Now,
            check: &bears_out,
            transcript: None,
            screen: &screen,
        };
        follower.follow(futures_util::stream::iter(events)).await.unwrap_err()
    }

    #[tokio::test]
    async fn without_its_receipt_a_job_leaves_the_medium_unknown() {
        let begun = || Ok(r#"{"event":"step-begun","step":"write"}"#.to_owned());
        let cut = || Err(Error::infrastructure("the connection broke"));
        for (events, cause, is_unknown) in [
            (vec![begun(), cut()], "the connection broke", true),
            (vec![begun()], "the exporter ended the job without a receipt", true),
            // No job was heard of.
            (vec![cut()], "the connection broke", false),
        ] {
            let error = follow(events).await;
            assert_eq!(error.cause(), cause);
            let expected =
                ("medium", "unknown: the job ran elsewhere, and its receipt did not arrive".to_owned());
            assert_eq!(error.context().contains(&expected), is_unknown, "{error:?}");
        }
    }

    #[tokio::test]
    async fn receipts_that_prove_nothing_are_refused() {
        let blank = |verdict| {
            let blank = Receipt::blank(
                "flasher 1",
                JobKind::Flash,
                Site::default(),
                SystemTime::now(),
                Duration::ZERO,
            );
            Receipt { verdict, ..blank }
        };
        for (receipt, flaw) in [
            (blank(Verdict::Proven).sealed(), "never switched on"),
            (blank(Verdict::Written).sealed(), "never switched on"),
            (blank(Verdict::Identified).sealed(), "proves no image"),
            (blank(Verdict::Proven), "its `sha256`"),
            (Receipt { verdict: Verdict::Proven, ..blank(Verdict::Failed).sealed() }, "its `sha256`"),
        ] {
            let finished = json!({ "event": "finished", "receipt": receipt }).to_string();
            let error = follow(vec![Ok(finished)]).await;
            assert!(error.class() == Class::Infrastructure && error.to_string().contains(flaw), "{error}");
        }
    }

    #[tokio::test]
    async fn a_refusal_has_its_class() {
        let refused = r#"{"event":"refused","class":"interrupted","reason":"stopped"}"#;
        let error = follow(vec![Ok(refused.to_owned())]).await;
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (Class::Interrupted, "the exporter refused the job: stopped")
        );
    }
}
