//! A running job: what every step may look at, and what is recorded of it up to the receipt.

mod console;
mod count;
mod decoded;
mod diagnosed;
mod events;
mod receipt;
mod record;
mod run;
mod seen;
mod views;
mod waiting;
mod writes;

use std::sync::Arc;

use flasher_core::{ContentServer, DumpJob, FileServer, FlashJob, IdentifyJob};

pub(crate) use console::Listening;
pub(crate) use count::Count;
pub(crate) use decoded::must_be_same_image;
pub(crate) use receipt::Proof;
pub(crate) use run::Run;
pub(crate) use seen::SeenMedium;
pub(crate) use views::Views;
pub(crate) use waiting::waiting;
pub(crate) use writes::{OnMedium, WritePermit};

use crate::flasher::BaseFlasher;

/// What every step may look at.
#[derive(Clone, Copy)]
pub(crate) struct Session<'a> {
    pub(crate) flasher: &'a BaseFlasher,
    pub(crate) job: &'a FlashJob,
    pub(crate) run: &'a Run,
    /// What kind of job this is, and its order.
    pub(crate) purpose: Purpose<'a>,
}

impl Session<'_> {
    /// The TFTP server that runs for the job, else that of its flasher.
    pub(crate) fn tftp(&self) -> Arc<dyn FileServer> {
        self.run.servers.tftp.running().unwrap_or_else(|| Arc::clone(&self.flasher.tftp))
    }

    /// The HTTP server that runs for the job, else that of its flasher.
    pub(crate) fn http(&self) -> Arc<dyn ContentServer> {
        self.run.servers.http.running().unwrap_or_else(|| Arc::clone(&self.flasher.http))
    }
}

/// What a job does.
#[derive(Clone, Copy)]
pub(crate) enum Purpose<'a> {
    /// It writes the images of the job.
    Flash,
    /// It reads the medium into a file.
    Dump(&'a DumpJob),
    /// It says what the medium holds.
    Identify(&'a IdentifyJob),
}
