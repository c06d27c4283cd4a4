//! An order off the wire: parsed, and checked as far as that is possible without its files.

use std::time::Duration;

use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::{JobOrder, LONGEST_COMPANION, MOST_FILES, OrderedBlockMap, OrderedFile, OrderedSource, VERSION};

/// Which order it is, for messages.
#[derive(Clone, Copy)]
pub(super) struct OrderKind {
    /// What is ordered.
    pub(super) what: &'static str,
    /// The version that is taken.
    pub(super) version: u32,
}

const FLASH: OrderKind = OrderKind { what: "flash", version: VERSION };

/// The part of an order that all versions share.
#[derive(Deserialize)]
struct Versioned {
    /// The first version had no such key.
    #[serde(default = "first_version")]
    version: u32,
}

fn first_version() -> u32 {
    1
}

impl JobOrder {
    /// Reads an order.
    ///
    /// # Errors
    /// When it is of another version, has an unknown key, or cannot be meant.
    pub fn parse(text: &str) -> Result<Self, String> {
        let order: Self = read_version(text, FLASH)?;
        order.check().map(|()| order)
    }

    /// Whether an exporter could take it, as far as that is seen without its files.
    ///
    /// # Errors
    /// What cannot be meant, for people.
    pub fn check(&self) -> Result<(), String> {
        check_folders(&self.files)?;
        self.check_lengths()?;
        self.images().chain(&self.checksums).chain(self.named_map()).try_for_each(check_url)?;
        if self.indices().any(|index| index >= self.files.len()) {
            return Err("the order names a file that is not sent with it".to_owned());
        }
        time_limit(self.deadline)?;
        let is_digest = |text: &String| text.len() == 64 && text.bytes().all(|byte| byte.is_ascii_hexdigit());
        match self.sha256.as_ref().is_none_or(is_digest) {
            true => Ok(()),
            false => Err("`sha256` has 64 hex digits".to_owned()),
        }
    }

    fn named_map(&self) -> Option<&OrderedSource> {
        match &self.block_map {
            OrderedBlockMap::At(map) => Some(map),
            OrderedBlockMap::Beside | OrderedBlockMap::Off => None,
        }
    }

    /// Of every file that the order names.
    fn indices(&self) -> impl Iterator<Item = usize> {
        let sources = self.images().chain(&self.checksums).chain(self.named_map());
        sources.filter_map(OrderedSource::file).chain(self.cacert).chain(self.map_keyring)
    }

    fn check_lengths(&self) -> Result<(), String> {
        let is_image = |index| self.images().any(|image| image.file() == Some(index));
        for (index, file) in self.files.iter().enumerate() {
            if file.length > LONGEST_COMPANION && !is_image(index) {
                let (name, length) = (short(&file.name), file.length);
                return Err(format!(
                    "`{name}` is no image and has {length} bytes, at most {LONGEST_COMPANION} are taken"
                ));
            }
        }
        let sum = self.files.iter().try_fold(0_u64, |sum, file| sum.checked_add(file.length));
        sum.map(|_| ()).ok_or_else(|| "the files of the order are longer than can be".to_owned())
    }
}

/// The beginning of a client's text, for messages.
fn short(text: &str) -> String {
    let mut short: String = text.chars().take(80).collect();
    if short.len() < text.len() {
        short.push('…');
    }
    short
}

/// Reads an order, whose version must be the one that is taken.
///
/// # Errors
/// When it is of another version, is no JSON, or has an unknown key.
pub(super) fn read_version<T: DeserializeOwned>(text: &str, kind: OrderKind) -> Result<T, String> {
    let Versioned { version } = read(text, kind)?;
    match version == kind.version {
        true => read(text, kind),
        false => Err(format!(
            "the order of the {} is of version {version}, and this exporter takes version {}",
            kind.what, kind.version
        )),
    }
}

/// Reads JSON. Values of it may be secrets, and so may the parser's message: only where it stopped is reported.
fn read<T: DeserializeOwned>(text: &str, kind: OrderKind) -> Result<T, String> {
    let malformed = |column: usize| format!("the order of the {} is malformed at column {column}", kind.what);
    let mut json = serde_json::Deserializer::from_str(text);
    let read = serde_path_to_error::deserialize(&mut json).map_err(|error| {
        let key = error.path().to_string();
        match error.inner().is_data() && key != "." {
            true => format!(
                "this exporter takes orders of version {} and does not understand `{}` of this one",
                kind.version,
                short(&key)
            ),
            false => malformed(error.inner().column()),
        }
    })?;
    json.end().map_err(|error| malformed(error.column()))?;
    Ok(read)
}

/// Every file has a folder of its own, or is in that of an earlier one.
fn check_folders(files: &[OrderedFile]) -> Result<(), String> {
    if files.len() > MOST_FILES {
        return Err(format!("an order has at most {MOST_FILES} files"));
    }
    let has_folder = |index: usize| files[index].beside.is_none();
    for (index, file) in files.iter().enumerate() {
        if file.beside.is_some_and(|other| other >= index || !has_folder(other)) {
            return Err(format!("file {index} of the order is beside none that has a folder"));
        }
    }
    Ok(())
}

fn check_url(source: &OrderedSource) -> Result<(), String> {
    match source {
        OrderedSource::Url(url) if OrderedSource::url(url).is_none() => {
            Err("a URL of an order begins with http:// or https://".to_owned())
        }
        OrderedSource::Url(_) | OrderedSource::File(_) => Ok(()),
    }
}

/// The time limit of an order.
pub(super) fn time_limit(seconds: Option<f64>) -> Result<Option<Duration>, String> {
    let limit = seconds.map(Duration::try_from_secs_f64).transpose();
    limit.map_err(|_| "`deadline` is a positive number of seconds".to_owned())
}
