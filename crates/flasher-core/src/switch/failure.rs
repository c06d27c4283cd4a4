//! What the drivers of all switches share: their errors before a job, and files with a secret.

use std::path::Path;

use crate::error::{Blame, Blamed, Class, Error};

/// The failure of a switch, found out before anything is asked of it: a file that its config names and that is missing then is a
/// mistake in the config.
pub fn before_a_job(error: impl Blamed + Send + Sync + 'static) -> Error {
    let blame = error.blame();
    match blame.key {
        Some(_) => {
            let of_the_config = Blame { class: Class::Config, is_retryable: false, ..blame };
            Error::blamed(of_the_config, error.to_string()).because(error)
        }
        None => error.into(),
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
