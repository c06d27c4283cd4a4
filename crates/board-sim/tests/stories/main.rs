//! Tests of a simulated board over its power switch and its serial line.
#![allow(clippy::unwrap_used, clippy::panic, reason = "a story that cannot go on has failed")]

mod autoboot;
mod faults;
mod happy;
mod linux;
mod linux_faults;
mod media;
mod promises;
mod safety;
mod support;
mod uboot;
mod uboot_faults;
