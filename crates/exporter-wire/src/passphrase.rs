//! The secret that clients may have to know.

use std::fmt;
use std::fs::File;
use std::io::Read;
use std::path::Path;

use flasher_core::{Error, Result};
use sha2::{Digest, Sha256};
use subtle::ConstantTimeEq;

/// The header clients send it in.
pub const HEADER: &str = "x-jumpstarter-passphrase";
/// Longest passphrase, bytes.
const LONGEST: usize = 1024;

/// A secret that clients send with every call. Never printed.
#[derive(Clone)]
pub struct Passphrase(String);

impl fmt::Debug for Passphrase {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Passphrase(_)")
    }
}

impl Passphrase {
    /// Takes the first line of a file, which must be printable ASCII: it travels in a header.
    ///
    /// # Errors
    /// When the file cannot be read or holds something else.
    pub fn read(file: &Path) -> Result<Self> {
        let name = file.display();
        let unreadable = |error: std::io::Error| {
            Error::config(format!("cannot read the passphrase file `{name}`")).because(error)
        };
        let mut text = Vec::new();
        File::open(file)
            .and_then(|file| file.take(LONGEST as u64 + 3).read_to_end(&mut text))
            .map_err(unreadable)?;
        Self::of(&text, &name.to_string())
    }

    /// Takes a text, which must be printable ASCII: it travels in a header. `name` is where it is from.
    ///
    /// # Errors
    /// When it holds something else, or nothing.
    pub fn of(text: &[u8], name: &str) -> Result<Self> {
        let text = text.trim_ascii_end();
        let is_plain = |byte: &u8| byte.is_ascii_graphic() || *byte == b' ';
        match text.is_empty() || text.len() > LONGEST || !text.iter().all(is_plain) {
            false => Ok(Self(text.iter().map(|byte| char::from(*byte)).collect())),
            true => Err(Error::config(format!("`{name}` holds no passphrase"))
                .help("it holds one line of 1 to 1024 printable ASCII characters")),
        }
    }

    /// The secret itself, for the environment of a client we start and for our own calls.
    pub fn reveal(&self) -> &str {
        &self.0
    }

    /// Whether it is this one. Takes the same time whatever differs.
    pub fn is(&self, given: &[u8]) -> bool {
        Sha256::digest(self.0.as_bytes()).ct_eq(&Sha256::digest(given)).into()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_holds_one_line() {
        let check = |content: &[u8]| {
            let file = tempfile::NamedTempFile::new().unwrap();
            std::fs::write(file.path(), content).unwrap();
            let name = file.path().display().to_string();
            Passphrase::read(file.path())
                .map(|passphrase| passphrase.reveal().to_owned())
                .map_err(|error| error.to_string().replace(&name, "FILE"))
        };
        assert_eq!(check(b"open sesame\n"), Ok("open sesame".to_owned()));
        for wrong in [&b""[..], b"\n", b"a\nb", "ü".as_bytes(), &[b'x'; 1025]] {
            assert_eq!(check(wrong), Err("`FILE` holds no passphrase".to_owned()));
        }
        let missing = Passphrase::read(Path::new("/nowhere/secret")).unwrap_err();
        assert_eq!(missing.to_string(), "cannot read the passphrase file `/nowhere/secret`");
    }

    #[test]
    fn it_is_compared_and_never_shown() {
        let passphrase = Passphrase("s3cret".to_owned());
        assert!(passphrase.is(b"s3cret"));
        for wrong in [&b""[..], b"s3cre", b"s3cret ", b"S3cret"] {
            assert!(!passphrase.is(wrong));
        }
        assert_eq!(format!("{passphrase:?}"), "Passphrase(_)");
    }
}
