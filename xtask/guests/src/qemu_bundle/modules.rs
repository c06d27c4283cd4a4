//! The modules a RAM disk needs, in the order they load.

use anyhow::{Context, Result};
use std::path::PathBuf;

/// Names of modules by the name of their list: what a board always has, and disk controllers it may have.
/// Packet sockets are part of every kernel, MMC disks of those for Arm.
pub(crate) type ModuleNames = [(&'static str, &'static [&'static str])];
/// Files of modules by the name of their list; each comes after those it depends on.
pub(crate) type ModuleLists = Vec<(&'static str, Vec<PathBuf>)>;

const NVME: (&str, &[&str]) = ("nvme", &["nvme"]);
/// QEMU's `virt` machines for Arm.
pub(crate) const VIRT: [(&str, &[&str]); 3] =
    [("board", &["virtio_pci", "virtio_blk", "virtio_net"]), NVME, ("sdhci", &["sdhci-pci"])];
/// QEMU's PC.
pub(crate) const PC: [(&str, &[&str]); 3] =
    [("board", &["virtio_pci", "virtio_blk", "e1000"]), NVME, ("sdhci", &["sdhci-pci", "mmc_block"])];
/// Allwinner's H3: its card slot and its network card are parts of the chip.
pub(crate) const H3: [(&str, &[&str]); 1] = [("board", &["sunxi-mmc", "dwmac-sun8i"])];

/// `modules.dep` names for each module what it depends on; the last of these is to be loaded first (modules.dep(5)).
pub(crate) fn load_order<'a>(dependencies: &'a str, wanted: &[&str]) -> Result<Vec<&'a str>> {
    let lines: Vec<(&str, &str)> = dependencies.lines().filter_map(|it| it.split_once(':')).collect();
    let mut order: Vec<&str> = Vec::new();
    for name in wanted {
        let file = format!("{name}.ko");
        let found = lines.iter().find(|it| it.0.rsplit('/').next() == Some(&file));
        let (path, needs) = found.with_context(|| format!("the kernel has no module `{name}`"))?;
        for it in needs.split_whitespace().rev().chain([*path]) {
            if !order.contains(&it) {
                order.push(it);
            }
        }
    }
    Ok(order)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_module_loads_after_what_it_needs_and_once() {
        let text = "k/nvme.ko: k/core.ko k/t10.ko k/crc.ko\nk/core.ko: k/t10.ko k/crc.ko\nk/crc.ko:\nk/virtio_blk.ko:\n";
        assert_eq!(
            load_order(text, &["virtio_blk", "nvme", "core"]).unwrap(),
            ["k/virtio_blk.ko", "k/crc.ko", "k/t10.ko", "k/core.ko", "k/nvme.ko"]
        );
        let error = load_order(text, &["blk"]).unwrap_err().to_string();
        assert_eq!(error, "the kernel has no module `blk`");
    }
}
