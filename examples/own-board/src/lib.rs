//! Boards of our own, outside the tree of the project that flashes them.

mod nudged;

use flasher_core::{register_bundle, register_driver};

pub use nudged::OwnFlasher;

register_bundle!("own-one");
register_bundle!("own-two", driver: "own-flasher");
register_driver!(OwnFlasher);
