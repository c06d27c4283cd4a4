//! One line per board, by name. Its manifest is `boards/NAME.yaml`.

use flasher_core::register_bundle;

register_bundle!("nxp-s32g-vnp-rdb3", aliases: ["nxp-s32g-vnd-rdb3"]);
register_bundle!("qemu-armhf");
register_bundle!("qemu-orangepi");
register_bundle!("qemu-virt");
register_bundle!("qemu-virt-fit");
register_bundle!("qemu-virt-tools");
register_bundle!("qemu-virt-uimage");
register_bundle!("qemu-x86_64");
register_bundle!("rcar-s4", aliases: ["jumpstarter_driver_flashers.driver.RCarS4Flasher"]);
register_bundle!("rcar-s4-s4sk");
register_bundle!("sim");
register_bundle!("test");
register_bundle!("ti-am69");
register_bundle!("ti-j784s4", aliases: ["jumpstarter_driver_flashers.driver.TIJ784S4Flasher"]);
