//! The file's key `ledger`: where the receipts of this bench are kept.

use std::path::Path;

use flasher_core::tree::LedgerChoice;
use strict_yaml::{Problem, YamlNode};

/// `off`, or a file; a relative one is beside the exporter YAML, which is in `folder`. None when the key is not there.
pub(crate) fn choice(root: &YamlNode, folder: &Path, problems: &mut Vec<Problem>) -> Option<LedgerChoice> {
    let value = root.get("ledger").filter(|value| !value.is_null())?;
    match value.text().filter(|text| !text.is_empty()) {
        Some("off") => Some(LedgerChoice::Off),
        Some(file) => Some(LedgerChoice::At(folder.join(file))),
        None => {
            let message = format!("expected a file or `off`, found {}", value.describe());
            let help = "give the ledger's file, for example `/var/lib/flasher/ledger.sqlite`";
            problems.push(Problem::value(&["ledger".to_owned()], message).help(help));
            None
        }
    }
}
