//! The room where everything meets: every driver and every board of this build.
//!
//! A crate that no source line names is not linked and registers nothing. A forgotten line is therefore an error of the
//! compiler here. A binary gets all of it with `use flasher_bundles as _;`.
#![deny(unused_crate_dependencies)]

use board_qemu as _;
use board_sim as _;
use driver_flasher as _;
use driver_http as _;
use driver_power_command as _;
use driver_power_gpio as _;
use driver_power_http as _;
use driver_power_mock as _;
use driver_power_snmp as _;
use driver_pyserial as _;
use driver_remote as _;
use driver_storage_mux as _;
use driver_tftp as _;

mod boards;

#[cfg(test)]
mod tests;
