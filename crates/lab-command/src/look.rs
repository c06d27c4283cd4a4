//! Looks whether a command could be started, without starting it. Blocks on the disk.

use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

use rustix::fs::{Access, access};

use crate::environment::CommandEnvironment;
use crate::error::{CommandName, Error};

/// Most of a program that is read, bytes: the kernel looks at no more for the name of an interpreter.
const HEAD: u64 = 256;

/// Fails with what stands in the way of the command under `key`.
pub(crate) fn look(key: &'static str, argv: &[String], around: &CommandEnvironment) -> Result<(), Error> {
    let name = argv.first().map_or("", String::as_str);
    let folder = &around.folder;
    let device = around.device;
    let command = || CommandName { key, device, program: name.to_owned() };
    let start = |reason: String| Error::Start { command: command(), reason };
    match fs::metadata(folder) {
        Ok(about) if about.is_dir() => {}
        Ok(_) => {
            return Err(Error::Folder {
                device,
                folder: shown(folder),
                reason: "it is no folder".to_owned(),
            });
        }
        Err(error) => return Err(Error::Folder { device, folder: shown(folder), reason: error.to_string() }),
    }
    let program = find(name, around).ok_or_else(|| Error::Missing(command()))?;
    access(&program, Access::EXEC_OK).map_err(|error| start(error.to_string()))?;
    let mut head = Vec::new();
    // A program that may be run and not be read is a program all the same.
    let Ok(file) = File::open(&program) else { return Ok(()) };
    file.take(HEAD).read_to_end(&mut head).map_err(|error| start(error.to_string()))?;
    match interpreter(&head, around) {
        Interpreter::Needless => Ok(()),
        Interpreter::Missing(missing) => Err(Error::Interpreter {
            command: command(),
            interpreter: missing.escape_default().to_string(),
            has_cr: missing.ends_with('\r'),
        }),
        Interpreter::Unnamed => {
            Err(start("it is no program, and has no line such as `#!/bin/sh`".to_owned()))
        }
    }
}

/// The program as the system finds it: a path from the folder, a name in the PATH, which the config may set.
pub fn find(program: &str, around: &CommandEnvironment) -> Option<PathBuf> {
    if program.contains('/') {
        return Some(around.folder.join(program)).filter(|it| it.is_file());
    }
    let own = around.env.iter().find(|(name, _)| name == "PATH").map(|(_, value)| value.into());
    let path = own.or_else(|| std::env::var_os("PATH")).unwrap_or_default();
    let places: Vec<PathBuf> =
        std::env::split_paths(&path).map(|it| around.folder.join(it).join(program)).collect();
    let runs = places.iter().find(|it| it.is_file() && access(*it, Access::EXEC_OK).is_ok());
    runs.or_else(|| places.iter().find(|it| it.is_file())).cloned()
}

/// What a program needs besides itself.
enum Interpreter {
    /// Nothing that is not there.
    Needless,
    /// The one its first line names.
    Missing(String),
    /// It is a text that names none.
    Unnamed,
}

fn interpreter(head: &[u8], around: &CommandEnvironment) -> Interpreter {
    let Some(line) = head.strip_prefix(b"#!") else {
        let is_text = head.is_empty() || !head.contains(&0);
        return if is_text { Interpreter::Unnamed } else { Interpreter::Needless };
    };
    let line = line.split(|byte| *byte == b'\n').next().unwrap_or_default();
    let line = String::from_utf8_lossy(line).into_owned();
    let mut words = line.split([' ', '\t']).filter(|word| !word.is_empty());
    let Some(program) = words.next() else { return Interpreter::Unnamed };
    // `env` looks for the next word in the PATH.
    let named = words.find(|word| !word.starts_with('-') && !word.contains('='));
    let named = named.filter(|_| Path::new(program).file_name().is_some_and(|it| it == "env"));
    match [Some(program), named].into_iter().flatten().find(|it| !runs(it, around)) {
        Some(missing) => Interpreter::Missing(missing.to_owned()),
        None => Interpreter::Needless,
    }
}

fn runs(program: &str, around: &CommandEnvironment) -> bool {
    find(program, around).is_some_and(|it| access(&it, Access::EXEC_OK).is_ok())
}

fn shown(path: &Path) -> String {
    path.display().to_string()
}
