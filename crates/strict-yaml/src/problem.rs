//! Something wrong at a path of a tree.

use flasher_base::suggest;

/// Something wrong at a path below the node that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Problem {
    /// Keys and indexes that lead there.
    pub path: Vec<String>,
    /// Whether it is the key that is wrong, or something below it that is missing; else it is the value.
    pub at_key: bool,
    /// What is wrong, and what was expected.
    pub message: String,
    /// What to do.
    pub help: Option<String>,
    /// The accepted key that an unknown one is probably meant to be.
    meant: Option<String>,
}

impl Problem {
    /// A problem with the value at `path`.
    pub fn value(path: &[String], message: impl Into<String>) -> Self {
        Self { path: path.to_vec(), at_key: false, message: message.into(), help: None, meant: None }
    }

    /// A problem with the key at `path`, or with something missing below it.
    pub fn key(path: &[String], message: impl Into<String>) -> Self {
        Self { at_key: true, ..Self::value(path, message) }
    }

    /// The same with advice.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }

    /// Whether this is a misspelt key of the mapping at `path` that is meant to be `name`: then `name` is not missing.
    pub fn means(&self, path: &[String], name: &str) -> bool {
        self.meant.as_deref() == Some(name)
            && self.path.split_last().is_some_and(|(_, parents)| parents == path)
    }

    /// The same problem seen from further up.
    #[must_use]
    pub fn below(mut self, prefix: &[String]) -> Self {
        self.path = prefix.iter().cloned().chain(self.path).collect();
        self
    }
}

/// The problem of an unknown key of the mapping at `path`, with the nearest accepted one.
pub fn unknown_key(path: &[String], key: &str, accepted: &[&str]) -> Problem {
    let path: Vec<String> = path.iter().cloned().chain([key.to_owned()]).collect();
    let problem = Problem::key(&path, format!("unknown key `{key}`"));
    let meant = suggest::nearest(key, accepted.iter().copied()).map(str::to_owned);
    Problem { help: Some(unknown_key_help(meant.as_deref(), accepted)), meant, ..problem }
}

/// What to do about an unknown key.
pub(crate) fn unknown_key_help(meant: Option<&str>, accepted: &[&str]) -> String {
    match meant {
        Some(meant) => format!("did you mean `{meant}`?"),
        None if accepted.is_empty() => "no keys are accepted here: remove it".to_owned(),
        None => format!("accepted here: {}", suggest::list(accepted.iter().copied())),
    }
}
