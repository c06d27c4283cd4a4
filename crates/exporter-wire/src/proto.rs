//! The wire's messages and services, generated from `proto/`.
#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_errors_doc,
    clippy::enum_glob_use,
    reason = "generated"
)]

tonic::include_proto!("jumpstarter.v1");
