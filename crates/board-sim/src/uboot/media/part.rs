//! `part` (cmd/part.c): partition tables, and where their partitions lie.

use super::super::memory::hextoul;
use super::super::state::UBoot;
use super::table::{self, ListedPartition, TableKind};
use crate::storage_interface::StorageInterface;

impl UBoot<'_> {
    /// A command of `part`.
    pub(super) async fn part(&mut self, arguments: &[&str]) -> i32 {
        match arguments {
            ["list", interface, device] => self.list_parts(interface, device).await,
            ["list", interface, device, options @ ..] => self.number_parts(interface, device, options).await,
            ["start", interface, device, part, variable @ ..] if variable.len() < 2 => {
                self.tell(interface, device, part, variable, |entry| format!("{:x}", entry.start)).await
            }
            ["size", interface, device, part, variable @ ..] if variable.len() < 2 => {
                self.tell(interface, device, part, variable, |entry| format!("{:x}", entry.size)).await
            }
            ["number", interface, device, part, variable @ ..] if variable.len() < 2 => {
                self.tell(interface, device, part, variable, |entry| format!("{:#x}", entry.number)).await
            }
            ["uuid", interface, place, variable @ ..] if variable.len() < 2 => {
                let (device, part) = place.split_once(':').unwrap_or((place, ""));
                self.tell(interface, device, part, variable, |entry| entry.uuid.clone()).await
            }
            ["types"] => self.say("Supported partition tables: EFI, DOS\n", 0),
            _ => self.usage("part"),
        }
    }

    /// The device that is meant; none when it is not there.
    pub(super) fn device(&self, interface: &str, device: &str) -> Option<(StorageInterface, u32)> {
        let plain = !device.is_empty() && device.chars().all(|letter| letter.is_ascii_hexdigit());
        if !plain {
            self.print(&format!("** Bad device specification {interface} {device} **\n"));
            return None;
        }
        let interface = StorageInterface::named(interface)?;
        let device = u32::try_from(hextoul(device)).ok()?;
        self.media.knows(interface, device).then_some((interface, device))
    }

    async fn list_parts(&mut self, interface: &str, device: &str) -> i32 {
        let Some((interface, device)) = self.device(interface, device) else { return 1 };
        self.print_table(interface, device, true).await;
        0
    }

    /// Sets a variable to the numbers of the partitions.
    async fn number_parts(&mut self, interface: &str, device: &str, options: &[&str]) -> i32 {
        let (bootable, variable) = match options {
            ["-bootable", variable] => (true, variable),
            [variable] if !variable.starts_with('-') => (false, variable),
            _ => return self.usage("part"),
        };
        if self.device(interface, device).is_none() {
            return 1;
        }
        let entries = self.table().await.map(|(_, entries)| entries).unwrap_or_default();
        let wanted = entries.iter().filter(|entry| entry.bootable || !bootable);
        let numbers: Vec<String> = wanted.map(|entry| format!("{:x}", entry.number)).collect();
        if numbers.is_empty() {
            self.env.remove(*variable);
        } else {
            self.set(variable, numbers.join(" "));
        }
        0
    }

    /// Prints something of a partition, or sets a variable to it.
    async fn tell(
        &mut self,
        interface: &str,
        device: &str,
        part: &str,
        variable: &[&str],
        what: impl Fn(&ListedPartition) -> String,
    ) -> i32 {
        if self.device(interface, device).is_none() {
            return 1;
        }
        let entries = self.table().await.map(|(_, entries)| entries).unwrap_or_default();
        let number = part.parse::<u32>();
        let meant = entries.iter().find(|entry| match number {
            Ok(number) => entry.number == number,
            Err(_) => entry.name == part,
        });
        match (meant, variable.first()) {
            (None, _) => 1,
            (Some(entry), None) => self.say(&format!("{}\n", what(entry)), 0),
            (Some(entry), Some(variable)) => {
                self.set(variable, what(entry));
                0
            }
        }
    }

    async fn table(&self) -> Option<(TableKind, Vec<ListedPartition>)> {
        let head = self.read_disk(0, table::HEAD.min(self.media.size)).await.ok()?;
        table::read(&head, usize::try_from(self.media.sector).ok()?)
    }

    /// Prints a device's table; false when it has none, which is said when `says` is set.
    pub(super) async fn print_table(&self, interface: StorageInterface, device: u32, says: bool) -> bool {
        let Some((kind, entries)) = self.table().await else {
            if says {
                self.print("## Unknown partition table type 0\n");
            }
            return false;
        };
        let name = if kind == TableKind::Efi { "EFI" } else { "DOS" };
        self.print(&format!(
            "\nPartition Map for {} device {device}  --   Partition Type: {name}\n\n",
            interface.title()
        ));
        self.print(match kind {
            TableKind::Efi => {
                "Part\tStart LBA\tEnd LBA\t\tName\n\tAttributes\n\tType GUID\n\tPartition GUID\n"
            }
            TableKind::Dos => "Part\tStart Sector\tNum Sectors\tUUID\t\tType\n",
        });
        for entry in &entries {
            self.print(&row(kind, entry));
        }
        true
    }
}

fn row(kind: TableKind, entry: &ListedPartition) -> String {
    let ListedPartition { number, start, size, name, uuid, kind: code, attributes, bootable } = entry;
    match kind {
        TableKind::Efi => format!(
            "{number:3}\t{start:#010x}\t{:#010x}\t\"{name}\"\n\tattrs:\t{attributes:#018x}\n\ttype:\t{code}\n\tguid:\t{uuid}\n",
            start + size.saturating_sub(1)
        ),
        TableKind::Dos => {
            let extended = if ["05", "0f", "85"].contains(&code.as_str()) { " Extd" } else { "" };
            let boot = if *bootable { " Boot" } else { "" };
            format!("{number:3}\t{start:<10}\t{size:<10}\t{uuid}\t{code}{extended}{boot}\n")
        }
    }
}
