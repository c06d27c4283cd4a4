//! Boards of Acme, outside the tree of the project that flashes them.

mod nudged;

use flasher_core::{register_bundle, register_driver};

pub use nudged::AcmeFlasher;

register_bundle!("acme-one");
register_bundle!("acme-two", driver: "acme-flasher");
register_driver!(AcmeFlasher);
