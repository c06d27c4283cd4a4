//! Lists of what this build has, and names that are not in them.

use flasher_core::{Error, safe, suggest};

/// A name and other names for the same thing.
pub(super) type Names = (&'static str, &'static [&'static str]);

/// The error for a `what` called `name` that this build has not; `known` are those it has.
pub(super) fn unknown(what: &str, name: &str, known: &[Names]) -> Error {
    let all = known.iter().flat_map(|(name, aliases)| std::iter::once(name).chain(*aliases).copied());
    let help = match suggest::nearest(name, all) {
        Some(nearest) => format!("did you mean `{nearest}`?"),
        None => format!("this build has: {}", suggest::list(known.iter().map(|(name, _)| *name))),
    };
    Error::config(format!("unknown {what} `{name}`")).help(help)
}

/// Two columns, the first as wide as its widest text.
pub(super) fn columns(rows: &[(String, String)]) -> String {
    let width = rows.iter().map(|(first, _)| first.chars().count()).max().unwrap_or(0);
    rows.iter()
        .map(|(first, second)| format!("{:width$}  {}\n", safe::line(first), safe::line(second)))
        .collect()
}
