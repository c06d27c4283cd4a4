//! What is recorded of an image that was decoded to its end, and that it stays one and the same image.

use disk_image::{Cached, Digest, DigestSubject, Summary};
use flasher_core::flash::CheckedDigest;
use flasher_core::{Class, Error, FlashJob, Result};

use super::run::Run;

impl Run {
    /// Notes what is known of an image that was decoded to its end.
    ///
    /// # Errors
    /// When it was another image the last time this job decoded it to its end, or is not what a client sent.
    pub(crate) fn decoded(&self, job: &FlashJob, summary: &Summary) -> Result<()> {
        let sent = job.sent_sha256.get(self.record.selected()).and_then(Option::as_deref);
        must_be_as_sent(sent, summary.source_sha256)?;
        let before = self.record.decoded_before(summary.decoded_sha256);
        must_be_same_image(before, summary.decoded_sha256)?;
        self.record.image(|facts| {
            facts.format = Some(format(summary));
            facts.source_length = Some(summary.source_length);
            facts.source_sha256 = Some(summary.source_sha256.to_string());
            facts.decoded_length = Some(summary.decoded_length);
            facts.decoded_sha256 = Some(summary.decoded_sha256.to_string());
            facts.checked = summary.checked.map(which);
            facts.cached = summary.cached == Cached::Hit;
        });
        if let Cached::Failed(reason) = &summary.cached {
            self.warn(format!("the decoded image is not kept for the next board: {reason}"));
        }
        Ok(())
    }
}

/// One job writes one image, however often it reads it.
pub(crate) fn must_be_same_image(first: Digest, second: Digest) -> Result<()> {
    if first == second {
        return Ok(());
    }
    Err(Error::new(Class::Source, "the image changed between two readings")
        .with("first", first.to_string())
        .with("second", second.to_string())
        .help("flash again from a source that stays the same")
        .retryable(false))
}

/// What a client sent is kept here meanwhile, where a disk may change it.
fn must_be_as_sent(sent: Option<&str>, read: Digest) -> Result<()> {
    match sent {
        Some(sent) if sent != read.to_string() => {
            Err(Error::new(Class::Source, "the image is no longer what the client sent: its SHA-256 differs")
                .with("sent", sent)
                .with("read", read.to_string())
                .help("flash again; the exporter's disk or memory changes bytes when it comes again")
                .retryable(false))
        }
        _ => Ok(()),
    }
}

/// How the image is wrapped, the innermost first: `simg in xz`.
fn format(summary: &Summary) -> String {
    let formats: Vec<String> = summary.formats.iter().rev().map(ToString::to_string).collect();
    if formats.is_empty() { disk_image::Format::Raw.to_string() } else { formats.join(" in ") }
}

fn which(checked: DigestSubject) -> CheckedDigest {
    match checked {
        DigestSubject::Source => CheckedDigest::Source,
        DigestSubject::Decoded => CheckedDigest::Decoded,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_image_stays_as_it_was_sent() {
        let read = Digest::of(b"image");
        for (sent, expected) in [
            (None, Ok(())),
            (Some(read.to_string()), Ok(())),
            (
                Some(Digest::of(b"imagE").to_string()),
                Err("the image is no longer what the client sent: its SHA-256 differs".to_owned()),
            ),
        ] {
            let checked = must_be_as_sent(sent.as_deref(), read);
            assert_eq!(checked.map_err(|error| error.to_string()), expected, "{sent:?}");
        }
    }
}
