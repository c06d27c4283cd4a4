//! `ums`: the medium as a USB disk of this machine, until the command is interrupted (cmd/usb_mass_storage.c).

use std::path::PathBuf;

use crate::config::UsbGadget;
use crate::storage_interface::StorageInterface;

use super::super::state::UBoot;

/// A disk that is there for others; gone with this.
struct Offered {
    link: PathBuf,
}

impl Offered {
    async fn new(gadget: &UsbGadget) -> std::io::Result<Self> {
        tokio::fs::symlink(&gadget.disk, &gadget.link).await?;
        Ok(Self { link: gadget.link.clone() })
    }
}

impl Drop for Offered {
    fn drop(&mut self) {
        std::fs::remove_file(&self.link).ok(); // it may have been removed before
    }
}

impl UBoot<'_> {
    /// `ums CONTROLLER [INTERFACE] DEVICE`.
    pub(in super::super) async fn ums(&mut self, arguments: &[&str]) -> i32 {
        let (controller, interface, device) = match arguments {
            [controller, device] => (controller, "mmc", device),
            [controller, interface, device] => (controller, *interface, device),
            _ => return self.usage("ums"),
        };
        let number = u32::try_from(super::number(device)).unwrap_or(u32::MAX);
        let Some(known) = StorageInterface::named(interface).filter(|it| self.media.knows(*it, number))
        else {
            return self.say(&format!("Bad device specification {interface} {device}\n"), 1);
        };
        let config = std::sync::Arc::clone(&self.machine.config);
        let Some(gadget) = config.usb_gadget.as_ref().filter(|_| *controller == "0") else {
            return self.say("Couldn't init USB controller.\n", 1);
        };
        let count = self.media.blocks();
        self.print(&format!(
            "UMS: LUN 0, dev {} {number}, hwpart 0, sector 0x0, count {count:#x}\n",
            known.name()
        ));
        match Offered::new(gadget).await {
            Ok(_offered) => {
                self.machine.keys.ctrl_c().await;
                self.say("\rCTRL+C - Operation aborted\n", 0)
            }
            Err(error) => self.say(&format!("g_dnl_register: failed!, error: {error}\n"), 1),
        }
    }
}
