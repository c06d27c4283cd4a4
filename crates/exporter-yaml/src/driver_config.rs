//! `config:` of a node, read into the type that its driver has for it.

use flasher_core::Error;
use flasher_core::registry::{DriverEntry, Ready};
use strict_yaml::{Problem, YamlNode, read_with};

/// The driver with its config.
///
/// # Errors
/// Every problem of the config; paths begin at it.
pub(crate) fn prepare(entry: &DriverEntry, config: &YamlNode) -> Result<Box<dyn Ready>, Vec<Problem>> {
    read_with(config, &entry.schema(), |reader| {
        entry.prepare(&mut <dyn erased_serde::Deserializer<'_>>::erase(reader))
    })
}

/// An error of a driver about the config at `path`; its context `key` says which key of it.
pub(crate) fn problem_of(path: &[String], error: &Error) -> Problem {
    let key = error.context().iter().find(|(name, _)| *name == "key");
    let problem = match key {
        Some((_, key)) => {
            let path: Vec<String> = path.iter().cloned().chain(key.split('.').map(str::to_owned)).collect();
            Problem::value(&path, error.cause())
        }
        None => Problem::key(path, error.cause()),
    };
    match error.next_step() {
        Some(help) => problem.help(help),
        None => problem,
    }
}
