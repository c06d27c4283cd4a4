//! The contract every driver, board and front end meets: what a device can do, how it is named, how it fails.
//!
//! Nothing here opens a device, a port or a socket. In reading order:
//!
//! * [`driver`]: what a device can do, one small trait per capability
//! * [`device`]: what a node of the tree can be, and what a driver is built from
//! * [`flash`]: a flash job, its plan and its receipt
//! * [`dump`]: a job that reads a medium into a file
//! * [`identify`]: a job that says what a medium holds
//! * [`fetch`]: what this machine fetches for others
//! * [`event`]: what a running job tells
//! * [`error`]: what went wrong and who is to blame
//! * [`python`]: a node whose driver only Python has
//! * [`registry`]: every driver and board linked into this binary
//! * [`tree`]: the devices of a bench by their names
//! * [`switch`]: a power driver out of a bare switch: calls in a row, off for long enough, and confirmed
//! * [`virtual_board`]: the power switch and serial line of a board that is a program
//! * [`wrapper`]: a device around another one, of which nothing is lost
//! * [`owner`]: who owns a board, across the processes of this machine
//! * [`safe`]: text of others on a terminal
//! * [`userinfo`]: passwords in URLs, kept out of messages
//! * [`clock`]: times as records show them
//! * [`state_folder`]: the folder for what is remembered between runs
//! * [`schema`]: JSON Schemas out of the types
//! * `mocks` (feature of the same name): mockall mocks of every trait
//! * `testing` (feature of the same name): what every driver promises, as suites to run against one

pub mod device;
pub mod driver;
pub mod dump;
pub mod error;
pub mod event;
pub mod fetch;
pub mod flash;
pub mod identify;
pub mod leftovers;
#[cfg(feature = "mocks")]
pub mod mocks;
pub mod owner;
pub mod python;
mod receipt;
pub mod registry;
pub mod schema;
pub mod source;
mod step;
pub mod switch;
#[cfg(feature = "testing")]
pub mod testing;
mod traffic;
pub mod tree;
pub mod userinfo;
pub mod virtual_board;
pub mod wrapper;

pub use device::{ChildSpec, Device, Kind, Wiring};
pub use driver::{
    BootConsole, ByteStream, Content, ContentServer, ControlLines, Driver, FileServer, Flasher,
    FlasherBundle, MuxPosition, OtherDriver, Port, PowerDriver, PowerMeter, Reading, SerialDriver, StopKeys,
    StorageMux, TransferLog, Upload, cycle,
};
pub use dump::{DumpJob, DumpSink};
pub use error::{Blame, Blamed, Class, Error, Result, RootCause};
pub use event::{Event, Progress, Quiet, Step, Timed, Transfer, TransferState};
pub use flash::{BootFile, Defaults, Description, Failure, FlashJob, Pinned, Plan, Receipt, Verdict};
pub use identify::IdentifyJob;
pub use registry::{BundleEntry, DriverEntry, DriverType};

// Plugin crates register through the macros; they need not list these crates themselves.
#[doc(hidden)]
pub use inventory as __inventory;
#[doc(hidden)]
pub use serde_json as __serde_json;

pub use async_trait::async_trait;
pub use flasher_base::{clock, safe, source_exchange, state_folder, suggest};
pub use tokio_util::sync::CancellationToken;
