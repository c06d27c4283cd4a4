//! Whether a file is what its place in the manifest says, and whole: judged by its own header.

use std::{fs::File, io, io::Read, path::Path};

/// What a file is in the manifest.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Role {
    Kernel,
    Initram,
    DriverTree,
}

/// What is wrong with the file, as the end of a sentence that begins with its name.
pub(super) fn fault(path: &Path, role: Role) -> io::Result<Option<String>> {
    let mut head = [0; 64];
    let mut file = File::open(path)?;
    let have = read_head(&mut file, &mut head)?;
    let length = file.metadata()?.len();
    let head = head.get(..have).unwrap_or_default();
    let says = |what: &str, needs: u64| {
        (needs > length)
            .then(|| format!("is truncated: its {what} header says {needs} bytes, it has {length}"))
    };
    Ok(match declared(head) {
        Some(Declared::Tree(total)) => says("device-tree", total),
        Some(Declared::Legacy(total)) => says("uImage", total),
        None if role == Role::DriverTree => Some(
            "is no device tree: it does not begin with 0xd00dfeed (Devicetree Specification, section 5.2)"
                .into(),
        ),
        None => None,
    })
}

/// Whether the file is in U-Boot's legacy image format, which carries its own length.
pub(super) fn is_legacy(path: &Path) -> bool {
    let mut head = [0; 64];
    let read = File::open(path).and_then(|mut file| read_head(&mut file, &mut head));
    read.is_ok_and(|have| matches!(declared(head.get(..have).unwrap_or_default()), Some(Declared::Legacy(_))))
}

/// A length that a header declares, bytes.
enum Declared {
    /// A flattened tree: a device tree, or a FIT image.
    Tree(u64),
    /// U-Boot's legacy image: 64 bytes of header and the data (U-Boot `include/image.h`).
    Legacy(u64),
}

fn declared(head: &[u8]) -> Option<Declared> {
    let word = |at: usize| Some(u32::from_be_bytes(head.get(at..at + 4)?.try_into().ok()?));
    match word(0)? {
        0xd00d_feed => Some(Declared::Tree(word(4)?.into())),
        0x2705_1956 => Some(Declared::Legacy(u64::from(word(12)?) + 64)),
        _ => None,
    }
}

fn read_head(file: &mut File, head: &mut [u8]) -> io::Result<usize> {
    let mut bytes = Vec::new();
    file.take(head.len() as u64).read_to_end(&mut bytes)?;
    for (to, from) in head.iter_mut().zip(&bytes) {
        *to = *from;
    }
    Ok(bytes.len())
}
