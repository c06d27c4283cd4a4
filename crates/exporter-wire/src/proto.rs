//! The wire's messages and services, generated from `proto/`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_errors_doc,
    clippy::enum_glob_use,
    reason = "generated"
)]

/// As the packages are called: generated code finds the other package from its own.
mod jumpstarter {
    pub mod v1 {
        tonic::include_proto!("jumpstarter.v1");
    }
    pub mod client {
        pub mod v1 {
            tonic::include_proto!("jumpstarter.client.v1");
        }
    }
}

pub use jumpstarter::client::v1 as client;
pub use jumpstarter::v1::*;
