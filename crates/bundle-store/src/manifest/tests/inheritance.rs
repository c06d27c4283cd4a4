//! Manifests that are laid over others.

use insta::assert_snapshot;
use pretty_assertions::assert_eq;

use super::*;

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
    assert_eq!(nameless.to_string(), "x.yaml:1:1: `metadata`: is missing");
    let wrong = FIELD.replace("manufacturer: ", "manufacturer: 1 #");
    let lookup = |name: &str| (name == "field").then(|| wrong.clone());
    let heir = "metadata: {name: last}\nspec: {inherits: field, shelltype: bash}";
    let text = Manifest::parse_with(heir, "x.yaml", &lookup).unwrap_err().to_string();
    let of_heir = "x.yaml:2:36: `spec.shelltype`: expected `busybox`, found `bash`";
    let of_base = ": `spec.manufacturer`: expected text, found a number: put it in quotes";
    assert!(text.contains(of_heir) && text.contains("\n  field:6:17") && text.contains(of_base), "{text}");
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
    broken:2:1: this is not valid YAML: while parsing a node, did not find expected node content; look at this line and those around it: indentation, a missing `:` or quote
    ");
}
