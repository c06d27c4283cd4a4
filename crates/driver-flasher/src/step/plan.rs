//! Step 3: what would go wrong for certain is refused before power is touched.

use std::time::Duration;

use board_console::Pattern;
use flasher_core::flash::{Compare, FormatChoice, PlannedImage, ViaUsed, Wire};
use flasher_core::{Class, Error, Plan, Result};

use super::resolve::{Boots, Resolved};
use crate::job::Session;
use crate::opened::OpenedImage;

pub(crate) fn run(session: Session<'_>, resolved: &Resolved) -> Result<()> {
    must_be_comparable(session)?;
    match resolved.via() {
        ViaUsed::Linux => resolved.boots.as_ref().map_or(Ok(()), must_not_overlap)?,
        ViaUsed::Host => must_suit_this_machine(session)?,
        ViaUsed::Uboot => must_suit_a_boot_loader(session)?,
    }
    let shares = session.flasher.config.host.ums.is_some();
    if resolved.via() != ViaUsed::Host || shares || session.job.expect_boot.is_some() {
        session.flasher.serial()?;
        session.flasher.power()?;
    }
    match (&session.job.expect_boot, resolved.expect_boot()) {
        (Some(pattern), _) => expectation("`--expect-boot`", pattern).map(drop),
        (None, Some(pattern)) => expectation("the manifest's `expect_boot`", pattern).map(drop),
        (None, None) => Ok(()),
    }
}

/// What the board fetches by itself is written whole.
fn must_be_comparable(session: Session<'_>) -> Result<()> {
    match (session.job.direct, session.job.compare) {
        (true, Some(Compare::Always)) => Err(Error::config(
            "`--direct` has the board write the whole image, and `--compare always` asks for what differs alone",
        )
        .help("leave one of the two options out")),
        _ => Ok(()),
    }
}

fn must_not_overlap(boots: &Boots) -> Result<()> {
    match bundle_store::overlaps(&boots.files).first() {
        None => Ok(()),
        Some(first) => Err(Error::config(first.to_string())
            .with("bundle", boots.bundle.dir().display().to_string())
            .help("move one of the load addresses in the manifest")),
    }
}

/// What needs a Linux is refused before the board is touched.
fn must_suit_a_boot_loader(session: Session<'_>) -> Result<()> {
    let packed = session.job.wire.filter(|wire| !matches!(wire, Wire::Auto | Wire::Identity));
    let refused = match (session.job.direct, packed) {
        (true, _) => "`--direct`",
        (false, Some(_)) => "a packed `--wire`",
        (false, None) => return Ok(()),
    };
    Err(Error::config(format!(
        "{refused} needs a small Linux on the board, and the boot loader is the way to the medium"
    ))
    .help("take `--via linux` with a bundle, or leave the option out"))
}

/// What needs a system on the board is refused before the board is touched.
fn must_suit_this_machine(session: Session<'_>) -> Result<()> {
    let packed = session.job.wire.filter(|wire| !matches!(wire, Wire::Auto | Wire::Identity));
    let refused = match (session.job.direct, packed, session.job.preflash.is_empty()) {
        (true, ..) => "`--direct`",
        (_, Some(_), _) => "a packed `--wire`",
        (.., false) => "`--preflash`",
        _ => return Ok(()),
    };
    Err(Error::config(format!(
        "{refused} needs a small Linux on the board, and the medium is a disk of this machine"
    ))
    .help("leave the option out, or take `--via linux` with a bundle"))
}

/// A manifest's `expect_boot`, when it has one, is a pattern that can be waited for.
///
/// # Errors
/// When it is none.
pub(crate) fn expected_by(manifest: &bundle_store::Manifest) -> Result<()> {
    let pattern = manifest.spec.expect_boot.as_deref();
    pattern.map_or(Ok(()), |pattern| expectation("the manifest's `expect_boot`", pattern).map(drop))
}

/// The pattern that `whose` names. One that does not parse must not be found out after the board was written, and one that
/// also matches no text at all would be seen whatever the board does.
///
/// # Errors
/// When it is no regular expression, or matches the empty text.
pub(crate) fn expectation(whose: &str, pattern: &str) -> Result<Pattern> {
    const HELP: &str = "it takes a regular expression, for example `login:`";
    let parsed =
        Pattern::regex(pattern).map_err(|error| Error::config(format!("{whose}: {error}")).help(HELP))?;
    match parsed.matches_nothing() {
        false => Ok(parsed),
        true => {
            Err(Error::config(format!("{whose} is `{pattern}`, which also matches when nothing is printed"))
                .help("name a text that only the new system prints, for example `login:`"))
        }
    }
}

/// What the job would do with its images.
///
/// # Errors
/// When it has none, which would be a bug.
pub(crate) fn describe(
    resolved: &Resolved,
    images: &[OpenedImage],
    bound: Option<Duration>,
    format_choice: FormatChoice,
    warnings: Vec<String>,
) -> Result<Plan> {
    let (OpenedImage { image, partition, platform, keep, .. }, also) =
        images.split_first().ok_or_else(|| Error::new(Class::Internal, "the job has no image"))?;
    Ok(Plan {
        image: image.label().to_owned(),
        platform: platform.clone(),
        format: image.format().to_string(),
        content: image.content().map(|content| content.to_string()),
        format_choice,
        source_length: image.source_length(),
        decoded_length: image.decoded_length(),
        block_map: image.block_map(),
        checksums: image.checksums(),
        cached: image.is_cached(),
        target: resolved.target.clone(),
        device: resolved.device.clone(),
        partition: partition.clone(),
        keep: keep.iter().filter_map(|part| part.label.clone()).collect(),
        also: also.iter().map(planned).collect(),
        via: resolved.via(),
        boots: resolved.description().cloned(),
        attempt_limit: bound.map(|bound| bound.as_secs_f64()),
        warnings,
    })
}

fn planned(opened: &OpenedImage) -> PlannedImage {
    PlannedImage {
        image: opened.image.label().to_owned(),
        platform: opened.platform.clone(),
        format: opened.image.format().to_string(),
        decoded_length: opened.image.decoded_length(),
        partition: opened.partition.clone().unwrap_or_default(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn expectations_that_always_hold() {
        for pattern in ["login:", "login: $", "^booted", "a+", r"\S", "(?s)a.*"] {
            expectation("`--expect-boot`", pattern).unwrap();
        }
        for pattern in ["", "()", ".*", "^", "$", r"\s*", "(login:)?", "login:|", r"\B", "(?m)^$", "a*b{0}"] {
            let error = expectation("the manifest's `expect_boot`", pattern).unwrap_err();
            let cause = format!(
                "the manifest's `expect_boot` is `{pattern}`, which also matches when nothing is printed"
            );
            assert_eq!((error.class(), error.cause()), (Class::Config, cause));
        }
        let error = expectation("`--expect-boot`", "(").unwrap_err();
        assert!(error.cause().starts_with("`--expect-boot`: "), "{error}");
    }
}
