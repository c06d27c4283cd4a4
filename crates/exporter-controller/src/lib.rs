//! An exporter under the controller of a Jumpstarter lab: it dials out, registers, takes leases, runs hooks, and serves clients
//! through a router. It has no lease system of its own.
//!
//! In reading order:
//!
//! * `lease`, `machine`: what happens to a lease, and what an exporter does about it; pure
//! * `notice`: what the parts say to each other and to the operator
//! * `link`, `refusal`, `backoff`: calls to the controller, what their failures mean, and when to try again
//! * `reporter`, `watch`: the status that the controller sees, and the leases that it gives
//! * `listen`, `tunnel`: connections of clients, through a router
//! * `hook`, `place`: the scripts of the lab around a lease
//! * [`run()`]: everything together

mod backoff;
mod hook;
mod lease;
mod link;
mod listen;
mod machine;
mod notice;
mod place;
mod refusal;
mod reporter;
mod run;
mod tunnel;
mod watch;

pub use machine::{Leave, Stop};
pub use notice::{Notice, Notices, OpenBench};
pub use run::{LeaseBench, run};
