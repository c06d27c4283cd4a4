//! U-Boot's command language (common/cli_hush.c), as far as boards are driven with it: `;`, `&&`, `||`, quotes,
//! variables, comments.
//!
//! As in U-Boot 2023.01, a backslash takes the next character literally everywhere, also inside single quotes, and once
//! more when a variable is expanded.

/// When a command runs, given the status of the one before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum RunCondition {
    Always,
    AfterSuccess,
    AfterFailure,
}

/// One command: when it runs, and its words before expansion.
pub(crate) type HushCommand = (RunCondition, Vec<Word>);

/// A word before expansion.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct Word {
    parts: Vec<WordPart>,
    /// It is a word even when empty.
    quoted: bool,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum WordPart {
    Text(String),
    Variable { name: String, quoted: bool },
}

/// The commands of a line; none when a quote is not closed.
pub(crate) fn parse(line: &str) -> Option<Vec<HushCommand>> {
    let mut parser =
        Parser { rest: line.chars().collect(), place: 0, commands: Vec::new(), words: Vec::new() };
    parser.line()?;
    Some(parser.commands)
}

/// The words of a command after expansion. `value` gives the value of a variable.
pub(crate) fn expand(words: &[Word], value: impl Fn(&str) -> String) -> Vec<String> {
    words.iter().flat_map(|word| expand_word(word, &value)).collect()
}

fn expand_word(word: &Word, value: &impl Fn(&str) -> String) -> Vec<String> {
    let mut words = Vec::new();
    let mut current = word.quoted.then(String::new);
    for part in &word.parts {
        match part {
            WordPart::Text(text) => current.get_or_insert_default().push_str(text),
            WordPart::Variable { name, quoted: true } => {
                current.get_or_insert_default().push_str(&unescape(&value(name)))
            }
            WordPart::Variable { name, quoted: false } => {
                split_into(&unescape(&value(name)), &mut current, &mut words)
            }
        }
    }
    words.extend(current);
    words
}

/// The value of an unquoted variable is split at blanks.
fn split_into(text: &str, current: &mut Option<String>, words: &mut Vec<String>) {
    for letter in text.chars() {
        if letter.is_ascii_whitespace() {
            words.extend(current.take());
        } else {
            current.get_or_insert_default().push(letter);
        }
    }
}

fn unescape(text: &str) -> String {
    let mut letters = text.chars();
    let mut plain = String::new();
    while let Some(letter) = letters.next() {
        plain.push(if letter == '\\' { letters.next().unwrap_or('\\') } else { letter });
    }
    plain
}

struct Parser {
    rest: Vec<char>,
    place: usize,
    commands: Vec<HushCommand>,
    words: Vec<Word>,
}

impl Parser {
    fn line(&mut self) -> Option<()> {
        let mut when = RunCondition::Always;
        loop {
            let next = match self.peek() {
                None | Some('#') => break,
                Some(';') => (1, RunCondition::Always),
                Some('&') if self.peek_at(1) == Some('&') => (2, RunCondition::AfterSuccess),
                Some('|') if self.peek_at(1) == Some('|') => (2, RunCondition::AfterFailure),
                Some(letter) if letter.is_ascii_whitespace() => {
                    self.place += 1;
                    continue;
                }
                Some(_) => {
                    let word = self.word()?;
                    self.words.push(word);
                    continue;
                }
            };
            self.place += next.0;
            self.end_command(when);
            when = next.1;
        }
        self.end_command(when);
        Some(())
    }

    fn end_command(&mut self, when: RunCondition) {
        if !self.words.is_empty() {
            self.commands.push((when, std::mem::take(&mut self.words)));
        }
    }

    fn word(&mut self) -> Option<Word> {
        let mut word = Word::default();
        while let Some(letter) = self.peek() {
            match letter {
                '\'' => self.quotes(&mut word, '\'')?,
                '"' => self.quotes(&mut word, '"')?,
                '$' => self.variable(&mut word, false),
                ';' => break,
                '&' | '|' if self.peek_at(1) == Some(letter) => break,
                letter if letter.is_ascii_whitespace() => break,
                _ => self.letter(&mut word),
            }
        }
        Some(word)
    }

    fn quotes(&mut self, word: &mut Word, quote: char) -> Option<()> {
        self.place += 1;
        word.quoted = true;
        loop {
            match self.peek()? {
                letter if letter == quote => {
                    self.place += 1;
                    return Some(());
                }
                '$' if quote == '"' => self.variable(word, true),
                _ => self.letter(word),
            }
        }
    }

    /// One letter; a backslash takes the next one literally.
    fn letter(&mut self, word: &mut Word) {
        if self.peek() == Some('\\') && self.peek_at(1).is_some() {
            self.place += 1;
        }
        if let Some(letter) = self.peek() {
            word.push(letter);
        }
        self.place += 1;
    }

    fn variable(&mut self, word: &mut Word, quoted: bool) {
        self.place += 1;
        let rest = &self.rest[self.place..];
        let (name, length): (String, usize) = match rest.first() {
            Some('?') => ("?".to_owned(), 1),
            Some('{') => {
                let end = rest.iter().position(|&letter| letter == '}').unwrap_or(rest.len());
                (rest[1..end].iter().collect(), (end + 1).min(rest.len()))
            }
            _ => {
                let end = rest.iter().position(|letter| !letter.is_ascii_alphanumeric() && *letter != '_');
                let end = end.unwrap_or(rest.len());
                (rest[..end].iter().collect(), end)
            }
        };
        self.place += length;
        if name.is_empty() {
            word.push('$');
        } else {
            word.parts.push(WordPart::Variable { name, quoted });
        }
    }

    fn peek(&self) -> Option<char> {
        self.peek_at(0)
    }

    fn peek_at(&self, ahead: usize) -> Option<char> {
        self.rest.get(self.place + ahead).copied()
    }
}

impl Word {
    fn push(&mut self, letter: char) {
        match self.parts.last_mut() {
            Some(WordPart::Text(text)) => text.push(letter),
            _ => self.parts.push(WordPart::Text(letter.to_string())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &[&[&str]]) {
        let value = |name: &str| match name {
            "?" => "1".to_owned(),
            "two" => "a b".to_owned(),
            "escaped" => r"it\'s \\".to_owned(),
            _ => String::new(),
        };
        let commands = parse(line).unwrap();
        let words: Vec<Vec<String>> = commands.iter().map(|(_, words)| expand(words, value)).collect();
        assert_eq!(words, expected, "{line}");
    }

    #[test]
    fn lines_are_split_as_u_boot_does() {
        check("setenv autoload 'no'", &[&["setenv", "autoload", "no"]]);
        check("echo a;echo b ; # echo c", &[&["echo", "a"], &["echo", "b"]]);
        check("echo abc\"def\"", &[&["echo", "abcdef"]]);
        check("echo X$?Y", &[&["echo", "X1Y"]]);
        check("setenv x ${two}", &[&["setenv", "x", "a", "b"]]);
        check("setenv x \"${two} c; d\"", &[&["setenv", "x", "a b c; d"]]);
        check("echo '$two' \\$two", &[&["echo", "$two", "$two"]]);
        check("echo '' ${none} \"\"", &[&["echo", "", ""]]);
        check(r"echo 'a\\b' 'it'\''s'", &[&["echo", r"a\b", "it's"]]);
        check("echo \"${escaped}\"", &[&["echo", r"it's \"]]);
        check("a#b", &[&["a#b"]]);
        check("  ", &[]);
    }

    #[test]
    fn conditions_belong_to_the_command_after_them() {
        let whens: Vec<RunCondition> =
            parse("a && b || c; d").unwrap().iter().map(|command| command.0).collect();
        assert_eq!(
            whens,
            [
                RunCondition::Always,
                RunCondition::AfterSuccess,
                RunCondition::AfterFailure,
                RunCondition::Always
            ]
        );
    }

    #[test]
    fn an_open_quote_is_no_line() {
        assert_eq!(parse("echo 'x"), None);
    }
}
