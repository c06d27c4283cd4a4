//! What U-Boot knows of its media.

use std::collections::{BTreeMap, BTreeSet};

use super::cache::BlockCache;
use crate::config::Config;
use crate::storage_interface::StorageInterface;

/// The devices of each interface, and which of them are known and current.
#[derive(Debug)]
pub(in super::super) struct Media {
    /// Bytes of the medium.
    pub(super) size: u64,
    /// Bytes of a block.
    pub(super) sector: u64,
    /// The devices of each interface.
    pub(super) devices: BTreeMap<StorageInterface, Vec<u32>>,
    /// The device that an interface's commands mean.
    pub(super) current: BTreeMap<StorageInterface, u32>,
    /// Interfaces whose devices have been looked for.
    pub(super) scanned: BTreeSet<StorageInterface>,
    pub(super) cache: BlockCache,
    /// Bytes written since U-Boot has begun.
    pub(super) written: u64,
    /// What was there before the writes, for the fault knob `stale_reads`: where, and the bytes; the first come first.
    pub(super) before: Vec<(u64, Vec<u8>)>,
    /// The slots are empty.
    absent: bool,
}

impl Media {
    pub(in super::super) fn new(config: &Config, size: u64) -> Self {
        Self {
            size,
            sector: config.sector_size.into(),
            devices: config.uboot_interfaces.clone(),
            current: BTreeMap::new(),
            scanned: BTreeSet::new(),
            cache: BlockCache::default(),
            written: 0,
            before: Vec::new(),
            absent: config.faults.uboot.absent,
        }
    }

    /// Whole blocks of the medium.
    pub(super) fn blocks(&self) -> u64 {
        self.size / self.sector
    }

    /// The devices of an interface that U-Boot knows by now.
    pub(super) fn known(&self, interface: StorageInterface) -> &[u32] {
        if self.absent || interface.needs_scan() && !self.scanned.contains(&interface) {
            return &[];
        }
        self.devices.get(&interface).map_or(&[], Vec::as_slice)
    }

    pub(super) fn knows(&self, interface: StorageInterface, device: u32) -> bool {
        self.known(interface).contains(&device)
    }

    /// The device that is current; the first is until another is chosen.
    pub(super) fn current(&self, interface: StorageInterface) -> u32 {
        let first = self.devices.get(&interface).and_then(|devices| devices.first());
        self.current
            .get(&interface)
            .or(first.filter(|_| interface == StorageInterface::Mmc))
            .copied()
            .unwrap_or(0)
    }

    /// The controllers of an interface, with a device or without.
    pub(super) fn controllers(&self, interface: StorageInterface) -> &[u32] {
        self.devices.get(&interface).map_or(&[], Vec::as_slice)
    }
}
