//! U-Boot's environment: setting values of any length, reading them back.
//!
//! Quoting as U-Boot's hush does it (common/cli_hush.c, tried with 2023.01): inside single quotes a backslash takes
//! the next character literally, and expanding a variable does so once more. A single quote inside a variable that is
//! expanded is a syntax error there, however it is escaped.

use super::wait::Output;
use super::{LONGEST_LINE, QUICK, UBoot};
use crate::error::Error;

/// What a line needs besides the value's piece: command, name, quotes and the marker at its end.
const AROUND_PIECE: usize = 80;
/// Characters that may stand in a word without quotes.
const PLAIN: &str = "._-+/:,@%=";
const LONGEST_NAME: usize = 32;
/// `printenv NAME` cuts what does not fit U-Boot's print buffer (CONFIG_SYS_PBSIZE, little more than 512 bytes) without
/// a word; the list of all variables is not cut.
const SURELY_WHOLE: usize = 400;

impl UBoot {
    /// Sets the environment variable `name` to `value` (in memory; nothing is saved). An empty value deletes it.
    ///
    /// Any printable value is safe, whatever it quotes or refers to. One that is longer than a line is built up from
    /// pieces and read back; it must not contain single quotes, which U-Boot cannot put together.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name or value that U-Boot cannot hold, [`Error::Unexpected`] when the variable does
    /// not read back as set, and those of [`Self::run`].
    pub async fn set(&mut self, name: &str, value: &str) -> Result<(), Error> {
        check_name(name)?;
        if value.is_empty() {
            return self.run_quick(&format!("setenv {name}")).await;
        }
        super::line::check_printable("value of a U-Boot variable", value)?;
        let pieces = pieces(value);
        if let [_] = pieces[..] {
            self.run_quick(&format!("setenv {name} {}", word(value))).await?;
        } else {
            self.set_in_pieces(name, &pieces).await?;
        }
        if pieces.len() > 1 || value.contains(['\\', '\'', '$', '"']) {
            self.confirm(name, value).await
        } else {
            Ok(())
        }
    }

    /// The value of the environment variable `name`, none when it is not set.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a name that cannot be one, and those of [`Self::run`].
    pub async fn get(&mut self, name: &str) -> Result<Option<String>, Error> {
        check_name(name)?;
        let command = format!("printenv {name}");
        let ended = self.execute(&command, QUICK, Output::Data).await?;
        match (ended.status, value_of(name, &ended.output)) {
            (Some(0), Some(value)) if value.len() < SURELY_WHOLE => Ok(Some(value)),
            (Some(0), Some(value)) => Ok(Some(self.get_long(name).await?.unwrap_or(value))),
            (Some(0), None) => Err(self.unexpected(command, "`name=value`", &ended.output)),
            _ if ended.output.contains("not defined") => Ok(None),
            (status, _) => Err(self.command_error(&command, status, &ended.output, None)),
        }
    }

    /// A long value from the list of all variables, which U-Boot prints without its print buffer.
    async fn get_long(&mut self, name: &str) -> Result<Option<String>, Error> {
        let all = self.execute("printenv", QUICK, Output::Data).await?;
        Ok(value_of(name, &all.output).map(|value| unescaped(&value)))
    }

    pub(super) async fn run_quick(&mut self, command: &str) -> Result<(), Error> {
        let ended = self.execute(command, QUICK, Output::Data).await?;
        match ended.status {
            Some(0) => Ok(()),
            status => Err(self.command_error(command, status, &ended.output, None)),
        }
    }

    /// A variable a piece, then all of them into one: expanding `${a}` in double quotes keeps blanks and quotes.
    async fn set_in_pieces(&mut self, name: &str, pieces: &[&str]) -> Result<(), Error> {
        if let Some(piece) = pieces.iter().find(|piece| piece.contains('\'')) {
            let problem = "is part of a value longer than a line and must not contain a single quote there";
            let value = self.transcript().masked(piece).escape_debug().to_string();
            return Err(Error::Invalid { what: "piece", value, problem });
        }
        let mut whole = String::new();
        for (number, piece) in pieces.iter().enumerate() {
            let variable = format!("piece{number}");
            self.run_quick(&format!("setenv {variable} {}", quoted(&piece.replace('\\', r"\\")))).await?;
            whole.push_str(&format!("${{{variable}}}"));
        }
        self.run_quick(&format!("setenv {name} \"{whole}\"")).await?;
        for number in 0..pieces.len() {
            self.run_quick(&format!("setenv piece{number}")).await?;
        }
        Ok(())
    }

    async fn confirm(&mut self, name: &str, value: &str) -> Result<(), Error> {
        let got = self.get(name).await?.unwrap_or_default();
        if got == value {
            return Ok(());
        }
        Err(self.unexpected(format!("printenv {name}"), "the value that was set", &got))
    }

    pub(super) fn unexpected(&self, command: String, expected: &'static str, got: &str) -> Error {
        let masked = |text: &str| self.transcript().masked(text);
        Error::Unexpected { command: masked(&command), expected, got: masked(got) }
    }
}

/// The value in the line `name=value` of `output`.
fn value_of(name: &str, output: &str) -> Option<String> {
    output.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix('=')).map(str::to_owned)
}

/// In the list of all variables a backslash stands before each one that belongs to a value (lib/hashtable.c).
fn unescaped(listed: &str) -> String {
    let mut letters = listed.chars();
    let mut next = || match letters.next() {
        Some('\\') => letters.next(),
        letter => letter,
    };
    std::iter::from_fn(&mut next).collect()
}

/// `text` as one word of a U-Boot command, quoted if it must be.
pub(super) fn word(text: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || PLAIN.contains(letter);
    if !text.is_empty() && text.chars().all(plain) { text.to_owned() } else { quoted(text) }
}

fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\\', r"\\").replace('\'', r"'\''"))
}

/// `value` in pieces that fit a line however much quoting makes of them.
fn pieces(value: &str) -> Vec<&str> {
    let room = LONGEST_LINE - AROUND_PIECE;
    let (mut pieces, mut start, mut length) = (Vec::new(), 0, 0);
    for (place, letter) in value.char_indices() {
        let cost = if matches!(letter, '\\' | '\'') { 4 } else { letter.len_utf8() };
        if length + cost > room {
            pieces.push(&value[start..place]);
            (start, length) = (place, 0);
        }
        length += cost;
    }
    pieces.push(&value[start..]);
    pieces
}

fn check_name(name: &str) -> Result<(), Error> {
    let allowed = |letter: char| letter.is_ascii_alphanumeric() || "_-.#".contains(letter);
    if (1..=LONGEST_NAME).contains(&name.len()) && name.chars().all(allowed) {
        return Ok(());
    }
    let problem = "must be 1 to 32 letters, digits, `_`, `-`, `.` or `#`";
    Err(Error::Invalid { what: "name of a U-Boot variable", value: name.escape_debug().to_string(), problem })
}
