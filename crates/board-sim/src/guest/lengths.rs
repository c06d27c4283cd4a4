//! A command line that checks the length of what arrived (`case ${#V} in 24) …`) must find the length that was typed,
//! although paths in it have become longer on the way.

use std::collections::BTreeMap;

/// By how much the variables that were typed have grown.
#[derive(Debug, Default)]
pub(crate) struct Lengths(BTreeMap<String, usize>);

impl Lengths {
    /// Takes a line as `typed` and as `rewritten`; gives it with the lengths it asks about mended.
    pub(crate) fn mend(&mut self, typed: &[u8], rewritten: Vec<u8>) -> Vec<u8> {
        let Ok(text) = String::from_utf8(rewritten.clone()) else { return rewritten };
        if let Some((name, value)) = assignment(&text) {
            let before = if appends(name, value) { self.0.get(name).copied().unwrap_or(0) } else { 0 };
            self.0.insert(name.to_owned(), before + rewritten.len().saturating_sub(typed.len()));
        }
        self.0.iter().fold(text, |text, (name, grown)| mend_one(text, name, *grown)).into_bytes()
    }
}

/// Name and rest of a line that begins with `NAME=`.
fn assignment(line: &str) -> Option<(&str, &str)> {
    let (name, value) = line.split_once('=')?;
    let is_name =
        name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_') && !name.is_empty();
    is_name.then_some((name, value))
}

fn appends(name: &str, value: &str) -> bool {
    [format!("${name}"), format!("\"${name}"), format!("${{{name}}}")]
        .iter()
        .any(|start| value.starts_with(start))
}

/// Adds `grown` to each number of `case ${#NAME} in N|M)`.
fn mend_one(text: String, name: &str, grown: usize) -> String {
    let question = format!("case ${{#{name}}} in ");
    let Some(start) = text.find(&question).map(|place| place + question.len()) else { return text };
    let Some(end) = text[start..].find(')').map(|place| start + place) else { return text };
    let numbers: Option<Vec<String>> = text[start..end]
        .split('|')
        .map(|number| Some((number.parse::<usize>().ok()? + grown).to_string()))
        .collect();
    match numbers {
        Some(numbers) => format!("{}{}{}", &text[..start], numbers.join("|"), &text[end..]),
        None => text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(lines: &[(&str, &str, &str)]) {
        let mut lengths = Lengths::default();
        for (typed, rewritten, expected) in lines {
            let mended = lengths.mend(typed.as_bytes(), rewritten.as_bytes().to_vec());
            assert_eq!(String::from_utf8(mended).unwrap(), *expected);
        }
    }

    #[test]
    fn a_length_asked_about_grows_with_its_variable() {
        check(&[
            (
                "v='/dev/x'; case ${#v} in 6|6) ok;; esac",
                "v='/g/dev/x'; case ${#v} in 6|6) ok;; esac",
                "v='/g/dev/x'; case ${#v} in 8|8) ok;; esac",
            ),
            (
                "case ${#v} in 6) again;; esac",
                "case ${#v} in 6) again;; esac",
                "case ${#v} in 8) again;; esac",
            ),
            ("v=$v'/dev/y'", "v=$v'/g/dev/y'", "v=$v'/g/dev/y'"),
            (
                "case ${#v} in 12|12) both;; esac",
                "case ${#v} in 12|12) both;; esac",
                "case ${#v} in 16|16) both;; esac",
            ),
            ("v=new", "v=new", "v=new"),
            ("case ${#v} in 3) ok;; esac", "case ${#v} in 3) ok;; esac", "case ${#v} in 3) ok;; esac"),
            ("case $x in a|b) ok;; esac", "case $x in a|b) ok;; esac", "case $x in a|b) ok;; esac"),
        ]);
    }
}
