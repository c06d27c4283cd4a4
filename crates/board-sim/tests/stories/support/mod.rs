//! What the tests share: a user at the console, and a TFTP server.

pub(crate) mod tftp;

use std::sync::Arc;
use std::time::Duration;

use board_sim::{Config, SimBoard};
use flasher_core::{ByteStream, PowerDriver};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Generous: nothing here measures time.
pub(crate) const PATIENCE: Duration = Duration::from_secs(30);

/// How long a prompt is waited for before Enter is pressed for another one.
const ANOTHER_PROMPT: Duration = Duration::from_secs(5);
const SHELL_PROMPT: &str = "# \x1b[6n";

/// A person at the console of a simulated board.
pub(crate) struct ConsoleUser {
    pub(crate) board: Arc<SimBoard>,
    pub(crate) power: Arc<dyn PowerDriver>,
    line: Box<dyn ByteStream>,
    /// Everything seen so far that was not expected yet.
    pub(crate) seen: String,
}

impl ConsoleUser {
    /// Opens the line of a board made from a config in JSON.
    pub(crate) async fn at(config: serde_json::Value) -> Self {
        let config: Config = serde_json::from_value(config).unwrap();
        let board = SimBoard::new(config);
        let line = board.serial().open().await.unwrap();
        Self { power: board.power(), board, line, seen: String::new() }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.line.write_all(text.as_bytes()).await.unwrap();
    }

    /// Waits for `text`; gives what came before it.
    pub(crate) async fn expect(&mut self, text: &str) -> String {
        let found = tokio::time::timeout(PATIENCE, self.find(text)).await;
        found.unwrap_or_else(|_| panic!("no `{text}` in {:?}", self.seen))
    }

    /// Waits for a prompt as a person does: a kernel message may come in the middle of it, and Enter brings another one.
    async fn prompt(&mut self, text: &str) -> String {
        for _ in 0..PATIENCE.as_secs() / ANOTHER_PROMPT.as_secs() {
            match tokio::time::timeout(ANOTHER_PROMPT, self.find(text)).await {
                Ok(before) => return before,
                Err(_) => self.send("\n").await,
            }
        }
        self.expect(text).await
    }

    async fn find(&mut self, text: &str) -> String {
        loop {
            if let Some(place) = self.seen.find(text) {
                let before = self.seen[..place].to_owned();
                self.seen.drain(..place + text.len());
                return before;
            }
            self.more().await;
        }
    }

    async fn more(&mut self) {
        let mut buffer = [0; 4096];
        let count = self.line.read(&mut buffer).await.unwrap();
        assert!(count > 0, "the line is gone");
        self.seen.push_str(&String::from_utf8_lossy(&buffer[..count]));
    }

    /// Listens for a while; gives everything that came.
    pub(crate) async fn listen(&mut self, time: Duration) -> String {
        tokio::time::timeout(time, async {
            loop {
                self.more().await
            }
        })
        .await
        .unwrap_err();
        std::mem::take(&mut self.seen)
    }

    /// From power on to U-Boot's prompt.
    pub(crate) async fn reach_uboot(&mut self) {
        self.power.on().await.unwrap();
        self.expect("Hit any key to stop autoboot: ").await;
        self.send("x").await;
        self.expect("=> ").await;
    }

    /// A U-Boot command: what it printed.
    pub(crate) async fn uboot(&mut self, command: &str) -> String {
        self.send(&format!("{command}\n")).await;
        self.expect("\r").await;
        let printed = self.expect("\n=> ").await.replace('\r', "");
        printed.strip_prefix('\n').map_or(printed.clone(), |printed| format!("{printed}\n"))
    }

    /// From power on to the Linux shell, with U-Boot's own memory as the kernel.
    pub(crate) async fn reach_shell(&mut self) {
        self.reach_uboot().await;
        self.send("booti ${fdtcontroladdr}\n").await;
        self.log_in().await;
    }

    pub(crate) async fn log_in(&mut self) {
        self.prompt("login: ").await;
        self.send("root\n").await;
        self.prompt(SHELL_PROMPT).await;
    }

    /// A shell command: what it printed.
    pub(crate) async fn shell(&mut self, command: &str) -> String {
        self.send(&format!("{command}\n")).await;
        self.expect("\r\n").await;
        self.prompt(SHELL_PROMPT).await.replace('\r', "")
    }

    /// Power off, so that nothing is left.
    pub(crate) async fn leave(self) {
        self.power.off().await.unwrap();
    }
}
