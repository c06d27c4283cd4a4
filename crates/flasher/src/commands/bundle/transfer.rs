//! `flasher bundle pull` and `flasher bundle push`.

use std::path::Path;

use bundle_store::{PublicKey, Severity, Wanted};
use flasher_core::{Class, Error, Result, safe};

use super::args::AccessArgs;
use super::check;
use super::store::{access, failed, reference, store};
use crate::failure::Failure;
use crate::render::message::Message;
use crate::render::units::shown;
use crate::screen::Screen;

/// Pulls into the cache, and copies into `dir` when it is given.
pub(super) async fn pull(
    name: &str,
    dir: Option<&Path>,
    key: Option<&Path>,
    args: &AccessArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    let reference = reference(name)?;
    let key = key.map(PublicKey::load).transpose().map_err(failed)?;
    let store = store(&args.cache, access(args));
    let wanted = Wanted { reference: &reference, locked: None, key: key.as_ref() };
    let cached = store.get(&wanted).await.map_err(failed)?;
    cached
        .warnings
        .iter()
        .for_each(|warning| screen.aside(&format!("warning: {}\n", safe::one_line(&warning.to_string()))));
    let place = dir.unwrap_or(&cached.dir).to_owned();
    let message = Message::Bundle {
        reference: reference.to_string(),
        digest: cached.digest.prefixed(),
        before: None,
        place: Some(shown(&place)),
        bytes: cached.downloaded,
    };
    if dir.is_some() {
        let to = place.clone();
        let copied = tokio::task::spawn_blocking(move || bundle_store::export(&cached, &to)).await;
        let ended = |fault| Error::new(Class::Internal, "the copy ended unexpectedly").because(fault);
        copied.map_err(ended)?.map_err(failed)?;
    }
    report(&message, &format!("{}\n", shown(&place)), screen)
}

/// Checks the bundle in `dir` and pushes it.
pub(super) async fn push(
    dir: &Path,
    name: &str,
    unchecked: bool,
    args: &AccessArgs,
    screen: &Screen,
) -> Result<u8, Failure> {
    let reference = reference(name)?;
    let findings =
        if unchecked { Vec::new() } else { check::findings(dir.into(), "manifest.yaml".into()).await? };
    findings.iter().for_each(|finding| {
        screen.aside(&format!("{}: {}\n", finding.severity, safe::one_line(&finding.to_string())))
    });
    if findings.iter().any(|finding| finding.severity == Severity::Error) {
        let error =
            Error::config(format!("`{}` would not work on a board, so it is not pushed", dir.display()));
        return Err(error.help("mend what is listed above, or push with `--unchecked`").into());
    }
    let pushed = bundle_store::push(dir, &reference, &access(args)).await.map_err(failed)?;
    let message = Message::Bundle {
        reference: reference.to_string(),
        digest: pushed.digest.prefixed(),
        before: None,
        place: None,
        bytes: pushed.sent,
    };
    let named = format!("{}/{}@{}\n", reference.registry(), reference.repository(), pushed.digest.prefixed());
    report(&message, &named, screen)
}

/// The result on standard output, how much went over the wire beside it.
fn report(message: &Message, text: &str, screen: &Screen) -> Result<u8, Failure> {
    screen.show(message, |_| text.to_owned())?;
    if let (Message::Bundle { digest, bytes, .. }, false) = (message, screen.is_json()) {
        screen.aside(&format!("{digest}, {bytes} bytes over the network\n"));
    }
    Ok(0)
}
