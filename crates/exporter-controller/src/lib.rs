//! A Jumpstarter lab. An exporter under its controller dials out, registers, takes leases, runs hooks, and serves clients through a
//! router. A client leases an exporter and reaches it through the same router. There is no lease system of our own.
//!
//! In reading order:
//!
//! * `lease`, `machine`: what happens to a lease, and what an exporter does about it; pure
//! * `notice`: what the parts say to each other and to the operator
//! * `link`, `refusal`, `backoff`: calls to the controller, what their failures mean, and when to try again
//! * `router`: one connection through a router
//! * `reporter`, `watch`: the status that the controller sees, and the leases that it gives
//! * `listen`, `tunnel`: connections of clients, into our own server
//! * `hook`, `place`: the scripts of the lab around a lease
//! * [`run()`]: everything together
//! * `client`: the other side: a lease, as who asks for it has it

mod backoff;
mod client;
mod hook;
mod lease;
mod link;
mod listen;
mod machine;
mod notice;
mod place;
mod refusal;
mod reporter;
mod router;
mod run;
mod tunnel;
mod watch;

pub use client::{AskedLease, ClientLease, LeaseChoice, LeaseNotice};
pub use machine::{Leave, Stop};
pub use notice::{Notice, Notices, OpenBench};
pub use run::{LeaseBench, run};
