//! The transcript of a flash on an exporter, kept in a file of this machine.

use std::path::PathBuf;

use disk_image::Digest;
use flasher_core::Receipt;

/// Longest transcript that is kept, bytes; an exporter sends no longer one.
const LONGEST: usize = 64 << 20;

/// The parts of a transcript that have come.
pub(super) struct RemoteTranscript {
    path: PathBuf,
    text: String,
}

impl RemoteTranscript {
    /// A transcript that is to be kept at `path`.
    pub(super) fn new(path: PathBuf) -> Self {
        Self { path, text: String::new() }
    }

    /// Takes the next part.
    pub(super) fn take(&mut self, part: &str) {
        if self.text.len() + part.len() <= LONGEST {
            self.text.push_str(part);
        }
    }

    /// Writes the file that `receipt` tells of; nothing for a job that has no transcript. Gives what is wrong with it, for people.
    pub(super) async fn keep(self, receipt: &Receipt) -> Option<String> {
        let facts = receipt.transcript.as_ref()?;
        let path = self.path.display();
        if let Err(error) = tokio::fs::write(&self.path, &self.text).await {
            return Some(format!("the transcript could not be kept as `{path}`: {error}"));
        }
        let is_whole = Digest::of(self.text.as_bytes()).to_string() == facts.sha256;
        (!is_whole)
            .then(|| format!("the transcript `{path}` is not whole: it has not the SHA-256 of the receipt"))
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use flasher_core::flash::{JobKind, Site, TranscriptFacts};

    use super::*;

    #[tokio::test]
    async fn a_transcript_is_whole_or_it_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let kept = folder.path().join("console.log");
        let receipt = |of: Option<&str>| {
            let (begun, site) = (SystemTime::now(), Site::default());
            let transcript = of.map(|text| {
                let sha256 = Digest::of(text.as_bytes()).to_string();
                TranscriptFacts { file: "console.log".to_owned(), sha256 }
            });
            Receipt { transcript, ..Receipt::blank("flasher", JobKind::Flash, site, begun, Duration::ZERO) }
        };
        let shown = kept.display();
        let cut = format!("the transcript `{shown}` is not whole: it has not the SHA-256 of the receipt");
        for (of, wrong, text) in [
            (None, None, None),
            (Some("onetwo"), None, Some("onetwo")),
            (Some("onetwothree"), Some(cut), Some("onetwo")),
        ] {
            let mut transcript = RemoteTranscript::new(kept.clone());
            ["one", "two"].iter().for_each(|part| transcript.take(part));
            assert_eq!(transcript.keep(&receipt(of)).await, wrong);
            assert_eq!(std::fs::read_to_string(&kept).ok().as_deref(), text);
        }
        let nowhere = RemoteTranscript::new(folder.path().join("no/such"));
        let said = nowhere.keep(&receipt(Some(""))).await.unwrap();
        assert!(said.contains("could not be kept as"), "{said}");
    }
}
