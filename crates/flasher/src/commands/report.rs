//! `flasher report`: what receipts say, for a person, for CI servers, and signed.

pub(crate) mod args;
mod read;

use std::io::{self, Write};
use std::path::Path;

use flasher_core::{Class, Error, Result};
use report::{ReportedJob, SigningKey};

use crate::failure::Failure;
use crate::render::units::{bytes, shown};
use crate::screen::Screen;
use crate::temporary;
use args::ReportArgs;

/// Largest key file that is read, bytes.
const LARGEST_KEY: u64 = 64 * 1024;

/// Writes the reports that were asked for, or prints the short one. Nothing is written unless all receipts can be read.
pub(super) async fn run(args: ReportArgs, screen: &Screen) -> Result<u8, Failure> {
    let jobs = read::jobs(&args).await?;
    let made = tokio::task::spawn_blocking(move || make(&args, &jobs));
    let made = made.await.map_err(|ended| {
        Error::new(Class::Internal, "a worker thread ended unexpectedly").because(ended)
    })??;
    match made {
        Made::Text(text) => screen.text(&text)?,
        Made::Files(files) => {
            files
                .iter()
                .for_each(|(file, length)| screen.aside(&format!("wrote {file} ({})\n", bytes(*length))));
        }
    }
    Ok(0)
}

/// What came of it.
enum Made {
    Text(String),
    /// Files, and their lengths in bytes.
    Files(Vec<(String, u64)>),
}

/// Makes everything first, then writes: an error leaves no half of what was asked for.
fn make(args: &ReportArgs, jobs: &[ReportedJob]) -> Result<Made> {
    let mut files: Vec<(&Path, String)> = Vec::new();
    if let Some(file) = &args.html {
        files.push((file, report::page(jobs)));
    }
    if let Some(file) = &args.junit {
        files.push((file, report::junit(jobs)?));
    }
    if let Some(file) = &args.kcidb {
        files.push((file, report::kcidb(jobs, &args.kcidb_origin)? + "\n"));
    }
    if let (Some(file), Some(key)) = (&args.attest, &args.key) {
        let key = self::key(key)?;
        let signed: Result<String> = jobs.iter().map(|job| Ok(report::attest(job, &key)? + "\n")).collect();
        files.push((file, signed?));
    }
    if files.is_empty() {
        return Ok(Made::Text(report::text(jobs)));
    }
    let written = files.into_iter().map(|(path, text)| {
        write(path, &text).map_err(|error| {
            Error::infrastructure(format!("cannot write the report `{}`", shown(path)))
                .help("name a file in a folder you may write, with room in it")
                .because(error)
        })?;
        Ok((shown(path), text.len() as u64))
    });
    Ok(Made::Files(written.collect::<Result<_>>()?))
}

/// Writes `text` and gives the file its name in one step; what is no regular file, such as a pipe, is written as it is.
fn write(path: &Path, text: &str) -> io::Result<()> {
    if std::fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
        return std::fs::write(path, text);
    }
    let (mut unfinished, _in_use) = temporary::beside(path, temporary::REPORT)?;
    unfinished.write_all(text.as_bytes())?;
    unfinished.as_file().sync_all()?;
    unfinished.persist(path).map_err(|error| error.error)?;
    Ok(())
}

fn key(path: &Path) -> Result<SigningKey> {
    let read = read::bounded(path, LARGEST_KEY)
        .map_err(|error| Error::config(format!("cannot read the key `{}`", shown(path))).because(error))?;
    let pem = read.and_then(|bytes| String::from_utf8(bytes).ok());
    let pem = pem.ok_or_else(|| {
        Error::config("this key cannot sign: it is no PEM").help("give the file of a private key in PEM")
    });
    pem.and_then(|pem| SigningKey::from_pem(&pem)).map_err(|error| error.with("file", shown(path)))
}
