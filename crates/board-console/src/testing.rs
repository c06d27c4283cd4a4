//! The other end of the console in tests: scripted peers on an in-memory stream, and real shells on real ptys.

use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};

use crate::{Console, Transcript};

/// Longer than anything a test waits for in vain.
pub(crate) const SOON: Duration = Duration::from_secs(20);

/// A console and the board's end of its line.
pub(crate) fn line() -> (Console, Peer) {
    let (ours, theirs) = duplex(64 * 1024);
    (Console::new(Box::new(ours), Transcript::in_memory()), Peer { stream: theirs, unread: Vec::new() })
}

/// The board's end, for scripts.
pub(crate) struct Peer {
    pub(crate) stream: DuplexStream,
    unread: Vec<u8>,
}

impl Peer {
    pub(crate) async fn print(&mut self, text: &str) {
        // A console that is gone has seen enough.
        let _ = self.stream.write_all(text.as_bytes()).await;
    }

    /// The next byte, none when the console is gone.
    pub(crate) async fn byte(&mut self) -> Option<u8> {
        if !self.unread.is_empty() {
            return Some(self.unread.remove(0));
        }
        let mut byte = [0];
        (self.stream.read(&mut byte).await.ok()? == 1).then_some(byte[0])
    }

    /// Reads a line as a line editor does, echoing each character through `echo`; `None` when the console is gone.
    pub(crate) async fn edit_line(&mut self, mut echo: impl FnMut(char) -> String) -> Option<Typed> {
        let mut line = String::new();
        loop {
            match self.byte().await? {
                b'\n' | b'\r' => {
                    self.print("\r\n").await;
                    return Some(Typed::Line(line));
                }
                3 => return Some(Typed::Interrupt),
                byte => {
                    let shown = echo(char::from(byte));
                    line.push_str(&shown);
                    self.print(&shown).await;
                }
            }
        }
    }
}

pub(crate) enum Typed {
    Line(String),
    Interrupt,
}

/// `a; echo m"n"$?` as the scripted boards read it: the command and the marker it ends with.
pub(crate) fn split_marker(line: &str) -> (String, Option<String>) {
    match line.rsplit_once("echo ") {
        Some((command, marker)) if marker.contains('"') => {
            let marker = marker.replace('"', "");
            (command.trim_end_matches("; ").to_owned(), Some(marker))
        }
        _ => (line.to_owned(), None),
    }
}

/// A real shell on a real pty, which ends with its console.
pub(crate) fn shell_on_pty(program: &str, arguments: &[&str]) -> (Console, tokio::process::Child) {
    let (pty, pts) = pty_process::open().expect("pty");
    pty.resize(pty_process::Size::new(24, 80)).expect("size");
    let child = pty_process::Command::new(program)
        .args(arguments)
        .env("PS1", "\\w # ")
        .env("HOME", "/")
        .env("TERM", "vt102")
        .kill_on_drop(true)
        .spawn(pts)
        .expect(program);
    (Console::new(Box::new(pty), Transcript::in_memory()), child)
}
