//! Documents and placeholders: what a server, a package or a checkout has where an image was expected.

use super::foreign_format::ForeignFormat;

pub(super) const FETCH: &str =
    "look at it: a server may have sent a page in place of the image, for example when a login is missing";
const BESIDE: &str = "give the image itself, which this belongs to";

/// Bytes of the beginning that must be text.
const LOOKED_AT: usize = 4096;

/// What `head` is, if it is text.
pub(super) fn of(head: &[u8]) -> Option<ForeignFormat> {
    let begin = &head[..head.len().min(LOOKED_AT)];
    let text = decoded(begin)?;
    let text = text.trim_start();
    let lower: String = text.chars().take(256).collect::<String>().to_ascii_lowercase();
    let is_page =
        ["<!doctype html", "<html", "<head", "<body", "<script"].iter().any(|tag| lower.starts_with(tag));
    let is_page = is_page || (lower.starts_with("<!--") && text.to_ascii_lowercase().contains("<html"));
    if is_page || (lower.starts_with("<?xml") && text.contains("<html")) {
        return Some(ForeignFormat::new("a web page", FETCH));
    }
    is_text(text).then(|| kind(text))
}

/// The text in UTF-8, or in UTF-16 with or without a mark; what is no text gives none.
fn decoded(bytes: &[u8]) -> Option<String> {
    let utf16 = |bytes: &[u8], word: fn([u8; 2]) -> u16| {
        let words: Vec<u16> = bytes.chunks_exact(2).map(|pair| word([pair[0], pair[1]])).collect();
        let whole =
            words.len() - usize::from(words.last().is_some_and(|last| (0xd800..0xdc00).contains(last)));
        String::from_utf16(&words[..whole]).ok()
    };
    match bytes {
        [] => None,
        [0xef, 0xbb, 0xbf, rest @ ..] => Some(String::from_utf8_lossy(rest).into_owned()),
        [0xff, 0xfe, rest @ ..] => utf16(rest, u16::from_le_bytes),
        [0xfe, 0xff, rest @ ..] => utf16(rest, u16::from_be_bytes),
        [b'<' | b'{' | b'[', 0, ..] => utf16(bytes, u16::from_le_bytes),
        [0, b'<' | b'{' | b'[', ..] => utf16(bytes, u16::from_be_bytes),
        _ => Some(String::from_utf8_lossy(bytes).into_owned()),
    }
}

/// Whether a person could read it: letters, signs and line ends, of any language. A letter may be cut at the end.
fn is_text(text: &str) -> bool {
    let cut = text.trim_end_matches(char::REPLACEMENT_CHARACTER);
    let readable = |c: char| !c.is_control() || matches!(c, '\t' | '\n' | '\r' | '\x0c' | '\x1b');
    let odd = cut.chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    !cut.is_empty() && cut.chars().all(readable) && odd * 20 <= cut.chars().count()
}

/// Which document it is.
fn kind(text: &str) -> ForeignFormat {
    let first = text.lines().next().unwrap_or_default();
    let starts = |begin: &str| text.starts_with(begin);
    let (found, help) = match () {
        () if starts("version https://git-lfs") || starts("version https://hawser") => {
            ("a pointer of git-lfs", "fetch the file it stands for with `git lfs pull`")
        }
        () if starts("/annex/objects/") => {
            ("a pointer of git-annex", "fetch the file it stands for with `git annex get FILE`")
        }
        () if starts("-----BEGIN PGP") || starts("untrusted comment:") => ("a signature", BESIDE),
        () if starts("-----BEGIN ") => ("a key or certificate", BESIDE),
        () if text.contains("<bmap ") => ("a block map (bmap)", BESIDE),
        () if is_checksum(first) => ("a list of checksums", BESIDE),
        () if text.trim_end() == "{}" => (
            "the empty document that stands for no content in a registry",
            "name the file of the artifact that is the image",
        ),
        () if starts("{") || starts("[") => ("a JSON document", FETCH),
        () if starts("<") => ("an XML document", FETCH),
        () if starts("---") || starts("%YAML") => ("a YAML document", BESIDE),
        () => ("text", BESIDE),
    };
    ForeignFormat::new(found, help)
}

/// `DIGEST  FILE` or `SHA256 (FILE) = DIGEST`.
fn is_checksum(line: &str) -> bool {
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    let is_digest = |word: &str| {
        matches!(word.len(), 32 | 40 | 56 | 64 | 96 | 128)
            && word.bytes().all(|byte| byte.is_ascii_hexdigit())
    };
    is_digest(word) || (line.contains(") = ") && line.rsplit(' ').next().is_some_and(is_digest))
}
