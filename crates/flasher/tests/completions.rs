//! A real bash completes lines: options, and names that only this build or the exporter YAML knows.

#![allow(clippy::unwrap_used, clippy::panic, clippy::print_stdout, reason = "a test may")]

use std::path::Path;
use std::process::Command;

/// What bash offers for the last of these words.
fn offered(line: &[&str], exporter: Option<&Path>) -> Vec<String> {
    let program = Path::new(env!("CARGO_BIN_EXE_flasher"));
    let script = "source <(flasher completions bash)
        COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); COMP_TYPE=9
        _clap_complete_flasher flasher \"${COMP_WORDS[COMP_CWORD]}\" \"${COMP_WORDS[COMP_CWORD - 1]}\"
        printf '%s\\n' \"${COMPREPLY[@]}\"";
    let folders = std::env::var_os("PATH").unwrap_or_default();
    let folders = program.parent().map(Into::into).into_iter().chain(std::env::split_paths(&folders));
    let mut bash = Command::new("bash");
    bash.env("PATH", std::env::join_paths(folders).unwrap()).env_remove("FLASHER_EXPORTER");
    bash.args(["-c", script, "bash"]).args(line);
    if let Some(exporter) = exporter {
        bash.env("FLASHER_EXPORTER", exporter);
    }
    let output = bash.output().unwrap();
    assert_eq!(String::from_utf8_lossy(&output.stderr), "");
    String::from_utf8_lossy(&output.stdout).lines().map(|it| it.trim().to_owned()).collect()
}

#[test]
fn bash_completes_options_boards_drivers_and_devices() {
    if Command::new("bash").arg("--version").output().is_err() {
        return println!("skipped: bash is not installed");
    }
    let folder = tempfile::tempdir().unwrap();
    let exporter = folder.path().join("lab.yaml");
    std::fs::write(&exporter, "export: { rack: { type: sim-board, config: { medium: m.img } } }").unwrap();
    let named = exporter.to_str().unwrap();
    let cases: [(&[&str], Option<&Path>, &str); 7] = [
        (&["flasher", "fla"], None, "flash"),
        (&["flasher", "flash", "--no-power"], None, "--no-power-off"),
        (&["flasher", "boards", "ti-"], None, "ti-j784s4"),
        (&["flasher", "drivers", "power-s"], None, "power-snmp"),
        (&["flasher", "--exporter", named, "power", "--device", "rack."], None, "rack.power"),
        (&["flasher", "power", "--device", "rack."], Some(&exporter), "rack.power"),
        (&["flasher", "schema", "rec"], None, "receipt"),
    ];
    for (line, exporter, expected) in cases {
        let offered = offered(line, exporter);
        assert!(offered.iter().any(|it| it == expected), "{line:?}: {offered:?}");
    }
    assert_eq!(offered(&["flasher", "power", "--device", "rack."], None), [""], "no exporter is named");
}

#[test]
fn every_shell_gets_a_script() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let output =
            Command::new(env!("CARGO_BIN_EXE_flasher")).args(["completions", shell]).output().unwrap();
        let script = String::from_utf8_lossy(&output.stdout);
        assert!(output.status.success() && output.stderr.is_empty(), "{shell}: {output:?}");
        assert!(script.contains("COMPLETE") && script.contains("flasher"), "{shell}: {script}");
    }
}
