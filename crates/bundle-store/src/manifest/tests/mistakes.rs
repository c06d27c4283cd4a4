//! What is said of manifests with mistakes in them.

use insta::assert_snapshot;
use pretty_assertions::assert_eq;

use super::*;
use crate::MAX_MANIFEST_LENGTH;

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
