//! An image as a distribution has it: stretches of this machine's own programs and libraries, and zeros between them.

use std::fs::{self, File};
use std::io::{BufWriter, Read, Write};
use std::path::{Path, PathBuf};

use anyhow::Result;

use crate::measure;

const MIB: usize = 1 << 20;
/// Data in percent.
const DATA: usize = 40;

/// Writes an image of `mib` MiB.
pub(super) fn image(path: &Path, mib: u64) -> Result<()> {
    let mut out = BufWriter::with_capacity(MIB, File::create(path)?);
    let mut content = Content { files: files(Path::new("/usr/lib"))?, next: 0, open: None };
    let (zeros, mut data) = (vec![0; MIB], vec![0; MIB]);
    for index in 0..usize::try_from(mib)? {
        // Stretches of several MiB, spread evenly.
        match (index / 8 * 37) % 100 < DATA {
            true => {
                content.fill(&mut data)?;
                if index == 0 {
                    measure::make_disk(&mut data);
                }
                out.write_all(&data)?;
            }
            false => out.write_all(&zeros)?,
        }
    }
    out.flush()?;
    Ok(())
}

/// Files one behind the other, again and again.
struct Content {
    files: Vec<PathBuf>,
    next: usize,
    open: Option<File>,
}

impl Content {
    fn fill(&mut self, bytes: &mut [u8]) -> Result<()> {
        let mut filled = 0;
        while filled < bytes.len() {
            let Some(file) = &mut self.open else {
                self.open = Some(File::open(&self.files[self.next % self.files.len()])?);
                self.next += 1;
                continue;
            };
            match file.read(&mut bytes[filled..])? {
                0 => self.open = None,
                count => filled += count,
            }
        }
        Ok(())
    }
}

/// All ordinary files below `folder` that are large enough to matter, in the order of their names.
fn files(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut found = Vec::new();
    let mut entries = fs::read_dir(folder)?.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    entries.sort();
    for path in entries {
        let data = path.symlink_metadata()?;
        if data.is_dir() {
            found.extend(files(&path)?);
        } else if data.is_file() && data.len() >= 4096 {
            found.push(path);
        }
    }
    Ok(found)
}
