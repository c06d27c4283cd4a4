//! A rough reading of Rust text: enough to tell code from comments and strings, and where items end.

use std::ops::Range;

/// A function found by [`functions`].
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Function<'a> {
    pub(crate) name: &'a str,
    /// Line of the `fn` keyword, from 1.
    pub(crate) line: usize,
    /// Lines from `fn` to the closing brace, both counted.
    pub(crate) lines: usize,
}

/// The same text with comments and the contents of strings and characters blanked.
///
/// Every byte keeps its place, so offsets and line numbers hold for both texts.
pub(crate) fn mask(source: &str) -> String {
    let bytes = source.as_bytes();
    let mut masked = bytes.to_vec();
    let mut at = 0;
    while at < bytes.len() {
        let end = not_code(bytes, at);
        blank(&mut masked, at..end);
        at = end.max(at + 1);
    }
    String::from_utf8_lossy(&masked).into_owned()
}

/// The byte ranges of test items in masked text: what `#[cfg(test)]` guards, and modules named `tests`.
pub(crate) fn test_items(masked: &str) -> Vec<Range<usize>> {
    let guarded = ["#[cfg(test)]", "#[cfg(all(test", "mod tests {"];
    let mut starts: Vec<usize> =
        guarded.iter().flat_map(|it| masked.match_indices(it).map(|(start, _)| start)).collect();
    starts.sort_unstable();
    let mut items: Vec<Range<usize>> = Vec::new();
    for start in starts {
        if items.last().is_none_or(|it| it.end <= start) {
            items.push(start..item_end(masked, start).unwrap_or(masked.len()));
        }
    }
    items
}

/// Masked text with its test items blanked as well.
pub(crate) fn without_tests(masked: &str) -> String {
    let mut bytes = masked.as_bytes().to_vec();
    for item in test_items(masked) {
        blank(&mut bytes, item);
    }
    String::from_utf8_lossy(&bytes).into_owned()
}

/// All functions with a body in masked text.
pub(crate) fn functions(masked: &str) -> Vec<Function<'_>> {
    words(masked, "fn").filter_map(|at| function_at(masked, at)).collect()
}

/// Offsets at which `word` stands alone: no letter, digit or underscore before or after it.
pub(crate) fn words<'a>(text: &'a str, word: &'a str) -> impl Iterator<Item = usize> + 'a {
    text.match_indices(word)
        .map(|(at, _)| at)
        .filter(move |&at| !text[..at].ends_with(is_word) && !text[at + word.len()..].starts_with(is_word))
}

/// The line, from 1, on which an offset lies.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    newlines(&text[..offset]) + 1
}

/// The identifier `text` starts with; empty when it starts with something else.
pub(crate) fn identifier(text: &str) -> &str {
    &text[..text.find(|it| !is_word(it)).unwrap_or(text.len())]
}

/// How many line ends a text holds.
pub(crate) fn newlines(text: &str) -> usize {
    text.bytes().filter(|&it| it == b'\n').count()
}

fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

fn function_at(masked: &str, at: usize) -> Option<Function<'_>> {
    let name = identifier(masked[at + 2..].trim_start());
    let open = body_start(masked, at)?;
    if name.is_empty() || !masked[open..].starts_with('{') {
        return None;
    }
    let end = closing_brace(masked, open)?;
    Some(Function { name, line: line_of(masked, at), lines: newlines(&masked[at..end]) + 1 })
}

/// Where the item that starts at `start` ends: behind its `;` or its closing brace.
fn item_end(masked: &str, start: usize) -> Option<usize> {
    let mut at = start;
    while masked[at..].starts_with("#[") {
        at += masked[at..].find(']')? + 1;
        at += masked[at..].len() - masked[at..].trim_start().len();
    }
    let open = body_start(masked, at)?;
    if masked[open..].starts_with(';') { Some(open + 1) } else { Some(closing_brace(masked, open)? + 1) }
}

/// The first `;` or `{` outside parentheses and brackets.
fn body_start(masked: &str, from: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, it) in masked[from..].char_indices() {
        match it {
            '(' | '[' => depth += 1,
            ')' | ']' => depth = depth.saturating_sub(1),
            ';' | '{' if depth == 0 => return Some(from + at),
            _ => {}
        }
    }
    None
}

fn closing_brace(masked: &str, open: usize) -> Option<usize> {
    let mut depth = 0_usize;
    for (at, it) in masked[open..].char_indices() {
        match it {
            '{' => depth += 1,
            '}' if depth == 1 => return Some(open + at),
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    None
}

/// The end of the comment, string or character that starts at `at`; `at` itself when code does.
fn not_code(bytes: &[u8], at: usize) -> usize {
    let rest = &bytes[at..];
    if rest.starts_with(b"//") {
        return at + rest.iter().position(|&it| it == b'\n').unwrap_or(rest.len());
    }
    if rest.starts_with(b"/*") {
        return at + block_comment(rest);
    }
    let inside_word = at > 0 && (bytes[at - 1].is_ascii_alphanumeric() || bytes[at - 1] == b'_');
    match rest[0] {
        b'"' => at + string(rest),
        b'\'' => at + character(rest),
        b'r' | b'b' | b'c' if !inside_word => at + raw_string(rest),
        _ => at,
    }
}

/// Length of a block comment; they nest.
fn block_comment(rest: &[u8]) -> usize {
    let (mut at, mut depth) = (0, 0_usize);
    while at < rest.len() {
        match &rest[at..(at + 2).min(rest.len())] {
            b"/*" => (at, depth) = (at + 2, depth + 1),
            b"*/" if depth == 1 => return at + 2,
            b"*/" => (at, depth) = (at + 2, depth - 1),
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a string with escapes, quotes included.
fn string(rest: &[u8]) -> usize {
    let mut at = 1;
    while at < rest.len() {
        match rest[at] {
            b'\\' => at += 2,
            b'"' => return at + 1,
            _ => at += 1,
        }
    }
    rest.len()
}

/// Length of a character literal, or 0 when the quote starts a lifetime.
fn character(rest: &[u8]) -> usize {
    let close = if rest.get(1) == Some(&b'\\') { 3 } else { 2 };
    let window = rest.len().min(13);
    let found = (close..window).find(|&it| rest[it] == b'\'');
    let one_character =
        |end: usize| std::str::from_utf8(&rest[1..end]).is_ok_and(|it| it.chars().count() == 1);
    match found {
        Some(end) if close == 3 || one_character(end) => end + 1,
        _ => 0,
    }
}

/// Length of `r"…"`, `r#"…"#` and their `br`, `cr` forms, or 0 when it is none of them.
fn raw_string(rest: &[u8]) -> usize {
    let prefix = if rest[0] == b'r' { 1 } else { 2 };
    if prefix == 2 && rest.get(1) != Some(&b'r') {
        return 0;
    }
    let hashes = rest[prefix.min(rest.len())..].iter().take_while(|&&it| it == b'#').count();
    let open = prefix + hashes;
    if rest.get(open) != Some(&b'"') {
        return 0;
    }
    let close = [b"\"".as_slice(), &vec![b'#'; hashes]].concat();
    let end = rest[open + 1..].windows(close.len()).position(|it| it == close);
    end.map_or(rest.len(), |it| open + 1 + it + close.len())
}

fn blank(bytes: &mut [u8], range: Range<usize>) {
    let end = range.end.min(bytes.len());
    for it in &mut bytes[range.start.min(end)..end] {
        if *it != b'\n' {
            *it = b' ';
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_literals_are_blanked_and_code_stays() {
        let cases = [
            ("a // fn x", "a        "),
            ("a /* x /* y */ z */ b", "a                   b"),
            (r#"f("a\"{", b)"#, "f(      , b)"),
            ("f('{', '\\'', '\\u{7b}', b'}')", "f(   ,     ,         , b   )"),
            ("fn f<'a>(x: &'a str) {}", "fn f<'a>(x: &'a str) {}"),
            ("x(r#\"a\"b\"#, br\"}\")", "x(        ,      )"),
            ("let rr = bar(\"é\");", "let rr = bar(    );"),
            ("'outer: loop { break 'outer; }", "'outer: loop { break 'outer; }"),
        ];
        for (source, expected) in cases {
            assert_eq!(mask(source), expected, "{source}");
        }
    }

    #[test]
    fn function_length_counts_from_fn_to_its_own_closing_brace() {
        let source = "impl X {\n    fn one(&self) -> [u8; 2] { [1, 2] }\n    pub async fn three<T>(a: T)\n    where T: A {\n        if x { \"}\" }\n    }\n    fn declared(&self);\n}\n";
        let found = mask(source);
        let found: Vec<_> =
            functions(&found).into_iter().map(|it| (it.name.to_owned(), it.line, it.lines)).collect();
        assert_eq!(found, [("one".to_owned(), 2, 1), ("three".to_owned(), 3, 4)]);
    }

    #[test]
    fn test_items_are_cut_out_and_the_rest_stays() {
        let source = "fn a() {}\n#[cfg(test)]\n#[allow(unused)]\nmod tests {\n fn b() { { } }\n}\nfn c() {}\n#[cfg(test)]\nmod more;\nfn d() {}\n";
        let code = without_tests(source);
        let names: Vec<_> = functions(&code).into_iter().map(|it| it.name).collect();
        assert_eq!(names, ["a", "c", "d"]);
        assert_eq!(newlines(&code), newlines(source));
    }

    #[test]
    fn a_word_is_not_found_inside_another() {
        assert_eq!(words("fn fnord a_fn fn", "fn").collect::<Vec<_>>(), [0, 14]);
    }
}
