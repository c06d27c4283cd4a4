//! A job as it is reported: its receipt, what that comes to, and its console.

use flasher_core::flash::{ImageFacts, JobKind, MediumFacts};
use flasher_core::{Receipt, safe};

use crate::console::ConsoleText;
use crate::standing::Standing;

/// Longest name of a job in a heading, in characters.
const LONGEST_NAME: usize = 120;

/// A receipt, and what belongs to it.
#[derive(Debug)]
pub struct ReportedJob {
    /// What the receipt is called: its file, or its number in the ledger.
    pub name: String,
    /// The receipt.
    pub receipt: Receipt,
    /// What it comes to.
    pub standing: Standing,
    /// What the board printed.
    pub console: ConsoleOfJob,
}

/// The console of a job.
#[derive(Debug)]
pub enum ConsoleOfJob {
    /// None was recorded.
    None,
    /// It was recorded and is not at hand; why.
    Lost(String),
    /// Here it is.
    Here(ConsoleText),
}

impl ReportedJob {
    /// The job that `receipt` tells of.
    pub fn new(name: &str, receipt: Receipt, console: ConsoleOfJob) -> Self {
        let standing = Standing::of(&receipt);
        Self { name: safe::short(name, LONGEST_NAME), receipt, standing, console }
    }

    /// The board by the name that people know: bench and node, else the manifest's name.
    pub(crate) fn board(&self) -> String {
        let site = &self.receipt.site;
        let bench: Vec<&str> =
            [&site.exporter, &site.node].into_iter().flatten().map(String::as_str).collect();
        let name = match bench.is_empty() {
            true => self.receipt.board.name.clone().unwrap_or_else(|| "a board without a name".to_owned()),
            false => bench.join("/"),
        };
        safe::short(&name, LONGEST_NAME)
    }

    /// Where the image came from, or where a dump went.
    pub(crate) fn image(&self) -> String {
        let source = &self.receipt.image.source;
        let source = if source.is_empty() { "no image yet" } else { source };
        safe::short(source, LONGEST_NAME)
    }

    /// The last part of the image's place.
    pub(crate) fn image_name(&self) -> String {
        let image = self.image();
        let path = image.split(['?', '#']).next().unwrap_or(&image).trim_end_matches('/');
        path.rsplit('/').next().unwrap_or(path).to_owned()
    }

    /// Whether it is a dump.
    pub(crate) fn is_dump(&self) -> bool {
        self.receipt.job == JobKind::Dump
    }

    /// Its images and where they went; there is always one.
    pub(crate) fn images(&self) -> impl Iterator<Item = (&ImageFacts, Option<&MediumFacts>)> {
        let further = self.receipt.further.iter().map(|it| (&it.image, it.medium.as_ref()));
        std::iter::once((&self.receipt.image, self.receipt.medium.as_ref())).chain(further)
    }
}
