//! The serial line while a tab of a browser has it: opened by a click, closed when the tab lets go or is gone.

use std::collections::HashSet;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use bytes::Bytes;
use exporter_grpc::OpenLine;
use flasher_core::{CancellationToken, Error, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, split};
use tokio::sync::{mpsc, watch};
use tokio::time::timeout;

/// Pieces of what is typed that wait for the line.
const WAITING: usize = 64;
/// How long the line may take for what is typed.
const WRITING: Duration = Duration::from_secs(10);

/// Who has the line, of all tabs.
#[derive(Debug, Default)]
pub(crate) struct HeldLine {
    holder: Mutex<Option<Holder>>,
    /// Tabs that are open; a tab that is gone gets no line.
    tabs: Mutex<HashSet<String>>,
    changed: watch::Sender<()>,
}

#[derive(Debug)]
struct Holder {
    /// The stream of events of the tab.
    tab: String,
    typed: mpsc::Sender<Bytes>,
    stop: CancellationToken,
}

/// How a line is, for one tab.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum LineState {
    Free,
    Yours,
    OfAnotherTab,
}

impl LineState {
    /// Its word in events.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Free => "free",
            Self::Yours => "yours",
            Self::OfAnotherTab => "taken",
        }
    }
}

impl HeldLine {
    /// Changes when a tab gets the line or lets it go.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// How it is for the tab.
    pub(crate) fn state(&self, tab: &str) -> LineState {
        match &*self.holder() {
            Some(holder) if holder.stop.is_cancelled() => LineState::Free,
            Some(holder) if holder.tab == tab => LineState::Yours,
            Some(_) => LineState::OfAnotherTab,
            None => LineState::Free,
        }
    }

    /// A tab is there.
    pub(crate) fn arrive(&self, tab: &str) {
        self.tabs().insert(tab.to_owned());
    }

    /// A tab is gone, and lets the line go.
    pub(crate) fn leave(&self, tab: &str) {
        self.tabs().remove(tab);
        self.release(tab);
    }

    /// Whether the tab is there.
    pub(crate) fn knows(&self, tab: &str) -> bool {
        self.tabs().contains(tab)
    }

    /// The tab has the line that was opened for it, until it lets go.
    ///
    /// # Errors
    /// When the tab has gone meanwhile.
    pub(crate) fn take(&self, tab: &str, line: OpenLine) -> Result<()> {
        // It cannot leave while its name is looked at.
        let tabs = self.tabs();
        if !tabs.contains(tab) {
            return Err(Error::infrastructure("this page was closed meanwhile").retryable(false));
        }
        let (typed, pieces) = mpsc::channel(WAITING);
        let stop = CancellationToken::new();
        let holder = Holder { tab: tab.to_owned(), typed, stop: stop.clone() };
        if let Some(former) = self.holder().replace(holder) {
            former.stop.cancel();
        }
        let changed = self.changed.clone();
        tokio::spawn(async move {
            carry(line, pieces, &stop).await;
            stop.cancel();
            changed.send_replace(());
        });
        drop(tabs);
        self.changed.send_replace(());
        Ok(())
    }

    /// Sends what the tab's user typed.
    ///
    /// # Errors
    /// When the tab does not have the line, or the line takes nothing.
    pub(crate) fn write(&self, tab: &str, bytes: Bytes) -> Result<()> {
        let refused = |text: &str| Error::infrastructure(text).retryable(false);
        let holder = self.holder();
        let holder = holder.as_ref().filter(|holder| holder.tab == tab && !holder.stop.is_cancelled());
        let holder =
            holder.ok_or_else(|| refused("this page does not have the serial line; take it first"))?;
        holder.typed.try_send(bytes).map_err(|_| refused("the serial line does not take what is typed"))
    }

    /// The tab lets the line go; nothing changes when it does not have it.
    pub(crate) fn release(&self, tab: &str) {
        let mut holder = self.holder();
        if let Some(held) = holder.take_if(|holder| holder.tab == tab) {
            held.stop.cancel();
            drop(holder);
            self.changed.send_replace(());
        }
    }

    fn tabs(&self) -> MutexGuard<'_, HashSet<String>> {
        self.tabs.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn holder(&self) -> MutexGuard<'_, Option<Holder>> {
        self.holder.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Writes what is typed until the line breaks, another client gets it, or `stop`. What is read reaches every watcher by itself.
async fn carry(line: OpenLine, mut pieces: mpsc::Receiver<Bytes>, stop: &CancellationToken) {
    let evicted = line.evicted.clone();
    let (mut reader, mut writer) = split(line.stream);
    let read = async {
        let mut buffer = vec![0; 16 * 1024];
        while reader.read(&mut buffer).await.is_ok_and(|count| count > 0) {}
    };
    let write = async {
        while let Some(piece) = pieces.recv().await {
            let written = async {
                writer.write_all(&piece).await?;
                writer.flush().await
            };
            if !matches!(timeout(WRITING, written).await, Ok(Ok(()))) {
                return;
            }
        }
    };
    tokio::select! {
        () = read => {}
        () = write => {}
        () = evicted.cancelled() => {}
        () = stop.cancelled() => {}
    }
}
