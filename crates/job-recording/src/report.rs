//! A recording as reports take it: the receipt of its failure, and its console as a transcript has it.

use std::collections::BTreeMap;
use std::time::Duration;

use flasher_core::flash::{ImageFacts, JobKind, rounded};
use flasher_core::source_exchange::{ExchangeFailure, SourceAnswer, SourceRequest};
use flasher_core::{Receipt, Step, clock, safe};

use crate::entry::{Moment, PowerCall, ServerName};
use crate::file::Recording;

/// What such a receipt warns of.
const WARNING: &str =
    "made of a recording, which may have been edited: it tells what the job saw, and proves nothing";

impl Recording {
    /// The receipt of the failure, as far as the recording has what belongs on it; none of a job that did not fail.
    pub fn receipt(&self) -> Option<Receipt> {
        let (head, failure) = (&self.head, self.end.failure.clone()?);
        let took = self.entries.last().map_or(0.0, |entry| entry.at);
        let image = ImageFacts {
            source: head.image.clone(),
            decoded_length: head.image_length,
            ..ImageFacts::default()
        };
        let receipt = Receipt {
            failure: Some(failure),
            attempts: self.end.attempts,
            power: self.end.power,
            image,
            steps: self.steps(took),
            warnings: vec![WARNING.to_owned()],
            ..Receipt::blank(&head.tool, JobKind::Flash, head.site.clone(), head.time, seconds(took))
        };
        Some(receipt.sealed())
    }

    /// The console in the format of a transcript, `TIME SIGN TEXT` a line: `<` for what the board printed, `>` for what was typed, `#` for what
    /// was done and what the file servers saw.
    pub fn transcript(&self) -> String {
        let mut lines = TranscriptText { recording: self, text: String::new(), heard: None };
        for entry in &self.entries {
            match &entry.what {
                Moment::Heard(bytes) => lines.hear(entry.at, bytes),
                Moment::Sent(bytes) => lines.line(entry.at, '>', &String::from_utf8_lossy(bytes)),
                what => note(what).iter().for_each(|text| lines.line(entry.at, '#', text)),
            }
        }
        lines.end_line();
        lines.text
    }

    /// How long each step took, all attempts together, seconds.
    fn steps(&self, end: f64) -> BTreeMap<Step, f64> {
        let begun = self.entries.iter().filter_map(|entry| match entry.what {
            Moment::Step(step) => Some((step, entry.at)),
            _ => None,
        });
        let begun: Vec<(Step, f64)> = begun.collect();
        let ends = begun.iter().skip(1).map(|(_, at)| *at).chain([end]);
        let mut steps = BTreeMap::new();
        for ((step, at), end) in begun.iter().zip(ends) {
            *steps.entry(*step).or_default() += rounded(seconds(end - at));
        }
        steps
    }
}

/// A time of a recording, which may hold anything.
fn seconds(seconds: f64) -> Duration {
    Duration::try_from_secs_f64(seconds).unwrap_or_default()
}

/// What was done, or seen at a server; none where the console shows it.
fn note(what: &Moment) -> Option<String> {
    let failed = |error: &Option<crate::entry::RecordedError>| {
        error.as_ref().map_or_else(String::new, |error| format!(": {}", error.cause))
    };
    Some(match what {
        Moment::Step(step) => format!("step {step}"),
        Moment::LineOpened(answer) => format!("serial line opened{}", failed(&answer.error)),
        Moment::LineEnded { error } => {
            format!(
                "serial line ended{}",
                error.as_ref().map_or_else(String::new, |error| format!(": {error}"))
            )
        }
        Moment::Power { call, answer, is_on, .. } => {
            let call = match (call, is_on) {
                (PowerCall::On, _) => "power on",
                (PowerCall::Off, _) => "power off",
                (PowerCall::Cycle, _) => "power off and on",
                (PowerCall::State, Some(true)) => "the switch reports that it is on",
                (PowerCall::State, Some(false)) => "the switch reports that it is off",
                (PowerCall::State, None) => "the switch cannot tell its state",
            };
            format!("{call}{}", failed(&answer.error))
        }
        Moment::Started { server, answer, address } => {
            let at = address.map_or_else(String::new, |address| format!(" at {address}"));
            format!("{} server started{at}{}", name(*server), failed(&answer.error))
        }
        Moment::Faces { server, address } => {
            format!("the board finds the {} server at {address}", name(*server))
        }
        Moment::Transfer(transfer) => {
            format!(
                "{} by {} for `{}`: {:?}",
                transfer.protocol, transfer.peer, transfer.file, transfer.state
            )
        }
        Moment::Asked { request, answer } => asked(request, answer),
        Moment::Read(body) => {
            let end = body.error.as_ref().map_or_else(String::new, |error| format!(", then: {error}"));
            format!("{} bytes of the image read, sha256 {}{end}", body.bytes, body.sha256)
        }
        Moment::Heard(_) | Moment::Sent(_) => return None,
    })
}

/// What a server of the image was asked and answered.
fn asked(request: &SourceRequest, answer: &SourceAnswer) -> String {
    let part = request.from.map_or_else(String::new, |from| format!(" from byte {from}"));
    let came = match answer {
        SourceAnswer::Response { status, headers, said } => {
            let lines: Vec<String> = headers.iter().map(|(name, value)| format!("{name}: {value}")).collect();
            let said = said.as_ref().map_or_else(String::new, |said| format!(" `{said}`"));
            format!("status {status}{said} ({})", lines.join(", "))
        }
        SourceAnswer::Failed { how: ExchangeFailure::Silent, .. } => "nothing came".to_owned(),
        SourceAnswer::Failed { reason, .. } => format!("no answer: {reason}"),
    };
    format!("asked for `{}`{part}: {came}", request.url)
}

fn name(server: ServerName) -> &'static str {
    match server {
        ServerName::Tftp => "TFTP",
        ServerName::Http => "HTTP",
    }
}

/// Puts lines together out of pieces.
struct TranscriptText<'r> {
    recording: &'r Recording,
    text: String,
    /// The line that has begun, and when.
    heard: Option<(f64, Vec<u8>)>,
}

impl TranscriptText<'_> {
    fn hear(&mut self, at: f64, bytes: &[u8]) {
        for byte in bytes {
            match byte {
                b'\n' | b'\r' => self.end_line(),
                byte => self.heard.get_or_insert_with(|| (at, Vec::new())).1.push(*byte),
            }
        }
    }

    fn end_line(&mut self) {
        if let Some((at, bytes)) = self.heard.take() {
            self.line(at, '<', &String::from_utf8_lossy(&bytes));
        }
    }

    fn line(&mut self, at: f64, sign: char, text: &str) {
        let time = clock::milliseconds(self.recording.head.time + seconds(at));
        self.text.push_str(&format!("{time} {sign} {}\n", safe::line(text.trim_end_matches(['\r', '\n']))));
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    /// Failures of other tests.
    const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../tests/replays");

    fn recording(name: &str) -> Recording {
        Recording::read(&Path::new(FOLDER).join(name)).unwrap()
    }

    #[test]
    fn the_receipt_of_a_recorded_failure() {
        let recording = recording("no-dhcp.jsonl");
        let receipt = recording.receipt().unwrap();
        let failure = receipt.failure.as_ref().unwrap();
        assert_eq!((failure.step, receipt.attempts), (Step::Bootloader, 1));
        assert!(receipt.steps[&Step::Bootloader] > 1.0 && receipt.warnings == [WARNING], "{receipt:#?}");
    }

    #[test]
    fn the_console_of_a_recorded_failure() {
        let text = recording("no-dhcp.jsonl").transcript();
        let has = |sign: &str, words: &str| {
            text.lines().any(|line| {
                let mut parts = line.splitn(3, ' ');
                let (time, by) = (parts.next().unwrap(), parts.next().unwrap());
                clock::parse(time).is_some() && by == sign && parts.next().unwrap_or_default().contains(words)
            })
        };
        for (sign, words) in
            [("#", "step bootloader"), ("#", "power on"), ("<", "BOOTP broadcast"), (">", "dhcp")]
        {
            assert!(has(sign, words), "`{sign} {words}` is not in\n{text}");
        }
    }
}
