//! Which client of a Jumpstarter lab this user is: the client file, found where `jmp` finds it.

use std::path::{Path, PathBuf};

use exporter_yaml::{ClientSettings, Document};
use flasher_core::{Error, Result};

use crate::failure::Failure;

/// What to do without a client file.
const NEXT: &str = "`jmp login` makes one, `jmp config client use NAME` chooses one; or give `--client FILE` with one of the lab's administrator";

/// The client of `--client`, else that of the environment, else that which `jmp` uses.
///
/// # Errors
/// When there is none, or its file has problems.
pub(super) fn settings(named: Option<&Path>) -> Result<ClientSettings, Failure> {
    let variable = |name: &str| std::env::var(name).ok().filter(|value| !value.is_empty());
    let is_in_environment = ["JMP_ENDPOINT", "JMP_TOKEN"].iter().all(|name| variable(name).is_some());
    let document = match named {
        None if is_in_environment => Document::parse("the environment", Path::new("."), "{}")?,
        None => read(&current(&variable)?)?,
        Some(named) => read(&place(named, &variable))?,
    };
    Ok(exporter_yaml::client(&document, variable)?)
}

/// The file that `--client` names: a file, or the name of a client of this user.
fn place(named: &Path, variable: &impl Fn(&str) -> Option<String>) -> PathBuf {
    let is_name = named.components().count() == 1 && named.extension().is_none() && !named.exists();
    match folder(variable).filter(|_| is_name) {
        Some(folder) => of(&folder, &named.to_string_lossy()),
        None => named.to_owned(),
    }
}

/// The file of the client that `jmp` uses.
fn current(variable: &impl Fn(&str) -> Option<String>) -> Result<PathBuf, Failure> {
    let none = || Error::config("no client of a lab is chosen").help(NEXT);
    let folder = folder(variable).ok_or_else(none)?;
    let config = folder.join("config.yaml");
    if !config.exists() {
        return Err(none().into());
    }
    let name = exporter_yaml::current_client(&Document::read(&config)?)?.ok_or_else(none)?;
    Ok(of(&folder, &name))
}

/// Where `jmp` keeps its files.
fn folder(variable: &impl Fn(&str) -> Option<String>) -> Option<PathBuf> {
    let own = variable("JMP_CLIENT_CONFIG_HOME").map(PathBuf::from);
    let xdg = || variable("XDG_CONFIG_HOME").map(|home| Path::new(&home).join("jumpstarter"));
    let home = || variable("HOME").map(|home| Path::new(&home).join(".config/jumpstarter"));
    own.or_else(xdg).or_else(home)
}

fn of(folder: &Path, name: &str) -> PathBuf {
    folder.join("clients").join(format!("{name}.yaml"))
}

fn read(file: &Path) -> Result<Document, Failure> {
    if !file.exists() {
        return Err(Error::config(format!("there is no client file `{}`", file.display())).help(NEXT).into());
    }
    Ok(Document::read(file)?)
}
