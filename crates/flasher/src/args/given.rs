//! Which options of the command were given.

use std::ffi::OsString;

use clap::parser::ValueSource;
use clap::{ArgMatches, Command as Clap};
use flasher_core::{Error, Result};

/// An option that was given on the command line, and not by the environment or by default.
pub(crate) struct GivenOption {
    /// Its name in clap's definition.
    pub(super) id: String,
    /// As it is typed.
    pub(super) option: String,
}

/// What was given of the options of the command in `matches`; `clap` is what they were matched with.
pub(crate) fn given(clap: &Clap, matches: &ArgMatches) -> Vec<GivenOption> {
    let Some((name, matches)) = matches.subcommand() else { return Vec::new() };
    let Some(command) = clap.find_subcommand(name) else { return Vec::new() };
    let mut all = Vec::new();
    for arg in command.get_arguments().filter(|arg| !arg.is_global_set()) {
        let id = arg.get_id().as_str();
        let source = matches.try_contains_id(id).is_ok().then(|| matches.value_source(id)).flatten();
        if source == Some(ValueSource::CommandLine) {
            let option = arg.get_long().map_or(id.to_uppercase(), |long| format!("--{long}"));
            all.push(GivenOption { id: id.to_owned(), option });
        }
    }
    all
}

/// Options that may be given several times, before and after the command.
const REPEATED: [&str; 3] = ["exporter", "remote", "device"];

/// Refuses an option of several values that stands before the command as well as after it: only those after it would count.
///
/// # Errors
/// Class config; names the option.
pub(crate) fn refuse_split(words: impl Iterator<Item = OsString>, matches: &ArgMatches) -> Result<()> {
    let words: Vec<OsString> = words.take_while(|word| word != "--").collect();
    let mut last = matches;
    while let Some((_, below)) = last.subcommand() {
        last = below;
    }
    for id in REPEATED {
        let (long, joined) = (format!("--{id}"), format!("--{id}="));
        let is_it =
            |word: &&OsString| word.to_str().is_some_and(|word| word == long || word.starts_with(&joined));
        let typed = words.iter().filter(is_it).count();
        let is_typed =
            last.try_contains_id(id).is_ok() && last.value_source(id) == Some(ValueSource::CommandLine);
        let counted = if is_typed { last.get_raw(id).map_or(0, Iterator::count) } else { typed };
        if counted < typed {
            let text =
                format!("`{long}` stands before and after the command, and only those after it would count");
            return Err(Error::config(text).help("give all of them on one side of the command"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_option_is_not_split_by_the_command() {
        let check = |line: &str| {
            let words = || line.split(' ').map(OsString::from);
            let matches = crate::args::command().try_get_matches_from(words()).unwrap();
            refuse_split(words(), &matches).map_err(|error| error.to_string())
        };
        for line in [
            "flasher --exporter a --exporter=b flash i --device c --device d",
            "flasher flash i --exporter a --exporter b",
            "flasher --exporter a power --device x on",
            "flasher power on --device x --device y",
        ] {
            assert_eq!(check(line), Ok(()), "{line}");
        }
        for (line, option) in [
            ("flasher --exporter a flash --exporter b i", "--exporter"),
            ("flasher --remote=a:1 flash --remote b:1 i", "--remote"),
            ("flasher power --device x on --device y", "--device"),
        ] {
            let said = format!(
                "`{option}` stands before and after the command, and only those after it would count"
            );
            assert_eq!(check(line), Err(said), "{line}");
        }
    }
}
