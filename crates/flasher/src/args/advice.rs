//! What messages and documents advise to type can be typed.

use std::path::{Path, PathBuf};

use clap::error::{ContextKind, ContextValue, ErrorKind};

use super::command;

/// Every source file of this repository that has words for users.
fn sources() -> Vec<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let mut found = ["README.md", "CONTRIBUTING.md", "ARCHITECTURE.md"].map(|it| root.join(it)).to_vec();
    let mut folders = vec![root.join("crates"), root.join("docs")];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().map(Result::unwrap) {
            let (path, name) = (entry.path(), entry.file_name().into_string().unwrap());
            match path.extension().and_then(|it| it.to_str()) {
                _ if path.is_dir() && !["tests", "target"].contains(&name.as_str()) => folders.push(path),
                Some("rs" | "md") if !name.starts_with("tests") => found.push(path),
                _ => {}
            }
        }
    }
    found
}

/// What stands in backticks on the lines of a text.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    let is_told = |line: &&str| !line.trim_start().starts_with("//!");
    text.lines().filter(is_told).flat_map(|line| line.split('`').skip(1).step_by(2))
}

/// Lines of a document that are shown as they are typed, without the words behind them; those that a shell takes apart are left out.
fn typed(text: &str) -> impl Iterator<Item = String> {
    let lines = text.lines().filter_map(|line| line.strip_prefix("    ")).filter(|line| is_command(line));
    let lines = lines.map(|line| line.split(" #").next().unwrap_or(line).trim_end());
    let plain = lines.filter(|line| !line.contains(['\'', '"', '$', '|', '>', '&']));
    plain.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" "))
}

/// Whether a line is one of ours whose command is written out, and not filled in.
fn is_command(line: &str) -> bool {
    line.strip_prefix("flasher ").is_some_and(|rest| !rest.starts_with('{') && line.len() < 200)
}

/// The words of a line with something in place of what the message fills in, and without what it leaves open.
fn words(line: &str) -> Vec<String> {
    let line = line.replace("\\\"", "\"");
    let known = line.split(' ').filter(|word| !matches!(*word, "…" | "..."));
    let filled = known.map(|word| match (word.find('{'), word.rfind('}')) {
        (Some(from), Some(to)) if from < to => format!("{}x{}", &word[..from], &word[to + 1..]),
        _ => word.trim_matches(['[', ']']).to_owned(),
    });
    filled.collect()
}

/// Whether an option was given without its value.
fn is_without_value(error: &clap::Error) -> bool {
    matches!(error.get(ContextKind::InvalidValue), Some(ContextValue::String(value)) if value.is_empty())
}

#[test]
fn every_command_that_a_message_advises_can_be_typed() {
    let (mut count, mut wrong) = (0, Vec::new());
    for path in sources() {
        let text = std::fs::read_to_string(&path).unwrap();
        let is_document = path.extension().is_some_and(|it| it == "md");
        let shown: Vec<String> = if is_document { typed(&text).collect() } else { Vec::new() };
        let lines = quoted(&text).filter(|line| is_command(line)).map(str::to_owned).chain(shown);
        for line in lines {
            count += 1;
            let Err(error) = command().try_get_matches_from(words(&line)) else { continue };
            // A command or an option may be named without what it needs; help and version are no mistakes.
            let is_short = match error.kind() {
                ErrorKind::MissingRequiredArgument
                | ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand
                | ErrorKind::DisplayHelp
                | ErrorKind::DisplayVersion
                | ErrorKind::MissingSubcommand => true,
                ErrorKind::InvalidValue => is_without_value(&error),
                _ => false,
            };
            if !is_short {
                wrong.push(format!("{}: `{line}`: {error}", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} were found");
}

#[test]
fn every_option_that_a_message_advises_exists() {
    let (mut known, mut commands) = (Vec::new(), vec![command()]);
    while let Some(command) = commands.pop() {
        known.extend(command.get_arguments().filter_map(|it| it.get_long()).map(str::to_owned));
        commands.extend(command.get_subcommands().cloned());
    }
    let (mut count, mut wrong) = (0, Vec::new());
    for path in sources().into_iter().filter(|path| path.extension().is_some_and(|it| it == "rs")) {
        let text = std::fs::read_to_string(&path).unwrap();
        for line in quoted(&text).filter(|line| line.len() < 100) {
            let Some(option) = line.strip_prefix("--") else { continue };
            let end = option.find(|letter: char| !letter.is_ascii_alphanumeric() && letter != '-');
            let name = &option[..end.unwrap_or(option.len())];
            count += 1;
            if name.starts_with(|letter: char| letter.is_ascii_alphabetic())
                && !known.iter().any(|it| it == name)
            {
                wrong.push(format!("{}: `{line}`: there is no option `--{name}`", path.display()));
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    assert!(count > 50, "only {count} were found");
}
