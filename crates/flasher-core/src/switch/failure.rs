//! What the errors of all switches share: the way into core's error, and files with a secret.

use std::path::Path;

use crate::error::Error;

/// An error type of a switch. Core's [`Error`] is made from it: of class config with the key when the config is wrong,
/// otherwise of class infrastructure.
pub trait SwitchFailure: std::error::Error {
    /// The key of the config that is wrong, however often it is tried; none when the switch failed.
    fn key(&self) -> Option<&'static str>;

    /// What the user can do next.
    fn next_step(&self) -> String;

    /// Whether the same again may end otherwise: a switch restarts, a network recovers.
    fn may_pass(&self) -> bool;

    /// The key of the file that is missing or of no use; none for every other failure.
    fn file_key(&self) -> Option<&'static str> {
        None
    }

    /// The same, found out before anything is asked of the switch: a file that is missing then is a mistake in the config.
    fn before_a_job(self) -> Error
    where
        Self: Sized,
    {
        match self.file_key() {
            Some(key) => of_the_config(&self, key),
            None => self.into(),
        }
    }
}

impl<E: SwitchFailure> From<E> for Error {
    fn from(error: E) -> Self {
        match error.key() {
            Some(key) => of_the_config(&error, key),
            None => {
                Self::infrastructure(error.to_string()).help(error.next_step()).retryable(error.may_pass())
            }
        }
    }
}

/// The first line of a file with a secret, without its end.
///
/// # Errors
/// When the file cannot be read, or is no text.
pub async fn secret_line(file: &Path) -> std::io::Result<String> {
    let text = tokio::fs::read_to_string(file).await?;
    Ok(text.lines().next().unwrap_or_default().to_owned())
}

fn of_the_config(error: &impl SwitchFailure, key: &'static str) -> Error {
    Error::config(error.to_string()).with("key", key).help(error.next_step())
}
