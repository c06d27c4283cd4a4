//! Passwords in URLs within a text: a message shows a mistyped URL without its secrets.

/// What stands for user and password.
const INSTEAD: &str = "***";

/// `text` without the user information (RFC 3986, section 3.2.1) of the URLs in it, whatever their scheme and also when
/// they are mistyped: `http:/u:p@host`, `https//u:p@host`, `u:p@host`. A digest (`repository:tag@sha256:…`) stays.
pub fn hide_passwords(text: &str) -> String {
    if !text.contains('@') {
        return text.to_owned();
    }
    text.split_inclusive(is_end).map(|part| hide(part).unwrap_or_else(|| part.to_owned())).collect()
}

/// Where a URL ends within a text.
fn is_end(letter: char) -> bool {
    letter.is_whitespace() || matches!(letter, '`' | '"')
}

/// The word with its secret hidden; none when it has none.
fn hide(word: &str) -> Option<String> {
    let name = word.find("@sha256:").map_or(word, |digest| &word[..digest]);
    let last = name.rfind('@')?;
    let secret = behind_marks(&name[..last]).or_else(|| behind_user(&name[..last]))?;
    Some(format!("{}{INSTEAD}{}", &word[..secret.start], &word[secret.end..]))
}

/// The user information behind what is, or is meant to be, the `://` of a URL.
fn behind_marks(before: &str) -> Option<std::ops::Range<usize>> {
    let is_mark = |letter: char| matches!(letter, '/' | '\\');
    let mut starts = before.char_indices().filter(|(at, letter)| {
        // Two slashes, or one behind a colon: a plain path has neither.
        let doubled = before[..*at].ends_with(['/', '\\', ':', ';']);
        is_mark(*letter) && doubled && !before[at + 1..].starts_with(is_mark)
    });
    starts.find_map(|(at, _)| {
        let start = at + 1;
        let authority = before[start..].split('/').next().unwrap_or_default();
        let Some((user, _)) = before[start..].split_once('/') else {
            return (!authority.is_empty()).then_some(start..before.len());
        };
        if let Some(end) = user.rfind('@') {
            return Some(start..start + end);
        }
        // A password may have slashes that should have been escaped: a port is a number.
        let (_, port) = authority.split_once(':')?;
        let is_address = authority.starts_with('[') || port.bytes().all(|byte| byte.is_ascii_digit());
        (!is_address).then_some(start..before.len())
    })
}

/// The password of `user:password` without anything of a URL before it.
fn behind_user(before: &str) -> Option<std::ops::Range<usize>> {
    let (user, password) = before.split_once([':', ';'])?;
    let user = user.trim_start_matches(|letter: char| !letter.is_alphanumeric());
    let is_user = user.chars().all(|letter| letter.is_alphanumeric() || "+-_.%".contains(letter));
    let is_password = !password.is_empty() && !password.contains('/');
    (is_user && !user.is_empty() && is_password).then(|| before.len() - password.len()..before.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn user_and_password_are_hidden_however_the_url_is_written() {
        for (text, hidden) in [
            ("no `http://u:p@host/x` there", "no `http://***@host/x` there"),
            ("HTTP://u:p@host", "HTTP://***@host"),
            ("https://token@host/x", "https://***@host/x"),
            ("http:/u:p@host", "http:/***@host"),
            ("https//u:p@host", "https//***@host"),
            ("http;//u:p@host", "http;//***@host"),
            ("//u:p@host/x", "//***@host/x"),
            ("http:////u:p@host", "http:////***@host"),
            ("http:\\\\u:p@host", "http:\\\\***@host"),
            ("http://u:p@ss@host/a@b", "http://***@host/a@b"),
            ("http://u:p/ss@host", "http://***@host"),
            ("http:u:p@host", "http:***@host"),
            ("u:p@host:1", "u:***@host:1"),
            ("'u:p@host'", "'u:***@host'"),
            ("spy://http:/u:p@host", "spy://http:/***@host"),
            ("/srv/http:/u:p@host", "/srv/http:/***@host"),
            ("url: \"oci://u:p@quay.io/os:1@sha256:ab\"", "url: \"oci://***@quay.io/os:1@sha256:ab\""),
            ("http://u:p@a http://v:q@b", "http://***@a http://***@b"),
        ] {
            assert_eq!(hide_passwords(text), hidden);
        }
    }

    #[test]
    fn what_has_no_password_stays_as_it_is() {
        for text in [
            "",
            "root@board:~# ",
            "a @ b",
            "os@2.img",
            "/srv/a:b@c.img",
            "images/v1:2@home.img",
            "http://host/a@b.img",
            "http://host:8080/a@b.img",
            "http://[::1]:8080/a@b.img",
            "file:///srv/a@b.img",
            "quay.io/acme/os:1@sha256:ab",
            "localhost:5000/os:1@sha256:ab",
            "oci://localhost:5000/acme/os:1@sha256:ab",
            "/sys/class/block#4fb0000@1",
        ] {
            assert_eq!(hide_passwords(text), text);
        }
    }
}
