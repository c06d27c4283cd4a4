//! `cargo xtask package`: a Debian package, a tarball with a static program, what they are made of, and the digests of all.

mod build;
mod contents;
mod debian;
mod tarball;

use anyhow::{Context, Result};
use build::{Linking, build, host};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use xtask_support::programs::{output, succeed};
use xtask_support::tools::{CYCLONEDX, DEB};
use xtask_support::workspace::Workspace;

/// Where everything is made, below the root. `[package.metadata.deb]` of the command line names it too.
const MADE: &str = "target/packages";
/// Shells, and what a package calls the file with their completions.
const SHELLS: [(&str, &str); 3] = [("bash", "flasher.bash"), ("zsh", "_flasher"), ("fish", "flasher.fish")];

/// Options of `cargo xtask package`.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Pack this program, which was built already, in place of two that are built for it
    #[arg(long, value_name = "FILE")]
    program: Option<PathBuf>,
    /// Pack quickly: the Debian package is larger
    #[arg(long)]
    fast: bool,
}

/// What is packed.
struct Programs {
    /// It uses the machine's C library.
    for_debian: PathBuf,
    /// It has a C library inside.
    for_tarball: PathBuf,
}

/// Builds the programs, has one write its pages and completions, and packs all.
pub(crate) fn run(args: &Args) -> Result<()> {
    let workspace = Workspace::load()?;
    let root = workspace.root.clone();
    DEB.ensure(&root)?;
    CYCLONEDX.ensure(&root)?;
    let programs = match &args.program {
        Some(program) => {
            let program =
                program.canonicalize().with_context(|| format!("no program {}", program.display()))?;
            Programs { for_debian: program.clone(), for_tarball: program }
        }
        None => Programs {
            for_debian: build(&root, Linking::Dynamic)?,
            for_tarball: build(&root, Linking::Static)?,
        },
    };
    let (made, epoch) = (root.join(MADE), commit_time(&root)?);
    stage(&root, &programs.for_debian, &made)?;
    let contents = contents::write(&workspace, &made, &epoch)?;
    debian::pack(&root, &made, &epoch, args.fast)?;
    let tarball = tarball::pack(&made, &programs.for_tarball, &tarball_name()?, &epoch)?;
    let sums = format!("sha256sum *.deb {tarball} {contents} > SHA256SUMS");
    succeed(Command::new("sh").args(["-c", &sums]).current_dir(&made))?;
    println!("made the packages in {MADE}; SHA256SUMS has their digests");
    Ok(())
}

/// `flasher-0.2.0-x86_64-unknown-linux-gnu`.
fn tarball_name() -> Result<String> {
    Ok(format!("flasher-{}-{}", env!("CARGO_PKG_VERSION"), host()?))
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
        fs::write(completions.join(file), output(Command::new(program).args(["completions", shell]))?)?;
    }
    let copied = made.join("packaging");
    succeed(Command::new("cp").arg("-r").arg(root.join("packaging")).arg(copied))
}

/// When the commit was made, seconds since 1970: what is packed says this time, so that two builds give the same bytes.
fn commit_time(root: &Path) -> Result<String> {
    if let Ok(epoch) = std::env::var("SOURCE_DATE_EPOCH") {
        return Ok(epoch);
    }
    let said = output(Command::new("git").args(["log", "-1", "--format=%ct"]).current_dir(root));
    let said = said.context("git does not say when the commit was made: set SOURCE_DATE_EPOCH")?;
    Ok(said.trim().to_owned())
}
