//! Bundles in real folders: files that are there, missing, misplaced or in disguise.

use std::{os::unix::fs::symlink, process::Command};

use insta::assert_snapshot;
use pretty_assertions::assert_eq;
use tempfile::TempDir;

use super::*;

const MANIFEST: &str = r##"
metadata: {name: acme}
spec:
  manufacturer: Acme
  bootcmd: booti
  login: {login_prompt: "login:", prompt: "#", password: hunter2}
  targets: {emmc: /dev/mmcblk0}
  kernel: {file: data/kernel, address: "0x82000000"}
  initram: {file: ./data//initramfs, address: "0x83000000"}
  dtb:
    default: one
    address: "0x84000000"
    variants:
      one: {file: data/dtbs/one.dtb}
      two: {file: data/dtbs/two.dtb, bootcmd: other}
      bare: {}
"##;

/// A complete bundle whose manifest is `manifest`.
fn bundle_of(manifest: &str) -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "manifest.yaml", manifest);
    write(&dir, "data/kernel", "kernel");
    write(&dir, "data/initramfs", "initramfs");
    write(&dir, "data/dtbs/one.dtb", "one");
    write(&dir, "data/dtbs/two.dtb", "two!");
    dir
}

fn write(dir: &TempDir, name: &str, content: impl AsRef<[u8]>) {
    let path = dir.path().join(name);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, content).unwrap();
}

fn open(dir: &TempDir) -> Bundle {
    Bundle::open(dir.path(), "manifest.yaml").unwrap()
}

/// The error's text with the temporary folder's name taken out.
fn told(dir: &TempDir, error: &Error) -> String {
    let real = dir.path().canonicalize().unwrap();
    let text = error.to_string().replace(real.to_str().unwrap(), "DIR");
    text.replace(dir.path().to_str().unwrap(), "DIR")
}

#[test]
fn a_complete_bundle_gives_its_files() {
    let dir = bundle_of(MANIFEST);
    let bundle = open(&dir);
    let real = dir.path().canonicalize().unwrap();
    let files = bundle.files(None).unwrap();
    let file = |path: &str, address, length| File {
        path: real.join(path),
        name: path.rsplit('/').next().unwrap().into(),
        address,
        length,
    };
    assert_eq!(files.kernel, file("data/kernel", 0x8200_0000, 6));
    assert_eq!(files.initram, Some(file("data/initramfs", 0x8300_0000, 9)));
    assert_eq!(files.dtb, Some(file("data/dtbs/one.dtb", 0x8400_0000, 3)));
    assert_eq!((&*files.bootcmd, files.variant.as_deref()), ("booti", Some("one")));
    let other = bundle.files(Some("two")).unwrap();
    assert_eq!(other.dtb, Some(file("data/dtbs/two.dtb", 0x8400_0000, 4)));
    assert_eq!(other.bootcmd, "other");
    assert_eq!(bundle.files(Some("bare")).unwrap().dtb, None);
    assert_eq!(bundle.dir(), real);
    assert_eq!(bundle.warnings(), []);
    assert_eq!(bundle.manifest_text(), MANIFEST);
    assert_eq!(bundle.manifest().metadata.name, "acme");
}

#[test]
fn a_manifest_opens_before_its_files_are_there() {
    let dir = tempfile::tempdir().unwrap();
    write(&dir, "boards/acme.yaml", MANIFEST);
    let bundle = Bundle::open(dir.path(), "boards/acme.yaml").unwrap();
    let missing = told(&dir, &bundle.files(None).unwrap_err());
    assert_snapshot!(missing, @"
    bundle `DIR`: 3 problems:
      `spec.kernel.file`: `data/kernel` does not exist
      `spec.initram.file`: `./data//initramfs` does not exist
      `spec.dtb.variants.one.file`: `data/dtbs/one.dtb` does not exist
    ");
    assert_eq!(told(&dir, &bundle.digest().unwrap_err()).lines().count(), 5);
}

#[test]
fn only_the_files_of_the_variant_must_be_there() {
    let dir = bundle_of(MANIFEST);
    fs::remove_file(dir.path().join("data/dtbs/two.dtb")).unwrap();
    assert!(open(&dir).files(None).is_ok());
    assert!(open(&dir).files(Some("two")).is_err());
    assert!(matches!(open(&dir).files(Some("three")), Err(Error::UnknownVariant { .. })));
}

#[test]
fn files_stay_inside_the_bundle_and_are_what_they_seem() {
    let dir = bundle_of(MANIFEST);
    let outside = tempfile::tempdir().unwrap();
    write(&outside, "secret", "root:x:0:0");
    write(&dir, "data/hollow", "");
    write(&dir, "data/a b", "x");
    write(&dir, "data/a;reset", "x");
    symlink(outside.path().join("secret"), dir.path().join("data/out")).unwrap();
    symlink(outside.path(), dir.path().join("data/outdir")).unwrap();
    symlink("nowhere", dir.path().join("data/dangling")).unwrap();
    symlink("turning", dir.path().join("data/turning")).unwrap();
    symlink("kernel", dir.path().join("data/alias")).unwrap();
    assert!(Command::new("mkfifo").arg(dir.path().join("data/fifo")).status().unwrap().success());
    let secret = outside.path().join("secret");
    let cases = [
        ("data/kernel", true),
        ("./data/./kernel", true),
        ("data//kernel", true),
        ("data/alias", true),
        ("data/missing", false),
        ("data/kernel/below", false),
        ("data", false),
        (".", false),
        ("/", false),
        ("/etc/passwd", false),
        ("../manifest.yaml", false),
        ("data/../data/kernel", false),
        ("..", false),
        ("data/out", false),
        ("data/outdir/secret", false),
        ("data/dangling", false),
        ("data/turning", false),
        ("data/fifo", false),
        ("data/hollow", false),
        ("data/a b", false),
        ("data/a;reset", false),
        ("data/ker\\0nel", false),
        (secret.to_str().unwrap(), false),
    ];
    let mut refusals = Vec::new();
    for (file, fine) in cases {
        write(&dir, "manifest.yaml", MANIFEST.replace("file: data/kernel", &format!("file: \"{file}\"")));
        let files = open(&dir).files(None);
        assert_eq!(files.is_ok(), fine, "{file}: {files:?}");
        refusals.extend(
            files.err().map(|error| told(&dir, &error).replace(outside.path().to_str().unwrap(), "OUT")),
        );
    }
    assert_snapshot!(refusals.join("\n").replace("bundle `DIR`: ", ""), @r"
    `spec.kernel.file`: `data/missing` does not exist
    `spec.kernel.file`: `data/kernel/below` cannot be read: Not a directory (os error 20)
    `spec.kernel.file`: `data` is not a regular file
    `spec.kernel.file`: `.` names no file
    `spec.kernel.file`: `/` is absolute; expected a path relative to the bundle
    `spec.kernel.file`: `/etc/passwd` is absolute; expected a path relative to the bundle
    `spec.kernel.file`: `../manifest.yaml` goes upwards with `..`; expected a path inside the bundle
    `spec.kernel.file`: `data/../data/kernel` goes upwards with `..`; expected a path inside the bundle
    `spec.kernel.file`: `..` goes upwards with `..`; expected a path inside the bundle
    `spec.kernel.file`: `data/out` leads out of the bundle; a symbolic link must stay inside
    `spec.kernel.file`: `data/outdir/secret` leads out of the bundle; a symbolic link must stay inside
    `spec.kernel.file`: `data/dangling` does not exist
    `spec.kernel.file`: `data/turning` cannot be read: Too many levels of symbolic links (os error 40)
    `spec.kernel.file`: `data/fifo` is not a regular file
    `spec.kernel.file`: `data/hollow` is empty
    `spec.kernel.file`: `data/a b` has ' ' in its name, which U-Boot's command line does not take; rename it
    `spec.kernel.file`: `data/a;reset` has ';' in its name, which U-Boot's command line does not take; rename it
    `spec.kernel.file`: `data/ker�nel` cannot be read: file name contained an unexpected NUL byte
    `spec.kernel.file`: `OUT/secret` is absolute; expected a path relative to the bundle
    ");
}

#[test]
fn the_name_served_is_the_one_in_the_manifest() {
    let dir = bundle_of(&MANIFEST.replace("data/kernel", "data/alias"));
    symlink("kernel", dir.path().join("data/alias")).unwrap();
    let kernel = open(&dir).files(None).unwrap().kernel;
    assert_eq!(kernel.name, "alias");
    assert_eq!(kernel.path, dir.path().canonicalize().unwrap().join("data/kernel"));
}

#[test]
fn two_files_cannot_share_a_name_on_the_tftp_server() {
    let dir = bundle_of(&MANIFEST.replace("data/dtbs/one.dtb", "data/dtbs/kernel"));
    write(&dir, "data/dtbs/kernel", "not the kernel");
    assert_snapshot!(told(&dir, &open(&dir).files(None).unwrap_err()), @"bundle `DIR`: `spec.dtb.variants.one.file`: `kernel` has the same base name as another file, that of `spec.kernel.file`; rename one");
    let twice = bundle_of(&MANIFEST.replace("data/dtbs/one.dtb", "./data/kernel"));
    assert!(open(&twice).files(None).is_ok(), "one file named twice is one file");
}

#[test]
fn a_bundle_that_cannot_be_opened_says_why() {
    let dir = bundle_of(MANIFEST);
    write(&dir, "binary.yaml", [0x7f, b'E', b'L', b'F', 0xff, 0]);
    write(&dir, "large.yaml", vec![b' '; MAX_MANIFEST_LENGTH + 1]);
    write(&dir, "hollow.yaml", "");
    write(&dir, "blank.yaml", "\n");
    let names = [
        "none.yaml",
        "../x.yaml",
        "/etc/passwd",
        "data",
        "binary.yaml",
        "large.yaml",
        "hollow.yaml",
        "blank.yaml",
    ];
    let told = names.map(|name| told(&dir, &Bundle::open(dir.path(), name).unwrap_err()));
    assert_snapshot!(told.join("\n"), @"
    bundle `DIR`: `manifest`: `none.yaml` does not exist
    bundle `DIR`: `manifest`: `../x.yaml` goes upwards with `..`; expected a path inside the bundle
    bundle `DIR`: `manifest`: `/etc/passwd` is absolute; expected a path relative to the bundle
    bundle `DIR`: `manifest`: `data` is not a regular file
    DIR/binary.yaml: not a text file (byte 4); expected a flash bundle manifest in YAML
    DIR/large.yaml: a manifest may have at most 1048576 bytes; is this really a flash bundle manifest?
    bundle `DIR`: `manifest`: `hollow.yaml` is empty
    DIR/blank.yaml: the file is empty; expected a flash bundle manifest in YAML
    ");
    let absent = Bundle::open(Path::new("/nonexistent/bundle"), "manifest.yaml").unwrap_err();
    assert_snapshot!(absent, @"cannot read `/nonexistent/bundle`: No such file or directory (os error 2); check that it exists and may be read");
}

#[test]
fn the_digest_is_that_of_what_the_bundle_is() {
    let digest_after = |change: &dyn Fn(&TempDir)| {
        let dir = bundle_of(MANIFEST);
        change(&dir);
        open(&dir).digest().unwrap().to_string()
    };
    let untouched = digest_after(&|_| ());
    assert_eq!(untouched.len(), 64);
    assert_eq!(untouched, digest_after(&|dir| write(dir, "data/unnamed", "no part of the bundle")));
    let changes: [&dyn Fn(&TempDir); 4] = [
        &|dir| write(dir, "data/kernel", "kernal"),
        &|dir| write(dir, "data/dtbs/two.dtb", "two"),
        &|dir| write(dir, "manifest.yaml", format!("{MANIFEST}# a comment\n")),
        &|dir| {
            write(dir, "data/kernel", "kerne");
            write(dir, "data/initramfs", "linitramfs");
        },
    ];
    let mut all: Vec<String> = changes.iter().map(|change| digest_after(change)).chain([untouched]).collect();
    all.sort();
    all.dedup();
    assert_eq!(all.len(), 5, "every change shows");
}

/// The definition, computed by the host's own tool: it must not change, as lock files keep it.
#[test]
fn the_digest_is_as_defined() {
    let dir = bundle_of(MANIFEST);
    let script = r#"
bytes() { printf '%b' "$(sed 's/../\\x&/g')"; } # hexadecimal digits to bytes
length() { printf '%016x\n' "$1" | fold -w2 | tac | tr -d '\n' | bytes; }
entry() { # name file: length of name, name, length of content (8 bytes, little endian each), digest of content
  length "${#1}"
  printf '%s' "$1"
  length "$(stat -c %s "$2")"
  sha256sum "$2" | cut -c1-64 | tr -d '\n' | bytes
}
{ entry /manifest/manifest.yaml manifest.yaml
  for f in data/dtbs/one.dtb data/dtbs/two.dtb data/initramfs data/kernel; do entry $f $f; done
} | sha256sum | cut -c1-64
"#;
    let output = Command::new("bash").args(["-c", script]).current_dir(dir.path()).output().unwrap();
    let expected = String::from_utf8(output.stdout).unwrap();
    let digest = open(&dir).digest().unwrap();
    assert_eq!(digest.to_string(), expected.trim(), "{}", String::from_utf8_lossy(&output.stderr));
    assert_eq!(format!("{digest:?}"), format!("Digest({digest})"));
    assert_eq!(digest.as_bytes().len(), 32);
}

#[test]
fn what_is_inherited_is_part_of_the_bundle() {
    let dir = bundle_of("metadata: {name: heir}\nspec: {inherits: acme}\n");
    let digest = |base: &str| {
        let lookup = |name: &str| (name == "acme").then(|| base.to_owned());
        let bundle = Bundle::open_with(dir.path(), "manifest.yaml", &lookup).unwrap();
        assert_eq!(bundle.files(None).unwrap().kernel.length, 6);
        bundle.digest().unwrap()
    };
    assert_ne!(digest(MANIFEST), digest(&MANIFEST.replace("bootcmd: booti", "bootcmd: bootm")));
    assert!(matches!(Bundle::open(dir.path(), "manifest.yaml"), Err(Error::UnknownBase { .. })));
}

#[test]
fn a_bundle_does_not_show_its_password() {
    assert!(!format!("{:?}", open(&bundle_of(MANIFEST))).contains("hunter2"));
}
