//! An order made of a job: what the job names on this machine is sent along.

use std::path::{Path, PathBuf};

use disk_image::{CompanionKinds, companion_files, signature_files};
use exporter_wire::order::{
    JobOrder, OrderedBlockMap, OrderedFile, OrderedPartition, OrderedSource, VERSION,
};
use flasher_core::flash::{FurtherImage, PartitionImage};
use flasher_core::source::{BlockMapChoice, SourceChoices};
use flasher_core::{Class, Error, FlashJob, Receipt, Result, Verdict};

#[cfg(test)]
mod tests;

/// An order, and the files of this machine that go along.
pub(super) struct OutgoingOrder {
    /// The order. The lengths of its files are filled in when they are opened.
    pub(super) order: JobOrder,
    /// Paths of [`JobOrder::files`].
    pub(super) paths: Vec<PathBuf>,
}

/// The files of an order that is being made.
#[derive(Default)]
struct SentFiles {
    files: Vec<OrderedFile>,
    paths: Vec<PathBuf>,
}

impl OutgoingOrder {
    /// The order for `job` with the device-tree `variant`. What is used because it is beside an image or a block map goes along.
    ///
    /// # Errors
    /// Class config for a source that is neither an http(s) URL nor a file of this machine.
    pub(super) async fn new(job: FlashJob, variant: Option<String>) -> Result<Self> {
        // An exporter keeps no decoded images of its clients.
        let SourceChoices { block_map, map_keyring, length, checksums, checksums_beside, cache: _ } =
            job.source;
        let kinds = CompanionKinds {
            block_map: block_map == BlockMapChoice::Beside,
            checksums: checksums_beside && checksums.is_none() && job.sha256.is_none(),
        };
        let mut files = SentFiles::default();
        let image = files.image(&job.image, kinds).await?;
        let order = JobOrder {
            version: VERSION,
            image,
            partition: job.partition,
            also: files.partitions(job.also, kinds).await?,
            target: job.target,
            variant,
            preflash: job.preflash,
            headers: job.headers,
            bearer: job.bearer,
            cacert: job.cacert.map(|file| files.add(&file, None)),
            insecure: job.insecure,
            sha256: job.sha256,
            length,
            checksums: checksums.map(|list| files.source(&list)).transpose()?,
            checksums_beside,
            block_map: files.block_map(block_map).await?,
            map_keyring: map_keyring.map(|file| files.add(&file, None)),
            format: job.format,
            wipe_old_table: job.wipe_old_table,
            keep: job.keep,
            retries: Some(job.retries),
            deadline: job.deadline.map(|limit| limit.as_secs_f64()),
            power_off: Some(job.power_off),
            expect_boot: job.expect_boot,
            verify: Some(job.verify),
            check_first: job.check_first,
            compare: job.compare,
            wire: job.wire,
            via: job.via,
            direct: job.direct,
            transcript: job.transcript.as_deref().map(name),
            files: files.files,
        };
        Ok(Self { order, paths: files.paths })
    }

    /// What says of a receipt whether it is of the images that were sent.
    pub(super) fn sent_images(&self) -> SentImages {
        SentImages(self.order.images().map(OrderedSource::file).collect())
    }
}

impl SentFiles {
    async fn image(&mut self, text: &str, kinds: CompanionKinds) -> Result<OrderedSource> {
        let source = self.source(text)?;
        if let Some(index) = source.file() {
            self.add_beside(index, companion_files(&self.paths[index], kinds).await);
        }
        Ok(source)
    }

    async fn partitions(
        &mut self,
        images: Vec<PartitionImage>,
        kinds: CompanionKinds,
    ) -> Result<Vec<OrderedPartition>> {
        let mut all = Vec::new();
        for PartitionImage { label, image } in images {
            all.push(OrderedPartition { label, image: self.image(&image, kinds).await? });
        }
        Ok(all)
    }

    /// A block map, with its signatures.
    async fn block_map(&mut self, choice: BlockMapChoice) -> Result<OrderedBlockMap> {
        let map = match choice {
            BlockMapChoice::Beside => return Ok(OrderedBlockMap::Beside),
            BlockMapChoice::Off => return Ok(OrderedBlockMap::Off),
            BlockMapChoice::At(map) => self.source(&map)?,
        };
        if let Some(index) = map.file() {
            self.add_beside(index, signature_files(&self.paths[index]).await);
        }
        Ok(OrderedBlockMap::At(map))
    }

    fn add_beside(&mut self, index: usize, companions: Vec<PathBuf>) {
        for companion in companions {
            self.add(&companion, Some(index));
        }
    }

    /// A URL that the exporter fetches, or a file of this machine.
    fn source(&mut self, text: &str) -> Result<OrderedSource> {
        if let Some(url) = OrderedSource::url(text) {
            return Ok(url);
        }
        let path = disk_image::local_path(text).ok_or_else(|| not_taken(text))?;
        Ok(OrderedSource::File(self.add(&path, None)))
    }

    /// Its index.
    fn add(&mut self, path: &Path, beside: Option<usize>) -> usize {
        self.files.push(OrderedFile { name: name(path), length: 0, beside });
        self.paths.push(path.to_owned());
        self.paths.len() - 1
    }
}

fn name(path: &Path) -> String {
    path.file_name().unwrap_or_default().to_string_lossy().into_owned()
}

fn not_taken(text: &str) -> Error {
    let what = match text.split_once("://") {
        Some((scheme, _)) => format!("nothing by `{scheme}://`"),
        None => "no standard input".to_owned(),
    };
    Error::config(format!("an exporter takes {what}: `{}`", disk_image::redact(text))).help(
        "give a file of this machine, or a URL with http:// or https://; or flash on the exporter's machine",
    )
}

/// Which of the sent files each image of an order is; nothing for one that the exporter fetches.
pub(super) struct SentImages(Vec<Option<usize>>);

impl SentImages {
    /// Whether what the exporter flashed is what was sent to it, by the `digests` of all that was: a receipt of anything else
    /// proves nothing here.
    ///
    /// # Errors
    /// Class source when it is not.
    pub(super) fn compare(&self, receipt: &Receipt, digests: &[String]) -> Result<()> {
        if receipt.verdict == Verdict::Failed {
            return Ok(());
        }
        let further = receipt.further.iter().map(|FurtherImage { image, .. }| image);
        let mut flashed = std::iter::once(&receipt.image).chain(further);
        for index in &self.0 {
            let read = flashed.next().and_then(|image| image.source_sha256.as_deref());
            let Some(index) = index else { continue };
            let sent = digests.get(*index).map(String::as_str);
            if read.is_none() || read != sent {
                return Err(other_image(read, sent));
            }
        }
        Ok(())
    }
}

fn other_image(read: Option<&str>, sent: Option<&str>) -> Error {
    let (read, sent) = (read.unwrap_or("unknown"), sent.unwrap_or("unknown"));
    let text =
        format!("the exporter flashed another image: its SHA-256 is {read}, that of what was sent {sent}");
    Error::new(Class::Source, text)
        .help("the board holds what the exporter had; flash again, and update the exporter")
}
