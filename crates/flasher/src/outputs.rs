//! The files a job writes: each a regular file of its own, and none that the job or its bench reads.

use std::fs::{self, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use flasher_core::flash::PartitionImage;
use flasher_core::source::BlockMapChoice;
use flasher_core::{DumpJob, Error, FlashJob, IdentifyJob, Result};
use strict_yaml::{YamlNode, YamlValue};

use crate::render::units::shown;

/// Longest text of an exporter YAML that is taken for the name of a file, bytes (PATH_MAX).
const LONGEST_PATH: usize = 4096;
/// What belongs to an image and is looked for beside it.
const BESIDE: [&str; 4] = ["bmap", "sha256", "asc", "sig"];

/// A file that a job writes, under the option that names it.
type Output<'a> = (&'static str, &'a Path);

/// Something that is read, and what it is.
struct Input {
    path: PathBuf,
    what: String,
}

/// Refuses files that a flash would write over something it needs, before anything is touched.
///
/// # Errors
/// Class config; names both files.
pub(crate) fn check_flash(job: &FlashJob, receipt: Option<&Path>, exporter: Option<&Path>) -> Result<()> {
    let images = job.also.iter().map(|PartitionImage { image, .. }| image);
    let mut inputs: Vec<Input> =
        std::iter::once(&job.image).chain(images).filter_map(|place| image(place)).collect();
    if let BlockMapChoice::At(place) = &job.source.block_map {
        inputs.extend(local(place).map(|path| Input { path, what: "the block map".to_owned() }));
    }
    let named = [
        (job.cacert.clone(), "the CA certificate"),
        (job.source.map_keyring.clone(), "the key ring"),
        (job.source.checksums.as_deref().and_then(local), "the file of checksums"),
    ];
    inputs.extend(
        named.into_iter().filter_map(|(path, what)| Some(Input { path: path?, what: what.to_owned() })),
    );
    let outputs = [
        ("--receipt", receipt),
        ("--transcript", job.transcript.as_deref()),
        ("--record", job.recording.as_deref()),
    ];
    check(
        &outputs.into_iter().filter_map(|(option, path)| Some((option, path?))).collect::<Vec<_>>(),
        inputs,
        exporter,
    )
}

/// The same for a dump into the file `out`; none is standard output.
///
/// # Errors
/// As [`check_flash`].
pub(crate) fn check_dump(
    job: &DumpJob,
    out: Option<&Path>,
    receipt: Option<&Path>,
    exporter: Option<&Path>,
) -> Result<()> {
    let outputs = [("--receipt", receipt), ("--transcript", job.transcript.as_deref()), ("the dump", out)];
    check(
        &outputs.into_iter().filter_map(|(option, path)| Some((option, path?))).collect::<Vec<_>>(),
        Vec::new(),
        exporter,
    )
}

/// The same for a look at a medium.
///
/// # Errors
/// As [`check_flash`].
pub(crate) fn check_identify(
    job: &IdentifyJob,
    receipt: Option<&Path>,
    exporter: Option<&Path>,
) -> Result<()> {
    check_flash(&job.settings(), receipt, exporter)
}

fn check(outputs: &[Output<'_>], mut inputs: Vec<Input>, exporter: Option<&Path>) -> Result<()> {
    inputs.extend(exporter.into_iter().flat_map(bench));
    for (index, output) in outputs.iter().enumerate() {
        if let Some((option, _)) = outputs[..index].iter().find(|(_, path)| is_same(path, output.1)) {
            return Err(refused(*output, &format!("the file of {option} as well")));
        }
        if let Some(input) = inputs.iter().find(|input| is_over(output.1, input)) {
            return Err(refused(*output, &input.what));
        }
    }
    let written = outputs.iter().filter(|(option, _)| ["--transcript", "--record"].contains(option));
    written.copied().try_for_each(can_be_written)
}

fn refused((option, path): Output<'_>, what: &str) -> Error {
    Error::config(format!("{option} would write over `{}`, which is {what}", shown(path)))
        .help("name another file; nothing was touched")
}

/// What is kept of a console is a regular file that can be opened now: a job must not wait for the reader of a pipe later.
fn can_be_written((option, path): Output<'_>) -> Result<()> {
    let what = if option == "--record" { "recording" } else { "transcript" };
    let wrong = |error: io::Error| {
        Error::config(format!("no {what} can be kept as `{}`", shown(path)))
            .because(error)
            .help(format!("name a file in a folder you may write with `{option} FILE`"))
    };
    match fs::metadata(path) {
        Ok(about) if !about.is_file() => {
            return Err(Error::config(format!("`{}` exists and is no regular file", shown(path)))
                .help(format!("name another file with `{option} FILE`")));
        }
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(wrong(error)),
        Ok(_) => {}
        Err(_) => {
            // Made and removed again: a flash that is refused leaves no empty file.
            OpenOptions::new().write(true).create_new(true).open(path).map_err(wrong)?;
            return fs::remove_file(path).map_err(wrong);
        }
    }
    let nonblocking = i32::try_from(rustix::fs::OFlags::NONBLOCK.bits()).unwrap_or(0);
    OpenOptions::new().append(true).custom_flags(nonblocking).open(path).map(drop).map_err(wrong)
}

/// A local file out of what names an image, a map or a list.
fn local(place: &str) -> Option<PathBuf> {
    match place.split_once("://") {
        Some(("file", path)) => Some(PathBuf::from(path)),
        Some(_) => None,
        None => Some(PathBuf::from(place)).filter(|_| place != "-"),
    }
}

fn image(place: &str) -> Option<Input> {
    local(place).map(|path| Input { path, what: "the image".to_owned() })
}

/// Whether writing to `output` would change `input`, or what is looked for beside an image.
fn is_over(output: &Path, input: &Input) -> bool {
    if is_same(output, &input.path) {
        return true;
    }
    let is_inside = input.path.is_dir() && resolved(output).starts_with(resolved(&input.path));
    let names = |path: &Path| {
        let name = path.file_name().map(|name| name.to_string_lossy().into_owned()).unwrap_or_default();
        let stem = name.split('.').next().unwrap_or_default().to_owned();
        (resolved(path).parent().map(Path::to_path_buf), stem)
    };
    let belongs = output.extension().is_some_and(|ending| BESIDE.iter().any(|it| ending == *it));
    let is_beside =
        input.what == "the image" && belongs && output.exists() && names(output) == names(&input.path);
    is_inside || is_beside
}

/// Whether two names mean one file, also through links, and also when there is none yet.
fn is_same(one: &Path, other: &Path) -> bool {
    let number = |path: &Path| fs::metadata(path).map(|about| (about.dev(), about.ino())).ok();
    match (number(one), number(other)) {
        (Some(one), Some(other)) => one == other,
        _ => resolved(one) == resolved(other),
    }
}

/// The path without links, as far as it is there.
fn resolved(path: &Path) -> PathBuf {
    if let Ok(found) = path.canonicalize() {
        return found;
    }
    let folder = path.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let folder = folder.canonicalize().unwrap_or_else(|_| folder.to_path_buf());
    path.file_name().map_or_else(|| folder.clone(), |name| folder.join(name))
}

/// The exporter YAML, every file that it names, and the folder of a bundle. A file that does not parse is refused elsewhere: it
/// is read here as it is read there.
fn bench(exporter: &Path) -> Vec<Input> {
    let mut inputs = vec![Input { path: exporter.to_path_buf(), what: "the exporter YAML".to_owned() }];
    let text = fs::read_to_string(exporter).unwrap_or_default();
    let root = strict_yaml::parse(&text).unwrap_or_default();
    let folder = exporter.parent().unwrap_or(Path::new("."));
    named(&root, "", &mut |key, text| {
        let path = folder.join(text.strip_prefix("file://").unwrap_or(text));
        let is_bundle = key.contains("bundle");
        if text.len() <= LONGEST_PATH && !text.contains('\n') && (is_bundle || !path.is_dir()) {
            inputs.push(Input { path, what: format!("`{key}` of the exporter YAML") });
        }
    });
    inputs
}

/// Hands every text of a YAML value with its key to `take`.
fn named(node: &YamlNode, key: &str, take: &mut impl FnMut(&str, &str)) {
    match &node.value {
        YamlValue::Text(text) => take(key, text),
        YamlValue::List(items) => items.iter().for_each(|item| named(item, key, take)),
        YamlValue::Mapping(entries) => entries.iter().for_each(|(key, entry)| named(&entry.node, key, take)),
        _ => {}
    }
}

#[cfg(test)]
mod tests;
