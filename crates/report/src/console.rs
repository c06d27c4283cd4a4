//! The console of a job, as its transcript has it: `TIME SIGN TEXT` a line.

use std::collections::VecDeque;

/// Longest transcript that is read, bytes; of a longer one the beginning is read.
pub const LONGEST_CONSOLE: u64 = 64 << 20;
/// Longest line that is shown, in bytes of its text.
const LONGEST_LINE: usize = 400;
/// Lines of the beginning that are shown in any case.
const HEAD: usize = 60;

/// The lines of a console that are shown.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConsoleText {
    /// The first of them.
    pub(crate) head: Vec<ConsoleLine>,
    /// How many between them are not shown.
    pub(crate) left_out: usize,
    /// The last of them.
    pub(crate) tail: VecDeque<ConsoleLine>,
}

/// A line of a console.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct ConsoleLine {
    /// Time of its first byte, as the transcript has it; none where it has none.
    pub(crate) time: Option<String>,
    /// Who said it.
    pub(crate) by: Speaker,
    /// What, with its escape sequences, where there are any.
    pub(crate) text: String,
}

/// Who said a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Speaker {
    Board,
    Exporter,
    Note,
}

impl ConsoleText {
    /// Reads a transcript and keeps at most about so many bytes of it: its beginning, and more of its end.
    pub fn read(transcript: &[u8], most: usize) -> Self {
        let mut console = Self::default();
        let (mut head_bytes, mut tail_bytes) = (0, 0);
        for line in transcript.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let line = ConsoleLine::read(line);
            if console.head.len() < HEAD && head_bytes + line.weight() <= most / 4 {
                head_bytes += line.weight();
                console.head.push(line);
                continue;
            }
            tail_bytes += line.weight();
            console.tail.push_back(line);
            while tail_bytes > most - most / 4 {
                let Some(oldest) = console.tail.pop_front() else { break };
                tail_bytes -= oldest.weight();
                console.left_out += 1;
            }
        }
        console
    }

    /// How many lines there are, shown or not.
    pub(crate) fn count(&self) -> usize {
        self.head.len() + self.left_out + self.tail.len()
    }
}

impl ConsoleLine {
    fn read(line: &[u8]) -> Self {
        let text = String::from_utf8_lossy(&line[..line.len().min(4 * LONGEST_LINE)]);
        let text = text.trim_end_matches('\r');
        let parsed = text.split_once(' ').and_then(|(time, rest)| {
            let (sign, said) = rest.split_once(' ').unwrap_or((rest, ""));
            let by = match sign {
                "<" => Speaker::Board,
                ">" => Speaker::Exporter,
                "#" => Speaker::Note,
                _ => return None,
            };
            // `2026-11-28T20:24:41.123Z`: hours to milliseconds are what a reader looks for.
            let is_time = time.len() == 24 && time.is_ascii() && time.as_bytes()[10] == b'T';
            is_time.then(|| (time[11..23].to_owned(), by, said))
        });
        match parsed {
            Some((time, by, said)) => Self { time: Some(time), by, text: cut(said) },
            None => Self { time: None, by: Speaker::Board, text: cut(text) },
        }
    }

    /// About so many bytes of a page.
    fn weight(&self) -> usize {
        self.text.len() + 40
    }
}

fn cut(text: &str) -> String {
    if text.len() <= LONGEST_LINE {
        return text.to_owned();
    }
    let end = (0..=LONGEST_LINE).rev().find(|end| text.is_char_boundary(*end)).unwrap_or(0);
    format!("{}…", &text[..end])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_transcript() {
        let text = b"2026-11-28T20:24:41.123Z < U-Boot 2023.01\r\n2026-11-28T20:24:42.000Z > help\n\
            2026-11-28T20:24:43.000Z # power on\n2026-11-28T20:24:44.000Z <\nno transcript < at all\n";
        let console = ConsoleText::read(text, 10_000);
        let lines: Vec<_> =
            console.head.iter().map(|it| (it.time.as_deref(), it.by, it.text.as_str())).collect();
        let expected = [
            (Some("20:24:41.123"), Speaker::Board, "U-Boot 2023.01"),
            (Some("20:24:42.000"), Speaker::Exporter, "help"),
            (Some("20:24:43.000"), Speaker::Note, "power on"),
            (Some("20:24:44.000"), Speaker::Board, ""),
            (None, Speaker::Board, "no transcript < at all"),
        ];
        assert_eq!(lines, expected);
        assert_eq!(console.count(), 5);
    }

    #[test]
    fn a_long_console_shows_its_beginning_and_its_end() {
        let text: String = (0..100_000).map(|line| format!("line {line}\n")).collect();
        let console = ConsoleText::read(text.as_bytes(), 100_000);
        assert_eq!(console.count(), 100_000);
        assert_eq!(console.head[0].text, "line 0");
        assert_eq!(console.tail.back().unwrap().text, "line 99999");
        assert!(console.head.len() == HEAD && (1000..3000).contains(&console.tail.len()), "{console:?}");
        let one = "ä".repeat(10 << 20);
        let console = ConsoleText::read(one.as_bytes(), 100_000);
        assert_eq!((console.count(), console.head[0].text.len()), (1, LONGEST_LINE + '…'.len_utf8()));
        assert_eq!(ConsoleText::read(&[0xff; 9], 0).count(), 1);
    }
}
