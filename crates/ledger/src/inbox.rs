//! The inbox: receipts as files, for as long as the ledger cannot take them. The newest ones stay, within bounds.

use std::fs::{self, DirBuilder};
use std::io::{self, Write};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};

use flasher_core::Receipt;

/// Most receipts that are kept.
const MOST: usize = 1000;
/// Most bytes that they take together.
const MOST_BYTES: u64 = 256 << 20;

/// A folder of receipts, one file each, named by the time they begin at.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inbox {
    folder: PathBuf,
}

impl Inbox {
    /// An inbox in `folder`, which is made when it is needed.
    pub(crate) fn at(folder: impl Into<PathBuf>) -> Self {
        Self { folder: folder.into() }
    }

    /// Where the receipts are.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// The receipts that wait, oldest first; what cannot be read as one is left where it is. Blocks.
    pub(crate) fn waiting(&self) -> Vec<(PathBuf, Receipt)> {
        let entries = fs::read_dir(&self.folder).into_iter().flatten().flatten();
        let mut paths: Vec<PathBuf> = entries
            .filter(|entry| is_receipt(&entry.file_name().to_string_lossy()))
            .map(|entry| entry.path())
            .collect();
        paths.sort();
        let read = |path: PathBuf| {
            let receipt = Receipt::read(&fs::read_to_string(&path).ok()?).ok()?;
            Some((path, receipt))
        };
        paths.into_iter().filter_map(read).collect()
    }

    /// Keeps a receipt for this user alone, whole or not at all, and lets go of the oldest ones. Gives its file. Blocks.
    ///
    /// # Errors
    /// When the folder cannot be made or written.
    pub(crate) fn keep(&self, receipt: &Receipt) -> io::Result<PathBuf> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let path = self.folder.join(name(receipt));
        // Made with mode 0600 (tempfile), and removed when it does not get its name.
        let mut unfinished = tempfile::Builder::new().prefix(".unfinished-").tempfile_in(&self.folder)?;
        let json = serde_json::to_string_pretty(receipt).map_err(io::Error::from)?;
        writeln!(unfinished, "{json}")?;
        unfinished.as_file().sync_all()?;
        unfinished.persist(&path).map_err(|error| error.error)?;
        self.trim(MOST, MOST_BYTES)?;
        Ok(path)
    }

    /// Removes the oldest receipts beyond `most` and `most_bytes`; the newest stays in any case.
    fn trim(&self, most: usize, most_bytes: u64) -> io::Result<()> {
        let mut all = Vec::new();
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            if is_receipt(&entry.file_name().to_string_lossy()) {
                // Another process may have removed it meanwhile.
                all.extend(entry.metadata().map(|about| (entry.path(), about.len())));
            }
        }
        all.sort_by(|(one, _), (other, _)| other.cmp(one));
        let mut bytes = 0_u64;
        for (index, (path, length)) in all.iter().enumerate() {
            bytes = bytes.saturating_add(*length);
            if index > 0 && (index >= most || bytes > most_bytes) {
                match fs::remove_file(path) {
                    Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
                    _ => {}
                }
            }
        }
        Ok(())
    }
}

/// `20261128T202441.123Z-0123456789abcdef.json`: in the order of time, and of this receipt alone.
fn name(receipt: &Receipt) -> String {
    let time: String =
        receipt.begun.chars().filter(|letter| letter.is_ascii_alphanumeric() || *letter == '.').collect();
    format!("{time}-{}.json", receipt.sha256.get(..16).unwrap_or("unsealed"))
}

/// Whether a file of the folder is one of ours; nothing else is ever removed.
fn is_receipt(name: &str) -> bool {
    let Some((time, rest)) = name.split_once('-') else { return false };
    let is_time = |byte: u8| byte.is_ascii_digit() || matches!(byte, b'T' | b'.' | b'Z');
    time.len() == 20 && time.bytes().all(is_time) && rest.ends_with(".json")
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use flasher_core::flash::{JobKind, Site};

    fn receipt(second: u64) -> Receipt {
        let begun = UNIX_EPOCH + Duration::from_secs(1_795_000_000 + second);
        Receipt::blank("flasher 1", JobKind::Flash, Site::default(), begun, Duration::ZERO).sealed()
    }

    fn names(inbox: &Inbox) -> Vec<String> {
        let mut names: Vec<_> = fs::read_dir(inbox.folder())
            .unwrap()
            .map(|entry| entry.unwrap().file_name().into_string().unwrap())
            .collect();
        names.sort();
        names
    }

    #[test]
    fn a_receipt_is_kept_whole_and_for_its_user_alone() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::at(folder.path().join("a/receipts"));
        let receipt = receipt(0);
        let path = inbox.keep(&receipt).unwrap();
        assert_eq!(Receipt::read(&fs::read_to_string(&path).unwrap()).unwrap(), receipt);
        let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
        assert_eq!((mode(&path), mode(inbox.folder())), (0o600, 0o700));
        let name = format!("20261118T110640.000Z-{}.json", &receipt.sha256[..16]);
        assert_eq!(names(&inbox), [name]);
    }

    #[test]
    fn the_oldest_go_and_what_is_not_ours_stays() {
        let folder = tempfile::tempdir().unwrap();
        let inbox = Inbox::at(folder.path());
        fs::write(folder.path().join("notes-of-ann.json"), "mine").unwrap();
        let paths: Vec<PathBuf> = (0..5).map(|second| inbox.keep(&receipt(second)).unwrap()).collect();
        let length = fs::metadata(&paths[0]).unwrap().len();
        let there = || paths.iter().map(|path| path.exists()).collect::<Vec<_>>();
        inbox.trim(4, u64::MAX).unwrap();
        assert_eq!(there(), [false, true, true, true, true]);
        inbox.trim(4, 2 * length).unwrap();
        assert_eq!(there(), [false, false, false, true, true]);
        inbox.trim(0, 0).unwrap();
        assert_eq!(there(), [false, false, false, false, true]);
        assert!(folder.path().join("notes-of-ann.json").exists());
    }

    #[test]
    fn a_folder_that_cannot_be_made_is_an_error() {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("file"), "").unwrap();
        Inbox::at(folder.path().join("file/receipts")).keep(&receipt(0)).unwrap_err();
    }
}
