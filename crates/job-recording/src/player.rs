//! Plays a recording: devices that behave as the recorded ones did.
//!
//! What the board did comes in its recorded order and after its recorded pauses, but never before the job has done what came before it in the
//! recording. What the job does is looked for among what it did then, each kind by itself.

mod devices;
mod ending;
mod playing;
mod pump;
mod score;
mod typed;
mod words;

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::{Arc, Mutex};

use flasher_core::{Device, PowerMeter};
use tokio::sync::Notify;
use tokio::task::JoinHandle;

use crate::entry::ServerName;
use crate::file::Recording;
use devices::{PlayedBootConsole, PlayedPower, PlayedSerial, PlayedServer};
pub use ending::{Difference, Played};
use playing::Playing;
use score::Score;

/// Plays one recording. What it plays ends when it is dropped.
#[derive(Debug)]
pub struct Player {
    shared: Arc<Playing>,
    pump: JoinHandle<()>,
}

impl Player {
    /// Begins to play, within a tokio runtime.
    pub fn new(recording: &Recording) -> Self {
        let shared = Arc::new(Playing { score: Mutex::new(Score::new(recording)), changed: Notify::new() });
        Self { pump: tokio::spawn(pump::run(Arc::clone(&shared))), shared }
    }

    /// The children of a flasher, by their roles. Boot files are served from `folder`, by nothing: a transfer is only reported.
    pub fn children(&self, recording: &Recording, folder: impl Into<PathBuf>) -> BTreeMap<String, Device> {
        let (head, folder) = (&recording.head, folder.into());
        let shared = || Arc::clone(&self.shared);
        let server = |name| PlayedServer::new(name, folder.clone(), shared());
        let power =
            PlayedPower { shared: shared(), is_virtual: head.is_virtual, is_by_hand: head.is_by_hand };
        let no_meter: Option<Arc<dyn PowerMeter>> = None;
        BTreeMap::from([
            ("serial".to_owned(), Device::Serial(Arc::new(PlayedSerial(shared())))),
            ("power".to_owned(), Device::Power(Arc::new(power), no_meter)),
            ("tftp".to_owned(), Device::FileServer(Arc::new(server(ServerName::Tftp)))),
            ("http".to_owned(), Device::ContentServer(Arc::new(server(ServerName::Http)))),
            ("uboot".to_owned(), Device::BootConsole(Arc::new(PlayedBootConsole::new(head)))),
        ])
    }

    /// Whether two messages are the same but for the random words of their jobs.
    pub fn is_same(&self, recorded: &str, now: &str) -> bool {
        self.shared.lock().words().fit(recorded.as_bytes(), now.as_bytes())
    }

    /// How far it came.
    pub fn played(&self) -> Played {
        self.shared.lock().played()
    }
}

impl Drop for Player {
    fn drop(&mut self) {
        self.pump.abort();
    }
}
