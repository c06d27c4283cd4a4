//! The recordings of this user, the newest first.

use std::path::{Path, PathBuf};

use flasher_core::{Error, Result, clock, state_folder};
use job_recording::Recording;

use super::super::table;
use super::reading::blocking;
use crate::failure::Failure;
use crate::render::message::{Message, RecordingFile};
use crate::render::units::shown;
use crate::screen::Screen;

/// Lists them.
pub(super) async fn run(screen: &Screen) -> Result<u8, Failure> {
    let folder = state_folder::of_user().map(|folder| folder.join("recordings"));
    let folder = folder.ok_or_else(|| {
        Error::infrastructure("no folder of this user is known, so no recordings are").help("set HOME")
    })?;
    let found = blocking(move || Ok(all(&folder))).await?;
    let message = Message::Recordings { recordings: found.clone() };
    screen.show(&message, |_| {
        if found.is_empty() {
            return "no recordings: no flash of this user has failed\n".to_owned();
        }
        let head = ["TIME", "BOARD", "STEP", "CAUSE", "FILE"].map(str::to_owned);
        let rows = found.iter().map(|it| {
            let said = |text: &Option<String>| text.clone().unwrap_or_else(|| "-".to_owned());
            [it.time.clone(), said(&it.board), said(&it.step), said(&it.cause), it.file.clone()]
        });
        table::aligned(head, rows)
    })?;
    Ok(0)
}

/// Those that can be read: an older program must not hide the others.
fn all(folder: &Path) -> Vec<RecordingFile> {
    let entries = std::fs::read_dir(folder).into_iter().flatten();
    let mut files: Vec<PathBuf> = entries.filter_map(|entry| Some(entry.ok()?.path())).collect();
    files.sort();
    files.into_iter().rev().filter_map(|file| one(&file)).collect()
}

fn one(file: &Path) -> Option<RecordingFile> {
    let Recording { head, end, .. } = Recording::read(file).ok()?;
    Some(RecordingFile {
        file: shown(file),
        time: clock::seconds(head.time),
        board: head.site.exporter,
        step: end.failure.as_ref().map(|failure| failure.step.to_string()),
        cause: end.failure.map(|failure| failure.cause),
    })
}
