//! Detached OpenPGP signatures of block maps, checked by `gpgv`, which trusts exactly the keys of the keyring it is given.
//!
//! A program of its own, as every other way to check such a signature would bring several times the code of this crate.

use std::io;
use std::path::Path;
use std::process::{Output, Stdio};
use std::time::Duration;

use tokio::process::Command;

use crate::source::label;
use crate::source::small;
use crate::{Error, SourceOptions};

/// Endings of a signature's name behind the name of what is signed: those `gpg --detach-sign` writes.
pub(crate) const ENDINGS: [&str; 2] = [".asc", ".sig"];
/// Longest signature that is read, in bytes.
const LONGEST: u64 = 64 * 1024;
/// How long checking a signature may take.
const PATIENCE: Duration = Duration::from_secs(30);

/// Checks the signature beside the block map `map` that was read at `place`.
///
/// # Errors
/// When there is none, or none that a key of `keyring` made for exactly these bytes.
pub(super) async fn check(
    map: &[u8],
    place: &str,
    source: &str,
    options: &SourceOptions,
    keyring: &Path,
) -> Result<(), Error> {
    let signature = beside(place, source, options).await?;
    must_be_of(map, &signature, &label::redact(place), keyring).await
}

/// Checks that a key of `keyring` made `signature` for the block map `map`, which messages call `label`.
///
/// # Errors
/// When none did, or `gpgv` cannot be run.
pub(super) async fn must_be_of(
    map: &[u8],
    signature: &[u8],
    label: &str,
    keyring: &Path,
) -> Result<(), Error> {
    let wrong =
        |reason: String| Error::MapSignature { map: label.to_owned(), keyring: keyring.to_owned(), reason };
    let output = verify(map, signature, keyring).await.map_err(|error| match error.kind() {
        io::ErrorKind::NotFound => wrong("`gpgv` is not installed here (Debian: gpgv)".into()),
        _ => wrong(error.to_string()),
    })?;
    match is_good(&output) {
        true => Ok(()),
        false => Err(wrong(complaint(&output))),
    }
}

/// The signature beside the block map; only its absence leads on to the next name.
async fn beside(place: &str, source: &str, options: &SourceOptions) -> Result<Vec<u8>, Error> {
    for ending in ENDINGS {
        match small::read(&with_ending(place, ending), source, options, LONGEST).await {
            Err(Error::Missing { .. } | Error::NotFound { .. }) => {}
            read => return read,
        }
    }
    Err(Error::MapUnsigned { map: label::redact(place) })
}

/// The ending goes behind the name, before what a URL has behind it.
fn with_ending(place: &str, ending: &str) -> String {
    let end = if place.contains("://") { place.find(['?', '#']) } else { None };
    let (name, rest) = place.split_at(end.unwrap_or(place.len()));
    format!("{name}{ending}{rest}")
}

async fn verify(map: &[u8], signature: &[u8], keyring: &Path) -> io::Result<Output> {
    let folder = tempfile::tempdir()?;
    let (signed, by) = (folder.path().join("map"), folder.path().join("signature"));
    tokio::fs::write(&signed, map).await?;
    tokio::fs::write(&by, signature).await?;
    // A relative name would be looked for in the folder of the user's own keys.
    let keyring = std::path::absolute(keyring)?;
    let mut gpgv = Command::new("gpgv");
    gpgv.args(["--status-fd", "1", "--keyring"]).arg(keyring).arg("--").args([by, signed]);
    gpgv.env("LC_ALL", "C").stdin(Stdio::null()).kill_on_drop(true);
    // ^C at a terminal reaches the whole process group, and is not meant for this.
    gpgv.process_group(0);
    let output = tokio::time::timeout(PATIENCE, gpgv.output()).await;
    output
        .unwrap_or_else(|_| Err(io::Error::other(format!("gpgv took longer than {} s", PATIENCE.as_secs()))))
}

/// Both its status and its words must say so (doc/DETAILS of GnuPG, VALIDSIG).
fn is_good(output: &Output) -> bool {
    let words = String::from_utf8_lossy(&output.stdout);
    output.status.success() && words.lines().any(|line| line.starts_with("[GNUPG:] VALIDSIG "))
}

/// What gpgv says of it, without its name.
fn complaint(output: &Output) -> String {
    let words = String::from_utf8_lossy(&output.stderr);
    let lines = words.lines().map(|line| line.trim_start_matches("gpgv: ").trim());
    let said = lines.filter(|line| !line.is_empty()).collect::<Vec<_>>().join("; ");
    if said.is_empty() { format!("gpgv ended with {}", output.status) } else { said }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_signature_is_beside_the_map_whatever_is_behind_its_name() {
        for (place, expected) in [
            ("os.bmap", "os.bmap.asc"),
            ("what?.bmap", "what?.bmap.asc"),
            ("http://h/os.bmap", "http://h/os.bmap.asc"),
            ("http://h/os.bmap?token=1", "http://h/os.bmap.asc?token=1"),
        ] {
            assert_eq!(with_ending(place, ".asc"), expected);
        }
    }
}
