//! What clients made below a root, to be removed when the exporter ends.

use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

use super::root::{Root, clean};

/// Paths remembered at most; beyond that, what is made stays.
const MOST: usize = 100_000;

/// Paths that clients made, each once.
#[derive(Debug, Default)]
pub(crate) struct Created(Mutex<BTreeSet<String>>);

impl Created {
    /// Remembers a path; one that leads out, or the root itself, is never remembered.
    pub(crate) fn add(&self, path: &str) {
        let Ok(path) = clean(path) else { return };
        let mut paths = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if path.file_name().is_some() && paths.len() < MOST {
            paths.insert(path.to_string_lossy().into_owned());
        }
    }

    pub(crate) fn paths(&self) -> Vec<String> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).iter().cloned().collect()
    }

    /// Removes them all, what is deeper first; tells what could not be removed.
    pub(crate) fn remove(&self, root: &Root) -> Vec<String> {
        let paths = std::mem::take(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner));
        let remove = |path: &String| root.remove_all(path).err().map(|error| format!("`{path}`: {error}"));
        paths.iter().rev().filter_map(remove).collect()
    }
}
