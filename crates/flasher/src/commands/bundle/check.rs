//! `flasher bundle check`: what would go wrong with a bundle, found without a board.

use std::path::{Path, PathBuf};

use bundle_store::{Cached, Finding, Severity, Wanted};
use flasher_core::{Class, Error, Result, safe};

use super::args::AccessArgs;
use super::store::{access, failed, reference, store, text_of_board};
use crate::failure::Failure;
use crate::render::message::Message;
use crate::screen::Screen;

/// Prints the findings; gives 0, or 2 when there are errors (with `strict` also for warnings).
pub(super) async fn run(
    bundle: &str,
    manifest: &str,
    strict: bool,
    args: &AccessArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    let (dir, _held) = folder(bundle, args, screen).await?;
    let findings = findings(dir, manifest.to_owned()).await?;
    show(&findings, screen)?;
    let fails = |it: &Finding| strict || it.severity == Severity::Error;
    if findings.iter().any(fails) {
        return Ok(Class::Config.exit_code());
    }
    if !screen.is_json() {
        screen.text(&format!("{} is fine\n", safe::line(bundle)))?;
    }
    Ok(0)
}

/// The findings of a bundle in a folder.
pub(super) async fn findings(dir: PathBuf, manifest: String) -> Result<Vec<Finding>, Failure> {
    let work = move || bundle_store::check(&dir, &manifest, &text_of_board);
    let checked = tokio::task::spawn_blocking(work).await;
    let checked = checked
        .map_err(|fault| Error::new(Class::Internal, "the check ended unexpectedly").because(fault))?;
    Ok(checked.map_err(|error| Error::config(error.to_string()))?)
}

/// Prints each finding.
pub(super) fn show(findings: &[Finding], screen: &Screen) -> Result<(), Failure> {
    for finding in findings {
        let severity = finding.severity;
        let message = Message::BundleFinding {
            severity: severity.to_string(),
            place: finding.place.clone(),
            message: finding.message.clone(),
        };
        screen.show(&message, |_| format!("{severity}: {}\n", safe::one_line(&finding.to_string())))?;
    }
    Ok(())
}

async fn folder(
    bundle: &str,
    args: &AccessArgs,
    screen: &Screen,
) -> Result<(PathBuf, Option<Cached>), Failure> {
    if Path::new(bundle).is_dir() {
        return Ok((bundle.into(), None));
    }
    let reference = reference(bundle).map_err(|_| {
        Error::config(format!("`{bundle}` is neither a folder nor a reference"))
            .help("give the folder of a bundle, or `registry/repository:tag`")
    })?;
    let wanted = Wanted { reference: &reference, locked: None, key: None };
    let cached = store(&args.cache, access(args)).get(&wanted).await.map_err(failed)?;
    cached
        .warnings
        .iter()
        .for_each(|warning| screen.aside(&format!("warning: {}\n", safe::one_line(&warning.to_string()))));
    Ok((cached.dir.clone(), Some(cached)))
}
