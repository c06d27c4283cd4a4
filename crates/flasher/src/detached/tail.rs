//! Reads the lines of a file that still grows.

use std::fs::File;
use std::io::{self, Read};
use std::path::Path;

/// Bytes read at once.
const PIECE: u64 = 1 << 20;

/// Whole lines of a file, each once.
pub(crate) struct Tail {
    file: File,
    rest: Vec<u8>,
}

impl Tail {
    /// From the beginning of the file at `path`; none as long as it is not there.
    ///
    /// # Errors
    /// When it cannot be opened.
    pub(crate) fn open(path: &Path) -> io::Result<Option<Self>> {
        match File::open(path) {
            Ok(file) => Ok(Some(Self { file, rest: Vec::new() })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Lines that have come since; none when there is nothing new. A line whose end has not come yet waits for it.
    ///
    /// # Errors
    /// When reading fails.
    pub(crate) fn lines(&mut self) -> io::Result<Vec<String>> {
        let end = loop {
            let read = (&mut self.file).take(PIECE).read_to_end(&mut self.rest)?;
            match self.rest.iter().rposition(|byte| *byte == b'\n') {
                Some(end) => break end,
                None if read == 0 => return Ok(Vec::new()),
                None => {}
            }
        };
        let whole: Vec<u8> = self.rest.drain(..=end).collect();
        Ok(String::from_utf8_lossy(&whole).lines().map(str::to_owned).collect())
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    #[test]
    fn a_line_is_given_once_and_only_when_it_is_whole() {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        let mut tail = Tail::open(file.path()).unwrap().unwrap();
        for (written, expected) in
            [("", vec![]), ("one\ntw", vec!["one"]), ("o", vec![]), ("\nthree\n", vec!["two", "three"])]
        {
            file.write_all(written.as_bytes()).unwrap();
            assert_eq!(tail.lines().unwrap(), expected);
        }
        assert!(Tail::open(Path::new("/no/where")).unwrap().is_none());
    }
}
