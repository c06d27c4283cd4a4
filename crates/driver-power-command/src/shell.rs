//! What a shell would make of a line: signs that mean nothing without one, and the tools that a line needs.

use std::fmt;

/// Something that only a shell understands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Sign {
    /// A character, or a word of a list that begins with one.
    Text(String),
    /// A variable that is set for one command: its name.
    Assignment(String),
    /// The line has further lines.
    LineBreak,
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Assignment(name) => write!(f, "`{name}=`"),
            Self::LineBreak => f.write_str("a line break"),
        }
    }
}

/// A character of a line, without the quotes around it, and whether they kept a shell from reading it.
type MarkedCharacter = (char, bool);

/// Words of sh's grammar: what follows one of them is not looked into.
const GRAMMAR: [&str; 17] = [
    "if", "then", "elif", "else", "fi", "for", "while", "until", "do", "done", "case", "esac", "in",
    "function", "{", "}", "!",
];

/// The first thing outside quotes of `line` that only a shell understands.
pub(crate) fn sign_in_line(line: &str) -> Option<Sign> {
    let line = marked(line.trim());
    let mut words = line.split(|(char, quoted)| char.is_whitespace() && !quoted).filter(|it| !it.is_empty());
    let first = words.next()?;
    let line_break = line.contains(&('\n', false)).then_some(Sign::LineBreak);
    assignment(first)
        .map(Sign::Assignment)
        .or_else(|| sign(first))
        .or_else(|| words.find_map(sign))
        .or(line_break)
}

/// The first of `words` that is nothing but something that only a shell understands. A list never reaches one.
pub(crate) fn sign_in_list(words: &[String]) -> Option<Sign> {
    let is_operator = |word: &&String| {
        let signs = word.trim_start_matches(|char: char| char.is_ascii_digit());
        !signs.is_empty() && signs.len() <= 4 && signs.starts_with(['>', '<', '|', '&', ';']) && {
            signs.chars().all(|char| "<>|&;".contains(char) || char.is_ascii_digit())
        }
    };
    let is_variable = |word: &&String| {
        let name = word.strip_prefix("${").and_then(|it| it.strip_suffix('}')).or(word.strip_prefix('$'));
        name.is_some_and(is_name)
    };
    let is_home = |word: &&String| *word == "~" || word.starts_with("~/");
    let found = words.iter().find(|word| is_operator(word) || is_variable(word) || is_home(word));
    found.cloned().map(Sign::Text)
}

/// The tools that `line` cannot do without, as far as that is certain: nothing behind a word of the grammar, around `||`, or out
/// of a variable.
pub(crate) fn tools(line: &str) -> Vec<String> {
    let mut commands = vec![(String::new(), Vec::<MarkedCharacter>::new())];
    let mut before = ' ';
    for (char, quoted) in marked(line) {
        // `2>&1` is one redirection.
        let is_operator = !quoted && ";&|\n".contains(char) && !(char == '&' && "<>".contains(before));
        before = char;
        match commands.last_mut() {
            Some((operator, words)) if is_operator && words.is_empty() => operator.push(char),
            Some((_, words)) if !is_operator => words.push((char, quoted)),
            _ => commands.push((char.to_string(), Vec::new())),
        }
    }
    let alternatives = |index: usize| {
        [Some(index), index.checked_add(1)]
            .into_iter()
            .flatten()
            .any(|at| commands.get(at).is_some_and(|(operator, _)| operator == "||"))
    };
    let mut tools = Vec::new();
    for (index, (_, words)) in commands.iter().enumerate() {
        let mut words =
            words.split(|(char, quoted)| char.is_whitespace() && !quoted).filter(|it| !it.is_empty());
        let Some(word) = words.find(|word| assignment(word).is_none()) else { continue };
        let name: String = word.iter().map(|(char, _)| *char).collect();
        let is_open = word.iter().any(|(char, quoted)| !quoted && "$`()<>*?[~#".contains(*char));
        if GRAMMAR.contains(&name.as_str()) || name.contains(['(', ')']) {
            break;
        }
        if !is_open && !name.contains('$') && !alternatives(index) {
            tools.push(name);
        }
    }
    tools
}

/// Follows quotes and backslashes as sh does.
fn marked(line: &str) -> Vec<MarkedCharacter> {
    let mut all = Vec::new();
    let mut quote = None;
    let mut chars = line.chars();
    while let Some(char) = chars.next() {
        match (quote, char) {
            (None, '\'' | '"') => quote = Some(char),
            (Some(open), _) if open == char => quote = None,
            (None | Some('"'), '\\') => all.extend(chars.next().map(|char| (char, true))),
            _ => all.push((char, quote.is_some())),
        }
    }
    all
}

/// The name of a variable that is set for one command: `NAME=value`.
fn assignment(word: &[MarkedCharacter]) -> Option<String> {
    let end = word.iter().position(|(char, _)| *char == '=')?;
    let name: String = word.iter().take(end).map(|(char, _)| *char).collect();
    is_name(&name).then_some(name)
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && !text.starts_with(|char: char| char.is_ascii_digit())
        && text.chars().all(|char| char.is_ascii_alphanumeric() || char == '_')
}

fn sign(word: &[MarkedCharacter]) -> Option<Sign> {
    let bare: String = word.iter().map(|(char, quoted)| if *quoted { 'x' } else { *char }).collect();
    // The words of a URL are separated by signs that mean something else to a shell, and are harmless without one.
    let signs = if bare.contains("://") { "|<>`" } else { "|<>`&;*?()" };
    let is_variable =
        |rest: &str| rest.starts_with(|char: char| char.is_alphanumeric() || "_{(@#".contains(char));
    if bare.match_indices('$').any(|(at, _)| is_variable(&bare[at + 1..])) {
        return Some(Sign::Text("$".to_owned()));
    }
    if let Some(sign) = bare.chars().find(|char| signs.contains(*char)) {
        return Some(Sign::Text(sign.to_string()));
    }
    let is_set = !bare.contains("://") && bare.find('[').is_some_and(|at| bare[at..].contains(']'));
    match (bare.starts_with('~'), is_set) {
        (true, _) => Some(Sign::Text("~".to_owned())),
        (_, true) => Some(Sign::Text("[".to_owned())),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(sign: Option<Sign>) -> Option<String> {
        sign.map(|sign| sign.to_string())
    }

    #[test]
    fn what_only_a_shell_understands_is_found_outside_quotes() {
        for (line, expected) in [
            ("echo 1 > /sys/relay", "`>`"),
            ("echo 1 >/sys/relay", "`>`"),
            ("relay on 2>/dev/null", "`>`"),
            ("relay < state", "`<`"),
            ("relay on | logger", "`|`"),
            ("relay on|logger", "`|`"),
            ("relay on && sleep 1", "`&`"),
            ("relay on || true", "`|`"),
            ("relay on; sleep 1", "`;`"),
            ("relay on &", "`&`"),
            ("relay $PORT on", "`$`"),
            ("relay --port=${PORT}", "`$`"),
            ("relay $(cat port)", "`$`"),
            ("relay `cat port`", "```"),
            ("relay /dev/ttyUSB*", "`*`"),
            ("relay /dev/ttyUSB?", "`?`"),
            ("relay /dev/ttyUSB[0-3]", "`[`"),
            ("~/bin/relay on", "`~`"),
            ("relay ~lab/state", "`~`"),
            ("(relay on)", "`(`"),
            ("PORT=3 relay on", "`PORT=`"),
            ("relay off\nrelay on", "a line break"),
            ("curl http://relay/on?a=1&b=$TOKEN", "`$`"),
            ("curl http://relay/on > /dev/null", "`>`"),
        ] {
            assert_eq!(told(sign_in_line(line)).as_deref(), Some(expected), "{line}");
        }
        for line in [
            "relay on",
            "relay on\n",
            "sh -c 'echo 1 > /sys/relay && sync'",
            "sh -c \"echo 1 > /sys/relay\"",
            "ssh relay 'echo $HOSTNAME; reboot'",
            "relay '*' \"?\" \\; \\$PORT '~' '[1]'",
            "curl http://relay/on?a=1&b=2;c=*",
            "relay --port=3 -a=b a=b",
            "relay 5$ [ ~",
            "relay x~",
            "",
        ] {
            let expected = (line == "relay 5$ [ ~").then_some("`~`");
            assert_eq!(told(sign_in_line(line)).as_deref(), expected, "{line}");
        }
    }

    #[test]
    fn a_list_that_is_meant_for_a_shell_is_found() {
        let words = |line: &str| line.split(' ').map(str::to_owned).collect::<Vec<_>>();
        for (list, expected) in [
            ("echo 1 > /sys/relay", Some("`>`")),
            ("relay on 2>&1", Some("`2>&1`")),
            ("relay on && sync", Some("`&&`")),
            ("relay on ;", Some("`;`")),
            ("relay $PORT", Some("`$PORT`")),
            ("relay ${PORT}", Some("`${PORT}`")),
            ("~/bin/relay on", Some("`~/bin/relay`")),
            ("relay 1 on", None),
            ("relay -> a|b $ ${} $1x", None),
        ] {
            assert_eq!(told(sign_in_list(&words(list))).as_deref(), expected, "{list}");
        }
        assert_eq!(sign_in_list(&["sh".into(), "-c".into(), "echo on > $STATE".into()]), None);
    }

    #[test]
    fn the_tools_of_a_line_are_those_it_cannot_do_without() {
        for (line, expected) in [
            ("relay on | tee log && sync; logger done", &["relay", "tee", "sync", "logger"][..]),
            ("PORT=3 relay on &", &["relay"]),
            ("relay on || other on; sync", &["sync"]),
            ("'my relay' on", &["my relay"]),
            ("$RELAY on; sync", &["sync"]),
            ("if relay; then other; fi", &[]),
            ("sync; for it in 1 2; do relay $it; done", &["sync"]),
            ("f() { relay on; }; f", &[]),
            ("echo 'a | b; c'", &["echo"]),
            (">log relay on", &[]),
            ("relay on\nsync", &["relay", "sync"]),
            ("", &[]),
        ] {
            assert_eq!(tools(line), expected, "{line}");
        }
    }
}
