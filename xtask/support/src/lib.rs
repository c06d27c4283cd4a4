//! What the development commands share. Depends on no crate that ships, so they run on a tree that does not compile.

#![allow(clippy::print_stdout, reason = "these commands talk to the person or CI job that runs them")]

pub mod boot_loaders;
pub mod debian_root;
pub mod jumpstarter;
pub mod own_apt;
pub mod packages;
pub mod programs;
mod python_environment;
pub mod tools;
pub mod validators;
pub mod words;
pub mod workspace;
