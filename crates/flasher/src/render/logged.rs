//! A running job in the file of `--log`, besides the way it is shown.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::SystemTime;

use flasher_core::{Event, Progress, Timed};

use super::lines::Writer;
use crate::log::{self, Chatter};

/// Keeps a line for each event, in all detail, and passes the event on.
pub(super) struct Logged {
    writer: Mutex<Writer>,
    /// The name of its board and a colon, when it is one of several.
    label: String,
    further: Arc<dyn Progress>,
}

impl Logged {
    pub(super) fn new(further: Arc<dyn Progress>, board: Option<&str>) -> Self {
        let label = board.map(|board| format!("{board}: ")).unwrap_or_default();
        Self { writer: Mutex::new(Writer::new(Chatter::Debug)), label, further }
    }

    fn keep(&self, at: SystemTime, event: &Event) {
        let mut writer = self.writer.lock().unwrap_or_else(PoisonError::into_inner);
        let now = at.duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
        if let Some(line) = writer.line(event, now.as_secs_f64()) {
            log::keep_at(at, &format!("{}{line}", self.label));
        }
    }
}

impl Progress for Logged {
    fn report(&self, event: Event) {
        self.keep(SystemTime::now(), &event);
        self.further.report(event);
    }

    fn replay(&self, event: Timed) {
        self.keep(event.time, &event.what);
        self.further.replay(event);
    }
}
