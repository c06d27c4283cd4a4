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
      m.yaml:2:11: `metadata.name`: is missing
      m.yaml:4:17: `spec.manufacturer`: expected text, found a number: put it in quotes
      m.yaml:5:12: `spec.bootcmd`: expected text, found a list
      m.yaml:6:14: `spec.shelltype`: expected `busybox`, found `bash`
      m.yaml:7:10: `spec.login.login_prompt`: is missing
      m.yaml:7:10: `spec.login.prompt`: is missing
      m.yaml:7:37: `spec.login.password`: expected text, found a number: put it in quotes
      m.yaml:9:38: `spec.targets.usd`: expected text, found nothing
      m.yaml:10:31: `spec.kernel.address`: expected a hexadecimal address of at most 64 bits such as `0x82000000`, found `${loadaddr}`
      m.yaml:10:18: `spec.kernel.file`: is empty; expected the path of a file in the bundle
      m.yaml:11:44: `spec.initram.address`: expected an address such as "0x82000000", found a number
      m.yaml:12:78: `spec.dtb.variants.s4sk`: expected a mapping, found text
      m.yaml:13:23: `spec.preflash_commands[0]`: expected text, found `true` or `false`: put it in quotes
      m.yaml:14:28: `spec.medium_holds_bootloader`: expected `true` or `false`, found text
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
    m.yaml:6:12: `spec.targets`: is empty; expected at least one target
    m.yaml:4:3: `spec.default_target`: is missing; name one of `emmc`, `usd`
    m.yaml:8:19: `spec.default_target`: `emc` is not among `targets`, which has `emmc`, `usd`; did you mean `emmc`?
    m.yaml:8:10: `spec.login.login_prompt`: is missing
    m.yaml:8:8: `spec.login`: expected a mapping, found nothing
    m.yaml:8:18: `spec.dtb.default`: `spyder` is not among `variants`, which has `spider`, `s4sk`; did you mean `spider`?
    m.yaml:8:18: `spec.dtb.default`: `a` is not among `variants`, which is empty
    m.yaml:8:7: `kind`: expected `FlashBundleManifest`, found `ExporterConfig`
    m.yaml:8:13: `apiVersion`: expected `jumpstarter.dev/v1alpha1`, found `jumpstarter.dev/v1beta1`
    m.yaml:1:1: `manifest`: expected a mapping with `metadata` and `spec`
    m.yaml:1:1: `manifest`: expected a mapping with `metadata` and `spec`
    m.yaml:1:1: `spec`: is missing
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
    m.yaml:1:5: this is not valid YAML: mapping values are not allowed in this context; look at this line and those around it: indentation, a missing `:` or quote
    m.yaml:1:19: the key `kernel` is given twice in the same mapping; keep one of them
    m.yaml:1:7: the tag `!secret` has no meaning here; remove the tag
    m.yaml:1:1: expected a key that is text, found the number `1`; put the key in quotes
    m.yaml:1:4: this is not valid YAML: while parsing node, found unknown anchor; an alias (`*name`) needs its anchor (`&name`) above it
    m.yaml:1:8: the alias stands inside the value that it names; write the value out in place of the alias
    m.yaml:2:1: a second document begins here, expected one; keep one document in a file: remove what follows this line
    m.yaml:1:256: nested deeper than 64 levels; nest fewer lists and mappings within each other
    m.yaml:1:256: nested deeper than 64 levels; nest fewer lists and mappings within each other
    m.yaml:13:12: aliases make too much of this file; aliases (`*name`) repeat too much: write the values out
    m.yaml:2:155: aliases make too much of this file; aliases (`*name`) repeat too much: write the values out
    m.yaml:2:11: aliases make too much of this file; aliases (`*name`) repeat too much: write the values out
    m.yaml: a manifest may have at most 1048576 bytes; is this really a flash bundle manifest?
    m.yaml:2:1: the key `�[2J` is given twice in the same mapping; keep one of them
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
    unknown key `filename` in `spec.dtb.variants.a`: did you mean `file`?
    unknown key `initramfs` in `spec`: did you mean `initram`?
    unknown key `colour` in `spec` is ignored; known keys: `manufacturer`, `link`, `bootcmd`, `interrupt`, `shelltype`, `login`, `default_target`, `targets`, `uboot`, `kernel`, `initram`, `dtb`, `preflash_commands`, `medium_holds_bootloader`, `expect_boot`, `bundle`, `architecture`, `inherits`
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
