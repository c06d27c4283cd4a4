//! Manifests as labs write them.

use std::{fs, path::Path};

use indexmap::IndexSet;
use insta::assert_snapshot;
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

mod inheritance;
mod mistakes;

/// In the shape of the field's test bundle, with its `login.type`.
const FIELD: &str = r##"
apiVersion: jumpstarter.dev/v1alpha1
kind: FlashBundleManifest
metadata: {name: test-bundle}
spec:
  manufacturer: Someone
  link: "https://example.org"
  bootcmd: "booti 0x82000000 - 0x84000000"
  default_target: "usd"
  login: {type: "busybox", login_prompt: "login:", username: "root", password: "hunter2", prompt: "#"}
  targets:
    usd: "/sys/class/block#4fb0000"
    emmc: "/sys/class/block#4f80000"
  preflash_commands:
    - "dd if=/dev/zero of=/dev/mmcblk0 bs=512 count=34"
  kernel: {file: data/kernel, address: "0x82000000"}
  initram: {file: data/initramfs, address: "0x83000000"}
  dtb:
    default: test-dtb
    address: "0x84000000"
    variants:
      test-dtb: {file: data/dtbs/test-dtb.dtb}
      alternate: {file: data/dtbs/alternate.dtb}
      othercmd: {bootcmd: "bootm"}
      nothing: {bootcmd: "", file: ""}
"##;

/// The least a manifest must say.
const LEAST: &str = "
metadata: {name: acme-one}
spec:
  manufacturer: Acme
  bootcmd: bootm 0x58000000
  targets: {emmc: /dev/mmcblk0}
  kernel: {file: data/flasher.itb, address: '0x58000000'}
";

fn parse(text: &str) -> (Manifest, Vec<String>) {
    let (manifest, warnings) = Manifest::parse(text, "m.yaml").unwrap();
    (manifest, warnings.iter().map(Warning::to_string).collect())
}

fn refusal(text: &str) -> String {
    Manifest::parse(text, "m.yaml").unwrap_err().to_string()
}

/// `LEAST` with more keys in `spec`.
fn least_with(spec: &str) -> String {
    format!("{LEAST}{spec}\n")
}

#[test]
fn published_manifests_load_without_warnings() {
    let (manifest, warnings) = parse(FIELD);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!(manifest.api_version, API_VERSION);
    assert_eq!(manifest.kind, KIND);
    assert_eq!(manifest.metadata.name, "test-bundle");
    let spec = &manifest.spec;
    assert_eq!(spec.kernel, Load { file: "data/kernel".into(), address: Address(0x8200_0000) });
    assert_eq!(spec.initram, Some(Load { file: "data/initramfs".into(), address: Address(0x8300_0000) }));
    assert_eq!(spec.dtb.as_ref().unwrap().address, Address(0x8400_0000));
    assert_eq!(spec.targets.keys().collect::<Vec<_>>(), ["usd", "emmc"]);
    assert_eq!(spec.preflash_commands, ["dd if=/dev/zero of=/dev/mmcblk0 bs=512 count=34"]);
    assert_eq!(spec.login.username.as_deref(), Some("root"));
    assert_eq!(spec.login.password.as_ref().unwrap().expose(), "hunter2");
    assert!(!spec.medium_holds_bootloader);
    assert_eq!((&spec.expect_boot, &spec.bundle, &spec.inherits), (&None, &None, &None));
}

#[test]
fn what_a_manifest_leaves_out_is_as_in_the_field() {
    let (manifest, warnings) = parse(LEAST);
    assert_eq!(warnings, Vec::<String>::new());
    assert_eq!((&*manifest.api_version, &*manifest.kind), (API_VERSION, KIND));
    assert_eq!(manifest.spec.shelltype, ShellType::Busybox);
    assert_eq!(manifest.spec.login, Login::default());
    assert_eq!((&*manifest.spec.login.login_prompt, &*manifest.spec.login.prompt), ("login:", "#"));
    assert_eq!(manifest.target(None).unwrap(), ("emmc", "/dev/mmcblk0"));
    let boot = manifest.boot(None).unwrap();
    assert_eq!((boot.variant, boot.bootcmd, boot.initram, boot.dtb), (None, "bootm 0x58000000", None, None));
    assert_eq!(manifest.variants(), Vec::<&str>::new());
}

#[test]
fn a_lab_switches_the_device_tree_and_back() {
    let (manifest, _) = parse(FIELD);
    let plain = "booti 0x82000000 - 0x84000000";
    let cases = [
        (None, "test-dtb", plain, Some("data/dtbs/test-dtb.dtb")),
        (Some("alternate"), "alternate", plain, Some("data/dtbs/alternate.dtb")),
        (Some("test-dtb"), "test-dtb", plain, Some("data/dtbs/test-dtb.dtb")),
        (Some("othercmd"), "othercmd", "bootm", None),
        (Some("nothing"), "nothing", plain, None),
    ];
    for (asked, variant, bootcmd, file) in cases {
        let boot = manifest.boot(asked).unwrap();
        assert_eq!(boot.variant, Some(variant));
        assert_eq!(boot.bootcmd, bootcmd, "{asked:?}");
        assert_eq!(boot.dtb, file.map(|file| (file, Address(0x8400_0000))), "{asked:?}");
        assert_eq!(boot.kernel.file, "data/kernel");
    }
    assert_eq!(manifest.variants(), ["test-dtb", "alternate", "othercmd", "nothing"]);
}

#[test]
fn targets_are_chosen_by_name_or_by_default() {
    let (manifest, _) = parse(FIELD);
    assert_eq!(manifest.target(None).unwrap(), ("usd", "/sys/class/block#4fb0000"));
    assert_eq!(manifest.target(Some("emmc")).unwrap(), ("emmc", "/sys/class/block#4f80000"));
}

#[test]
fn a_boot_command_in_a_block_scalar_is_one_line() {
    let (manifest, _) =
        parse(&LEAST.replace("bootcmd: bootm 0x58000000", "bootcmd: |\n    bootm 0x58000000\n"));
    assert_eq!(manifest.boot(None).unwrap().bootcmd, "bootm 0x58000000");
}

#[test]
fn aliases_and_merge_keys_work_as_in_the_field() {
    let (manifest, warnings) = parse(&least_with(
        "  dtb:\n    default: a\n    address: '0x1'\n    variants:\n      a: &a {file: x.dtb}\n      b: {<<: *a, bootcmd: go}",
    ));
    assert_eq!(warnings, Vec::<String>::new());
    let boot = manifest.boot(Some("b")).unwrap();
    assert_eq!((boot.bootcmd, boot.dtb), ("go", Some(("x.dtb", Address(1)))));
}

#[test]
fn refused_choices_name_what_there_is() {
    let (field, _) = parse(FIELD);
    let (least, _) = parse(LEAST);
    let (silent, _) = parse(&LEAST.replace("bootm 0x58000000", "''"));
    let silent_variant = least_with("  dtb: {default: a, address: '1', variants: {a: {}}}");
    let (silent_variant, _) = parse(&silent_variant.replace("bootm 0x58000000", "' '"));
    let texts = [
        field.boot(Some("test_dtb")).unwrap_err(),
        field.boot(Some("unknown")).unwrap_err(),
        least.boot(Some("am69")).unwrap_err(),
        field.target(Some("emc")).unwrap_err(),
        field.target(Some("nvme\u{1b}[2J")).unwrap_err(),
        silent.boot(None).unwrap_err(),
        silent_variant.boot(None).unwrap_err(),
    ];
    assert_snapshot!(texts.map(|text| text.to_string()).join("\n"), @r"
    manifest `test-bundle` has no device-tree variant `test_dtb`; did you mean `test-dtb`? known: `test-dtb`, `alternate`, `othercmd`, `nothing`
    manifest `test-bundle` has no device-tree variant `unknown`; known: `test-dtb`, `alternate`, `othercmd`, `nothing`
    manifest `acme-one` has no device-tree variants, so `am69` cannot be chosen; leave the variant out
    manifest `test-bundle` has no target `emc`; did you mean `emmc`? known: `usd`, `emmc`
    manifest `test-bundle` has no target `nvme�[2J`; known: `usd`, `emmc`
    manifest `acme-one` has no boot command; set `spec.bootcmd`
    manifest `acme-one` has no boot command for variant `a`; set `spec.bootcmd`
    ");
}

#[test]
fn our_own_keys_are_read() {
    let (manifest, warnings) = parse(&least_with(
        "  medium_holds_bootloader: true\n  expect_boot: 'login: $'\n  bundle: example.org/acme:1\n  initram: null\n  dtb: ~",
    ));
    assert_eq!(warnings, Vec::<String>::new());
    assert!(manifest.spec.medium_holds_bootloader);
    assert_eq!(manifest.spec.expect_boot.as_deref(), Some("login: $"));
    assert_eq!(manifest.spec.bundle.as_deref(), Some("example.org/acme:1"));
}

#[test]
fn a_password_is_never_shown() {
    let (manifest, _) = parse(FIELD);
    assert!(!format!("{manifest:?}").contains("hunter2"));
    assert!(!serde_json::to_string(&manifest).unwrap().contains("hunter2"));
    let wrong = FIELD.replace("password: \"hunter2\"", "password: [hunter2]").replace("usd: ", "usd: 1 #");
    assert!(!refusal(&wrong).contains("hunter2"));
}

#[test]
fn a_manifest_written_out_is_read_back() {
    let (manifest, _) = parse(&FIELD.replace("password: \"hunter2\", ", ""));
    assert_eq!(parse(&serde_yaml::to_string(&manifest).unwrap()), (manifest, vec![]));
}

/// The schema is derived from the types and the reader is written by hand: they must know the same keys.
#[test]
fn the_schema_knows_exactly_the_keys_that_are_read() {
    let schema = serde_json::to_value(schemars::schema_for!(Manifest)).unwrap();
    let mut keys = IndexSet::new();
    let definitions = schema["$defs"].as_object().unwrap();
    for part in std::iter::once(&schema).chain(definitions.values()) {
        keys.extend(part["properties"].as_object().into_iter().flatten().map(|(key, _)| key.clone()));
        for (key, about) in part["properties"].as_object().into_iter().flatten() {
            assert!(about["description"].is_string(), "`{key}` has no description: {about}");
        }
    }
    let (_, warnings) = parse(&format!("{}{}", least_with("  zzzzzzzzz: 1\n  login: {login_prompt: a, prompt: b, zzzzzzzzz: 1}\n  dtb: {default: a, address: '1', zzzzzzzzz: 1, variants: {a: {zzzzzzzzz: 1}}}\n  initram: {file: a, address: '1', zzzzzzzzz: 1}"), "zzzzzzzzz: 1\n").replace("name: acme-one", "name: acme-one, zzzzzzzzz: 1"));
    let listed = warnings.iter().flat_map(|text| text.split("known keys: ").nth(1).unwrap().split(", "));
    let read: IndexSet<String> = listed.map(|key| key.trim_matches('`').to_owned()).collect();
    assert_eq!(keys.symmetric_difference(&read).collect::<Vec<_>>(), Vec::<&String>::new());
    assert_eq!(schema["properties"]["apiVersion"]["const"], Json::from(API_VERSION));
    assert_eq!(schema["required"], serde_json::json!(["metadata", "spec"]));
}

#[test]
fn the_boards_of_this_build_are_sound() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flasher-bundles/boards");
    let mut names = Vec::new();
    let text_of = |name: &str| fs::read_to_string(folder.join(format!("{name}.yaml"))).ok();
    for entry in fs::read_dir(&folder).unwrap() {
        let path = entry.unwrap().path();
        let text = fs::read_to_string(&path).unwrap();
        let parsed = Manifest::parse_with(&text, &path.display().to_string(), &text_of);
        let (manifest, warnings) = parsed.unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(warnings, [], "{path:?}");
        assert_eq!(path.file_stem().unwrap().to_str(), Some(&*manifest.metadata.name));
        for variant in manifest.variants() {
            let boot = manifest.boot(Some(variant)).unwrap();
            assert!(!boot.bootcmd.contains('\n'), "{path:?} {variant}");
        }
        names.push(manifest.metadata.name);
    }
    for board in ["nxp-s32g-vnp-rdb3", "rcar-s4", "rcar-s4-s4sk", "sim", "test", "ti-am69", "ti-j784s4"] {
        assert!(names.iter().any(|name| name == board), "no {board}.yaml");
    }
}

#[test]
fn the_boot_commands_of_the_boards_are_those_of_the_field() {
    let boards = Path::new(env!("CARGO_MANIFEST_DIR")).join("../flasher-bundles/boards");
    let cases = [
        (
            "ti-j784s4",
            None,
            "unlz4 0x900000d4 0x80000000 0x8000000; imxtract 0x90000000 fdt-j784s4 0x88000000; imxtract 0x90000000 initrd 0x89000000; booti 0x80000000 0x89000000:0x7000000 0x88000000",
        ),
        (
            "ti-j784s4",
            Some("am69"),
            "unlz4 0x900000d4 0x80000000 0x8000000; imxtract 0x90000000 fdt-am69 0x88000000; imxtract 0x90000000 initrd 0x89000000; booti 0x80000000 0x89000000:0x7000000 0x88000000",
        ),
        (
            "ti-j784s4",
            Some("custom"),
            "unlz4 0x900000d4 0x80000000 0x8000000; imxtract 0x90000000 initrd 0x89000000; booti 0x80000000 0x89000000:0x7000000 0x88000000",
        ),
        ("rcar-s4", None, "bootm 0x58000000#spider"),
        ("rcar-s4", Some("s4sk"), "bootm 0x58000000#s4sk"),
        ("rcar-s4", Some("custom"), "bootm 0x58000000:kernel 0x58000000:initrd 0x48000000"),
        ("nxp-s32g-vnp-rdb3", None, "bootm 0x90000000#s32g3"),
        ("nxp-s32g-vnp-rdb3", Some("custom"), "bootm 0x90000000:kernel 0x90000000:initrd 0x88000000"),
        ("test", Some("alternate"), "booti 0x82000000 - 0x84000000"),
        ("test", Some("othercmd"), "bootm"),
        ("sim", None, "booti 0x82000000 0x83000000:${initram_size} 0x84000000"),
    ];
    for (board, variant, bootcmd) in cases {
        let text = fs::read_to_string(boards.join(format!("{board}.yaml"))).unwrap();
        assert_eq!(parse(&text).0.boot(variant).unwrap().bootcmd, bootcmd, "{board} {variant:?}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn no_text_makes_the_reader_panic(text in "\\PC{0,200}", noise in any::<String>()) {
        let _ = Manifest::parse(&text, "m.yaml");
        let _ = Manifest::parse(&noise, "m.yaml");
    }

    #[test]
    fn no_damaged_manifest_makes_the_reader_panic(
        at in 0..FIELD.len(), cut in 0..30usize, put in "[-\\[\\]{}:&*!,#'\" \n\t0-9a-z~<]{0,12}",
    ) {
        let end = (at + cut).min(FIELD.len());
        let text = format!("{}{put}{}", &FIELD[..at], &FIELD[end..]);
        if let Ok((manifest, _)) = Manifest::parse(&text, "m.yaml") {
            prop_assert!(manifest.target(None).is_ok());
            prop_assert!(manifest.variants().is_empty() || manifest.boot(None).is_ok() || manifest.spec.bootcmd.trim().is_empty());
        }
    }
}
