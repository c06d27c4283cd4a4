//! Apt's sources as text: which suites they offer, and the entry that adds a suite of the same mirror.

use anyhow::{Context, Result};
use std::path::Path;

/// One enabled source of binary packages.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Entry {
    suites: Vec<String>,
    uris: String,
    /// Field lines besides suites and components, as a deb822 stanza has them: `Signed-By: …`.
    options: Vec<String>,
}

/// `CODENAME-backports` when the version is one of that suite, for the release `os_release` describes.
///
/// Backported versions end in `~bpoN+M` with N the release's number.
pub(super) fn backports_suite(version: &str, os_release: &str) -> Option<String> {
    let field = |key: &str| {
        let line = os_release.lines().find_map(|it| it.strip_prefix(key)?.strip_prefix('='))?;
        Some(line.trim().trim_matches('"').to_owned())
    };
    let number = field("VERSION_ID")?;
    version.contains(&format!("~bpo{number}+")).then_some(())?;
    Some(format!("{}-backports", field("VERSION_CODENAME")?))
}

/// The sources a file offers; its name tells which of apt's two formats it has.
pub(super) fn entries(path: &Path, text: &str) -> Vec<Entry> {
    if path.extension().is_some_and(|it| it == "sources") {
        stanzas(text).iter().filter_map(|it| deb822(it)).collect()
    } else {
        text.lines().filter_map(one_line).collect()
    }
}

/// The stanza that offers `suite` from the mirror of its release; `None` when it is offered already.
///
/// # Errors
///
/// When no source offers the release the suite belongs to.
pub(super) fn addition(all: &[Entry], suite: &str) -> Result<Option<String>> {
    let offers = |name: &str| all.iter().find(|it| it.suites.iter().any(|it| it == name));
    if offers(suite).is_some() {
        return Ok(None);
    }
    let release = suite.trim_end_matches("-backports");
    let base = offers(release).with_context(|| {
        format!("cannot add {suite}: no source in /etc/apt offers {release}, so its mirror is not known")
    })?;
    let mut text = format!("Types: deb\nURIs: {}\nSuites: {suite}\nComponents: main\n", base.uris);
    for option in &base.options {
        text += option;
        text.push('\n');
    }
    Ok(Some(text))
}

/// Stanzas without comments; an empty line ends one.
fn stanzas(text: &str) -> Vec<Vec<&str>> {
    let lines: Vec<&str> = text.lines().filter(|it| !it.starts_with('#')).collect();
    lines.split(|it| it.trim().is_empty()).filter(|it| !it.is_empty()).map(<[_]>::to_vec).collect()
}

fn deb822(lines: &[&str]) -> Option<Entry> {
    let fields = fields(lines);
    let get = |key: &str| fields.iter().find(|it| it.0.eq_ignore_ascii_case(key)).map(|it| it.1.trim());
    let enabled = !get("Enabled").is_some_and(|it| it.eq_ignore_ascii_case("no"));
    if !enabled || !get("Types")?.split_whitespace().any(|it| it == "deb") {
        return None;
    }
    let own = ["Types", "URIs", "Suites", "Components", "Enabled"];
    let options = fields.iter().filter(|it| !own.iter().any(|own| it.0.eq_ignore_ascii_case(own)));
    Some(Entry {
        suites: get("Suites")?.split_whitespace().map(str::to_owned).collect(),
        uris: get("URIs")?.to_owned(),
        options: options.map(|(key, value)| format!("{key}:{value}")).collect(),
    })
}

/// Fields of a stanza; a value keeps its leading space and its continuation lines.
fn fields<'a>(lines: &[&'a str]) -> Vec<(&'a str, String)> {
    let mut fields: Vec<(&str, String)> = Vec::new();
    for line in lines {
        if line.starts_with([' ', '\t']) {
            if let Some((_, value)) = fields.last_mut() {
                value.push('\n');
                value.push_str(line);
            }
        } else if let Some((key, value)) = line.split_once(':') {
            fields.push((key, value.to_owned()));
        }
    }
    fields
}

/// `deb [signed-by=…] URI SUITE COMPONENT…`
fn one_line(line: &str) -> Option<Entry> {
    let rest = line.split('#').next()?.trim().strip_prefix("deb")?;
    let rest = rest.starts_with([' ', '\t']).then(|| rest.trim())?;
    let (options, rest) = match rest.strip_prefix('[') {
        Some(rest) => rest.split_once(']')?,
        None => ("", rest),
    };
    let mut words = rest.split_whitespace();
    let (uri, suite) = (words.next()?, words.next()?);
    let options = options.split_whitespace().filter_map(option_field).collect();
    Some(Entry { suites: vec![suite.to_owned()], uris: uri.to_owned(), options })
}

/// An option of the one-line format as a deb822 field.
fn option_field(option: &str) -> Option<String> {
    let (key, value) = option.split_once('=')?;
    let key = match key {
        "signed-by" => "Signed-By",
        "arch" => "Architectures",
        "trusted" => "Trusted",
        _ => return None,
    };
    Some(format!("{key}: {}", value.replace(',', " ")))
}

#[cfg(test)]
mod tests {
    use super::*;

    const DEBIAN: &str = "Types: deb deb-src\n# the archive\nURIs: http://mirror.lan/debian\nSuites: bookworm bookworm-updates\n\
        Components: main\nSigned-By: /usr/share/keyrings/debian-archive-keyring.gpg\n\n\
        Types: deb\nURIs: http://mirror.lan/debian-security\nSuites: bookworm-security\nComponents: main\n";
    const EXPECTED: &str = "Types: deb\nURIs: http://mirror.lan/debian\nSuites: bookworm-backports\nComponents: main\n\
        Signed-By: /usr/share/keyrings/debian-archive-keyring.gpg\n";

    fn addition_to(name: &str, text: &str) -> Option<String> {
        addition(&entries(Path::new(name), text), "bookworm-backports").unwrap()
    }

    #[test]
    fn mirror_and_key_of_the_release() {
        assert_eq!(addition_to("debian.sources", DEBIAN).as_deref(), Some(EXPECTED));
        let list = "deb-src http://src.lan/debian bookworm main\n\
            deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] http://mirror.lan/debian bookworm main # here\n";
        assert_eq!(addition_to("sources.list", list).as_deref(), Some(EXPECTED));
    }

    #[test]
    fn a_key_written_into_the_source_is_taken_over_whole() {
        let text = "Types: deb\nURIs: http://m\nSuites: bookworm\nSigned-By:\n -----BEGIN\n .\n abc\n";
        let expected = "Types: deb\nURIs: http://m\nSuites: bookworm-backports\nComponents: main\nSigned-By:\n -----BEGIN\n .\n abc\n";
        assert_eq!(addition_to("a.sources", text).as_deref(), Some(expected));
    }

    #[test]
    fn a_suite_that_is_offered_is_not_added_again() {
        assert_eq!(addition_to("a.sources", EXPECTED), None);
        assert_eq!(addition_to("a.list", "deb http://m bookworm-backports main\n"), None);
    }

    #[test]
    fn a_disabled_source_offers_nothing() {
        let all = entries(
            Path::new("a.sources"),
            &format!("Enabled: no\n{DEBIAN}").replace("\n\nTypes", "\n\nEnabled: no\nTypes"),
        );
        assert_eq!(all, []);
        let error = addition(&all, "bookworm-backports").unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot add bookworm-backports: no source in /etc/apt offers bookworm, so its mirror is not known"
        );
    }

    #[test]
    fn the_version_tells_backports() {
        let release = "NAME=\"Debian GNU/Linux\"\nVERSION_ID=\"12\"\nVERSION_CODENAME=bookworm\n";
        let cases = [
            ("1:10.0.2+ds-2+deb13u1~bpo12+1", Some("bookworm-backports")),
            ("1:7.2+dfsg-7+deb12u12", None),
            ("1:10.0.2+ds-2~bpo13+1", None),
        ];
        for (version, expected) in cases {
            assert_eq!(backports_suite(version, release).as_deref(), expected, "{version}");
        }
        assert_eq!(backports_suite("1~bpo12+1", "VERSION_ID=\"12\"\n"), None);
    }
}
