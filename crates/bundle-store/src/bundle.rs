//! A bundle in a folder: a manifest and the files it names.

use std::{
    collections::BTreeMap,
    fmt, fs,
    io::{self, Read},
    path::{Path, PathBuf},
};

mod origin;

use crate::{
    Address, Digest, Error, MAX_MANIFEST_LENGTH, Manifest, Problem, Problems, Warning, confine,
    digest::{self, EntryDigest},
    inherit::{Base, Lookup},
    manifest::{self, Parsed},
    words::quoted,
};

/// A flash bundle in a folder. Its manifest is read; its files need not be there until they are asked for.
pub struct Bundle {
    dir: PathBuf,
    manifest_file: String,
    text: String,
    manifest: Manifest,
    warnings: Vec<Warning>,
    bases: Vec<Base>,
    expected: BTreeMap<String, Digest>,
}

/// The files one variant needs, checked, and how they boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Files {
    /// The kernel, or a FIT image that holds it.
    pub kernel: File,
    /// The initial RAM disk.
    pub initram: Option<File>,
    /// The device tree.
    pub dtb: Option<File>,
    /// The U-Boot command that boots them.
    pub bootcmd: String,
    /// The variant; `None` if the manifest has none.
    pub variant: Option<String>,
}

/// A file of a bundle that is loaded into the board's memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct File {
    /// Where it is: absolute, symbolic links resolved, inside the bundle.
    pub path: PathBuf,
    /// Base name of the file in the manifest, as a TFTP server offers it.
    pub name: String,
    /// Memory address where it is loaded.
    pub address: u64,
    /// Length in bytes.
    pub length: u64,
}

impl Bundle {
    /// Opens the bundle in `dir` whose manifest is `manifest_file` (a path inside `dir`).
    ///
    /// # Errors
    /// [`Error::Io`] if folder or manifest cannot be read, [`Error::Files`] if the manifest is missing, empty,
    /// not a regular file or outside `dir`, and those of [`Manifest::parse`].
    pub fn open(dir: &Path, manifest_file: &str) -> Result<Bundle, Error> {
        Bundle::open_with(dir, manifest_file, &|_| None)
    }

    /// As [`Bundle::open`], for a manifest that may inherit; `lookup` gives the text of a board's manifest.
    ///
    /// # Errors
    /// As [`Bundle::open`] and [`Manifest::parse_with`].
    pub fn open_with(
        dir: &Path,
        manifest_file: &str,
        lookup: &dyn Fn(&str) -> Option<String>,
    ) -> Result<Bundle, Error> {
        let root = dir.canonicalize().map_err(|source| Error::Io { path: dir.into(), source })?;
        let found = confine::find(&root, manifest_file).map_err(|reason| {
            let message = format!("{} {reason}", quoted(manifest_file));
            Error::Files {
                dir: dir.into(),
                problems: Problems(vec![Problem { place: None, path: "manifest".into(), message }]),
            }
        })?;
        let origin = dir.join(manifest_file).display().to_string();
        let text = read_text(&found.path, &origin)?;
        Bundle::assemble(root, manifest_file, text, &origin, lookup)
    }

    fn assemble(
        dir: PathBuf,
        manifest_file: &str,
        text: String,
        origin: &str,
        lookup: Lookup<'_>,
    ) -> Result<Bundle, Error> {
        let Parsed { manifest, warnings, bases } = manifest::parse_bases(&text, origin, lookup)?;
        Ok(Bundle {
            dir,
            manifest_file: manifest_file.into(),
            text,
            manifest,
            warnings,
            bases,
            expected: BTreeMap::new(),
        })
    }

    /// The manifest, with what it inherits.
    pub fn manifest(&self) -> &Manifest {
        &self.manifest
    }

    /// The manifest's own text, for clients that read it themselves. It can hold a password: not for logs.
    pub fn manifest_text(&self) -> &str {
        &self.text
    }

    /// What is likely a mistake in the manifest.
    pub fn warnings(&self) -> &[Warning] {
        &self.warnings
    }

    /// The folder: absolute, symbolic links resolved.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// The files of `variant` (or the default one), each present, regular, not empty and inside the bundle,
    /// and no two with the same base name, as one TFTP root holds them all.
    ///
    /// # Errors
    /// Those of [`Manifest::boot`]; [`Error::Files`] with every file that cannot be used.
    pub fn files(&self, variant: Option<&str>) -> Result<Files, Error> {
        let boot = self.manifest.boot(variant)?;
        let mut check = Check { root: &self.dir, problems: Vec::new() };
        let kernel = check.load("spec.kernel.file", &boot.kernel.file, boot.kernel.address);
        let initram = boot.initram.and_then(|load| check.load("spec.initram.file", &load.file, load.address));
        let dtb_key = format!("spec.dtb.variants.{}.file", boot.variant.unwrap_or_default());
        let dtb = boot.dtb.and_then(|(file, address)| check.load(&dtb_key, file, address));
        check.same_names([
            ("spec.kernel.file", kernel.as_ref()),
            ("spec.initram.file", initram.as_ref()),
            (&dtb_key, dtb.as_ref()),
        ]);
        match kernel {
            Some(kernel) if check.problems.is_empty() => Ok(Files {
                kernel,
                initram,
                dtb,
                bootcmd: boot.bootcmd.into(),
                variant: boot.variant.map(str::to_owned),
            }),
            _ => Err(self.unusable(check.problems)),
        }
    }

    /// SHA-256 over path, length and content digest of the manifest, of what it inherits and of every file
    /// it names (of all variants), sorted by path. Reads all of them.
    ///
    /// # Errors
    /// [`Error::Files`] with every file that cannot be used, [`Error::Io`] if one cannot be read to its end,
    /// [`Error::Changed`] for one that differs from what [`Bundle::expecting`] got.
    pub fn digest(&self) -> Result<Digest, Error> {
        let mut entries = BTreeMap::new();
        let mut problems = Vec::new();
        for (key, file) in self.named_files() {
            let found = confine::relative(file).and_then(|name| Ok((name, confine::find(&self.dir, file)?)));
            match found {
                Err(reason) => problems.push(problem(&key, file, &reason)),
                Ok((name, _)) if entries.contains_key(&name) => {}
                Ok((name, found)) => {
                    let content = EntryDigest::of_file(&found.path);
                    let content = content.map_err(|source| Error::Io { path: found.path, source })?;
                    self.refuse_changed(&name, &content)?;
                    entries.insert(name, content);
                }
            }
        }
        if !problems.is_empty() {
            return Err(self.unusable(problems));
        }
        let text = EntryDigest::of_text(&self.text);
        self.refuse_changed(&self.manifest_file, &text)?;
        // Keys that no relative path has, so that a file cannot stand in for a manifest.
        entries.insert(format!("/manifest/{}", self.manifest_file), text);
        for base in &self.bases {
            entries.insert(format!("/inherits/{}", base.name), EntryDigest::of_text(&base.text));
        }
        Ok(digest::over(entries.iter()))
    }

    /// Every file the manifest names, with its key.
    fn named_files(&self) -> Vec<(String, &str)> {
        let spec = &self.manifest.spec;
        let mut named = vec![("spec.kernel.file".to_owned(), spec.kernel.file.as_str())];
        named.extend(spec.initram.iter().map(|load| ("spec.initram.file".to_owned(), load.file.as_str())));
        for (name, variant) in spec.dtb.iter().flat_map(|dtb| &dtb.variants) {
            let file = variant.file.as_deref().map(str::trim).filter(|file| !file.is_empty());
            named.extend(file.map(|file| (format!("spec.dtb.variants.{name}.file"), file)));
        }
        named
    }

    fn unusable(&self, problems: Vec<Problem>) -> Error {
        Error::Files { dir: self.dir.clone(), problems: Problems(problems) }
    }
}

impl fmt::Debug for Bundle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut shown = f.debug_struct("Bundle"); // without the texts: they can hold a password
        shown.field("dir", &self.dir).field("manifest_file", &self.manifest_file);
        shown.field("manifest", &self.manifest).field("warnings", &self.warnings).finish_non_exhaustive()
    }
}

struct Check<'d> {
    root: &'d Path,
    problems: Vec<Problem>,
}

impl Check<'_> {
    fn load(&mut self, key: &str, file: &str, address: Address) -> Option<File> {
        let checked =
            confine::find(self.root, file).and_then(|found| Ok((found, confine::served_name(file)?)));
        match checked {
            Ok((found, name)) => {
                Some(File { path: found.path, name, address: address.0, length: found.length })
            }
            Err(reason) => {
                self.problems.push(problem(key, file, &reason));
                None
            }
        }
    }

    fn same_names(&mut self, files: [(&str, Option<&File>); 3]) {
        let files: Vec<_> = files.into_iter().filter_map(|(key, file)| Some((key, file?))).collect();
        for (index, (key, file)) in files.iter().enumerate() {
            let mut before = files.iter().take(index);
            let clash = before.find(|(_, other)| other.name == file.name && other.path != file.path);
            if let Some((other, _)) = clash {
                let reason = format!("has the same base name as another file, that of `{other}`; rename one");
                self.problems.push(problem(key, &file.name, &reason));
            }
        }
    }
}

fn problem(key: &str, file: &str, reason: &str) -> Problem {
    Problem { place: None, path: key.into(), message: format!("{} {reason}", quoted(file)) }
}

fn read_text(path: &Path, origin: &str) -> Result<String, Error> {
    let io_error = |source: io::Error| Error::Io { path: path.into(), source };
    let mut bytes = Vec::new();
    let most = MAX_MANIFEST_LENGTH as u64 + 1; // one more than is taken: enough to tell that it is too long
    fs::File::open(path).map_err(io_error)?.take(most).read_to_end(&mut bytes).map_err(io_error)?;
    if bytes.len() > MAX_MANIFEST_LENGTH {
        return Err(Error::TooLarge { origin: origin.into(), limit: MAX_MANIFEST_LENGTH });
    }
    let not_text = |offset| Error::NotText { origin: origin.into(), offset };
    String::from_utf8(bytes).map_err(|fault| not_text(fault.utf8_error().valid_up_to()))
}

#[cfg(test)]
mod tests;
