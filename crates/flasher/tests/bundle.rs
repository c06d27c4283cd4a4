//! `flasher bundle`, typed as a user types it, against a real registry.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a test says what it wants"
)]

#[path = "../../bundle-store/tests/registries/docker.rs"]
mod docker;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use base64::{Engine as _, engine::general_purpose::STANDARD};

use self::docker::DockerRegistry;

fn example(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name)
}

/// Runs the command in `home`, with its cache there; gives exit code, standard output and standard error.
fn run(home: &Path, arguments: &[&str]) -> (i32, String, String) {
    run_as(home, &[], arguments)
}

/// [`run`] with these in the environment, and no credentials but those and the ones below `home`.
fn run_as(home: &Path, environment: &[(&str, &str)], arguments: &[&str]) -> (i32, String, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_flasher"));
    command.args(arguments).current_dir(home).env("FLASHER_CACHE_DIR", home.join("cache")).env("HOME", home);
    let elsewhere = ["OCI_USERNAME", "OCI_PASSWORD", "REGISTRY_AUTH_FILE", "DOCKER_CONFIG"];
    for name in [&elsewhere[..], &["XDG_CONFIG_HOME", "XDG_RUNTIME_DIR"]].concat() {
        command.env_remove(name);
    }
    command.envs(environment.iter().copied());
    let Output { status, stdout, stderr } = command.output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (status.code().unwrap(), text(stdout), text(stderr))
}

/// `diff -r`, which knows nothing of us.
fn differ(one: &Path, other: &Path) -> bool {
    !Command::new("diff").arg("-r").args([one, other]).status().unwrap().success()
}

#[test]
fn the_schema_of_manifests_beside_the_examples_is_fresh() {
    let (code, fresh, _) = run(Path::new("."), &["schema", "bundle"]);
    assert_eq!(code, 0);
    let stored = fs::read_to_string(example("bundle.schema.json")).unwrap();
    assert!(stored == fresh, "run `cargo xtask schemas`");
    for file in ["sim-bundle/manifest.yaml", "own-board/boards/own-one.yaml", "own-board/boards/own-two.yaml"]
    {
        let text = fs::read_to_string(example(file)).unwrap();
        let schema = text.lines().next().unwrap().strip_prefix("# yaml-language-server: $schema=").unwrap();
        assert!(example(file).parent().unwrap().join(schema).is_file(), "{file}");
    }
}

#[test]
fn a_bundle_goes_to_a_registry_and_comes_back_the_same() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (home, name) = (tempfile::tempdir().unwrap(), registry.name("acme/sim:v1"));
    let home = home.path();
    let source = example("sim-bundle");
    let (code, pinned, told) = run(home, &["bundle", "push", source.to_str().unwrap(), &name]);
    assert_eq!(code, 0, "{told}");
    let digest = pinned.trim().split_once('@').unwrap().1.to_owned();
    let (code, place, told) = run(home, &["bundle", "pull", &name, "copy"]);
    assert_eq!((code, &*place), (0, "copy\n"), "{told}");
    assert!(told.starts_with(&digest), "{told}");
    assert!(!differ(&source, &home.join("copy")));
    let (_, again, _) = run(home, &["--json", "bundle", "pull", &name]);
    assert!(again.contains("\"bytes\":0"), "nothing is downloaded twice: {again}");
    assert_eq!(run(home, &["bundle", "check", &name]).1, format!("{name} is fine\n"));

    let exporter = format!(
        "export:\n  storage:\n    type: flasher\n    config: {{ flasher_bundle: \"{name}\", cache_dir: ./cache }}\n    children:\n      \
         serial: {{ type: serial, config: {{ url: 'loop://' }} }}\n      power: {{ type: power-mock }}\n"
    );
    fs::write(home.join("lab.yaml"), exporter).unwrap();
    assert_eq!(run(home, &["bundle", "lock", "lab.yaml"]).1, format!("{name} {digest}\n"));
    assert_eq!(run(home, &["bundle", "lock", "lab.yaml"]).1, format!("{name} {digest} (as before)\n"));
    drop(registry);
    let (code, checked, told) = run(home, &["check", "lab.yaml"]);
    assert_eq!(code, 0, "pinned and cached: {checked}{told}");
    let (code, _, told) = run(home, &["bundle", "pull", &name]);
    assert!(code == 4 && told.contains("cannot be reached"), "{code} {told}");
    let (code, freed, _) = run(home, &["bundle", "gc", "--unused-for", "1ns"]);
    assert_eq!((code, freed.starts_with("removed 1 bundle(s), ")), (0, true), "{freed}");
}

#[test]
fn registry_logins() {
    let (user, password) = ("acme", "s3cret-of-acme");
    let Some(registry) = DockerRegistry::guarded(user, password) else { return };
    let (home, name) = (tempfile::tempdir().unwrap(), registry.name("acme/sim:v1"));
    let home = home.path();
    let source = example("sim-bundle");
    let push = ["bundle", "push", source.to_str().unwrap(), &name];
    let pull = ["bundle", "pull", &name];
    let refused = |environment: &[(&str, &str)], arguments: &[&str], who: &str| {
        let (code, out, told) = run_as(home, environment, arguments);
        let expected = format!("the registry refuses `{name}` to {who}");
        assert!(
            code == 4 && out.is_empty() && told.contains(&expected) && told.contains("check the credentials"),
            "{arguments:?}: {code} {out} {told}"
        );
        assert!(!told.contains("n0t-it") && !told.contains(password), "{told}");
    };
    let known = [("OCI_USERNAME", user), ("OCI_PASSWORD", password)];
    let mistaken = [("OCI_USERNAME", user), ("OCI_PASSWORD", "n0t-it")];

    refused(&[], &push, "anonymous users");
    refused(&mistaken, &push, "`acme` (from OCI_USERNAME)");
    let (code, pinned, told) = run_as(home, &known, &push);
    assert!(code == 0 && pinned.contains("@sha256:"), "{code} {told}");
    refused(&[], &pull, "anonymous users");
    refused(&mistaken, &pull, "`acme` (from OCI_USERNAME)");

    // As `docker login` leaves them, for the registry; and with a password that is not it.
    for (secret, who) in
        [("n0t-it", Some(format!("`acme` (from {}/.docker/config.json)", home.display()))), (password, None)]
    {
        let auth = STANDARD.encode(format!("{user}:{secret}"));
        let config = format!(r#"{{"auths": {{"{}": {{"auth": "{auth}"}}}}}}"#, registry.address);
        fs::create_dir_all(home.join(".docker")).unwrap();
        fs::write(home.join(".docker/config.json"), config).unwrap();
        match who {
            Some(who) => [&push[..], &pull].iter().for_each(|it| refused(&[], it, &who)),
            None => {
                let (code, _, told) = run_as(home, &[], &["bundle", "pull", &name, "copy"]);
                assert!(code == 0 && !differ(&source, &home.join("copy")), "{told}");
            }
        }
    }
}

#[test]
fn a_bundle_that_would_not_work_is_told_and_not_pushed() {
    let home = tempfile::tempdir().unwrap();
    let home = home.path();
    let copied =
        Command::new("cp").arg("-r").arg(example("sim-bundle")).arg(home.join("bundle")).status().unwrap();
    assert!(copied.success());
    let manifest = home.join("bundle/manifest.yaml");
    let text = fs::read_to_string(&manifest).unwrap();
    fs::write(&manifest, text.replace("0x83000000:", "0x93000000:")).unwrap();
    let doubt = "warning: `spec.bootcmd`: `0x93000000:${initram_size}` is an address where nothing is loaded; loaded are 0x82000000, \
                 0x83000000, 0x84000000\n";
    assert_eq!(
        run(home, &["bundle", "check", "bundle"]),
        (0, format!("{doubt}bundle is fine\n"), String::new())
    );
    assert_eq!(run(home, &["bundle", "check", "--strict", "bundle"]), (2, doubt.to_owned(), String::new()));
    fs::remove_file(home.join("bundle/data/initramfs")).unwrap();
    let (code, _, told) = run(home, &["bundle", "push", "bundle", "127.0.0.1:1/acme/sim:v1"]);
    assert!(
        code == 2 && told.contains("error: `spec.initram.file`: `data/initramfs` does not exist"),
        "{told}"
    );
    assert!(told.contains("`bundle` would not work on a board, so it is not pushed"), "{told}");
    let (code, _, told) = run(home, &["bundle", "check", "bundel"]);
    assert!(code == 2 && told.contains("`bundel` is neither a folder nor a reference"), "{told}");
}
