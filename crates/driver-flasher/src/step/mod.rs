//! The steps, each a file: it takes what the steps before it produced, and fails with a class and a cause.

pub(crate) mod bootloader;
pub(crate) mod commit;
pub(crate) mod compare;
pub(crate) mod finish;
pub(crate) mod identify;
pub(crate) mod image;
mod keep;
pub(crate) mod plan;
pub(crate) mod power;
pub(crate) mod read;
pub(crate) mod read_back;
pub(crate) mod resolve;
pub(crate) mod services;
pub(crate) mod shell;
pub(crate) mod target;
pub(crate) mod verify;
pub(crate) mod write;

#[cfg(test)]
mod tests;
