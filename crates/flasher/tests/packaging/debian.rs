//! A package in a minimal Debian that has nothing else: installed, used by people and as a service, removed.

use std::collections::BTreeSet;
use std::ffi::OsStr;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use assert_cmd::cargo::cargo_bin;

use crate::root;

const IN_ROOT: &str = include_str!("in_root.sh");
/// Lists every file; what programs keep while they run is left out.
const FILES: &str = "find / -xdev -path /proc -prune -o -path /tmp -prune -o -print";
/// What dpkg keeps of any package that was there, and the copies that the tools for users make before they change a file.
const KEPT: [&str; 2] = ["/var/lib/dpkg/", "/var/log/"];
const COPIES: [&str; 6] =
    ["/etc/passwd-", "/etc/group-", "/etc/shadow-", "/etc/gshadow-", "/etc/subuid-", "/etc/subgid-"];

/// A copy of the minimal Debian that `cargo xtask test` makes.
struct Debian {
    folder: tempfile::TempDir,
}

impl Debian {
    /// Why there is none, where there is none to copy, or this is not root.
    fn new() -> Result<Self, String> {
        let from = root().join("target/debian-root");
        let missing = match namespace(&["true".as_ref()]) {
            output if !output.status.success() => Some("no root, or no namespaces".to_owned()),
            _ if !from.is_dir() => Some(format!("no `{}`: cargo xtask test makes it", from.display())),
            _ => None,
        };
        if let Some(why) = missing {
            assert!(std::env::var_os("CI").is_none(), "in CI nothing is skipped: {why}");
            return Err(why);
        }
        let folder = tempfile::tempdir().unwrap();
        let copied = Command::new("cp").arg("-a").arg(from).arg(folder.path().join("root")).status().unwrap();
        assert!(copied.success());
        Ok(Self { folder })
    }

    fn place(&self) -> PathBuf {
        self.folder.path().join("root")
    }

    /// What the script says; it must succeed.
    fn run(&self, script: &str) -> String {
        let place = self.place();
        let words = ["sh", "-euc", IN_ROOT, "sh"].map(OsStr::new);
        let output = namespace(&[&words[..], &[place.as_os_str(), script.as_ref()]].concat());
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        assert!(output.status.success(), "{script}: {text}\n{}", String::from_utf8_lossy(&output.stderr));
        text
    }

    fn files(&self) -> BTreeSet<String> {
        self.run(FILES).lines().map(str::to_owned).collect()
    }
}

/// Runs a command in mount, process and network namespaces of its own.
fn namespace(words: &[&OsStr]) -> Output {
    let mut command = Command::new("unshare");
    command.args(["--mount", "--pid", "--net", "--fork", "--kill-child"]);
    let plain = || Command::new("unshare").args(["--mount", "true"]).output();
    // In a plain chroot the root is no mount point, and mounts have to stay as they are.
    if !plain().is_ok_and(|output| output.status.success()) {
        command.args(["--propagation", "unchanged"]);
    }
    command.args(words).output().unwrap()
}

/// The folder of the packages, made of this test's own program. Its line numbers would make them large.
fn packages() -> PathBuf {
    let folder = tempfile::tempdir().unwrap();
    let program = folder.path().join("flasher");
    let stripped = Command::new("strip").arg("-o").arg(&program).arg(cargo_bin("flasher")).status();
    assert!(stripped.unwrap().success());
    let first = package(&program);
    assert_eq!(first, package(&program), "the same program gives the same packages");
    root().join("target/packages")
}

/// Packs this program; gives the digests.
fn package(program: &Path) -> String {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(["xtask", "package", "--fast", "--program"]).arg(program).current_dir(root());
    let output = command.output().unwrap();
    assert!(output.status.success(), "{output:?}");
    fs::read_to_string(root().join("target/packages/SHA256SUMS")).unwrap()
}

/// The one file in the folder whose name ends so.
fn file(folder: &Path, end: &str) -> PathBuf {
    let files = fs::read_dir(folder).unwrap().map(|it| it.unwrap().path());
    let found: Vec<_> = files.filter(|it| it.to_string_lossy().ends_with(end)).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found[0].clone()
}

#[test]
fn packages_are_made_installed_used_and_removed() {
    let debian = match Debian::new() {
        Ok(debian) => debian,
        Err(why) => return println!("skipped: {why}"),
    };
    let packages = packages();
    let mut check = Command::new("sha256sum");
    assert!(
        check.args(["--check", "--quiet", "SHA256SUMS"]).current_dir(&packages).status().unwrap().success()
    );
    check_tarball(&debian, &file(&packages, ".tar.gz"));
    check_bill(&file(&packages, ".cdx.json"));
    fs::copy(file(&packages, ".deb"), debian.place().join("tmp/flasher.deb")).unwrap();
    debian.run("useradd --create-home person");
    let before = debian.files();
    debian.run("dpkg -i /tmp/flasher.deb");
    check_installed(&debian);
    assert!(debian.run("su person -c 'cd && flasher demo'").contains("proven"), "as a normal user");
    serve(&debian);
    debian.run("rm -rf /home/person/.[!.]* /home/person/* /etc/flasher/bench.yaml /etc/flasher/bundle");
    debian.run("dpkg --purge flasher");
    assert_eq!(debian.run("getent passwd flasher || echo gone"), "gone\n");
    let is_kept = |file: &&String| {
        KEPT.iter().any(|folder| file.starts_with(folder)) || COPIES.contains(&file.as_str())
    };
    let after = debian.files();
    let left: Vec<_> = after.difference(&before).filter(|file| !is_kept(file)).collect();
    assert!(left.is_empty(), "purged, and left {left:?}");
}

/// Unpacked, its program runs.
fn check_tarball(debian: &Debian, tarball: &Path) {
    fs::copy(tarball, debian.place().join("tmp/flasher.tar.gz")).unwrap();
    let said = debian.run("cd /tmp && tar -xf flasher.tar.gz && flasher-*/flasher --version && ls flasher-*");
    assert!(
        said.starts_with("flasher 0.") && said.contains("completions\nflasher\nman\npackaging\n"),
        "{said}"
    );
}

/// Users, folders, pages, completions.
fn check_installed(debian: &Debian) {
    let people =
        debian.run("id flasher; stat -c '%U %a %n' /etc/flasher /var/lib/flasher /var/cache/flasher");
    for said in ["(dialout)", "(gpio)", "root 750 /etc/flasher", "flasher 750 /var/lib/flasher"] {
        assert!(people.contains(said), "{said}: {people}");
    }
    assert!(debian.run("zcat /usr/share/man/man1/flasher.1.gz").contains(".TH flasher 1"));
    let completed = "bash -c '. /usr/share/bash-completion/completions/flasher; complete -p flasher'";
    assert!(debian.run(completed).contains("flasher"));
    for shell in ["zsh/vendor-completions/_flasher", "fish/vendor_completions.d/flasher.fish"] {
        assert!(debian.run(&format!("cat /usr/share/{shell}")).contains("flasher"), "{shell}");
    }
}

/// The unit's command, as its user, serves a board that a client flashes; port 69 is its own.
fn serve(debian: &Debian) {
    let examples = root().join("examples");
    let board = fs::read_to_string(examples.join("sim-board.yaml")).unwrap();
    let board =
        board.replace("16069", "69").replace("/tmp/flasher-sim/medium.img", "/var/lib/flasher/medium");
    let board = board.replace("/tmp/flasher-sim", "/var/lib/flasher").replace("./sim-bundle", "./bundle");
    fs::write(debian.place().join("etc/flasher/bench.yaml"), board).unwrap();
    let bundle = debian.place().join("etc/flasher/bundle");
    assert!(
        Command::new("cp").arg("-r").arg(examples.join("sim-bundle")).arg(bundle).status().unwrap().success()
    );
    debian.run("chgrp -R flasher /etc/flasher; chmod -R g+rX /etc/flasher");
    let said = debian.run(include_str!("service.sh"));
    assert!(said.contains("proven") && said.contains("the service ended with 0"), "{said}");
}

/// What the program is made of is valid, and names every crate that is linked.
fn check_bill(bill: &Path) {
    let text = fs::read_to_string(bill).unwrap();
    assert!(!text.contains(root().canonicalize().unwrap().to_str().unwrap()), "it names this folder");
    let validate = "import sys; from cyclonedx.schema import SchemaVersion; \
                    from cyclonedx.validation.json import JsonStrictValidator as V; \
                    found = V(SchemaVersion.V1_5).validate_str(open(sys.argv[1]).read()); \
                    sys.exit(f'{found}' if found else 0)";
    let python = root().join("target/validators-1/bin/python");
    let said = Command::new(python).args(["-c", validate]).arg(bill).output().unwrap();
    assert!(said.status.success(), "{}", String::from_utf8_lossy(&said.stderr));
    let bill: serde_json::Value = serde_json::from_str(&text).unwrap();
    let components = bill["components"].as_array().unwrap();
    let named = components
        .iter()
        .map(|it| format!("{} v{}", it["name"].as_str().unwrap(), it["version"].as_str().unwrap()));
    let named: BTreeSet<String> = named.collect();
    let built = tree();
    let missing: Vec<_> = built.difference(&named).collect();
    assert!(built.len() > 100 && missing.is_empty(), "built of, and not named: {missing:?}");
}

/// The crates that are linked into the program, as cargo knows them.
fn tree() -> BTreeSet<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let words = [
        "tree",
        "--offline",
        "-p",
        "flasher",
        "-e",
        "normal,no-proc-macro",
        "--prefix",
        "none",
        "--format",
        "{p}",
    ];
    let output = Command::new(cargo).args(words).current_dir(root()).output().unwrap();
    assert!(output.status.success(), "{output:?}");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let crates = text.lines().filter(|line| !line.starts_with("flasher v"));
    crates.map(|line| line.split(' ').take(2).collect::<Vec<_>>().join(" ")).collect()
}
