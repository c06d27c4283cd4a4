//! A relay made of a file and small scripts: obeyed, slow, failing, lying; and every sentence an error has.

mod errors;

use std::fs;
use std::path::Path;
use std::time::Duration;

use exporter_yaml::Document;
use flasher_core::{Device, PowerDriver, Result, testing};
use std::sync::Arc;

/// The node with this config, in YAML's flow style, from a file in `folder`.
fn device(folder: &Path, config: &str) -> Result<Device> {
    let yaml = format!("export:\n  power: {{ type: power-command, config: {{ {config} }} }}\n");
    let name = folder.join("lab.yaml").display().to_string();
    exporter_yaml::build(&Document::parse(&name, folder, &yaml)?)?.find("power")
}

fn switch(folder: &Path, config: &str) -> Arc<dyn PowerDriver> {
    match device(folder, config).unwrap() {
        Device::Power(switch, None) => switch,
        other => panic!("{other:?} is no switch without a meter"),
    }
}

/// A relay whose state is the file `state`.
const RELAY: &str = "on: \"sh -c 'echo on >state'\", off: [sh, -c, 'echo off >state'], status: cat state";

async fn refusal(folder: &Path, config: &str) -> (String, bool) {
    let error = switch(folder, config).on().await.unwrap_err();
    assert_eq!(testing::errors(&error), [""; 0]);
    (error.to_string(), error.is_retryable())
}

#[tokio::test]
async fn it_keeps_the_promises_of_a_power_driver() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), "off").unwrap();
    assert_eq!(testing::power(&|| device(folder.path(), RELAY).unwrap()).await, [""; 0]);
}

#[tokio::test]
async fn a_command_is_words_unless_a_shell_is_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let told = || fs::read_to_string(folder.path().join("$STATE; echo")).ok();
    switch(folder.path(), "on: 'touch \"$STATE; echo\"', off: 'true'").on().await.unwrap();
    assert_eq!(told().as_deref(), Some(""));
    let shell = "shell: true, env: { STATE: state }, on: 'echo on >$STATE', off: 'true'";
    switch(folder.path(), shell).on().await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("state")).unwrap(), "on\n");
}

#[tokio::test]
async fn a_cycle_of_its_own_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let config = "on: 'false', off: 'false', cycle: 'touch cycled'";
    switch(folder.path(), config).cycle(Duration::ZERO).await.unwrap();
    assert!(folder.path().join("cycled").exists());
}

#[tokio::test]
async fn a_command_that_hangs_ends_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    let hangs = "trap '' TERM; sleep 600 & echo $! >child; echo waiting >&2; wait; sleep 600";
    fs::write(folder.path().join("hangs.sh"), hangs).unwrap();
    let (text, retryable) =
        refusal(folder.path(), "on: sh hangs.sh, off: 'true', timeout_seconds: 0.5").await;
    assert_eq!(text, "`on` of the power switch (`sh`) did not end within 0.5 s and was stopped: `waiting`");
    assert!(retryable);
    assert!(gone(folder.path()).await, "the child of the command lives");
}

#[tokio::test]
async fn a_command_that_is_no_longer_wanted_ends_with_all_it_started() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("hangs.sh"), "sleep 600 & echo $! >child; wait").unwrap();
    let power = switch(folder.path(), "on: sh hangs.sh, off: 'true'");
    let child = folder.path().join("child");
    let cut = tokio::time::timeout(Duration::from_secs(60), async {
        tokio::select! {
            _ = power.on() => panic!("it ends by itself"),
            () = seen(&child) => {}
        }
    });
    cut.await.unwrap();
    assert!(gone(folder.path()).await, "the child of the command lives");
    power.off().await.unwrap();
}

async fn seen(file: &Path) {
    while fs::read_to_string(file).map_or(true, |text| !text.ends_with('\n')) {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

/// Whether the process whose id is in `child` ends by and by.
async fn gone(folder: &Path) -> bool {
    let id = fs::read_to_string(folder.join("child")).unwrap();
    let status = format!("/proc/{}/stat", id.trim());
    for _ in 0..200 {
        if fs::read_to_string(&status).map_or(true, |stat| stat.contains(") Z ")) {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    false
}

#[tokio::test]
async fn failures_show_output_without_secrets() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path();
    let script = "echo 'no outlet, token hunter2' >&2; exit 3";
    let config = format!("off: 'true', env: {{ TOKEN: hunter2 }}, on: [sh, -c, \"{script}\"]");
    assert_eq!(
        refusal(path, &config).await,
        ("`on` of the power switch (`sh`) ended with exit status 3: `no outlet, token ***`".to_owned(), true)
    );
    assert_eq!(
        refusal(path, "off: 'true', on: [sh, -c, 'kill -9 $$']").await,
        ("`on` of the power switch (`sh`) ended with signal 9".to_owned(), true)
    );
    assert_eq!(
        refusal(path, "off: 'true', on: no-such-relay 1").await,
        ("`on` of the power switch needs `no-such-relay`, which is not in the PATH".to_owned(), false)
    );
    fs::write(path.join("plain"), "").unwrap();
    assert_eq!(
        refusal(path, "off: 'true', on: ./plain").await,
        (
            "`./plain` of the power switch's `on` cannot be started: Permission denied (os error 13)"
                .to_owned(),
            false
        )
    );
}

#[tokio::test]
async fn a_switch_that_lies_is_no_success() {
    let folder = tempfile::tempdir().unwrap();
    let config = "on: 'true', off: 'true', status: echo off, confirm_seconds: 0.3";
    assert_eq!(
        refusal(folder.path(), config).await,
        ("power was switched `on`, but after 0.3 s the switch still reports `off`".to_owned(), true)
    );
    let config = "on: 'true', off: 'true', status: echo on or off";
    assert_eq!(
        refusal(folder.path(), config).await,
        (
            "`status` of the power switch (`echo`) says neither on nor off, or both: `on or off`".to_owned(),
            false
        )
    );
}

#[tokio::test]
async fn a_look_finds_missing_programs_and_changes_nothing() {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("state"), "on").unwrap();
    switch(folder.path(), RELAY).probe().await.unwrap();
    assert_eq!(fs::read_to_string(folder.path().join("state")).unwrap(), "on");
    let error = switch(folder.path(), "on: 'true', off: no-such-relay").probe().await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "`off` of the power switch needs `no-such-relay`, which is not in the PATH"
    );
}

/// A look must find what an order fails on, in the same words.
#[tokio::test]
async fn what_an_order_would_fail_on_is_found_by_a_look() {
    use std::os::unix::fs::PermissionsExt as _;
    let folder = tempfile::tempdir().unwrap();
    let script = |name: &str, text: &str, mode: u32| {
        fs::write(folder.path().join(name), text).unwrap();
        fs::set_permissions(folder.path().join(name), fs::Permissions::from_mode(mode)).unwrap();
    };
    script("plain", "#!/bin/sh\n", 0o644);
    script("away", "#!/no/such/sh -e\n", 0o755);
    script("env", "#!/usr/bin/env -S X=1 no-such-python -u\n", 0o755);
    script("dos", "#!/bin/sh\r\necho\r\n", 0o755);
    script("nameless", "echo on\n", 0o755);
    script("good", "#! /usr/bin/env sh\n", 0o755);
    for (config, expected) in [
        ("on: ./plain", Some("`./plain` of the power switch's `on` cannot be started: Permission denied")),
        (
            "on: ./away",
            Some(
                "`./away` of the power switch's `on` needs the interpreter `/no/such/sh`, which is not there",
            ),
        ),
        ("on: ./dos", Some("needs the interpreter `/bin/sh\\r`, which is not there")),
        ("on: ./nameless", Some("cannot be started: ")),
        (
            "on: no-such-relay 1",
            Some("`on` of the power switch needs `no-such-relay`, which is not in the PATH"),
        ),
        ("on: 'true', folder: no/such", Some("commands cannot run in the folder `")),
        ("on: 'true', folder: plain", Some("commands cannot run in the folder `")),
        ("on: sh, env: { PATH: /no/such }", Some("needs `sh`, which is not in the PATH")),
        ("on: ./good", None),
        ("on: good, env: { PATH: '.:/bin:/usr/bin' }", None),
        ("shell: true, on: 'no-such-relay on 2>&1 || true'", None),
        ("shell: true, on: 'test -n \"$PATH\" && if true; then cd .; fi'", None),
    ] {
        let power = switch(
            folder.path(),
            &format!("{config}, off: 'true'")
                .replace("PATH: /no/such }, off: 'true'", "PATH: /no/such }, off: sh"),
        );
        let (look, order) = (power.probe().await, power.on().await);
        for (what, done) in [("a look", look), ("an order", order)] {
            match (done.err(), expected) {
                (None, None) => {}
                (Some(error), Some(expected)) => {
                    assert!(error.to_string().contains(expected), "{config}: {what}: {error}");
                    assert!(!error.is_retryable(), "{config}: {what}");
                }
                (found, _) => panic!("{config}: {what}: {found:?}, expected {expected:?}"),
            }
        }
    }
    // What an order tells less well.
    for (config, expected) in [
        ("on: ./env", "needs the interpreter `no-such-python`, which is not there"),
        ("on: 'true', cycle: no-such-relay", "`cycle` of the power switch needs `no-such-relay`"),
        ("shell: true, on: 'echo on | no-such-relay'", "`on` of the power switch needs `no-such-relay`"),
        ("shell: true, on: 'echo \"on'", "`on` of the power switch is no line that sh can read"),
    ] {
        let power = switch(folder.path(), &format!("{config}, off: 'true'"));
        let error = power.probe().await.unwrap_err();
        assert!(error.to_string().contains(expected), "{config}: {error}");
        assert_eq!(error.class(), flasher_core::Class::Infrastructure, "{config}");
    }
}

/// A tool of the name a preset calls, which does what the real one does and notes how it was called.
fn pretend(folder: &Path, name: &str, script: &str) -> String {
    use std::os::unix::fs::PermissionsExt as _;
    let file = folder.join(name);
    fs::write(&file, format!("#!/bin/sh\necho \"$0 $*\" | sed 's,.*/,,' >>calls\n{script}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    format!("env: {{ PATH: '{}:/usr/bin:/bin' }}", folder.display())
}

#[tokio::test]
async fn presets_speak_as_their_tools_do() {
    let uhubctl = "case \"$*\" in *on) echo '0503 power highspeed enable connect [0403:6001]' >s;; *off) echo '0000 off' >s;; esac; echo 'Current status for hub 1-1'; echo \"  Port 2: $(cat s)\"";
    let ykush =
        "case \"$*\" in *-u*) echo ON >s;; *-d*) echo OFF >s;; esac; echo \"Downstream port 3 is $(cat s)\"";
    let cases = [
        (
            "uhubctl",
            uhubctl,
            "preset: uhubctl, hub: 1-1, port: 2",
            "uhubctl -l 1-1 -p 2 -a on\nuhubctl -l 1-1 -p 2\nuhubctl -l 1-1 -p 2 -a off\nuhubctl -l 1-1 -p 2\n",
        ),
        (
            "ykushcmd",
            ykush,
            "preset: ykush, hub: YK1, port: 3",
            "ykushcmd -s YK1 -u 3\nykushcmd -s YK1 -g 3\nykushcmd -s YK1 -d 3\nykushcmd -s YK1 -g 3\n",
        ),
        (
            "ykushcmd",
            ykush,
            "preset: ykush3, port: 3",
            "ykushcmd ykush3 -u 3\nykushcmd ykush3 -g 3\nykushcmd ykush3 -d 3\nykushcmd ykush3 -g 3\n",
        ),
        (
            "ykushcmd",
            ykush,
            "preset: ykushxs",
            "ykushcmd ykushxs -u 1\nykushcmd ykushxs -g 1\nykushcmd ykushxs -d 1\nykushcmd ykushxs -g 1\n",
        ),
    ];
    for (tool, script, config, calls) in cases {
        let folder = tempfile::tempdir().unwrap();
        let env = pretend(folder.path(), tool, script);
        let power = switch(folder.path(), &format!("{config}, {env}"));
        power.on().await.unwrap();
        power.off().await.unwrap();
        assert_eq!(fs::read_to_string(folder.path().join("calls")).unwrap(), calls, "{config}");
    }
}
