//! Who answers where the expected prompt does not come: a boot loader with another one, or a running system.

use std::time::Duration;

use tokio::time::Instant;

use crate::console::{Console, deadline};
use crate::error::Error;
use crate::pattern::Pattern;

/// A line that ends like a prompt and stays for so long is asked whether it is one.
const REST: Duration = Duration::from_millis(1500);
/// The longest line that is taken for a prompt, in bytes.
const LONGEST: usize = 40;
/// What prompts end with.
const ENDS: [char; 4] = ['>', '#', '$', '%'];
/// How long the answer may take.
const ANSWER_WITHIN: Duration = Duration::from_secs(2);
const CTRL_C: &[u8] = b"\x03";
/// What U-Boot prints for control C; a Linux shell prints `^C`.
const INTERRUPTED: &[u8] = b"<INTERRUPT>";

/// A line that may be somebody's prompt.
#[derive(Debug, Default)]
pub(super) struct PossiblePrompt {
    line: String,
    since: Option<Instant>,
}

/// A prompt that has proven itself.
pub(super) struct ProvenPrompt {
    pub(super) text: String,
    /// Whether it answers as U-Boot does.
    pub(super) is_uboot: bool,
}

impl PossiblePrompt {
    /// The unfinished line `bytes`, once it has looked like the same prompt for a while. Each is given once. What stands behind
    /// it and was `typed` over and over is no part of it: a boot loader that was stopped by a text echoes the rest of it.
    pub(super) fn at_rest(&mut self, bytes: &[u8], typed: &[u8]) -> Option<String> {
        let line = candidate(without_echo(bytes, typed))?;
        if line != self.line {
            *self = Self { line, since: Some(Instant::now()) };
            return None;
        }
        self.since.take_if(|since| since.elapsed() >= REST).map(|_| self.line.clone())
    }
}

/// The line without the echo of `typed` at its end, whole or in part.
fn without_echo<'l>(line: &'l [u8], typed: &[u8]) -> &'l [u8] {
    if !typed.iter().all(u8::is_ascii_graphic) || typed.is_empty() {
        return line;
    }
    let whole = |line: &'l [u8]| {
        let mut line = line;
        while let Some(shorter) = line.strip_suffix(typed) {
            line = shorter;
        }
        line
    };
    let in_part = (1..typed.len()).rev().find_map(|count| line.strip_suffix(&typed[..count]));
    [line, in_part.unwrap_or(line)].map(whole).into_iter().min_by_key(|line| line.len()).unwrap_or(line)
}

fn candidate(bytes: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(bytes).ok()?.trim();
    let is_prompt = text.len() <= LONGEST && text.ends_with(ENDS) && !text.chars().any(char::is_control);
    is_prompt.then(|| text.to_owned())
}

/// Has the other end echo a random marker; gives the prompt after it, or none without an answer.
pub(super) async fn shown_prompt(console: &mut Console) -> Result<Option<ProvenPrompt>, Error> {
    console.send(CTRL_C).await?;
    console.settle(Duration::from_millis(150), Duration::from_secs(1)).await?;
    let is_uboot = memchr::memmem::find(console.buffered(), INTERRUPTED).is_some();
    console.discard();
    let marker = console.transcript().marker();
    console.send(format!("echo {}\"{}\"\n", marker.first, marker.second).as_bytes()).await?;
    let answer = [Pattern::text(&marker.joined())];
    if console.expect_until(&answer, deadline(ANSWER_WITHIN)).await?.is_none() {
        return Ok(None);
    }
    console.settle(Duration::from_millis(300), Duration::from_secs(1)).await?;
    Ok(candidate(console.unfinished()).map(|text| ProvenPrompt { text, is_uboot }))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prompts_are_short_lines_that_end_like_one() {
        for (line, prompt) in [
            ("MX8> ", Some("MX8>")),
            ("U-Boot>", Some("U-Boot>")),
            ("root@board:~# ", Some("root@board:~#")),
            ("Hit any key to stop autoboot:  2 ", None),
            ("", None),
            ("\x01\x02>", None),
            ("some text that goes on for quite a while and then has a >", None),
        ] {
            assert_eq!(candidate(line.as_bytes()).as_deref(), prompt, "{line}");
        }
    }

    #[test]
    fn the_echo_of_a_stop_string_is_no_part_of_a_prompt() {
        for (line, typed, rest) in [
            ("MX8> halthalt", "halt", "MX8> "),
            ("MX8> halthaltha", "halt", "MX8> "),
            ("MX8> hal", "halt", "MX8> "),
            ("MX8> ", "halt", "MX8> "),
            ("halthalt", "halt", ""),
            ("MX8> tt", "halt", "MX8> tt"),
            ("MX8> \x03", "\x03", "MX8> \x03"),
            ("MX8> ", "", "MX8> "),
        ] {
            assert_eq!(without_echo(line.as_bytes(), typed.as_bytes()), rest.as_bytes(), "{line} {typed}");
        }
    }

    #[tokio::test(start_paused = true)]
    async fn a_prompt_is_asked_once_and_only_when_it_stays() {
        let mut stranger = PossiblePrompt::default();
        let mut at_rest = |line: &[u8]| stranger.at_rest(line, b"\x03");
        assert_eq!(at_rest(b"ROM> "), None);
        tokio::time::advance(REST).await;
        assert_eq!(at_rest(b"ROM> typed"), None);
        assert_eq!(at_rest(b"MX8> "), None);
        tokio::time::advance(REST).await;
        assert_eq!(at_rest(b"MX8> ").as_deref(), Some("MX8>"));
        tokio::time::advance(REST).await;
        assert_eq!(at_rest(b"MX8> "), None);
    }
}
