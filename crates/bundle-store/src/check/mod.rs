//! `bundle check`: what would go wrong with a bundle on a board, found without one.

mod bootcmd;
mod format;

use std::{collections::BTreeSet, fmt, path::Path};

use crate::{
    Bundle, Error, Files, Manifest, overlaps,
    words::{printable, quoted},
};

/// How bad a finding is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Severity {
    /// A flash with this bundle fails.
    Error,
    /// Likely a mistake.
    Warning,
}

impl fmt::Display for Severity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Severity::Error => "error",
            Severity::Warning => "warning",
        })
    }
}

/// Something that is wrong with a bundle.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct Finding {
    /// How bad it is.
    pub severity: Severity,
    /// The key of the manifest it is about.
    pub place: String,
    /// What is wrong, and what was expected.
    pub message: String,
}

impl fmt::Display for Finding {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.place.is_empty() {
            true => f.write_str(&self.message),
            false => write!(f, "{}: {}", quoted(&self.place), self.message),
        }
    }
}

/// Checks the bundle in `dir` for every variant: its files, where they are loaded, and whether the boot command boots
/// what is loaded. `lookup` gives the text of a board's manifest. Errors come first.
///
/// # Errors
/// When the manifest cannot be read at all: see [`Bundle::open`].
pub fn check(
    dir: &Path,
    manifest_file: &str,
    lookup: &dyn Fn(&str) -> Option<String>,
) -> Result<Vec<Finding>, Error> {
    let bundle = Bundle::open_with(dir, manifest_file, lookup)?;
    let mut found = FoundProblems::default();
    for warning in bundle.warnings() {
        found.warn(warning.path(), warning.to_string());
    }
    let manifest = bundle.manifest();
    targets(manifest, &mut found);
    login(manifest, &mut found);
    if let Some(base) = &manifest.spec.inherits {
        let only = format!(
            "inherits from {}: only this project's tools read that, others need a full manifest",
            quoted(base)
        );
        found.warn("spec.inherits", only);
    }
    let variants = manifest.variants().into_iter().map(Some).collect::<Vec<_>>();
    let variants = if variants.is_empty() { vec![None] } else { variants };
    for variant in variants {
        match bundle.files(variant) {
            Ok(files) => loaded(manifest, &files, &mut found),
            Err(Error::Files { problems, .. }) => {
                problems.0.into_iter().for_each(|problem| found.fail(&problem.path, problem.message));
            }
            Err(error) => found.fail("spec.bootcmd", error.to_string()),
        }
    }
    Ok(found.0.into_iter().collect())
}

/// Findings, each once, errors first.
#[derive(Debug, Default)]
struct FoundProblems(BTreeSet<Finding>);

impl FoundProblems {
    fn fail(&mut self, place: &str, message: String) {
        self.0.insert(Finding { severity: Severity::Error, place: place.into(), message });
    }

    fn warn(&mut self, place: &str, message: String) {
        self.0.insert(Finding { severity: Severity::Warning, place: place.into(), message });
    }
}

fn targets(manifest: &Manifest, found: &mut FoundProblems) {
    for (name, device) in &manifest.spec.targets {
        let place = format!("spec.targets.{name}");
        let by_address = device.strip_prefix("/sys/class/block#").is_some_and(|text| !text.trim().is_empty());
        let by_path = device.strip_prefix("/dev/").is_some_and(|name| !name.trim().is_empty());
        if !by_path && !by_address {
            let expected = "expected a device such as `/dev/mmcblk0`, or `/sys/class/block#4fb0000`";
            found.fail(&place, format!("{} is no device; {expected}", quoted(device)));
        }
    }
}

fn login(manifest: &Manifest, found: &mut FoundProblems) {
    let login = &manifest.spec.login;
    for (key, prompt) in [("login_prompt", &login.login_prompt), ("prompt", &login.prompt)] {
        if prompt.trim().is_empty() {
            let message = "is empty, so anything the board prints would be taken for it".to_owned();
            found.fail(&format!("spec.login.{key}"), message);
        }
    }
    if login.password.is_some() && login.username.is_none() {
        found.warn("spec.login.password", "is never typed, as there is no `username`".into());
    }
}

/// What is loaded for one variant, and how it boots.
fn loaded(manifest: &Manifest, files: &Files, found: &mut FoundProblems) {
    let variant = files.variant.as_deref();
    for overlap in overlaps(files) {
        found.fail("spec", overlap.to_string());
    }
    let dtb = variant.map(|name| format!("spec.dtb.variants.{name}.file")).unwrap_or_default();
    for (place, file, kind) in [
        ("spec.kernel.file", Some(&files.kernel), format::Role::Kernel),
        ("spec.initram.file", files.initram.as_ref(), format::Role::Initram),
        (&dtb, files.dtb.as_ref(), format::Role::DriverTree),
    ] {
        let Some(file) = file else { continue };
        match format::fault(&file.path, kind) {
            Ok(None) => {}
            Ok(Some(fault)) => found.fail(place, format!("{} {fault}", quoted(&file.name))),
            Err(fault) => found.fail(
                place,
                format!("{} cannot be read: {}", quoted(&file.name), printable(&fault.to_string())),
            ),
        }
    }
    let place = match variant {
        Some(name) if manifest.spec.bootcmd.trim() != files.bootcmd => {
            format!("spec.dtb.variants.{name}.bootcmd")
        }
        _ => "spec.bootcmd".to_owned(),
    };
    for doubt in bootcmd::doubts(manifest, files) {
        found.warn(&place, doubt);
    }
}

#[cfg(test)]
mod tests;
