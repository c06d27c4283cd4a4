//! Manifests as labs write them, right and wrong.

use std::{fs, path::Path};

use indexmap::IndexSet;
use insta::assert_snapshot;
use pretty_assertions::assert_eq;
use proptest::prelude::*;
use serde_json::Value as Json;

use super::*;

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
    manifest `test-bundle` has no target `nvme\u{1b}[2J`; known: `usd`, `emmc`
    manifest `acme-one` has no boot command; set `spec.bootcmd`
    manifest `acme-one` has no boot command for variant `a`; set `spec.bootcmd`
    ");
}

#[test]
fn every_problem_is_reported_in_one_go() {
    let text = r#"
metadata: {}
spec:
  manufacturer: 12
  bootcmd: [bootm]
  shelltype: bash
  login: {username: root, password: 1234}
  default_target: emc
  targets: {emmc: /dev/mmcblk0, usd: null}
  kernel: {file: "", address: "${loadaddr}"}
  initram: {file: data/initramfs, address: -1}
  dtb: {default: spyder, address: "0x48000000", variants: {spider: {}, s4sk: "bootm"}}
  preflash_commands: [true, "sync"]
  medium_holds_bootloader: "yes"
"#;
    assert_snapshot!(refusal(text), @r#"
    m.yaml: 14 problems:
      `metadata.name`: is missing
      `spec.manufacturer`: expected text, found a number: put it in quotes
      `spec.bootcmd`: expected text, found a list
      `spec.shelltype`: expected `busybox`, found `bash`
      `spec.login.login_prompt`: is missing
      `spec.login.prompt`: is missing
      `spec.login.password`: expected text, found a number: put it in quotes
      `spec.targets.usd`: expected text, found nothing
      `spec.kernel.address`: expected a hexadecimal address of at most 64 bits such as `0x82000000`, found `${loadaddr}`
      `spec.kernel.file`: is empty; expected the path of a file in the bundle
      `spec.initram.address`: expected an address such as "0x82000000", found a number
      `spec.dtb.variants.s4sk`: expected a mapping, found text
      `spec.preflash_commands[0]`: expected text, found `true` or `false`: put it in quotes
      `spec.medium_holds_bootloader`: expected `true` or `false`, found text
    "#);
}

#[test]
fn single_mistakes_name_place_and_remedy() {
    let two_targets = LEAST.replace("{emmc: /dev/mmcblk0}", "{emmc: /dev/mmcblk0, usd: /dev/mmcblk1}");
    let cases = [
        LEAST.replace("{emmc: /dev/mmcblk0}", "{}"),
        two_targets.clone(),
        two_targets + "  default_target: emc\n",
        least_with("  login: {prompt: '#'}"),
        least_with("  login:"),
        least_with("  dtb: {default: spyder, address: '1', variants: {spider: {}, s4sk: {}}}"),
        least_with("  dtb: {default: a, address: '1', variants: {}}"),
        least_with("kind: ExporterConfig"),
        least_with("apiVersion: jumpstarter.dev/v1beta1"),
        "- a\n- b\n".into(),
        "just text".into(),
        "metadata: {name: x}\n".into(),
    ];
    assert_snapshot!(cases.map(|text| refusal(&text)).join("\n"), @"
    m.yaml: `spec.targets`: is empty; expected at least one target
    m.yaml: `spec.default_target`: is missing; name one of `emmc`, `usd`
    m.yaml: `spec.default_target`: `emc` is not among `targets`, which has `emmc`, `usd`; did you mean `emmc`?
    m.yaml: `spec.login.login_prompt`: is missing
    m.yaml: `spec.login`: expected a mapping, found nothing
    m.yaml: `spec.dtb.default`: `spyder` is not among `variants`, which has `spider`, `s4sk`; did you mean `spider`?
    m.yaml: `spec.dtb.default`: `a` is not among `variants`, which is empty
    m.yaml: `kind`: expected `FlashBundleManifest`, found `ExporterConfig`
    m.yaml: `apiVersion`: expected `jumpstarter.dev/v1alpha1`, found `jumpstarter.dev/v1beta1`
    m.yaml: `manifest`: expected a mapping with `metadata` and `spec`
    m.yaml: `manifest`: expected a mapping with `metadata` and `spec`
    m.yaml: `spec`: is missing
    ");
}

#[test]
fn what_is_not_a_manifest_at_all_is_refused_and_not_run_into() {
    let laughs: String = (1..40).map(|n| format!("a{n}: &a{n} [*a{p}, *a{p}, *a{p}]\n", p = n - 1)).collect();
    let broad = format!("a: &a [{}]\nb: [{}]\n", "x,".repeat(20_000), "*a,".repeat(100_000));
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(500_000), "*a,".repeat(100_000));
    let cases = [
        String::new(),
        " \n# only a comment\n".into(),
        "---\n...\n".into(),
        "ELF\0\0".into(),
        "a: b: c".into(),
        "spec: {kernel: 1, kernel: 2}".into(),
        "spec: !secret x".into(),
        "1: 2".into(),
        "a: *b".into(),
        "a: &a [*a]".into(),
        "a: 1\n---\nb: 2".into(),
        "[".repeat(10_000),
        "[".repeat(MAX_MANIFEST_LENGTH),
        format!("a0: &a0 [x]\n{laughs}"),
        broad,
        long,
        "x".repeat(MAX_MANIFEST_LENGTH + 1),
        "\"\\e[2J\": 1\n\"\\e[2J\": 2".into(),
    ];
    assert_snapshot!(cases.map(|text| refusal(&text)).join("\n"), @r"
    m.yaml: the file is empty; expected a flash bundle manifest in YAML
    m.yaml: the file is empty; expected a flash bundle manifest in YAML
    m.yaml: the file is empty; expected a flash bundle manifest in YAML
    m.yaml: not a text file (byte 3); expected a flash bundle manifest in YAML
    m.yaml: not usable as YAML: mapping values are not allowed in this context at line 1 column 5
    m.yaml: not usable as YAML: spec: duplicate key `kernel` at line 1 column 7
    m.yaml: not usable as YAML: spec: a tag (`!name`) has no meaning here at line 1 column 7
    m.yaml: not usable as YAML: a key is not text: put it in quotes
    m.yaml: not usable as YAML: unknown anchor at line 1 column 4
    m.yaml: not usable as YAML: recursion limit exceeded at line 1 column 4
    m.yaml: not usable as YAML: deserializing from YAML containing more than one document is not supported
    m.yaml: not usable as YAML: recursion limit exceeded at line 1 column 129
    m.yaml: not usable as YAML: more than 10000 opening brackets
    m.yaml: not usable as YAML: repetition limit exceeded
    m.yaml: not usable as YAML: b[51][8546]: its aliases unfold into too much data at line 1 column 17100
    m.yaml: not usable as YAML: b[3]: its aliases unfold into too much data at line 1 column 4
    m.yaml: a manifest may have at most 1048576 bytes; is this really a flash bundle manifest?
    m.yaml: not usable as YAML: duplicate key `\u{1b}[2J`
    ");
}

#[test]
fn thousands_of_problems_make_a_short_message() {
    let targets: String = (0..5000).map(|n| format!("    t{n}: {n}\n")).collect();
    let text = refusal(&LEAST.replace("{emmc: /dev/mmcblk0}", &format!("\n{targets}")));
    assert!(text.starts_with("m.yaml: 5000 problems:\n"), "{text}");
    assert!(text.ends_with("\n  and 4980 more"), "{text}");
    assert_eq!(text.lines().count(), 22);
}

#[test]
fn likely_mistakes_are_warned_of() {
    let (manifest, warnings) = parse(
        &least_with(
            "  initramfs: {file: a, address: '1'}\n  colour: red\n  login: {login_prompt: a, prompt: b, passwd: c}\n\
             \x20 dtb: {default: a, address: 0x48000000, variants: {a: {filename: x}}}\nmeta: x",
        )
        .replace("{name: acme-one}", "{name: acme-one, labels: {}}"),
    );
    assert_eq!(manifest.spec.dtb.unwrap().address, Address(0x4800_0000));
    assert_snapshot!(warnings.join("\n"), @r#"
    unknown key `labels` in `metadata` is ignored; known keys: `name`
    unknown key `passwd` in `spec.login`: did you mean `password`?
    `spec.dtb.address` is a number, read as 0x48000000; Jumpstarter's own tools take it only in quotes: "0x48000000"
    unknown key `filename` in `spec.dtb.variants.a` is ignored; known keys: `bootcmd`, `file`
    unknown key `initramfs` in `spec`: did you mean `initram`?
    unknown key `colour` in `spec` is ignored; known keys: `manufacturer`, `link`, `bootcmd`, `interrupt`, `shelltype`, `login`, `default_target`, `targets`, `kernel`, `initram`, `dtb`, `preflash_commands`, `medium_holds_bootloader`, `expect_boot`, `bundle`, `architecture`, `inherits`
    unknown key `meta` in the manifest: did you mean `metadata`?
    "#);
}

#[test]
fn thousands_of_unknown_keys_make_few_warnings() {
    let keys: String = (0..5000).map(|n| format!("  strange{n}: 1\n")).collect();
    let (_, warnings) = parse(&least_with(&keys));
    assert_eq!(warnings.len(), 51);
    assert_eq!(warnings[50], "4950 more unknown keys in `spec` are ignored");
}

#[test]
fn a_warning_knows_its_place() {
    let (_, warnings) = Manifest::parse(&least_with("  initramfs: {}"), "m.yaml").unwrap();
    assert_eq!(warnings.iter().map(Warning::path).collect::<Vec<_>>(), ["spec.initramfs"]);
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
fn a_board_is_laid_over_its_family() {
    let heir = "
metadata: {name: heir}
spec:
  inherits: field
  bootcmd: go 0x1
  initram: null
  targets: {usd: null, nvme: /dev/nvme0n1}
  default_target: nvme
  kernel: {address: '0x58000000'}
";
    let lookup = |name: &str| (name == "field").then(|| FIELD.to_owned());
    let (manifest, warnings) = Manifest::parse_with(heir, "heir.yaml", &lookup).unwrap();
    assert_eq!(warnings, []);
    assert_eq!(manifest.metadata.name, "heir");
    assert_eq!(manifest.spec.inherits.as_deref(), Some("field"));
    assert_eq!(manifest.spec.kernel, Load { file: "data/kernel".into(), address: Address(0x5800_0000) });
    assert_eq!(manifest.spec.initram, None);
    assert_eq!(manifest.spec.targets.keys().collect::<Vec<_>>(), ["emmc", "nvme"]);
    assert_eq!(manifest.boot(Some("alternate")).unwrap().bootcmd, "go 0x1");
    assert_eq!(manifest.spec.login.username.as_deref(), Some("root"));
}

#[test]
fn inheritance_over_several_manifests() {
    let lookup = |name: &str| match name {
        "middle" => {
            Some("metadata: {name: middle}\nspec: {inherits: field, manufacturer: Middle}".to_owned())
        }
        "field" => Some(FIELD.to_owned()),
        _ => None,
    };
    let text = "metadata: {name: last}\nspec: {inherits: middle}";
    let (manifest, _) = Manifest::parse_with(text, "last.yaml", &lookup).unwrap();
    assert_eq!((&*manifest.metadata.name, &*manifest.spec.manufacturer), ("last", "Middle"));
    let nameless = Manifest::parse_with("spec: {inherits: field}", "x.yaml", &lookup).unwrap_err();
    assert_eq!(nameless.to_string(), "x.yaml: `metadata`: is missing");
}

#[test]
fn what_cannot_be_inherited_is_said() {
    let lookup = |name: &str| match name {
        "ping" => Some("spec: {inherits: pong}".to_owned()),
        "pong" => Some("spec: {inherits: ping}".to_owned()),
        "lost" => Some("spec: {inherits: nowhere}".to_owned()),
        "broken" => Some("spec: [".to_owned()),
        _ => None,
    };
    let refusal = |base: &str| {
        let text = format!("metadata: {{name: x}}\nspec: {{inherits: {base}}}");
        Manifest::parse_with(&text, "x.yaml", &lookup).unwrap_err().to_string()
    };
    assert_snapshot!(["none", "ping", "lost", "broken"].map(refusal).join("\n"), @"
    x.yaml: `spec.inherits` names `none`, which is no known board; give a full manifest or another base
    x.yaml: `spec.inherits` goes in a circle: ping -> pong -> ping; remove one of them
    lost: `spec.inherits` names `nowhere`, which is no known board; give a full manifest or another base
    broken: not usable as YAML: did not find expected node content at line 2 column 1, while parsing a flow node
    ");
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
