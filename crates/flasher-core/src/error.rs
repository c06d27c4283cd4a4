//! What went wrong, where, who is to blame, and what to do next.

use std::error::Error as StdError;
use std::fmt;

pub use flasher_base::blame::{Blame, Blamed, Class};
pub use flasher_base::root_cause::RootCause;

use crate::receipt::Diagnosis;
use crate::userinfo::hide_passwords;

/// A result whose error says who is to blame.
pub type Result<T, E = Error> = std::result::Result<T, E>;

/// A failure with its class, its context and the next thing to try.
///
/// Messages are lowercase, have no full stop, and put the user's words in backticks. Passwords in URLs are left out of all of
/// them ([`hide_passwords`]), also where a user mistyped the URL.
pub struct Error(Box<Inner>);

struct Inner {
    class: Class,
    message: String,
    context: Vec<(&'static str, String)>,
    help: Option<String>,
    console: Vec<String>,
    retryable: Option<bool>,
    root: Option<RootCause>,
    diagnosis: Option<Diagnosis>,
    source: Option<Box<dyn StdError + Send + Sync>>,
}

impl Error {
    /// A failure of `class` with a message that says what happened and what was expected.
    pub fn new(class: Class, message: impl Into<String>) -> Self {
        Self(Box::new(Inner {
            class,
            message: hide_passwords(&message.into()),
            context: Vec::new(),
            help: None,
            console: Vec::new(),
            retryable: None,
            root: None,
            diagnosis: None,
            source: None,
        }))
    }

    /// A failure with what its own error says of it: class, retry, key of the config (as context `key`) and next step.
    pub fn blamed(blame: Blame, message: impl Into<String>) -> Self {
        let mut error = Self::new(blame.class, message).retryable(blame.is_retryable);
        if let Some(key) = blame.key {
            error = error.with("key", key);
        }
        error.0.root = blame.root;
        match blame.next_step {
            Some(step) => error.help(step),
            None => error,
        }
    }

    /// Shorthand for [`Class::Config`].
    pub fn config(message: impl Into<String>) -> Self {
        Self::new(Class::Config, message)
    }

    /// Shorthand for [`Class::Infrastructure`].
    pub fn infrastructure(message: impl Into<String>) -> Self {
        Self::new(Class::Infrastructure, message)
    }

    /// Adds where it happened, for example `("port", "/dev/ttyUSB0")`.
    #[must_use]
    pub fn with(mut self, key: &'static str, value: impl Into<String>) -> Self {
        self.0.context.push((key, hide_passwords(&value.into())));
        self
    }

    /// Adds what the user can do next. A later call replaces an earlier one.
    #[must_use]
    pub fn help(mut self, help: impl Into<String>) -> Self {
        self.0.help = Some(hide_passwords(&help.into()));
        self
    }

    /// Adds the last console lines seen before the failure.
    #[must_use]
    pub fn console(mut self, lines: Vec<String>) -> Self {
        self.0.console = lines;
        self
    }

    /// Overrides what the class says about retries.
    #[must_use]
    pub fn retryable(mut self, retryable: bool) -> Self {
        self.0.retryable = Some(retryable);
        self
    }

    /// Says what made it fail, where the failure itself shows that. What was said before stays.
    #[must_use]
    pub fn caused_by(mut self, root: RootCause) -> Self {
        self.0.root.get_or_insert(root);
        self
    }

    /// Adds what everything that was seen says of it.
    #[must_use]
    pub fn diagnosed(mut self, diagnosis: Diagnosis) -> Self {
        self.0.diagnosis = Some(diagnosis);
        self
    }

    /// Adds the error underneath.
    #[must_use]
    pub fn because(mut self, source: impl Into<Box<dyn StdError + Send + Sync>>) -> Self {
        self.0.source = Some(source.into());
        self
    }

    /// Who is to blame.
    pub fn class(&self) -> Class {
        self.0.class
    }

    /// Whether doing the same again can help.
    pub fn is_retryable(&self) -> bool {
        self.0.retryable.unwrap_or(self.0.class.is_retryable())
    }

    /// The message with the messages of the errors underneath, joined by `: `. What was said already is not said again.
    pub fn cause(&self) -> String {
        let mut text = self.0.message.clone();
        let mut next = self.source();
        while let Some(error) = next {
            let message = hide_passwords(&error.to_string());
            // Some libraries say in a message what its source says once more.
            if !text.ends_with(&message) {
                text.push_str(": ");
                text.push_str(&message);
            }
            next = error.source();
        }
        text
    }

    /// Where it happened, in the order it was added.
    pub fn context(&self) -> &[(&'static str, String)] {
        &self.0.context
    }

    /// What the user can do next.
    pub fn next_step(&self) -> Option<&str> {
        self.0.help.as_deref()
    }

    /// What made it fail, where the failure itself shows that.
    pub fn root(&self) -> Option<RootCause> {
        self.0.root
    }

    /// What everything that was seen says of it; none before it was looked at.
    pub fn diagnosis(&self) -> Option<&Diagnosis> {
        self.0.diagnosis.as_ref()
    }

    /// The last console lines before the failure, oldest first.
    pub fn console_lines(&self) -> &[String] {
        &self.0.console
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0.message)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} error: {}", self.0.class, self.cause())?;
        self.0.context.iter().try_for_each(|(key, value)| write!(f, " [{key}: {value}]"))
    }
}

impl StdError for Error {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        self.0.source.as_deref().map(|source| source as &(dyn StdError + 'static))
    }
}

/// An error that says who is to blame becomes a failure by `?`, with the errors underneath.
impl<E: Blamed + Send + Sync + 'static> From<E> for Error {
    fn from(error: E) -> Self {
        Self::blamed(error.blame(), error.to_string()).because(error)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_cause_names_every_error_underneath() {
        let io = std::io::Error::new(std::io::ErrorKind::NotFound, "no such device");
        let error = Error::infrastructure("cannot open `/dev/ttyUSB0`").with("node", "serial").because(io);
        assert_eq!(error.cause(), "cannot open `/dev/ttyUSB0`: no such device");
        assert_eq!(
            format!("{error:?}"),
            "infrastructure error: cannot open `/dev/ttyUSB0`: no such device [node: serial]"
        );
    }

    /// A library's error: its message, and the error underneath.
    #[derive(Debug)]
    struct Layer(&'static str, Option<Box<Layer>>);

    impl fmt::Display for Layer {
        fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str(self.0)
        }
    }

    impl StdError for Layer {
        fn source(&self) -> Option<&(dyn StdError + 'static)> {
            self.1.as_deref().map(|inner| inner as _)
        }
    }

    #[test]
    fn what_was_said_is_not_said_again() {
        for (messages, cause) in [
            (
                &["tcp connect error", "tcp connect error", "refused"][..],
                "no answer: tcp connect error: refused",
            ),
            (&["it ended: refused", "refused"], "no answer: it ended: refused"),
            (&["transport error", ""], "no answer: transport error"),
            (&["refused", "refused twice"], "no answer: refused: refused twice"),
        ] {
            let layers =
                messages.iter().rev().fold(None, |inner, message| Some(Box::new(Layer(message, inner))));
            let error = Error::infrastructure("no answer").because(layers.unwrap());
            assert_eq!(error.cause(), cause);
        }
    }

    impl Blamed for Layer {
        fn blame(&self) -> Blame {
            Blame::LASTING.at("port").advise("choose another one")
        }
    }

    #[test]
    fn what_an_error_says_of_itself_is_kept() {
        let error = Error::from(Layer("cannot bind", Some(Box::new(Layer("refused", None)))));
        assert_eq!(
            format!("{error:?}; {:?}; {}", error.next_step(), error.is_retryable()),
            "infrastructure error: cannot bind: refused [key: port]; Some(\"choose another one\"); false"
        );
    }

    #[test]
    fn no_part_of_an_error_tells_the_password_of_a_url() {
        let url = "http:/lab:hunter2@host/x";
        let error = Error::config(format!("`{url}` is wrong")).with("url", url).help(url);
        let error = error.because(std::io::Error::other(url));
        let told = format!("{error} {error:?} {} {:?}", error.cause(), error.next_step());
        assert!(told.contains("http:/***@host/x") && !told.contains("hunter2"), "{told}");
    }

    #[test]
    fn a_step_may_know_better_than_its_class_whether_a_retry_helps() {
        assert!(!Error::infrastructure("port 69 needs a privilege").retryable(false).is_retryable());
        assert!(Error::new(Class::Source, "the transfer was cut").retryable(true).is_retryable());
    }
}
