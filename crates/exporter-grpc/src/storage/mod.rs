//! Files below a confined folder: the storage of a file server, shared by the node that exports it and by its owners.

mod confine;
pub(crate) mod created;
pub(crate) mod files;
pub(crate) mod root;
mod walk;

use std::path::PathBuf;

use created::Created;
use files::Files;
use root::Root;

/// The folder of one file server, with what clients have open and have made there.
#[derive(Debug)]
pub(crate) struct Storage {
    pub(crate) root: Root,
    pub(crate) files: Files,
    pub(crate) created: Created,
    folder: PathBuf,
    removes_created: bool,
}

impl Storage {
    pub(crate) fn new(folder: PathBuf, removes_created: bool) -> Self {
        Self {
            root: Root::new(folder.clone()),
            files: Files::default(),
            created: Created::default(),
            folder,
            removes_created,
        }
    }

    /// Remembers a file that was made for a client, by its place on this machine.
    pub(crate) fn made(&self, file: &std::path::Path) {
        if let Ok(path) = file.strip_prefix(&self.folder) {
            self.created.add(&path.to_string_lossy());
        }
    }

    /// Removes what clients made, when the config wants that; tells what could not be removed.
    pub(crate) fn clean_up(&self) -> Vec<String> {
        if self.removes_created { self.created.remove(&self.root) } else { Vec::new() }
    }
}
