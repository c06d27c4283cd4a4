//! Files of SHA-256 checksums, as `sha256sum` and BSD's `sha256` write them.

use crate::small;
use crate::{Digest, Error, SourceOptions, label};

/// Longest file of checksums that is read, in bytes.
const LONGEST: u64 = 4 << 20;

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
    fn the_digest_of_the_image_is_found_by_its_name_or_because_it_is_the_only_one() {
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
    fn a_name_is_the_last_part_of_a_path() {
        assert_eq!(file_name("https://host/a/os.img.xz?X-Sig=a/b#c"), "os.img.xz");
        assert_eq!(file_name("/srv/what?.img"), "what?.img");
        assert_eq!(file_name("os.img"), "os.img");
    }
}
