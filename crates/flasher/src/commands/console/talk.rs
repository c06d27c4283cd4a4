//! The session: copies both ways until it ends.

use std::time::Duration;

use flasher_core::{Class, Error};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite};
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep_until};

use super::keys::{INTERRUPT, Keys};
use super::line::{Heard, Line};
use super::output::Output;
use crate::failure::Failure;

/// Silence after the end of the input that ends the session.
const QUIET: Duration = Duration::from_millis(500);
/// Bound on waiting for that silence: a board may never stop talking.
const PATIENCE: Duration = Duration::from_secs(5);

/// A board's line, and who talks on it.
pub(super) struct Talk<I, W, T> {
    pub(super) line: Line,
    pub(super) input: I,
    pub(super) output: Output<W>,
    /// A person's keys; none for a pipe, where every byte goes to the board.
    pub(super) keys: Option<Keys>,
    /// Tells a person what happens to a watched line.
    pub(super) tell: T,
}

impl<I: AsyncRead + Unpin, W: AsyncWrite + Unpin, T: Fn(&str)> Talk<I, W, T> {
    /// Copies both ways. Ends at the escape (by hand), some silence after the end of the input, or when the line is gone. A pipe is
    /// read once `cycling` is over: what is in it is for the board that boots then. Who watches goes on after the end of the input.
    ///
    /// # Errors
    /// When the line or the screen gives way, and at ^C of who watches.
    pub(super) async fn run(mut self, cycling: oneshot::Receiver<()>) -> Result<(), Failure> {
        let mut cycling = self.keys.is_none().then_some(cycling);
        let (mut typed, mut printed) = ([0; 4096], [0; 4096]);
        let mut closing: Option<(Instant, Instant)> = None;
        let mut typing = true;
        loop {
            let end = closing.map(|(quiet, patience)| quiet.min(patience));
            tokio::select! {
                heard = self.line.hear(&mut printed) => {
                    match heard? {
                        Heard::Bytes(count) => self.output.print(&printed[..count]).await?,
                        Heard::News(news) => (self.tell)(&news),
                    }
                    closing = closing.map(|(_, patience)| (Instant::now() + QUIET, patience));
                }
                () = over_with(&mut cycling), if cycling.is_some() => cycling = None,
                count = self.input.read(&mut typed), if typing && cycling.is_none() => {
                    let count = count?;
                    if self.take(&typed[..count]).await? {
                        return Ok(());
                    }
                    typing = count > 0;
                    if !typing && !self.line.is_watched() {
                        closing = Some((Instant::now() + QUIET, Instant::now() + PATIENCE));
                    }
                }
                () = sleep_until(end.unwrap_or_else(Instant::now)), if end.is_some() => return Ok(()),
            }
        }
    }

    /// Sends what was typed; gives whether the person leaves.
    async fn take(&mut self, typed: &[u8]) -> Result<bool, Failure> {
        let Some(keys) = &mut self.keys else {
            self.line.say(typed).await?;
            return Ok(false);
        };
        let (sent, leaves) = keys.take(typed);
        if self.line.is_watched() && sent.contains(&INTERRUPT) {
            return Err(interrupted().into());
        }
        self.line.say(&sent).await?;
        Ok(leaves)
    }
}

/// The end by ^C or another signal.
pub(super) fn interrupted() -> Error {
    Error::new(Class::Interrupted, "interrupted")
}

/// Waits until its sender is gone.
async fn over_with(cycling: &mut Option<oneshot::Receiver<()>>) {
    if let Some(cycling) = cycling {
        // Nothing is ever sent.
        let _ = cycling.await;
    }
}

#[cfg(test)]
mod tests {
    use std::io;
    use std::sync::{Arc, Mutex};

    use flasher_core::{ByteStream, Driver, Port, Result, SerialDriver, async_trait};
    use tokio::io::{AsyncWriteExt, DuplexStream};

    use super::super::escape::Escape;
    use super::super::line::Watch;
    use super::*;

    fn own(stream: DuplexStream) -> Line {
        let (hears, says) = tokio::io::split(stream);
        Line::Own { hears: Box::new(hears), says: Box::new(says) }
    }

    fn not_cycled() -> oneshot::Receiver<()> {
        oneshot::channel().1
    }

    #[tokio::test]
    async fn a_pipe_gets_all_of_the_answer_and_then_ends() {
        for (input, by_hand, expected) in
            [(&b"printenv\n"[..], false, &b"printenv\n"[..]), (b"a\x1db~.", false, b"a\x1db~.")]
        {
            let (ours, theirs) = tokio::io::duplex(64);
            let (mut hears, mut says) = tokio::io::split(theirs);
            let board = tokio::spawn(async move { tokio::io::copy(&mut hears, &mut says).await });
            let mut screen = io::Cursor::new(Vec::new());
            let output = Output::new(&mut screen, None, false);
            let keys = by_hand.then(|| Keys::new(Escape::Byte(0x1d)));
            Talk { line: own(ours), input, output, keys, tell: |_: &str| {} }
                .run(not_cycled())
                .await
                .unwrap();
            board.abort();
            assert_eq!(screen.into_inner(), expected);
        }
    }

    #[tokio::test]
    async fn a_line_of_ones_own_that_closes_is_an_error() {
        let (ours, theirs) = tokio::io::duplex(64);
        drop(theirs);
        let (input, _keep) = tokio::io::duplex(64);
        let output = Output::new(tokio::io::sink(), None, false);
        let keys = Some(Keys::new(Escape::Tilde));
        let ended = Talk { line: own(ours), input, output, keys, tell: |_: &str| {} }.run(not_cycled()).await;
        let Err(Failure::Error(error)) = ended else { panic!("{ended:?}") };
        assert_eq!(error.to_string(), "the serial line was closed");
    }

    /// A line that others open and close: what each look at it finds.
    #[derive(Debug)]
    struct Looks(Mutex<Vec<Look>>);

    #[derive(Debug)]
    enum Look {
        Missing,
        Closed,
        Open(&'static str),
    }

    impl Driver for Looks {}

    #[async_trait]
    impl SerialDriver for Looks {
        async fn open(&self) -> Result<Box<dyn ByteStream>> {
            panic!("who watches opens nothing")
        }

        async fn watch(&self) -> Result<Option<Box<dyn AsyncRead + Send + Unpin>>> {
            let mut looks = self.0.lock().unwrap();
            if let Some(Look::Open(text)) = looks.last() {
                let text = text.as_bytes();
                looks.pop();
                return Ok(Some(Box::new(text)));
            }
            Ok(None)
        }

        async fn port(&self) -> Port {
            let mut looks = self.0.lock().unwrap();
            let is_missing = matches!(looks.last(), Some(Look::Missing));
            if !matches!(looks.last(), Some(Look::Open(_))) {
                looks.pop();
            }
            Port { name: "`ttyX`".to_owned(), is_missing }
        }
    }

    #[tokio::test]
    async fn a_watcher_waits_for_each_owner_and_learns_it_once() {
        let mut looks = vec![
            Look::Missing,
            Look::Missing,
            Look::Closed,
            Look::Closed,
            Look::Open("one"),
            Look::Closed,
            Look::Closed,
            Look::Open("two"),
        ];
        looks.reverse();
        let serial = Arc::new(Looks(Mutex::new(looks)));
        let line = Line::Watched(Watch::new(serial));
        let (input, mut keys) = tokio::io::duplex(64);
        let (screen, mut seen) = tokio::io::duplex(1024);
        let output = Output::new(screen, None, false);
        let (news, mut told) = tokio::sync::mpsc::unbounded_channel();
        let tell = move |text: &str| news.send(text.to_owned()).unwrap();
        let talk = Talk { line, input, output, keys: Some(Keys::new(Escape::Byte(0x1d))), tell };
        let session = tokio::spawn(async move { talk.run(not_cycled()).await.map_err(|it| it.exit_code()) });
        let waits = "waiting for a flash or a `console` without `--watch` that opens `ttyX`\n";
        let missing = "waiting for `ttyX`, which is not there\n";
        let open = "`ttyX` is open\n";
        for expected in [missing, waits, open, waits, open, waits] {
            assert_eq!(told.recv().await.unwrap(), expected);
        }
        let mut text = [0; 6];
        seen.read_exact(&mut text).await.unwrap();
        assert_eq!(&text, b"onetwo");
        // What is typed goes nowhere; ^C is the end.
        keys.write_all(b"reset\r\x03").await.unwrap();
        assert_eq!(session.await.unwrap(), Err(130));
    }
}
