//! Files of SHA-256 checksums, as `sha256sum` and BSD's `sha256` write them.

use std::path::Path;

use reqwest::Url;

use crate::source::label;
use crate::source::small;
use crate::{Digest, Error, SourceOptions};

/// Longest file of checksums that is read, in bytes.
const LONGEST: u64 = 4 << 20;
/// The file that lists all files of a folder.
const ALL: &str = "SHA256SUMS";

/// The digest of `source` in the file of checksums at `place`.
pub(crate) async fn load(place: &str, source: &str, options: &SourceOptions) -> Result<Digest, Error> {
    let found = match small::read(place, source, options, LONGEST).await {
        // What is missing is not the image.
        Err(Error::Missing { .. }) => Err("there is no such file".to_owned()),
        read => find(&String::from_utf8_lossy(&read?), file_name(source)),
    };
    found.map_err(|reason| Error::Checksums {
        label: label::redact(source),
        list: label::redact(place),
        reason,
    })
}

/// The digest of the image file at `path` in a file of checksums beside it, and which file that is. One that lists other files
/// only is none of the image's.
///
/// # Errors
/// A file that has the image's name and holds no digest, or different ones.
pub(crate) async fn beside(path: &Path, options: &SourceOptions) -> Result<Option<(Digest, String)>, Error> {
    let (Some(name), Some(source)) = (path.file_name().and_then(|name| name.to_str()), path.to_str()) else {
        return Ok(None);
    };
    for list in names(name) {
        let place = path.with_file_name(&list).to_string_lossy().into_owned();
        let text = match small::read(&place, source, options, LONGEST).await {
            Ok(bytes) => String::from_utf8_lossy(&bytes).into_owned(),
            Err(Error::Missing { .. } | Error::NotAFile { .. }) => continue,
            Err(error) => return Err(error),
        };
        let shown = label::redact(&place);
        match own(&text, name, list != ALL) {
            Ok(Some(digest)) => return Ok(Some((digest, shown))),
            Ok(None) => {}
            Err(reason) => {
                return Err(Error::Checksums { label: label::redact(source), list: shown, reason });
            }
        }
    }
    Ok(None)
}

/// The same beside an image on a server. What the server has under such a name may be anything, so nothing of it is an error.
pub(crate) async fn beside_url(url: &str, options: &SourceOptions) -> Option<(Digest, String)> {
    let parsed = Url::parse(url).ok().filter(|url| url.query().is_none() && url.fragment().is_none());
    let (folder, name) = parsed.as_ref().and(url.rsplit_once('/')).filter(|(_, name)| !name.is_empty())?;
    // A server with a fault is reported by the image's own request, which also retries.
    let once = SourceOptions { retries: Some(0), ..options.clone() };
    for list in names(name) {
        let place = format!("{folder}/{list}");
        match small::read(&place, url, &once, LONGEST).await {
            Ok(bytes) => {
                if let Ok(Some(digest)) = own(&String::from_utf8_lossy(&bytes), name, list != ALL) {
                    return Some((digest, label::redact(&place)));
                }
            }
            Err(Error::NotFound { .. } | Error::Unauthorized { .. } | Error::Status { .. }) => {}
            Err(_) => return None,
        }
    }
    None
}

/// Where checksums of the file `name` may be: two files of its own, and one for the whole folder.
pub(crate) fn names(name: &str) -> Vec<String> {
    let mut all = vec![format!("{name}.sha256")];
    all.extend(unpacked(name).map(|stem| format!("{stem}.sha256")));
    all.push(ALL.to_owned());
    all
}

/// The name without its last ending: what `os.img.xz` holds is `os.img`.
fn unpacked(name: &str) -> Option<&str> {
    name.rsplit_once('.').map(|(stem, _)| stem).filter(|stem| !stem.is_empty())
}

/// The digest that a file beside the image has for `name`, or for what that holds unpacked. In a file `of_its_own` a digest
/// needs no name.
fn own(text: &str, name: &str, of_its_own: bool) -> Result<Option<Digest>, String> {
    let entries: Vec<(Digest, &str)> = text.lines().filter_map(entry).collect();
    if entries.is_empty() && of_its_own {
        return Err("it holds no sha256 digest".into());
    }
    for wanted in [Some(name), unpacked(name), Some("").filter(|_| of_its_own)].into_iter().flatten() {
        let found = entries.iter().filter(|(_, of)| file_name(of) == wanted).map(|(digest, _)| *digest);
        let found: Vec<Digest> = found.collect();
        match found.split_first() {
            None => {}
            Some((digest, rest)) if rest.iter().all(|other| other == digest) => return Ok(Some(*digest)),
            Some(_) => return Err(format!("it lists `{wanted}` with different digests")),
        }
    }
    Ok(None)
}

/// The last part of a path or URL, without its query.
fn file_name(source: &str) -> &str {
    let path = match source.contains("://") {
        true => source.split(['?', '#']).next().unwrap_or_default(),
        false => source,
    };
    path.rsplit('/').next().unwrap_or_default()
}

/// The digest for `name`; a file that has a single digest needs not name the same file.
fn find(text: &str, name: &str) -> Result<Digest, String> {
    let entries: Vec<(Digest, &str)> = text.lines().filter_map(entry).collect();
    let own: Vec<Digest> =
        entries.iter().filter(|(_, of)| file_name(of) == name).map(|(digest, _)| *digest).collect();
    match (&own[..], &entries[..]) {
        ([digest, rest @ ..], _) if rest.iter().all(|other| other == digest) => Ok(*digest),
        ([], [(digest, _)]) => Ok(*digest),
        ([], []) => Err("it holds no sha256 digest".into()),
        ([], _) => Err(format!("it lists {} files, but not `{name}`", entries.len())),
        _ => Err(format!("it lists `{name}` with different digests")),
    }
}

/// `HEX  name`, `HEX *name`, `HEX` or `SHA256 (name) = HEX`.
fn entry(line: &str) -> Option<(Digest, &str)> {
    let line = line.trim().trim_start_matches('\\');
    if let Some(rest) = line.strip_prefix("SHA256 (") {
        let (name, digest) = rest.rsplit_once(") = ")?;
        return Some((digest.trim().parse().ok()?, name));
    }
    let (digest, name) = line.split_once([' ', '\t']).unwrap_or((line, ""));
    Some((digest.parse().ok()?, name.trim_start().trim_start_matches('*')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_digest_of_the_image_is_found() {
        let [a, b] = [[0xaa; 32], [0xbb; 32]].map(Digest::from);
        for (text, name, found) in [
            (format!("{a}"), "os.img", Ok(a)),
            (format!("{a}  build/tmp/os.img\n"), "os.img", Ok(a)),
            (format!("{a} *other.img\n"), "os.img", Ok(a)),
            (format!("{b}  other.img\n{a}  ./os.img\n"), "os.img", Ok(a)),
            (format!("# SHA256SUMS\nSHA256 (os.img) = {a}\nSHA256 (b) = {b}\n"), "os.img", Ok(a)),
            (format!("{a}  os.img\n{a} *os.img\n"), "os.img", Ok(a)),
            (
                format!("{a}  os.img\n{b}  os.img\n"),
                "os.img",
                Err("it lists `os.img` with different digests"),
            ),
            (format!("{a}  a.img\n{b}  b.img\n"), "os.img", Err("it lists 2 files, but not `os.img`")),
            ("<html>not here</html>".into(), "os.img", Err("it holds no sha256 digest")),
        ] {
            assert_eq!(find(&text, name), found.map_err(String::from), "{text}");
        }
    }

    #[test]
    fn a_list_beside_the_image_counts_when_it_is_the_images_own() {
        let [a, b] = [[0xaa; 32], [0xbb; 32]].map(Digest::from);
        for (text, of_its_own, found) in [
            (format!("{a}  os.img.xz\n"), true, Ok(Some(a))),
            (format!("{a}  build/os.img.xz\n{b}  other\n"), false, Ok(Some(a))),
            (format!("{b}  os.img\n"), true, Ok(Some(b))),
            (format!("{b}  os.img\n{a}  os.img.xz\n"), false, Ok(Some(a))),
            (format!("{a}\n"), true, Ok(Some(a))),
            (format!("{a}\n"), false, Ok(None)),
            (format!("{a}  other.img\n"), true, Ok(None)),
            (String::new(), false, Ok(None)),
            (String::new(), true, Err("it holds no sha256 digest")),
            (
                format!("{a}  os.img.xz\n{b}  os.img.xz\n"),
                false,
                Err("it lists `os.img.xz` with different digests"),
            ),
        ] {
            assert_eq!(own(&text, "os.img.xz", of_its_own), found.map_err(String::from), "{text}");
        }
        assert_eq!(names("os.img.xz"), ["os.img.xz.sha256", "os.img.sha256", "SHA256SUMS"]);
        assert_eq!(names("os"), ["os.sha256", "SHA256SUMS"]);
    }

    #[test]
    fn a_name_is_the_last_part_of_a_path() {
        assert_eq!(file_name("https://host/a/os.img.xz?X-Sig=a/b#c"), "os.img.xz");
        assert_eq!(file_name("/srv/what?.img"), "what?.img");
        assert_eq!(file_name("os.img"), "os.img");
    }
}
