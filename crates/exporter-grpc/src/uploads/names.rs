//! What a client calls the files of its job: texts for it name no folder of the exporter.

use std::path::Path;

use flasher_core::{Error, Event, Plan, Receipt, Timed};
use serde_json::Value;

/// Turns paths of one upload into the client's names for the files: `…/3/os.img` into `os.img`.
#[derive(Clone, Debug, Default)]
pub(crate) struct ClientNames {
    /// The folder of the upload with its last separator; nothing for a job that has none.
    folder: Option<String>,
}

impl ClientNames {
    pub(super) fn of(folder: &Path) -> Self {
        Self { folder: folder.to_str().map(|folder| format!("{folder}/")) }
    }

    /// The event as JSON, with the time of now.
    pub(crate) fn event(&self, event: &Event) -> serde_json::Result<String> {
        let mut value = serde_json::to_value(Timed::now(event))?;
        self.rename(&mut value);
        serde_json::to_string(&value)
    }

    /// The receipt, sealed anew when it was changed: it is made here, and its reader is the client.
    pub(crate) fn receipt(&self, receipt: Receipt) -> Receipt {
        let Ok(before) = serde_json::to_value(&receipt) else { return receipt };
        let mut renamed = before.clone();
        self.rename(&mut renamed);
        if renamed == before {
            return receipt;
        }
        serde_json::from_value(renamed).map_or(receipt, Receipt::sealed)
    }

    /// The plan.
    pub(crate) fn plan(&self, plan: Plan) -> Plan {
        let Ok(mut value) = serde_json::to_value(&plan) else { return plan };
        self.rename(&mut value);
        serde_json::from_value(value).unwrap_or(plan)
    }

    /// The error, without what lies underneath but in its words.
    pub(crate) fn error(&self, error: &Error) -> Error {
        let renamed = Error::new(error.class(), self.text(&error.cause())).retryable(error.is_retryable());
        match error.next_step() {
            Some(step) => renamed.help(self.text(step)),
            None => renamed,
        }
    }

    /// The text.
    pub(crate) fn text(&self, text: &str) -> String {
        let Some(folder) = &self.folder else { return text.to_owned() };
        let mut parts = text.split(folder.as_str());
        let mut renamed = parts.next().unwrap_or_default().to_owned();
        // Behind the folder is that of the file, and behind that its name.
        parts.for_each(|part| renamed.push_str(part.split_once('/').map_or(part, |(_, name)| name)));
        renamed
    }

    fn rename(&self, value: &mut Value) {
        match value {
            Value::String(text) => *text = self.text(text),
            Value::Array(items) => items.iter_mut().for_each(|item| self.rename(item)),
            Value::Object(fields) => fields.values_mut().for_each(|field| self.rename(field)),
            Value::Null | Value::Bool(_) | Value::Number(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, SystemTime};

    use flasher_core::flash::{JobKind, Site};

    use super::*;

    #[test]
    fn a_client_knows_its_files_by_their_names() {
        let names = ClientNames::of(Path::new("/var/tmp/uploads/5e"));
        for (text, expected) in [
            (
                "`/var/tmp/uploads/5e/0/os.bmap` is not the one of /var/tmp/uploads/5e/12/os.img",
                "`os.bmap` is not the one of os.img",
            ),
            ("/var/tmp/uploads/5e", "/var/tmp/uploads/5e"),
            ("os.bmap in /var/tmp/uploads/5e/0/os.zip (version 1.2)", "os.bmap in os.zip (version 1.2)"),
            ("/etc/passwd", "/etc/passwd"),
        ] {
            assert_eq!(names.text(text), expected);
            assert_eq!(ClientNames::default().text(text), text);
        }
        let event = Event::Note { message: "/var/tmp/uploads/5e/0/a".to_owned() };
        assert!(names.event(&event).unwrap().contains(r#""message":"a""#));
        let error = Error::config("no `/var/tmp/uploads/5e/0/a`").help("look at /var/tmp/uploads/5e/1/b");
        let renamed = names.error(&error);
        assert_eq!((renamed.cause().as_str(), renamed.next_step()), ("no `a`", Some("look at b")));
    }

    #[test]
    fn a_renamed_receipt_is_whole() {
        let blank =
            Receipt::blank("flasher", JobKind::Flash, Site::default(), SystemTime::now(), Duration::ZERO);
        let mut receipt = blank.sealed();
        let names = ClientNames::of(Path::new("/up/5e"));
        assert_eq!(names.receipt(receipt.clone()).sha256, receipt.sha256, "nothing to rename");
        receipt.image.source = "/up/5e/0/os.img".to_owned();
        let renamed = names.receipt(receipt);
        assert_eq!(renamed.image.source, "os.img");
        assert_eq!(renamed.clone().sealed().sha256, renamed.sha256);
    }
}
