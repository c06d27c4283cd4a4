//! The events of a flash on an exporter, shown as they come.

use std::sync::Arc;

use exporter_grpc::notice::JobNotice;
use flasher_core::flash::MediumState;
use flasher_core::{Error, Event, Progress, Receipt, Result, Timed};
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
    /// Where the transcript goes; none when it is not kept.
    pub(super) transcript: Option<RemoteTranscript>,
    pub(super) screen: &'a Screen,
}

impl Follower<'_> {
    /// Shows every event, and gives the receipt of the last one.
    ///
    /// # Errors
    /// When the flash was refused, or its receipt does not arrive.
    pub(super) async fn follow(mut self, events: impl Stream<Item = Result<String>>) -> Result<Receipt> {
        let mut events = std::pin::pin!(events);
        let (mut receipt, mut is_begun) = (None, false);
        while let Some(text) = events.next().await {
            let text = text.map_err(|error| if is_begun { out_of_sight(error) } else { error })?;
            match serde_json::from_str::<Timed>(&text) {
                Ok(event) => {
                    is_begun = true;
                    if let Event::Finished { receipt: last } = &event.what {
                        self.keep_transcript(last).await;
                        receipt = Some((**last).clone());
                    }
                    self.show(event);
                }
                Err(error) => self.other(&text, &error)?,
            }
        }
        receipt.ok_or_else(|| {
            out_of_sight(Error::infrastructure("the exporter ended the flash without a receipt"))
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
                return Err(Error::new(class, format!("the exporter refused the flash: {reason}")));
            }
            Ok(JobNotice::JobOver) => {
                self.screen.aside("no job is running; this is how the last one went\n");
            }
            Ok(JobNotice::Transcript { text }) => {
                self.transcript.iter_mut().for_each(|transcript| transcript.take(&text));
            }
            // Meant for the client that has ordered the job.
            Ok(JobNotice::SendFiles) => {}
            Err(_) => tracing::warn!(%error, "the exporter sent an event this version does not know"),
        }
        Ok(())
    }
}

/// The failure of a job that goes on, or went on, where it cannot be seen: what is on the medium is not known here.
fn out_of_sight(error: Error) -> Error {
    error.with("medium", MediumState::Unknown.to_string())
}

#[cfg(test)]
mod tests {
    use flasher_core::Class;

    use super::*;

    async fn follow(events: Vec<Result<String>>) -> Error {
        let quiet: Arc<dyn Progress> = Arc::new(flasher_core::Quiet);
        let screen = Screen::new(false, crate::log::Chatter::Normal);
        let follower = Follower { progress: &quiet, from: From::Now, transcript: None, screen: &screen };
        follower.follow(futures_util::stream::iter(events)).await.unwrap_err()
    }

    #[tokio::test]
    async fn without_its_receipt_a_job_leaves_the_medium_unknown() {
        let begun = || Ok(r#"{"event":"step-begun","step":"write"}"#.to_owned());
        let cut = || Err(Error::infrastructure("the connection broke"));
        for (events, cause, is_unknown) in [
            (vec![begun(), cut()], "the connection broke", true),
            (vec![begun()], "the exporter ended the flash without a receipt", true),
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
    async fn a_refusal_has_its_class() {
        let refused = r#"{"event":"refused","class":"interrupted","reason":"stopped"}"#;
        let error = follow(vec![Ok(refused.to_owned())]).await;
        assert_eq!(
            (error.class(), error.to_string().as_str()),
            (Class::Interrupted, "the exporter refused the flash: stopped")
        );
    }
}
