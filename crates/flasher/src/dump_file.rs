//! A dump on disk: sparse, or packed with zstd; under a temporary name beside its own until it is proven. Or standard output.

use std::fs::{self, File};
use std::io::{self, Write};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, MutexGuard, PoisonError};

use flasher_core::leftovers::InUse;
use flasher_core::{DumpSink, Error, Result};
use tempfile::NamedTempFile;

use crate::temporary;

/// Zeros are left out of a file in stretches of this, bytes: a multiple of what file systems allocate by.
const HOLE: u64 = 64 * 1024;

/// A file that appears under its name once it is kept.
pub(crate) struct DumpFile {
    path: PathBuf,
    unfinished: Mutex<Option<Unfinished>>,
}

/// What has been written so far. Dropped without being kept, nothing is left.
struct Unfinished {
    file: NamedTempFile,
    form: Form,
    _in_use: InUse,
}

enum Form {
    Plain { length: u64, at: u64 },
    Packed(zstd::Encoder<'static, File>),
}

impl DumpFile {
    /// A dump at `path`, packed when its name ends in `.zst`. Proves that the folder can be written.
    ///
    /// # Errors
    /// When it cannot, or something else than a file has the name.
    pub(crate) fn prepare(path: &Path) -> Result<Self> {
        match fs::metadata(path) {
            Ok(about) if !about.is_file() => {
                return Err(Error::config(format!("`{}` exists and is no regular file", path.display()))
                    .help("name another file, or `-` for standard output"));
            }
            _ => {}
        }
        unfinished(path).map_err(|error| {
            Error::config(format!("no dump can be kept as `{}`", path.display()))
                .help("name a file in a folder you may write")
                .because(error)
        })?;
        Ok(Self { path: path.to_path_buf(), unfinished: Mutex::default() })
    }

    /// Removes what was not kept; nothing more is taken.
    pub(crate) fn discard(&self) {
        self.now().take();
    }

    fn now(&self) -> MutexGuard<'_, Option<Unfinished>> {
        self.unfinished.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn is_packed(&self) -> bool {
        self.path.extension().is_some_and(|ending| ending == "zst")
    }

    fn unwritten(&self, error: io::Error) -> Error {
        Error::infrastructure(format!("cannot write the dump `{}`", self.path.display()))
            .because(error)
            .help("make room, or take another folder; a name that ends in `.zst` packs the dump")
            .retryable(false)
    }
}

/// A file beside `path` that is removed unless it is kept.
fn unfinished(path: &Path) -> io::Result<(NamedTempFile, InUse)> {
    temporary::beside(path, temporary::DUMP)
}

impl DumpSink for DumpFile {
    fn label(&self) -> String {
        self.path.display().to_string()
    }

    fn begin(&self, length: u64) -> Result<()> {
        let begun = unfinished(&self.path).and_then(|(file, in_use)| {
            let form = match self.is_packed() {
                true => Form::Packed(packer(file.as_file().try_clone()?, length)?),
                false => Form::Plain { length, at: 0 },
            };
            Ok(Unfinished { file, form, _in_use: in_use })
        });
        *self.now() = Some(begun.map_err(|error| self.unwritten(error))?);
        Ok(())
    }

    fn take(&self, bytes: &[u8]) -> Result<()> {
        let mut unfinished = self.now();
        let taken = match unfinished.as_mut() {
            None => Err(io::Error::other("it was stopped")),
            Some(Unfinished { file, form: Form::Plain { at, .. }, .. }) => {
                sparsely(file.as_file(), at, bytes)
            }
            Some(Unfinished { form: Form::Packed(packer), .. }) => packer.write_all(bytes),
        };
        taken.map_err(|error| self.unwritten(error))
    }

    fn keep(&self) -> Result<()> {
        let unfinished = self.now().take();
        let kept = unfinished.ok_or_else(|| io::Error::other("it was stopped")).and_then(|it| {
            match it.form {
                Form::Plain { length, .. } => it.file.as_file().set_len(length)?,
                Form::Packed(packer) => drop(packer.finish()?),
            }
            it.file.as_file().sync_all()?;
            it.file.persist(&self.path).map(drop).map_err(|error| error.error)
        });
        kept.map_err(|error| self.unwritten(error))
    }
}

/// One frame that tells its length and carries a checksum (RFC 8878).
fn packer(file: File, length: u64) -> io::Result<zstd::Encoder<'static, File>> {
    let mut packer = zstd::Encoder::new(file, 0)?;
    packer.set_pledged_src_size(Some(length))?;
    packer.include_contentsize(true)?;
    packer.include_checksum(true)?;
    Ok(packer)
}

/// Writes at `at`, and moves it on; stretches of zeros stay holes.
fn sparsely(file: &File, at: &mut u64, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        let room = usize::try_from(HOLE - *at % HOLE).unwrap_or(usize::MAX);
        let (part, rest) = bytes.split_at(bytes.len().min(room));
        if part.iter().any(|byte| *byte != 0) {
            file.write_all_at(part, *at)?;
        }
        (*at, bytes) = (*at + part.len() as u64, rest);
    }
    Ok(())
}

/// Standard output. What it has taken cannot be taken back: only the exit code says whether it is a dump.
#[derive(Default)]
pub(crate) struct DumpPipe(Mutex<bool>);

impl DumpSink for DumpPipe {
    fn label(&self) -> String {
        "-".to_owned()
    }

    fn begin(&self, _length: u64) -> Result<()> {
        match *self.0.lock().unwrap_or_else(PoisonError::into_inner) {
            false => Ok(()),
            true => Err(Error::infrastructure(
                "part of the dump is on standard output already, and it cannot begin anew",
            )
            .help("dump into a file: then an attempt that failed leaves nothing")
            .retryable(false)),
        }
    }

    fn take(&self, bytes: &[u8]) -> Result<()> {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = true;
        io::stdout().lock().write_all(bytes).map_err(unread)
    }

    fn keep(&self) -> Result<()> {
        io::stdout().lock().flush().map_err(unread)
    }
}

fn unread(error: io::Error) -> Error {
    Error::infrastructure("cannot write the dump to standard output").because(error).retryable(false)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::MetadataExt;

    use super::*;

    /// Data, a long hole, data, zeros at the end.
    fn content() -> Vec<u8> {
        [vec![1; 100_000], vec![0; 5_000_000], vec![2; 70_000], vec![0; 3_000_000]].concat()
    }

    /// Dumps into `name` in pieces that fit nothing; gives the folder.
    fn dump(name: &str, keep: bool) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let file = DumpFile::prepare(&folder.path().join(name)).unwrap();
        // An attempt that breaks off, and another one.
        for end in [300_000, content().len()] {
            file.begin(content().len() as u64).unwrap();
            content()[..end].chunks(40_001).for_each(|piece| file.take(piece).unwrap());
        }
        assert!(!folder.path().join(name).exists(), "it has its name before it is kept");
        if keep {
            file.keep().unwrap()
        } else {
            file.discard()
        }
        folder
    }

    fn names(folder: &Path) -> Vec<String> {
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect()
    }

    #[test]
    fn a_dump_is_whole_and_zeros_take_no_room() {
        let folder = dump("a.img", true);
        let path = folder.path().join("a.img");
        assert!(fs::read(&path).unwrap() == content());
        let allocated = fs::metadata(&path).unwrap().blocks() * 512;
        assert!(allocated < 1_000_000, "{allocated} bytes are allocated");
        assert_eq!(names(folder.path()), ["a.img"]);
    }

    #[test]
    fn a_name_that_ends_in_zst_is_packed() {
        let folder = dump("a.img.zst", true);
        let packed = fs::read(folder.path().join("a.img.zst")).unwrap();
        assert!(packed.len() < 100_000);
        assert!(zstd::decode_all(packed.as_slice()).unwrap() == content());
        assert_eq!(names(folder.path()), ["a.img.zst"]);
    }

    #[test]
    fn what_is_not_kept_leaves_nothing_and_spares_an_older_dump() {
        assert_eq!(names(dump("a.img", false).path()), [""; 0]);
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.img");
        fs::write(&path, "older").unwrap();
        let file = DumpFile::prepare(&path).unwrap();
        file.begin(5).unwrap();
        file.take(b"newer").unwrap();
        file.discard();
        assert_eq!(fs::read(&path).unwrap(), b"older");
        assert_eq!(
            file.take(b"x").unwrap_err().cause(),
            format!("cannot write the dump `{}`: it was stopped", path.display())
        );
    }

    #[test]
    fn impossible_dump_files_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path().to_owned(), folder.path().join("no/where.img")] {
            let error = DumpFile::prepare(&path).err().unwrap();
            assert_eq!(error.class(), flasher_core::Class::Config, "{error:?}");
        }
    }
}
