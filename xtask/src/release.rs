//! `cargo xtask package`: a Debian package, and a tarball with the same things, out of a release build.

use anyhow::{Context, Result, bail};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_support::programs::succeed;
use xtask_support::workspace::{Workspace, cargo};

/// Where everything is made, below the root. `[package.metadata.deb]` of the command line names it too.
const MADE: &str = "target/package";
/// Shells, and what a package calls the file with their completions.
const SHELLS: [(&str, &str); 3] = [("bash", "flasher.bash"), ("zsh", "_flasher"), ("fish", "flasher.fish")];

/// Options of `cargo xtask package`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pack this program, which was built already, in place of a release build
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
}

/// Builds the program, has it write its pages and completions, and packs all.
pub(crate) fn run(args: &Args) -> Result<()> {
    let root = Workspace::load()?.root;
    let program = match &args.program {
        Some(program) => {
            program.canonicalize().with_context(|| format!("no program {}", program.display()))?
        }
        None => build(&root)?,
    };
    let made = root.join(MADE);
    stage(&root, &program, &made)?;
    let epoch = commit_time(&root)?;
    debian(&root, &epoch)?;
    tarball(&made, &epoch)?;
    println!("made the packages in {MADE}; SHA256SUMS has their digests");
    Ok(())
}

fn build(root: &Path) -> Result<PathBuf> {
    succeed(
        Command::new(cargo()).args(["build", "--locked", "--release", "-p", "flasher"]).current_dir(root),
    )?;
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| root.join("target"), PathBuf::from);
    Ok(target.join("release/flasher"))
}

/// The program, its manual pages, packed, and completions.
fn stage(root: &Path, program: &Path, made: &Path) -> Result<()> {
    if made.exists() {
        fs::remove_dir_all(made).with_context(|| format!("cannot empty {}", made.display()))?;
    }
    let (man, completions) = (made.join("man"), made.join("completions"));
    fs::create_dir_all(&completions)?;
    fs::copy(program, made.join("flasher")).context("cannot copy the program")?;
    succeed(Command::new(program).arg("man").arg(&man))?;
    for page in fs::read_dir(&man)? {
        // Without name and time, so that the same page gives the same file.
        succeed(Command::new("gzip").args(["-9", "--no-name"]).arg(page?.path()))?;
    }
    for (shell, file) in SHELLS {
        let output = Command::new(program).args(["completions", shell]).output()?;
        if !output.status.success() {
            bail!("`flasher completions {shell}` failed");
        }
        fs::write(completions.join(file), output.stdout)?;
    }
    let copied = made.join("packaging");
    succeed(Command::new("cp").arg("-r").arg(root.join("packaging")).arg(copied))
}

/// When the commit was made: what is packed says this time, so that two builds give the same bytes.
fn commit_time(root: &Path) -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let mut git = Command::new("git");
    let output =
        git.args(["log", "-1", "--format=%ct"]).current_dir(root).output().context("cannot run git")?;
    if !output.status.success() {
        bail!("git does not say when the commit was made: set SOURCE_DATE_EPOCH");
    }
    Ok(String::from_utf8(output.stdout)?.trim().to_owned())
}

fn debian(root: &Path, epoch: &str) -> Result<()> {
    let mut deb = Command::new(cargo());
    deb.args(["deb", "-p", "flasher", "--no-build", "--locked", "--output", MADE]);
    deb.env("SOURCE_DATE_EPOCH", epoch).current_dir(root);
    succeed(&mut deb).context("cargo-deb makes the package; get it with `cargo install --locked cargo-deb`")
}

/// What is staged, with the digests of all that is published.
fn tarball(made: &Path, epoch: &str) -> Result<()> {
    let mut tar = Command::new("tar");
    tar.args([
        "--create",
        "--file",
        "flasher.tar",
        "--sort=name",
        "--owner=0",
        "--group=0",
        "--numeric-owner",
    ]);
    tar.arg(format!("--mtime=@{epoch}")).args([
        "--transform",
        "s,^,flasher/,",
        "flasher",
        "man",
        "completions",
        "packaging",
    ]);
    succeed(tar.current_dir(made))?;
    succeed(Command::new("gzip").args(["-9", "--no-name", "flasher.tar"]).current_dir(made))?;
    let sums = "sha256sum *.deb flasher.tar.gz > SHA256SUMS";
    succeed(Command::new("sh").args(["-c", sums]).current_dir(made))
}
