//! Do the files of a bundle get in each other's way in the board's memory?

use std::{fmt, fs, io::Read, path::Path};

use crate::{Address, File, Files};

/// The memory one file occupies once it is loaded and, for a kernel, started.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Extent {
    /// What it is: `kernel`, `initram` or `dtb`.
    pub role: &'static str,
    /// Base name of the file.
    pub name: String,
    /// First byte.
    pub start: Address,
    /// Bytes from there on.
    pub length: u64,
}

/// Two files that need the same memory. Shown as a full sentence.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Overlap {
    /// One of the two.
    pub first: Extent,
    /// The other.
    pub second: Extent,
}

/// Every pair of files whose memory overlaps.
///
/// An arm64 `Image` counts with what it needs when it runs (Linux `Documentation/arch/arm64/booting.rst`):
/// `image_size` bytes from where U-Boot's `booti` puts it. Anything else (uImage, FIT, compressed image), and a
/// kernel that cannot be read, counts with its length as a file.
pub fn overlaps(files: &Files) -> Vec<Overlap> {
    let mut extents = vec![kernel_extent(&files.kernel)];
    extents.extend(files.initram.iter().map(|file| file_extent("initram", file)));
    extents.extend(files.dtb.iter().map(|file| file_extent("dtb", file)));
    let pairs = extents.iter().enumerate().flat_map(|(index, first)| {
        extents
            .iter()
            .skip(index + 1)
            .map(move |second| Overlap { first: first.clone(), second: second.clone() })
    });
    pairs.filter(|pair| pair.length() > 0).collect()
}

impl Extent {
    fn end(&self) -> u64 {
        self.start.0.saturating_add(self.length)
    }
}

impl Overlap {
    /// How many bytes both need.
    pub fn length(&self) -> u64 {
        let end = self.first.end().min(self.second.end());
        end.saturating_sub(self.first.start.0.max(self.second.start.0))
    }
}

impl fmt::Display for Extent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Extent { role, name, start, length } = self;
        write!(f, "{role} `{name}` ({length} bytes from {start} up to {})", Address(self.end()))
    }
}

impl fmt::Display for Overlap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (first, second, length) = (&self.first, &self.second, self.length());
        write!(
            f,
            "{first} and {second} overlap by {length} bytes: move one of their addresses in the manifest"
        )
    }
}

fn file_extent(role: &'static str, file: &File) -> Extent {
    Extent { role, name: file.name.clone(), start: Address(file.address), length: file.length }
}

fn kernel_extent(file: &File) -> Extent {
    let as_file = file_extent("kernel", file);
    let running = Arm64Header::of(&file.path).map_or(0, |header| header.needs(file.address));
    Extent { length: as_file.length.max(running), ..as_file }
}

/// What the head of an arm64 `Image` says (Linux `Documentation/arch/arm64/booting.rst`, section 4).
#[derive(Debug)]
struct Arm64Header {
    text_offset: u64,
    image_size: u64,
    flags: u64,
}

const ALIGNMENT: u64 = 2 << 20; // bytes
const ANYWHERE: u64 = 1 << 3; // flag: the 2 MiB aligned base may be anywhere in memory

impl Arm64Header {
    fn of(path: &Path) -> Option<Arm64Header> {
        let mut head = [0; 64];
        fs::File::open(path).ok()?.read_exact(&mut head).ok()?;
        let field = |at: usize| Some(u64::from_le_bytes(head.get(at..at + 8)?.try_into().ok()?));
        let magic = head.get(56..60)?;
        (magic == b"ARM\x64").then_some(())?;
        Some(Arm64Header { text_offset: field(8)?, image_size: field(16)?, flags: field(24)? }.completed())
    }

    /// Kernels before 3.17 give no size; U-Boot's `booti_setup` then takes 16 MiB at offset 0x80000.
    fn completed(self) -> Arm64Header {
        if self.image_size > 0 {
            return self;
        }
        Arm64Header { text_offset: 0x80000, image_size: 16 << 20, ..self }
    }

    /// Bytes from `address` to the end of the running kernel. `booti` leaves it there, or moves it up to the
    /// next aligned place. A kernel that must lie at the base of memory is moved there, which the manifest does
    /// not tell: it counts where it is loaded.
    fn needs(&self, address: u64) -> u64 {
        if self.flags & ANYWHERE == 0 {
            return self.image_size;
        }
        let base = address.saturating_sub(self.text_offset);
        let aligned = base.checked_next_multiple_of(ALIGNMENT).unwrap_or(base);
        let start = aligned.saturating_add(self.text_offset);
        start.saturating_sub(address).saturating_add(self.image_size)
    }
}

#[cfg(test)]
mod tests;
