//! TFTP server a boot loader fetches from, and sends to what was announced.
//!
//! Speaks RFC 1350 with options (RFC 2347), blksize (RFC 2348), tsize (RFC 2349) and windowsize (RFC 7440), in octet and
//! netascii mode, over IPv4 and IPv6. The engine is usable without the driver:
//!
//! ```no_run
//! # async fn serve() -> Result<(), driver_tftp::Error> {
//! let server = driver_tftp::Server::bind(([127, 0, 0, 1], 0).into(), "/srv/tftp", Default::default()).await?;
//! println!("{}", server.address());
//! server.stop().await;
//! # Ok(())
//! # }
//! ```
//!
//! What it does about loss, and why:
//!
//! * Its re-send timer follows the measured round trip and is far below a boot loader's own (U-Boot: 5 s), because U-Boot
//!   gives up after a number of its own timeouts per file. So that the timer stays this side's, the `timeout` option is
//!   not acknowledged, which RFC 2347 allows.
//! * An acknowledgement inside a window rewinds to the block after it; a second acknowledgement of the same block never
//!   sends DATA by itself (RFC 1123 section 4.2.3.1, the Sorcerer's Apprentice).
//! * A client acknowledges only whole windows (RFC 7440 section 4), so the window agreed on cannot be made smaller. Where
//!   losses show a limit on the way, such as a receive ring that overflows, a window goes out in smaller bursts with pauses
//!   instead; that is remembered for the client's next file, and grows back.
//!
//! Nothing below the root can be written, and nothing outside it read, by `..` or by symbolic links. A client may send the files
//! that are announced in [`AnnouncedUploads`], each under exactly its name, once, and up to its length; their bytes go to what
//! takes them, and into no folder.

#![allow(unexpected_cfgs, reason = "`fuzzing` is set by `cargo xtask fuzz`")]

mod address;
mod burst;
mod config;
mod driver;
mod end;
mod error;
#[cfg(fuzzing)]
pub mod fuzzing;
mod job;
mod options;
mod packet;
mod receive;
mod report;
mod sender;
mod server;
mod settings;
#[cfg(test)]
mod simulation;
mod source;
mod spare;
mod tally;
mod timer;
mod transfer;
mod uploads;
mod window;

pub use config::Config;
pub use driver::Tftp;
pub use error::Error;
pub use server::Server;
pub use settings::Settings;
pub use uploads::AnnouncedUploads;

flasher_core::register_driver!(Tftp);
