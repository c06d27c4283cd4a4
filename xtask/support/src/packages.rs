//! Brings the Debian packages that tests and bundles use: what they are, what proves them present.

mod apt;
mod suites;

use crate::programs::has_program;
use anyhow::{Result, bail};
use std::collections::BTreeMap;
use std::io::{BufRead, IsTerminal, Write};
use std::path::Path;

/// Packages that are needed together.
struct Group {
    name: &'static str,
    /// Whether this tree needs the group.
    needed: fn(root: &Path) -> bool,
    packages: &'static [Package],
}

/// A Debian package.
#[derive(Debug)]
struct Package {
    name: &'static str,
    proof: Proof,
    /// Must come from the same suite as this package, when that one is installed from backports.
    suite_of: Option<&'static str>,
}

/// What shows that a package is installed.
#[derive(Debug)]
enum Proof {
    Program(&'static str),
    File(&'static str),
}

/// Names of packages by the suite they must come from; `None` is apt's own choice.
type BySuite = BTreeMap<Option<String>, Vec<&'static str>>;

// tftpd-hpa and atftpd exclude each other, so neither server is in the table.
const GROUPS: &[Group] = &[
    Group {
        name: "peers",
        needed: |_| true,
        packages: &[
            program("curl", "curl"),
            program("wget", "wget"),
            program("xz-utils", "xz"),
            program("zstd", "zstd"),
            program("bzip2", "bzip2"),
            program("gzip", "gzip"),
            program("lz4", "lz4"),
            program("zip", "zip"),
            // What makes images of other formats and file systems, which must be recognised.
            program("brotli", "brotli"),
            program("btrfs-progs", "mkfs.btrfs"),
            program("dosfstools", "mkfs.vfat"),
            program("lrzip", "lrzip"),
            program("lzip", "lzip"),
            program("ncompress", "compress"),
            program("squashfs-tools", "mksquashfs"),
            program("android-sdk-libsparse-utils", "img2simg"),
            program("bmap-tools", "bmaptool"),
            program("pigz", "pigz"),
            program("busybox", "busybox"),
            program("tftp-hpa", "tftp"),
            program("atftp", "atftp"),
            program("iproute2", "ip"),
            program("docker-registry", "docker-registry"),
            program("apache2-utils", "htpasswd"),
            program("openssl", "openssl"),
            program("procps", "kill"),
            program("faketime", "faketime"),
            program("gnupg", "gpg"),
            program("gpgv", "gpgv"),
            // For Jumpstarter's own clients.
            Package {
                name: "python3-venv",
                proof: Proof::File("/usr/lib/python3.11/ensurepip/__init__.py"),
                suite_of: None,
            },
        ],
    },
    Group {
        name: "switches and lines",
        needed: |_| true,
        packages: &[
            program("ser2net", "ser2net"),
            program("dmsetup", "dmsetup"),
            Package { name: "snmpd", proof: Proof::File("/usr/sbin/snmpd"), suite_of: None },
            // qemu-utils of backports breaks the qemu-system of the release.
            Package {
                name: "qemu-system-x86",
                proof: Proof::Program("qemu-system-x86_64"),
                suite_of: Some("qemu-utils"),
            },
        ],
    },
    Group {
        name: "packages",
        needed: |root| root.join("packaging").is_dir(),
        packages: &[program("debootstrap", "debootstrap")],
    },
    Group {
        name: "browser",
        needed: |root| root.join("crates/exporter-web").is_dir(),
        packages: &[program("chromium", "chromium"), program("chromium-driver", "chromedriver")],
    },
    Group {
        name: "qemu",
        needed: |root| root.join("crates/board-qemu").is_dir(),
        packages: &[
            // qemu-utils of backports breaks the qemu-system of the release.
            Package {
                name: "qemu-system-arm",
                proof: Proof::Program("qemu-system-aarch64"),
                suite_of: Some("qemu-utils"),
            },
            // QEMU for riscv64 comes with it, as a package of its own in newer suites.
            Package {
                name: "qemu-system-misc",
                proof: Proof::Program("qemu-system-riscv64"),
                suite_of: Some("qemu-utils"),
            },
            Package {
                name: "u-boot-qemu",
                proof: Proof::File("/usr/lib/u-boot/qemu_arm64/u-boot.bin"),
                suite_of: None,
            },
            program("u-boot-tools", "mkimage"),
            program("device-tree-compiler", "dtc"),
            program("cpio", "cpio"),
            program("kmod", "depmod"),
            program("fdisk", "sfdisk"),
            program("dnsmasq-base", "dnsmasq"),
            program("nftables", "nft"),
            program("nbdkit", "nbdkit"),
            Package {
                name: "nbdkit-plugin-python",
                proof: Proof::File("/usr/lib/x86_64-linux-gnu/nbdkit/plugins/nbdkit-python-plugin.so"),
                suite_of: None,
            },
        ],
    },
];

/// Installs what is missing when it may; says in one line how it ended.
///
/// # Errors
///
/// When something stays missing in CI.
pub fn ensure(root: &Path) -> Result<String> {
    let groups: Vec<&Group> = GROUPS.iter().filter(|it| (it.needed)(root)).collect();
    let missing = missing(&groups);
    if missing.is_empty() {
        let names = groups.iter().map(|it| it.name).collect::<Vec<_>>().join(", ");
        return Ok(format!("all present: {names}"));
    }
    if !apt::may_install() {
        println!("not root, or no apt-get: nothing is installed");
    } else if agreed(&missing)? {
        install(&missing);
    }
    verdict(&self::missing(&groups), std::env::var_os("CI").is_some())
}

/// Brings the packages of these names, installing what is missing when that is allowed.
///
/// # Errors
///
/// When some stay missing; says how to install them. When the table of packages lacks a name.
pub fn require(names: &[&str]) -> Result<()> {
    let is_listed = |name: &str| GROUPS.iter().flat_map(|it| it.packages).any(|it| it.name == name);
    if let Some(name) = names.iter().find(|it| !is_listed(it)) {
        bail!("`{name}` is not in the table of packages");
    }
    let missing = || {
        let listed = GROUPS.iter().flat_map(|it| it.packages).filter(|it| names.contains(&it.name));
        listed.filter(|it| !it.is_present()).collect::<Vec<_>>()
    };
    if !missing().is_empty() && apt::may_install() && agreed(&missing())? {
        install(&missing());
    }
    match &missing()[..] {
        [] => Ok(()),
        missing => bail!("missing: {}; install as root:{}", self::names(missing), install_lines(missing)),
    }
}

/// Whether these packages may be installed: a person at a terminal is asked first.
fn agreed(missing: &[&Package]) -> Result<bool> {
    let asks = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !asks || std::env::var_os("CI").is_some() {
        return Ok(true);
    }
    print!("install with apt-get, without starting their services: {}\n[Y/n] ", names(missing));
    std::io::stdout().flush()?;
    let mut answer = String::new();
    std::io::stdin().lock().read_line(&mut answer)?;
    Ok(is_yes(&answer))
}

/// An empty line is a yes; the end of the input, which has not even a line end, is none.
fn is_yes(answer: &str) -> bool {
    !answer.is_empty() && matches!(answer.trim().to_lowercase().as_str(), "" | "y" | "yes")
}

const fn program(name: &'static str, program: &'static str) -> Package {
    Package { name, proof: Proof::Program(program), suite_of: None }
}

impl Package {
    fn is_present(&self) -> bool {
        match self.proof {
            Proof::Program(name) => has_program(name),
            Proof::File(path) => Path::new(path).exists(),
        }
    }
}

fn missing<'a>(groups: &[&'a Group]) -> Vec<&'a Package> {
    groups.iter().flat_map(|it| it.packages).filter(|it| !it.is_present()).collect()
}

/// Installs suite by suite. What fails is printed here and judged by what is missing afterwards.
fn install(missing: &[&Package]) {
    println!("missing: {}", names(missing));
    let by_suite = by_suite(missing, apt::backports_suite_of);
    for suite in by_suite.keys().flatten() {
        report(apt::add_suite(suite));
    }
    report(apt::update());
    for (suite, names) in &by_suite {
        if let Err(error) = apt::install(names, suite.as_deref()) {
            println!("{error:#}; trying one by one");
            names.iter().for_each(|it| report(apt::install(&[it], suite.as_deref())));
        }
    }
}

fn report(result: Result<()>) {
    if let Err(error) = result {
        println!("{error:#}");
    }
}

/// `suite_of` tells the suite an installed package came from when that is backports.
fn by_suite(missing: &[&Package], suite_of: impl Fn(&str) -> Option<String>) -> BySuite {
    let mut by_suite = BySuite::new();
    for package in missing {
        by_suite.entry(package.suite_of.and_then(&suite_of)).or_default().push(package.name);
    }
    by_suite
}

fn verdict(missing: &[&Package], in_ci: bool) -> Result<String> {
    if missing.is_empty() {
        return Ok("installed what was missing".to_owned());
    }
    println!("to run every test, install as root:{}", install_lines(missing));
    let text = format!("missing: {}", names(missing));
    if in_ci {
        bail!("{text} (CI runs every test, so every package is needed)");
    }
    Ok(format!("{text}; tests that need them print `skipped`"))
}

/// What a person would type, one indented line per suite, each after a line break.
fn install_lines(missing: &[&Package]) -> String {
    let by_suite = by_suite(missing, apt::backports_suite_of);
    let lines = by_suite.iter().map(|(suite, names)| apt::install_line(names, suite.as_deref()));
    lines.map(|it| format!("\n    {it}")).collect()
}

fn names(packages: &[&Package]) -> String {
    packages.iter().map(|it| it.name).collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::*;

    const HERE: Package = program("dash", "sh");
    const AWAY: Package = program("away", "no-such-program-here");
    const LIKE: Package =
        Package { name: "like", proof: Proof::File("/no/such/file"), suite_of: Some("qemu-utils") };

    #[test]
    fn what_has_no_proof_is_missing() {
        let group = Group { name: "g", needed: |_| true, packages: &[HERE, AWAY, LIKE] };
        assert_eq!(names(&missing(&[&group])), "away like");
    }

    #[test]
    fn a_package_follows_another_one_into_its_suite() {
        let backports = |name: &str| Some(format!("{name}-backports"));
        let expected =
            BySuite::from([(None, vec!["away"]), (Some("qemu-utils-backports".into()), vec!["like"])]);
        assert_eq!(by_suite(&[&AWAY, &LIKE], backports), expected);
        assert_eq!(by_suite(&[&AWAY, &LIKE], |_| None), BySuite::from([(None, vec!["away", "like"])]));
    }

    #[test]
    fn a_missing_package_fails_in_ci_and_is_a_note_elsewhere() {
        let error = verdict(&[&AWAY], true).unwrap_err();
        assert_eq!(error.to_string(), "missing: away (CI runs every test, so every package is needed)");
        let note = "missing: away; tests that need them print `skipped`";
        assert_eq!(verdict(&[&AWAY], false).unwrap(), note);
        assert_eq!(verdict(&[], true).unwrap(), "installed what was missing");
    }

    #[test]
    fn only_a_yes_or_an_empty_line_installs() {
        assert!(["\n", "y\n", "Yes\n"].iter().all(|it| is_yes(it)));
        assert!(!["", "n\n", "what?\n"].iter().any(|it| is_yes(it)));
    }

    #[test]
    fn what_a_chore_requires_must_be_in_the_table() {
        let error = require(&["gzip", "gnuzip"]).unwrap_err();
        assert_eq!(error.to_string(), "`gnuzip` is not in the table of packages");
        assert_eq!(
            install_lines(&[&AWAY, &HERE]),
            "\n    apt-get install -y --no-install-recommends away dash"
        );
    }

    #[test]
    fn packages_are_listed_once() {
        let mut listed: Vec<_> = GROUPS.iter().flat_map(|it| it.packages).map(|it| it.name).collect();
        assert!(!listed.contains(&"tftpd-hpa") && !listed.contains(&"atftpd"));
        let count = listed.len();
        listed.sort_unstable();
        listed.dedup();
        assert_eq!(listed.len(), count);
    }

    #[test]
    fn packages_of_the_emulated_board() {
        let tree = tempfile::tempdir().unwrap();
        let qemu = GROUPS.iter().find(|it| it.name == "qemu").unwrap();
        assert!(!(qemu.needed)(tree.path()));
        std::fs::create_dir_all(tree.path().join("crates/board-qemu")).unwrap();
        assert!((qemu.needed)(tree.path()));
    }
}
