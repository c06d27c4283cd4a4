//! What `cargo metadata --no-deps` says about the workspace, and the Rust files below it.

use anyhow::{Context, Result, bail};
use serde_json::Value;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// The workspace the current directory belongs to.
#[derive(Debug)]
pub struct Workspace {
    /// Its folder.
    pub root: PathBuf,
    /// Its members.
    pub packages: Vec<Package>,
}

/// One member of the workspace.
#[derive(Debug)]
pub struct Package {
    /// As the manifest says it.
    pub name: String,
    /// Folder relative to the root, with `/` between its parts.
    pub folder: String,
    /// Of all its tables.
    pub dependencies: Vec<Dependency>,
}

/// One line of a `[dependencies]`, `[dev-dependencies]` or `[build-dependencies]` table.
#[derive(Debug)]
pub struct Dependency {
    /// Of the package that is depended on.
    pub name: String,
    /// Whether it is in `[dev-dependencies]`.
    pub for_tests_only: bool,
}

impl Workspace {
    /// Asks cargo about the workspace around the current directory; needs no network.
    ///
    /// # Errors
    ///
    /// When cargo does not run, or there is no workspace.
    pub fn load() -> Result<Self> {
        Self::load_from(Path::new("."))
    }

    /// Asks cargo about the workspace around `folder`; needs no network.
    ///
    /// # Errors
    ///
    /// Those of [`Self::load`].
    pub fn load_from(folder: &Path) -> Result<Self> {
        let output = cargo()
            .args(["metadata", "--no-deps", "--format-version=1"])
            .current_dir(folder)
            .output()
            .context("`cargo metadata` did not start")?;
        if !output.status.success() {
            bail!("`cargo metadata` failed:\n{}", String::from_utf8_lossy(&output.stderr));
        }
        Self::parse(&output.stdout)
    }

    fn parse(metadata: &[u8]) -> Result<Self> {
        let metadata: Value = serde_json::from_slice(metadata).context("`cargo metadata` printed no JSON")?;
        let root = PathBuf::from(text(&metadata, "workspace_root")?);
        let packages = list(&metadata, "packages")?
            .iter()
            .map(|it| Package::parse(it, &root))
            .collect::<Result<Vec<_>>>()?;
        Ok(Self { root, packages })
    }

    /// Reads a file below the root; `None` when it does not exist.
    ///
    /// # Errors
    ///
    /// When it cannot be read.
    pub fn read(&self, path: &str) -> Result<Option<String>> {
        let path = self.root.join(path);
        match fs::read_to_string(&path) {
            Ok(text) => Ok(Some(text)),
            Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(e).with_context(|| format!("cannot read {}", path.display())),
        }
    }

    /// Paths, relative to the root, of all Rust files of the members, sorted.
    ///
    /// # Errors
    ///
    /// When a folder cannot be listed.
    pub fn rust_files(&self) -> Result<Vec<String>> {
        let mut found = Vec::new();
        for package in &self.packages {
            collect(&self.root.join(&package.folder), &mut found)?;
        }
        let mut relative = found.iter().map(|it| below(it, &self.root)).collect::<Result<Vec<_>>>()?;
        relative.sort();
        relative.dedup();
        Ok(relative)
    }
}

impl Package {
    fn parse(value: &Value, root: &Path) -> Result<Self> {
        let manifest = PathBuf::from(text(value, "manifest_path")?);
        let folder = manifest.parent().context("a manifest has a folder")?;
        Ok(Self {
            name: text(value, "name")?.to_owned(),
            folder: below(folder, root)?,
            dependencies: list(value, "dependencies")?
                .iter()
                .map(Dependency::parse)
                .collect::<Result<_>>()?,
        })
    }

    /// Path of the package's `Cargo.toml`, relative to the root.
    pub fn manifest(&self) -> String {
        format!("{}/Cargo.toml", self.folder)
    }
}

impl Dependency {
    fn parse(value: &Value) -> Result<Self> {
        Ok(Self { name: text(value, "name")?.to_owned(), for_tests_only: value["kind"] == "dev" })
    }
}

/// The cargo that runs this program. What that one says of our package is not passed on: build scripts ask for it, and would run
/// anew, with all that is built on them, whenever the next cargo is started by something else.
pub fn cargo() -> Command {
    let mut command = Command::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    for (name, _) in std::env::vars_os() {
        let is_of_a_package =
            name.to_str().is_some_and(|name| OF_A_PACKAGE.iter().any(|start| name.starts_with(start)));
        if is_of_a_package {
            command.env_remove(name);
        }
    }
    command
}

/// How cargo begins the names of variables that tell of a package.
const OF_A_PACKAGE: [&str; 2] = ["CARGO_PKG_", "CARGO_MANIFEST_"];

fn collect(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    let entries = fs::read_dir(folder).with_context(|| format!("cannot list {}", folder.display()))?;
    for entry in entries {
        let entry = entry?;
        let (path, name) = (entry.path(), entry.file_name());
        let name = name.to_string_lossy();
        if entry.file_type()?.is_dir() {
            // What cargo builds lies beside a manifest. A module may be called `target`, too.
            let is_built = name.starts_with("target") && folder.join("Cargo.toml").exists();
            if !name.starts_with('.') && !is_built {
                collect(&path, found)?;
            }
        } else if name.ends_with(".rs") {
            found.push(path);
        }
    }
    Ok(())
}

fn below(path: &Path, root: &Path) -> Result<String> {
    let relative =
        path.strip_prefix(root).with_context(|| format!("{} is outside the workspace", path.display()))?;
    Ok(relative.to_string_lossy().into_owned())
}

fn text<'a>(value: &'a Value, key: &str) -> Result<&'a str> {
    value[key].as_str().with_context(|| format!("`cargo metadata`: no text `{key}`"))
}

fn list<'a>(value: &'a Value, key: &str) -> Result<&'a Vec<Value>> {
    value[key].as_array().with_context(|| format!("`cargo metadata`: no list `{key}`"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn metadata_becomes_packages_with_relative_folders() {
        let json = br#"{"workspace_root":"/w","packages":[{"name":"a","manifest_path":"/w/crates/a/Cargo.toml",
            "dependencies":[{"name":"b","kind":null},{"name":"c","kind":"dev"},{"name":"d","kind":"build"}]}]}"#;
        let workspace = Workspace::parse(json).unwrap();
        let package = &workspace.packages[0];
        assert_eq!((package.name.as_str(), package.manifest().as_str()), ("a", "crates/a/Cargo.toml"));
        let kinds: Vec<_> =
            package.dependencies.iter().map(|it| (it.name.as_str(), it.for_tests_only)).collect();
        assert_eq!(kinds, [("b", false), ("c", true), ("d", false)]);
    }

    #[test]
    fn our_own_package_is_not_passed_on() {
        let removed: Vec<_> = cargo()
            .get_envs()
            .filter(|(_, value)| value.is_none())
            .map(|(name, _)| name.to_owned())
            .collect();
        for name in ["CARGO_PKG_NAME", "CARGO_MANIFEST_DIR"] {
            assert_eq!(removed.contains(&name.into()), std::env::var_os(name).is_some(), "{name}");
        }
    }

    #[test]
    fn a_module_called_target_is_source_and_a_build_is_not() {
        let root = tempfile::tempdir().unwrap();
        for file in
            ["Cargo.toml", "src/lib.rs", "src/target/disk.rs", "target/debug/out.rs", "target-2/out.rs"]
        {
            let file = root.path().join(file);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, "").unwrap();
        }
        let mut found = Vec::new();
        collect(root.path(), &mut found).unwrap();
        let mut found: Vec<_> = found.iter().map(|it| below(it, root.path()).unwrap()).collect();
        found.sort();
        assert_eq!(found, ["src/lib.rs", "src/target/disk.rs"]);
    }

    #[test]
    fn metadata_without_packages_is_an_error_that_names_the_key() {
        let error = Workspace::parse(br#"{"workspace_root":"/w"}"#).unwrap_err();
        assert_eq!(error.to_string(), "`cargo metadata`: no list `packages`");
    }
}
