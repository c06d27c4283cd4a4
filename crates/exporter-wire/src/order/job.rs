//! The job that an order asks for, once its files are here.

use flasher_core::fetch::FetchRules;
use flasher_core::flash::{PartitionImage, Site};
use flasher_core::source::{BlockMapChoice, SourceChoices};
use flasher_core::{CancellationToken, FlashJob};

use super::parse::time_limit;
use super::{JobOrder, OrderedBlockMap, OrderedSource};

/// A file of an order that has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReceivedFile {
    /// Where it is.
    pub path: String,
    /// Its SHA-256, lower-case hex.
    pub sha256: String,
}

/// What the exporter adds to an order.
#[derive(Debug)]
pub struct Surroundings {
    /// Who runs it, and on which bench.
    pub site: Site,
    /// What may be fetched.
    pub fetch: FetchRules,
    /// Where the transcript is kept meanwhile, when the order wants one.
    pub transcript: Option<std::path::PathBuf>,
    /// Stops the job in good order.
    pub stop: CancellationToken,
}

impl JobOrder {
    /// The image as it is named to others on this machine, who may not know the secrets of its URL: the last part of its path.
    pub fn label(&self) -> String {
        let image = match &self.image {
            OrderedSource::Url(url) => url.as_str(),
            OrderedSource::File(index) => self.files.get(*index).map_or("", |file| file.name.as_str()),
        };
        let path = image.split(['?', '#']).next().unwrap_or_default();
        let last = path.rsplit('/').next().unwrap_or_default();
        // A URL without a path ends in its host, and a password may stand before that.
        format!("flash {}", last.rsplit('@').next().unwrap_or_default())
    }

    /// The job, with the files of the order at `files`. An order that was parsed names no other file.
    ///
    /// # Errors
    /// When the time limit of an order that was not parsed cannot be meant.
    pub fn job(self, files: &[ReceivedFile], here: Surroundings) -> Result<FlashJob, String> {
        let path = |index: usize| files.get(index).map(|file| file.path.clone()).unwrap_or_default();
        let place = |source: &OrderedSource| match source {
            OrderedSource::Url(url) => url.clone(),
            OrderedSource::File(index) => path(*index),
        };
        let sent = |source: &OrderedSource| Some(files.get(source.file()?)?.sha256.clone());
        let sent_sha256 = self.images().map(sent).collect();
        let source = SourceChoices {
            map_keyring: self.map_keyring.map(|index| path(index).into()),
            ..self.source_choices(&place)
        };
        let defaults = FlashJob::new(place(&self.image));
        let also = self.also.into_iter();
        let also = also.map(|it| PartitionImage { image: place(&it.image), label: it.label }).collect();
        Ok(FlashJob {
            image: defaults.image,
            partition: self.partition,
            also,
            target: self.target,
            preflash: self.preflash,
            headers: self.headers,
            bearer: self.bearer,
            cacert: self.cacert.map(|index| path(index).into()),
            insecure: self.insecure,
            fetch: Some(here.fetch),
            sha256: self.sha256.map(|text| text.to_lowercase()),
            sent_sha256,
            source,
            format: self.format,
            wipe_old_table: self.wipe_old_table,
            keep: self.keep,
            retries: self.retries.unwrap_or(defaults.retries),
            deadline: time_limit(self.deadline)?,
            power_off: self.power_off.unwrap_or(defaults.power_off),
            expect_boot: self.expect_boot,
            verify: self.verify.unwrap_or(defaults.verify),
            check_first: self.check_first,
            compare: self.compare,
            wire: self.wire,
            via: self.via,
            direct: self.direct,
            transcript: here.transcript,
            // The exporter keeps those of failures.
            recording: None,
            exchanges: None,
            site: here.site,
            stop: here.stop,
            hurry: defaults.hurry,
        })
    }

    /// How the image is read, but for the keyring; `place` gives the path or URL of a source.
    fn source_choices(&self, place: &impl Fn(&OrderedSource) -> String) -> SourceChoices {
        SourceChoices {
            block_map: match &self.block_map {
                OrderedBlockMap::Beside => BlockMapChoice::Beside,
                OrderedBlockMap::Off => BlockMapChoice::Off,
                OrderedBlockMap::At(map) => BlockMapChoice::At(place(map)),
            },
            map_keyring: None,
            length: self.length,
            checksums: self.checksums.as_ref().map(place),
            checksums_beside: self.checksums_beside,
            // What clients of an exporter flash is not kept for other clients.
            cache: None,
        }
    }
}
