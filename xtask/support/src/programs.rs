//! Running programs, and whether this machine has them.

use anyhow::{Context, Result, bail};
use std::io::{self, Write};
use std::path::Path;
use std::process::Command;

/// Shows the command, then runs it with this process's streams.
///
/// # Errors
///
/// When it does not start, or exits with another status than 0.
pub fn succeed(command: &mut Command) -> Result<()> {
    let shown = shown(command);
    println!("$ {shown}");
    io::stdout().flush()?;
    let status = command.status().with_context(|| format!("`{shown}` did not start"))?;
    if !status.success() {
        bail!("`{shown}`: {status}");
    }
    Ok(())
}

/// What a program printed; an error with its complaints unless it exits with 0.
///
/// # Errors
///
/// When it does not start, or exits with another status than 0.
pub fn output(command: &mut Command) -> Result<String> {
    let program = command.get_program().to_string_lossy().into_owned();
    let output = command.output().with_context(|| format!("`{program}` did not start"))?;
    if !output.status.success() {
        bail!("`{program}`: {}\n{}", output.status, String::from_utf8_lossy(&output.stderr).trim_end());
    }
    Ok(String::from_utf8_lossy(&output.stdout).into_owned())
}

/// A command as a person would type it.
pub fn shown(command: &Command) -> String {
    let program = Path::new(command.get_program()).file_name().unwrap_or(command.get_program());
    let words = std::iter::once(program).chain(command.get_args());
    words.map(|it| it.to_string_lossy()).collect::<Vec<_>>().join(" ")
}

/// Whether a program is found on the search path, or in the folders of system programs that it may leave out.
pub fn has_program(name: &str) -> bool {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let system = ["/usr/local/sbin", "/usr/sbin", "/sbin"].map(Into::into);
    std::env::split_paths(&path).chain(system).any(|it| it.join(name).is_file())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_fails_is_an_error_that_names_it() {
        let error = succeed(Command::new("/bin/sh").args(["-c", "exit 3"])).unwrap_err();
        assert_eq!(error.to_string(), "`sh -c exit 3`: exit status: 3");
        succeed(&mut Command::new("true")).unwrap();
    }

    #[test]
    fn what_a_program_prints_and_complains_of() {
        let shell = |script: &str| output(Command::new("sh").args(["-c", script]));
        assert_eq!(shell("echo out; echo err >&2").unwrap(), "out\n");
        assert_eq!(shell("echo err >&2; exit 3").unwrap_err().to_string(), "`sh`: exit status: 3\nerr");
    }

    #[test]
    fn programs_are_found_by_whole_name() {
        assert!(has_program("sh"));
        assert!(!has_program("no-such-program-here"));
    }
}
