//! Which way was good for which board, in a small file of this user's: the next job begins with it.
//!
//! Several processes share it. It never fails a flash: one that cannot be read is set aside with a warning.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{FlockOperation, flock};
use serde::{Deserialize, Serialize};

use super::tuner::LoadSetting;

/// Name of the file.
const NAME: &str = "load-paths.json";
/// Boards that are remembered at most; the oldest goes.
const BOARDS: usize = 500;
/// Longest file that is read, bytes.
const LONGEST: u64 = 256 * 1024;
/// After so many seconds the best way gets another chance: the network may have been mended.
const GOOD_FOR: u64 = 7 * 24 * 3600;

/// The file.
#[derive(Clone, Debug)]
pub(super) struct LoadMemory {
    folder: PathBuf,
}

/// What it holds: a board's name, and what was good for it.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Remembered {
    boards: BTreeMap<String, GoodSetting>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct GoodSetting {
    setting: LoadSetting,
    /// Seconds since 1970.
    since: u64,
}

impl LoadMemory {
    /// The file in `folder`, which is made when it is needed.
    pub(super) fn at(folder: PathBuf) -> Self {
        Self { folder }
    }

    /// What was good for `board`, at the time `now` (seconds since 1970); and a warning, when the file was unreadable. Blocks.
    pub(super) fn recall(&self, board: &str, now: u64) -> (Option<LoadSetting>, Option<String>) {
        match self.read() {
            Ok(Ok(all)) => {
                let good = all.boards.get(board);
                let fresh = good.filter(|good| now.saturating_sub(good.since) < GOOD_FOR);
                (fresh.map(|good| good.setting), None)
            }
            Ok(Err(why)) => (None, Some(self.set_aside(&why))),
            Err(error) => (
                None,
                Some(format!("`{}` cannot be read, and is left alone: {error}", self.file().display())),
            ),
        }
    }

    /// Remembers what is good for `board`, or forgets it. Blocks.
    ///
    /// # Errors
    /// When the file cannot be written.
    pub(super) fn keep(&self, board: &str, setting: Option<LoadSetting>, now: u64) -> io::Result<()> {
        DirBuilder::new().recursive(true).mode(0o700).create(&self.folder)?;
        let own =
            |path: &Path| OpenOptions::new().write(true).create(true).truncate(false).mode(0o600).open(path);
        let lock: File = own(&self.folder.join("load-paths.lock"))?;
        flock(&lock, FlockOperation::LockExclusive)?;
        let mut all = self.read()?.unwrap_or_default();
        match setting {
            Some(setting) => drop(all.boards.insert(board.to_owned(), GoodSetting { setting, since: now })),
            None => drop(all.boards.remove(board)),
        }
        while all.boards.len() > BOARDS {
            let oldest = all.boards.iter().min_by_key(|(_, good)| good.since).map(|(board, _)| board.clone());
            oldest.map(|oldest| all.boards.remove(&oldest));
        }
        let unfinished = self.folder.join(".load-paths.unfinished");
        // What another process left unfinished is nobody's: the lock is ours.
        let mut file = own(&unfinished)?;
        file.set_len(0)?;
        file.write_all(&serde_json::to_vec_pretty(&all).map_err(io::Error::from)?)?;
        fs::rename(&unfinished, self.file())
    }

    /// What the file holds, or why it cannot be understood.
    fn read(&self) -> io::Result<Result<Remembered, String>> {
        let file = match File::open(self.file()) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Ok(Remembered::default())),
            opened => opened?,
        };
        let mut text = Vec::new();
        file.take(LONGEST + 1).read_to_end(&mut text)?;
        if text.len() as u64 > LONGEST {
            return Ok(Err(format!("it is longer than {LONGEST} bytes")));
        }
        Ok(serde_json::from_slice(&text).map_err(|error| error.to_string()))
    }

    /// Moves the file out of the way; gives the warning.
    fn set_aside(&self, why: &str) -> String {
        let (file, aside) = (self.file(), self.folder.join(format!("{NAME}.unreadable")));
        let moved = match fs::rename(&file, &aside) {
            Ok(()) => format!("it was set aside as `{}`", aside.display()),
            Err(error) => format!("it could not be set aside: {error}"),
        };
        format!("`{}`, which remembers how boards load best, is unreadable ({why}); {moved}", file.display())
    }

    fn file(&self) -> PathBuf {
        self.folder.join(NAME)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOW: u64 = 1_800_000_000;
    const SMALL: LoadSetting = LoadSetting::Tftp { block: 512, window: 1 };

    #[test]
    fn what_is_good_is_remembered_for_a_week() {
        let folder = tempfile::tempdir().unwrap();
        let memory = LoadMemory::at(folder.path().join("state/flasher"));
        assert_eq!(memory.recall("one", NOW), (None, None));
        memory.keep("one", Some(SMALL), NOW).unwrap();
        memory.keep("two", Some(LoadSetting::Http), NOW).unwrap();
        assert_eq!(memory.recall("one", NOW + GOOD_FOR - 1), (Some(SMALL), None));
        assert_eq!(memory.recall("one", NOW + GOOD_FOR), (None, None));
        memory.keep("one", None, NOW).unwrap();
        assert_eq!(memory.recall("one", NOW), (None, None));
        assert_eq!(memory.recall("two", NOW), (Some(LoadSetting::Http), None));
    }

    #[test]
    fn an_unreadable_file_is_set_aside_with_a_warning() {
        let long = "[".repeat(LONGEST as usize + 1);
        for content in ["{", r#"{"boards":{"one":{"setting":"ftp","since":1}}}"#, &long] {
            let folder = tempfile::tempdir().unwrap();
            let memory = LoadMemory::at(folder.path().to_owned());
            fs::write(memory.file(), content).unwrap();
            let (found, warning) = memory.recall("one", NOW);
            assert_eq!(found, None);
            let warning = warning.unwrap();
            assert!(
                warning.contains("is unreadable (") && warning.contains("; it was set aside as `"),
                "{warning}"
            );
            assert_eq!(
                fs::read_to_string(folder.path().join("load-paths.json.unreadable")).unwrap(),
                content
            );
            memory.keep("one", Some(SMALL), NOW).unwrap();
            assert_eq!(memory.recall("one", NOW), (Some(SMALL), None));
        }
    }

    #[test]
    fn many_processes_remember_at_once_and_the_oldest_boards_go() {
        let folder = tempfile::tempdir().unwrap();
        let memory = LoadMemory::at(folder.path().to_owned());
        std::thread::scope(|scope| {
            for thread in 0..4_u64 {
                let memory = &memory;
                scope.spawn(move || {
                    for number in 0..130 {
                        let since = NOW + number * 4 + thread;
                        memory.keep(&format!("{thread}-{number}"), Some(SMALL), since).unwrap();
                    }
                });
            }
        });
        let all = memory.read().unwrap().unwrap();
        assert_eq!(all.boards.len(), BOARDS);
        assert!(!all.boards.contains_key("0-0") && all.boards.contains_key("3-129"));
    }
}
