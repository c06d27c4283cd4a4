//! The last lines of a console. There is one copy, made once; each browser takes from it what it has not seen, so that one that is slow
//! misses lines and has no queue.

use std::collections::VecDeque;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use console_record::{ConsoleEntry, Recorder};
use exporter_grpc::DirectClient;
use flasher_core::{ByteStream, clock};
use maud::html;
use tokio::io::AsyncReadExt as _;
use tokio::sync::watch;
use tokio::time::{sleep, timeout};

/// Lines and bytes of them that are kept at most.
const MOST_LINES: usize = 2000;
const MOST_BYTES: usize = 512 * 1024;
/// Most lines that a browser gets at once.
const AT_ONCE: usize = 400;
/// A line without its end is shown when nothing has come for this long.
const QUIET: Duration = Duration::from_millis(100);
/// Pause before the line is looked for again; looking takes a second by itself while no client has it open.
const PAUSE: Duration = Duration::from_millis(20);
/// How long a line that was opened may take to be listened to.
const ATTENTION: Duration = Duration::from_secs(2);

/// The tail of a console as HTML.
#[derive(Debug, Default)]
pub(crate) struct LiveConsole {
    tail: Mutex<KeptLines>,
    changed: watch::Sender<()>,
    /// Whether the line is listened to.
    heard: watch::Sender<bool>,
}

#[derive(Debug, Default)]
struct KeptLines {
    lines: VecDeque<Arc<str>>,
    /// Lines that are no longer kept; the number of the first one that is.
    gone: u64,
    bytes: usize,
    /// The line whose end has not come.
    unfinished: String,
}

/// What a browser has not seen yet.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct NewLines {
    /// The lines as HTML.
    pub(crate) html: String,
    /// The number of the next line.
    pub(crate) next: u64,
    /// The line whose end has not come, as text.
    pub(crate) unfinished: String,
    /// Whether there are more already.
    pub(crate) has_more: bool,
}

impl LiveConsole {
    /// Changes with what is shown.
    pub(crate) fn changes(&self) -> watch::Receiver<()> {
        self.changed.subscribe()
    }

    /// Waits until the line is listened to, which was opened just now, so that nothing it says is missed.
    pub(crate) async fn until_heard(&self) {
        // Without a listener the line works as well.
        timeout(ATTENTION, self.heard.subscribe().wait_for(|heard| *heard)).await.ok();
    }

    /// The lines from number `next` on.
    pub(crate) fn after(&self, next: u64) -> NewLines {
        let tail = self.tail();
        let end = tail.gone + tail.lines.len() as u64;
        let from = next.clamp(tail.gone, end);
        let skipped = usize::try_from(from - tail.gone).unwrap_or(usize::MAX);
        let mut html = String::new();
        if from > next {
            html.push_str(&gap(from - next));
        }
        let new: Vec<&Arc<str>> = tail.lines.iter().skip(skipped).take(AT_ONCE).collect();
        new.iter().for_each(|line| html.push_str(line));
        let next = from + new.len() as u64;
        NewLines { html, next, unfinished: tail.unfinished.clone(), has_more: next < end }
    }

    /// All lines that are kept.
    pub(crate) fn all(&self) -> NewLines {
        let tail = self.tail();
        let html: String = tail.lines.iter().map(|line| &**line).collect();
        let next = tail.gone + tail.lines.len() as u64;
        NewLines { html, next, unfinished: tail.unfinished.clone(), has_more: false }
    }

    fn add(&self, entries: &[ConsoleEntry], unfinished: Option<String>) {
        let mut tail = self.tail();
        for entry in entries {
            let line: Arc<str> = shown(entry).into();
            tail.bytes += line.len();
            tail.lines.push_back(line);
        }
        while tail.lines.len() > MOST_LINES || tail.bytes > MOST_BYTES {
            let Some(oldest) = tail.lines.pop_front() else { break };
            tail.bytes -= oldest.len();
            tail.gone += 1;
        }
        match unfinished {
            Some(unfinished) => tail.unfinished = unfinished,
            // What was unfinished is in the new lines.
            None if !entries.is_empty() => tail.unfinished.clear(),
            None => {}
        }
        drop(tail);
        self.changed.send_replace(());
    }

    fn tail(&self) -> MutexGuard<'_, KeptLines> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A line with the time of day of its first byte, UTC.
fn shown(entry: &ConsoleEntry) -> String {
    let time = clock::milliseconds(entry.time);
    html! { div { i { (time.get(11..23).unwrap_or(&time)) } " " (entry.text) } }.into_string()
}

fn gap(count: u64) -> String {
    html! { div.gap { "… " (count) " lines were not shown: they came too quickly" } }.into_string()
}

/// Keeps what the owner of the line at `path` hears, for ever. While no client or process has it open there is nothing to hear.
pub(super) async fn listen(client: &DirectClient, path: &str, console: &LiveConsole) {
    let recorder = Recorder::default();
    loop {
        // None has it open, or it cannot be heard: the state says who has the board.
        if let Ok(stream) = client.watch(path).await {
            console.heard.send_replace(true);
            hear(stream, &recorder, console).await;
            console.heard.send_replace(false);
        }
        sleep(PAUSE).await;
    }
}

async fn hear(mut stream: Box<dyn ByteStream>, recorder: &Recorder, console: &LiveConsole) {
    let mut buffer = vec![0; 16 * 1024];
    let mut is_shown = true;
    loop {
        let patience = if is_shown { Duration::MAX } else { QUIET };
        match timeout(patience, stream.read(&mut buffer)).await {
            Ok(Ok(0) | Err(_)) => return,
            Ok(Ok(count)) => {
                let entries = recorder.received(&buffer[..count]);
                is_shown = false;
                if !entries.is_empty() {
                    console.add(&entries, None);
                }
            }
            Err(_) => {
                console.add(&[], Some(recorder.unfinished()));
                is_shown = true;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn said(console: &LiveConsole, text: &str) {
        let recorder = Recorder::default();
        let entries = recorder.received(text.as_bytes());
        console.add(&entries, Some(recorder.unfinished()));
    }

    #[test]
    fn what_a_board_prints_is_text() {
        let console = LiveConsole::default();
        said(&console, "<script>alert(1)</script>\r\n\x1b[31m<b>red</b>\r\n=> <i>");
        let new = console.after(0);
        assert!(!new.html.contains("<script>") && !new.html.contains("<b>"), "{new:?}");
        assert!(new.html.contains("&lt;script&gt;") && new.html.contains("&lt;b&gt;red"), "{new:?}");
        assert_eq!((new.next, new.unfinished.as_str()), (2, "=> <i>"));
    }

    #[test]
    fn a_slow_browser_misses_lines_and_has_no_queue() {
        let console = LiveConsole::default();
        for number in 0..MOST_LINES + 500 {
            said(&console, &format!("line {number}\n"));
        }
        let new = console.after(100);
        assert!(new.html.starts_with("<div class=\"gap\">… 400 lines were not shown"), "{}", &new.html[..80]);
        assert!(new.html.contains("line 500<") && new.has_more);
        assert_eq!(new.next, 500 + AT_ONCE as u64);
        assert_eq!(console.after(u64::MAX).next, (MOST_LINES + 500) as u64);
        said(&console, &"x".repeat(MOST_BYTES));
        said(&console, "\n");
        assert!(console.all().html.len() <= MOST_BYTES);
    }
}
