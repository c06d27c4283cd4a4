//! What U-Boot's commands print, as far as it is read (formats as of U-Boot 2023.01).

/// A number after its prefix `0x`, or decimal digits.
fn number(word: &str) -> Option<u64> {
    match word.strip_prefix("0x") {
        Some(hex) => u64::from_str_radix(hex, 16).ok(),
        None => word.parse().ok(),
    }
}

/// The number of blocks and their size, bytes, out of `Capacity: 64.0 MB = 0.0 GB (131072 x 512)` (disk/part.c, `dev_print`).
pub(super) fn geometry(output: &str) -> Option<(u64, u64)> {
    let line = output.lines().rev().find(|line| line.trim_start().starts_with("Capacity:"))?;
    let (blocks, size) = line.rsplit_once('(')?.1.split_once(')')?.0.split_once(" x ")?;
    Some((blocks.trim().parse().ok()?, size.trim().parse().ok()?))
}

/// The number of blocks out of `MMC: block number 0x80000000 exceeds max(0x20000)` (drivers/mmc/mmc.c, `mmc_bread`).
pub(super) fn mmc_blocks(output: &str) -> Option<u64> {
    number(output.rsplit_once("exceeds max(")?.1.split_once(')')?.0)
}

/// What tells one medium from another: the lines `Name: value` of `mmc info`, the fields of the other interfaces.
pub(super) fn facts(output: &str) -> Vec<(String, String)> {
    const TOLD: [(&str, Option<&str>); 9] = [
        ("Manufacturer ID:", Some("manufacturer")),
        ("OEM:", Some("oem")),
        ("Name:", Some("model")),
        ("Vendor:", Some("vendor")),
        ("Prod.:", Some("model")),
        ("Prod:", Some("model")),
        ("Rev:", Some("revision")),
        ("Capacity:", None),
        ("Type:", Some("type")),
    ];
    let mut facts = Vec::new();
    for line in output.lines() {
        let mut found: Vec<(usize, &str, Option<&str>)> =
            TOLD.iter().filter_map(|(label, name)| Some((line.find(label)?, *label, *name))).collect();
        found.sort_unstable();
        for (index, (at, label, name)) in found.iter().enumerate() {
            let end = found.get(index + 1).map_or(line.len(), |(next, ..)| *next);
            let value = line.get(at + label.len()..end).unwrap_or_default().trim();
            if let Some(name) = name.filter(|_| !value.is_empty()) {
                facts.push((name.to_owned(), value.chars().take(80).collect()));
            }
        }
    }
    facts
}

/// The checksum out of `crc32 for 40400000 ... 40bfffff ==> 1a2b3c4d` (common/hash.c).
pub(super) fn crc32(output: &str) -> Option<u32> {
    let word = output.rsplit_once("==> ")?.1.split_whitespace().next()?;
    u32::from_str_radix(word, 16).ok().filter(|_| word.len() == 8)
}

/// The 64 hex digits out of `sha256 for 40400000 ... 40bfffff ==> …`.
pub(super) fn sha256(output: &str) -> Option<String> {
    let word = output.rsplit_once("==> ")?.1.split_whitespace().next()?;
    let is_digest = word.len() == 64 && word.bytes().all(|byte| byte.is_ascii_hexdigit());
    is_digest.then(|| word.to_lowercase())
}

/// `length` bytes out of the lines of `md.b` from `address` on; none unless all are there in order.
pub(super) fn bytes(output: &str, address: u64, length: u64) -> Option<Vec<u8>> {
    let mut bytes = Vec::new();
    for line in output.lines() {
        let Some((at, rest)) = line.trim().split_once(": ") else { continue };
        if u64::from_str_radix(at, 16).ok()? != address + bytes.len() as u64 {
            return None;
        }
        let missing = usize::try_from(length).ok()?.checked_sub(bytes.len())?.min(16);
        let words: Vec<&str> = rest.split(' ').take(missing).collect();
        for word in words {
            bytes.push(u8::from_str_radix(word, 16).ok().filter(|_| word.len() == 2)?);
        }
    }
    (bytes.len() as u64 == length).then_some(bytes)
}

/// The hexadecimal number that `part start` and `part size` print: blocks.
pub(super) fn blocks(output: &str) -> Option<u64> {
    u64::from_str_radix(output.trim().trim_start_matches("0x"), 16).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_devices_say_of_their_size() {
        let virtio = "\nDevice 0: 1af4 VirtIO Block Device\n            Type: Hard Disk\n            \
                      Capacity: 64.0 MB = 0.0 GB (131072 x 512)\n... is now current device";
        assert_eq!(geometry(virtio), Some((131_072, 512)));
        assert_eq!(geometry("Capacity: not available"), None);
        let beyond = "\nMMC read: dev # 0, block # 2147483647, count 1 ... \
                      MMC: block number 0x80000000 exceeds max(0x20000)\n0 blocks read: ERROR";
        assert_eq!(mmc_blocks(beyond), Some(0x20000));
        assert_eq!(mmc_blocks("1 blocks read: OK"), None);
    }

    #[test]
    fn what_devices_say_of_themselves() {
        let check = |output: &str, expected: &[(&str, &str)]| {
            let expected: Vec<_> =
                expected.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            assert_eq!(facts(output), expected, "{output}");
        };
        check(
            "Device 0: Vendor: 0x1b36 Rev: 8.0.0    Prod: 1234    ",
            &[("vendor", "0x1b36"), ("revision", "8.0.0"), ("model", "1234")],
        );
        check(
            "Device: mmc@1c0f000\nManufacturer ID: aa\nOEM: 5859\nName: QEMU! \nBus Speed: 25000000",
            &[("manufacturer", "aa"), ("oem", "5859"), ("model", "QEMU!")],
        );
        check("no device", &[]);
    }

    #[test]
    fn sums_are_read_whole_or_not_at_all() {
        assert_eq!(crc32("crc32 for 40400000 ... 407fffff ==> 0a2b3c4d"), Some(0x0a2b_3c4d));
        for garbled in ["", "crc32 for 40400000", "==> 0a2b3c4", "==> 0a2b3c4g", "==> 0a2b3c4d5"] {
            assert_eq!(crc32(garbled), None, "{garbled}");
        }
        let digest = "ab".repeat(32);
        assert_eq!(sha256(&format!("sha256 for 1 ... 2 ==> {digest}")), Some(digest.clone()));
        assert_eq!(sha256(&format!("sha256 for 1 ... 2 ==> {}", &digest[1..])), None);
    }

    #[test]
    fn dumped_bytes_are_all_there_in_order() {
        let two = "40400000: 45 46 49 20 50 41 52 54 00 00 01 00 5c 00 00 00    EFI PART....\\...\n\
                   40400010: 61 62                                            ab";
        assert_eq!(bytes(two, 0x4040_0000, 18).unwrap(), b"EFI PART\0\0\x01\0\x5c\0\0\0ab");
        assert_eq!(bytes(two, 0x4040_0000, 19), None);
        assert_eq!(bytes(two, 0x4040_0001, 18), None);
        assert_eq!(bytes(&two.replace("40400010", "40400020"), 0x4040_0000, 18), None);
        assert_eq!(bytes(&two.replace("61", "6"), 0x4040_0000, 18), None);
    }
}
