//! Which options of the command were given.

use clap::parser::ValueSource;
use clap::{ArgMatches, Command as Clap};

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
