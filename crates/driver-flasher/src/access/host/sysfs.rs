//! What the kernel knows of the block devices of this machine (Documentation/ABI/stable/sysfs-block). Blocks on the disk.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::{FileTypeExt as _, MetadataExt as _};
use std::path::{Path, PathBuf};

use flasher_core::{Class, Error, Result, RootCause};

use crate::device_name::DeviceName;

/// Where the kernel lists whole disks.
const DISKS: &str = "/sys/block";
/// Where it lists all block devices by their numbers.
const BY_NUMBER: &str = "/sys/dev/block";
/// What tells one medium from another, and the files of a disk that may have it.
const FACTS: [(&str, &[&str]); 6] = [
    ("vendor", &["device/vendor"]),
    ("model", &["device/model", "device/name"]),
    ("serial", &["device/serial", "serial"]),
    ("wwid", &["device/wwid", "wwid"]),
    ("cid", &["device/cid"]),
    ("backing file", &["loop/backing_file"]),
];

/// A whole disk of this machine.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostDisk {
    /// The kernel's name, `sdb`.
    pub(super) name: String,
    /// Its device file.
    pub(super) node: PathBuf,
    /// Its number: major and minor.
    pub(super) number: (u32, u32),
    /// Bytes; 0 while a reader has no card.
    pub(super) size: u64,
    /// Bytes of a sector.
    pub(super) sector: u64,
    /// Whether it may not be written.
    pub(super) is_read_only: bool,
    /// What the kernel counted when it appeared; none on kernels before 5.15.
    pub(super) diskseq: Option<u64>,
    /// Whatever tells it from another.
    pub(super) facts: BTreeMap<String, String>,
}

/// A partition as the kernel reads the table.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct HostPartition {
    pub(super) name: String,
    /// First byte.
    pub(super) start: u64,
    /// Bytes.
    pub(super) length: u64,
}

/// The disk of this name; none while there is none.
///
/// # Errors
/// When the name leads to something else than one whole disk.
pub(super) fn find(name: &DeviceName) -> Result<Option<HostDisk>> {
    match name {
        DeviceName::Path(path) => by_path(path),
        DeviceName::Diskseq(number) => Ok(disks().into_iter().find(|disk| disk.diskseq == Some(*number))),
        DeviceName::Serial(serial) => {
            let mut fits = disks().into_iter().filter(|disk| disk.facts.get("serial") == Some(serial));
            match (fits.next(), fits.next()) {
                (first, None) => Ok(first),
                (Some(one), Some(other)) => Err(refused(
                    RootCause::OtherDisk,
                    format!(
                        "`{}` and `{}` both have the serial number `{serial}`",
                        one.node.display(),
                        other.node.display()
                    ),
                )
                .help("name the medium by its path below `/dev/disk/by-path`")),
                (None, Some(_)) => Ok(None),
            }
        }
    }
}

fn by_path(path: &Path) -> Result<Option<HostDisk>> {
    let shown = path.display();
    let Ok(about) = fs::metadata(path) else { return Ok(None) };
    if !about.file_type().is_block_device() {
        return Err(refused(RootCause::OtherDisk, format!("`{shown}` is no block device"))
            .help("a medium of this machine is a disk; files are not written"));
    }
    let number = (rustix::fs::major(about.rdev()), rustix::fs::minor(about.rdev()));
    let Some(folder) = folder(number) else { return Ok(None) };
    if folder.join("partition").exists() {
        return Err(refused(
            RootCause::OtherDisk,
            format!("`{shown}` is a partition, expected a whole disk"),
        )
        .help("name the disk, and the partition with `-t LABEL:IMAGE`"));
    }
    Ok(disk(&folder))
}

/// What is refused whatever is tried again.
pub(super) fn refused(cause: RootCause, text: String) -> Error {
    Error::new(Class::Infrastructure, text).retryable(false).caused_by(cause)
}

/// Where the kernel tells of the block device with this number, without links.
fn folder((major, minor): (u32, u32)) -> Option<PathBuf> {
    fs::canonicalize(format!("{BY_NUMBER}/{major}:{minor}")).ok()
}

fn disks() -> Vec<HostDisk> {
    let entries = fs::read_dir(DISKS).into_iter().flatten().filter_map(|entry| entry.ok());
    entries.filter_map(|entry| disk(&fs::canonicalize(entry.path()).ok()?)).collect()
}

/// What is known of the disk with this folder; none when it has gone meanwhile.
fn disk(folder: &Path) -> Option<HostDisk> {
    let name = folder.file_name()?.to_str()?.to_owned();
    let (major, minor) =
        text(&folder.join("dev"))?.split_once(':').map(|(a, b)| (a.to_owned(), b.to_owned()))?;
    let number = |file: &str| text(&folder.join(file))?.parse::<u64>().ok();
    Some(HostDisk {
        node: Path::new("/dev").join(name.replace('!', "/")),
        number: (major.parse().ok()?, minor.parse().ok()?),
        size: number("size")?.saturating_mul(512),
        sector: number("queue/logical_block_size").unwrap_or(512),
        is_read_only: number("ro") == Some(1),
        diskseq: number("diskseq"),
        facts: facts(folder),
        name,
    })
}

fn facts(folder: &Path) -> BTreeMap<String, String> {
    let mut facts = BTreeMap::new();
    for (key, files) in FACTS {
        let value = files.iter().find_map(|file| text(&folder.join(file)).filter(|value| !value.is_empty()));
        facts.extend(value.map(|value| (key.to_owned(), value)));
    }
    if let Some(serial) = usb_serial(folder) {
        facts.entry("serial".to_owned()).or_insert(serial);
    }
    facts
}

/// The serial number of the USB device that a disk is in.
fn usb_serial(folder: &Path) -> Option<String> {
    let device = fs::canonicalize(folder.join("device")).ok()?;
    let usb = device.ancestors().find(|parent| parent.join("idVendor").exists())?;
    text(&usb.join("serial")).filter(|serial| !serial.is_empty())
}

fn text(file: &Path) -> Option<String> {
    fs::read_to_string(file).ok().map(|text| text.trim().to_owned())
}

/// The partitions of a disk as the kernel knows them, in their order on the disk.
pub(super) fn partitions(disk: &HostDisk) -> Vec<HostPartition> {
    let folder = Path::new(DISKS).join(&disk.name);
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok());
    let mut all: Vec<_> = entries.filter_map(|entry| partition(&entry.path())).collect();
    all.sort_by_key(|partition| partition.start);
    all
}

fn partition(folder: &Path) -> Option<HostPartition> {
    text(&folder.join("partition"))?;
    let sectors = |file: &str| text(&folder.join(file))?.parse::<u64>().ok()?.checked_mul(512);
    let name = folder.file_name()?.to_str()?.to_owned();
    Some(HostPartition { name, start: sectors("start")?, length: sectors("size")? })
}

/// Names of the whole disks that a block device is on: of a partition its disk, of a volume those below it.
pub(super) fn disks_below(number: (u32, u32)) -> BTreeSet<String> {
    let mut names = BTreeSet::new();
    let mut waiting: Vec<PathBuf> = folder(number).into_iter().collect();
    while let Some(folder) = waiting.pop() {
        let is_part = folder.join("partition").exists();
        let whole = if is_part { folder.parent().map(Path::to_owned) } else { Some(folder) };
        let Some(whole) = whole else { continue };
        let Some(name) = whole.file_name().and_then(|name| name.to_str()) else { continue };
        if names.insert(name.to_owned()) {
            waiting.extend(links(&whole.join("slaves")));
        }
    }
    names
}

/// Names of what is built on a disk or on its partitions: volumes, RAID, encryption.
pub(super) fn holders(disk: &HostDisk) -> Vec<String> {
    let folder = Path::new(DISKS).join(&disk.name);
    let parts = partitions(disk).into_iter().map(|part| folder.join(part.name));
    let folders = std::iter::once(folder.clone()).chain(parts);
    let held = folders.flat_map(|folder| links(&folder.join("holders")));
    held.filter_map(|path| Some(path.file_name()?.to_str()?.to_owned())).collect()
}

fn links(folder: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().filter_map(|entry| entry.ok());
    entries.filter_map(|entry| fs::canonicalize(entry.path()).ok()).collect()
}
