//! What the emulation needs of this machine.

use std::env;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::os::unix::fs::{FileExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use tokio::process::Command;
use tokio::time::timeout;

use crate::config::{Config, Disk, ENVIRONMENT, Size};
use crate::error::QemuError;
use crate::model::BootLoaderPlace;

/// How long a tool of this machine may take.
const PATIENCE: Duration = Duration::from_secs(20);

/// Looks for everything the config needs. Makes nothing.
pub(crate) fn check(config: &Config) -> Result<(), QemuError> {
    if let Some(problem) = config.problem() {
        return Err(QemuError::Config(problem));
    }
    let missing = |what, name: &Path, package| QemuError::Missing { what, name: name.to_owned(), package };
    let profile = config.model.profile();
    let (emulator, boot_loader) = (config.emulator(), config.boot_loader());
    if find(&emulator).is_none() {
        return Err(missing("emulator", &emulator, profile.emulator.1));
    }
    if !boot_loader.is_file() {
        return Err(missing("boot loader", &boot_loader, profile.boot_loader.1));
    }
    if config.network.is_some() {
        let ip = Path::new("ip");
        find(ip).ok_or_else(|| missing("tool", ip, "iproute2"))?;
        OpenOptions::new().read(true).write(true).open("/dev/net/tun").map_err(QemuError::Tun)?;
    }
    Ok(())
}

/// Where the program is: itself when it is a path, otherwise where PATH and the folders of the administrator have it.
pub(crate) fn find(program: &Path) -> Option<PathBuf> {
    let runs = |path: &PathBuf| {
        fs::metadata(path).is_ok_and(|file| file.is_file() && file.permissions().mode() & 0o111 != 0)
    };
    if program.components().count() > 1 {
        return Some(program.to_owned()).filter(runs);
    }
    let path = env::var_os("PATH").unwrap_or_default();
    let folders = env::split_paths(&path).chain(["/usr/sbin".into(), "/sbin".into()]);
    folders.map(|folder| folder.join(program)).find(runs)
}

/// Makes the medium and the environment flash that are missing, and checks the size of what is there.
pub(crate) fn prepare(config: &Config) -> Result<(), QemuError> {
    if let Some(flash) = &config.environment {
        extend(flash, Some(ENVIRONMENT), ENVIRONMENT)?;
    }
    let Some(disk) = &config.disk else { return Ok(()) };
    let size = extend(&disk.file, disk.size, Disk::NEW)?;
    if let Some(problem) = disk.refuse(size, config.model) {
        return Err(QemuError::Config(problem));
    }
    match config.model.profile().place {
        BootLoaderPlace::Medium(offset) => put_boot_loader(&config.boot_loader(), &disk.file, offset),
        BootLoaderPlace::Bios | BootLoaderPlace::Kernel => Ok(()),
    }
}

/// Puts the boot loader onto a medium that is empty where it belongs: whatever else is there came from a flash.
fn put_boot_loader(boot_loader: &Path, medium: &Path, offset: u64) -> Result<(), QemuError> {
    let code = fs::read(boot_loader).map_err(QemuError::file("read", boot_loader))?;
    let work = || -> io::Result<()> {
        let file = OpenOptions::new().read(true).write(true).open(medium)?;
        let mut there = vec![0; code.len()];
        file.read_exact_at(&mut there, offset)?;
        if there.iter().all(|byte| *byte == 0) { file.write_all_at(&code, offset) } else { Ok(()) }
    };
    work().map_err(QemuError::file("put the boot loader onto", medium))
}

/// Makes `path` at least `wanted` long, sparse; one made anew without a wish gets `new`. Gives the length.
fn extend(path: &Path, wanted: Option<Size>, new: Size) -> Result<Size, QemuError> {
    let work = || -> io::Result<Size> {
        let file: File = OpenOptions::new().read(true).write(true).create(true).truncate(false).open(path)?;
        let length = Size(file.metadata()?.len());
        let wanted = wanted.unwrap_or(if length.0 == 0 { new } else { length });
        if length < wanted {
            file.set_len(wanted.0)?;
        }
        Ok(length.max(wanted))
    };
    work().map_err(QemuError::file("open or extend", path))
}

/// Runs `ip` with `arguments` and gives what it printed.
pub(crate) async fn ip(arguments: &[&str]) -> Result<Vec<u8>, QemuError> {
    let failed = |stderr: String| QemuError::Tool { command: format!("ip {}", arguments.join(" ")), stderr };
    let program = find(Path::new("ip")).ok_or_else(|| failed("not found".to_owned()))?;
    let mut command = Command::new(program);
    command.args(arguments).stdin(Stdio::null()).kill_on_drop(true);
    // ^C at a terminal reaches the whole process group, and is not meant for this.
    command.process_group(0);
    let output = match timeout(PATIENCE, command.output()).await {
        Ok(output) => output.map_err(|error| failed(error.to_string()))?,
        Err(_) => return Err(failed(format!("no end within {} s", PATIENCE.as_secs()))),
    };
    if !output.status.success() {
        return Err(failed(String::from_utf8_lossy(&output.stderr).trim().to_owned()));
    }
    Ok(output.stdout)
}

/// Runs what blocks on a thread of its own.
pub(crate) async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, QemuError> + Send + 'static,
) -> Result<T, QemuError> {
    tokio::task::spawn_blocking(work).await.map_err(|_| QemuError::Worker)?
}

#[cfg(test)]
mod tests;
