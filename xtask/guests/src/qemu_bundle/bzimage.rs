//! A PC's kernel in the shape in which a 64-bit U-Boot can start it.
//!
//! `zboot` copies the kernel to 1 MiB and jumps to its first byte, which is the entry for 32-bit code. The U-Boot of Debian 12 for
//! 64-bit PCs has its stack there, at 0x10ea00, and stays in 64-bit mode. So the file says that only its first 512 bytes are the
//! kernel: these jump to the entry for 64-bit code of the real one, which stays where it was loaded. All that U-Boot tells the
//! kernel (memory map, RAM disk, command line) is then as it always is.
//!
//! Offsets are those of Linux `Documentation/arch/x86/boot.rst`.

use anyhow::{Context, Result, bail};

/// Where U-Boot must load the file.
pub(super) const ADDRESS: u32 = 0x01ff_0000;
/// Where the kernel begins in the file, so that it lies at a multiple of 2 MiB in memory, as its header wants it.
const KERNEL_AT: usize = 0x1_0000;
/// Count of sectors before the kernel, without the first.
const SETUP_SECTORS: usize = 0x1f1;
/// Length of the kernel in units of 16 bytes: what U-Boot copies.
const LENGTH: usize = 0x1f4;
const LOAD_FLAGS: usize = 0x236;
/// Flags of a kernel that has an entry for 64-bit code.
const HAS_ENTRY_64: u8 = 1;
/// Where that entry is in the kernel.
const ENTRY_64: u32 = 0x200;
const SECTOR: usize = 512;

/// Makes the file of a kernel as the package has it.
pub(super) fn startable(bzimage: &[u8]) -> Result<Vec<u8>> {
    let byte = |at| bzimage.get(at).copied().context("the kernel is shorter than its header");
    if byte(LOAD_FLAGS)? & HAS_ENTRY_64 == 0 {
        bail!("the kernel has no entry for 64-bit code, which a 64-bit U-Boot needs");
    }
    let sectors = usize::from(byte(SETUP_SECTORS)?) + 1;
    let parts = bzimage.split_at_checked(sectors * SECTOR);
    let (setup, kernel) = parts.context("the kernel is shorter than its header says")?;
    let mut file = setup.to_vec();
    file[LENGTH..LENGTH + 4].copy_from_slice(&(SECTOR as u32 / 16).to_le_bytes());
    file.extend(jump(ADDRESS + KERNEL_AT as u32 + ENTRY_64));
    if file.len() > KERNEL_AT {
        bail!("the kernel's setup code has {} bytes, expected less than {KERNEL_AT}", setup.len());
    }
    file.resize(KERNEL_AT, 0);
    file.extend(kernel);
    Ok(file)
}

/// `mov eax, ADDRESS; jmp rax`.
fn jump(to: u32) -> Vec<u8> {
    [&[0xb8][..], &to.to_le_bytes(), &[0xff, 0xe0]].concat()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kernel(sectors: u8, flags: u8) -> Vec<u8> {
        let mut file = vec![7; (usize::from(sectors) + 1) * SECTOR + 3000];
        (file[SETUP_SECTORS], file[LOAD_FLAGS]) = (sectors, flags);
        file
    }

    #[test]
    fn a_jump_stands_before_the_kernel_and_is_all_that_is_copied() {
        let file = startable(&kernel(39, 0x7f)).unwrap();
        assert_eq!(file[LENGTH..LENGTH + 4], [32, 0, 0, 0], "512 bytes");
        let setup = 40 * SECTOR;
        assert_eq!(file[setup..setup + 7], [0xb8, 0x00, 0x02, 0x00, 0x02, 0xff, 0xe0], "0x2000200");
        assert_eq!(file[KERNEL_AT..], [7; 3000]);
        assert_eq!(startable(&kernel(39, 0x7f)).unwrap(), file);
    }

    #[test]
    fn what_such_a_u_boot_cannot_start_is_told() {
        let cases = [
            (kernel(39, 0x7e), "the kernel has no entry for 64-bit code, which a 64-bit U-Boot needs"),
            (vec![0; 80], "the kernel is shorter than its header"),
            (kernel(39, 1)[..4000].to_vec(), "the kernel is shorter than its header says"),
            (kernel(127, 1), "the kernel's setup code has 65536 bytes, expected less than 65536"),
        ];
        for (file, expected) in cases {
            assert_eq!(startable(&file).unwrap_err().to_string(), expected);
        }
    }
}
