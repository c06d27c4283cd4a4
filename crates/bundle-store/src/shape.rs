//! The shape of a manifest: which keys each part has, which it must have, and what must agree with what.

use flasher_base::suggest::nearest;
use indexmap::IndexMap;
use strict_yaml::YamlNode;

use crate::{
    API_VERSION, Dtb, KIND, Load, Login, Manifest, Metadata, ShellType, Spec, Variant,
    read::{Findings, Read, Section},
    words::{listed, quoted},
};

impl Read for Manifest {
    fn read(node: &YamlNode, _: &str, found: &mut Findings) -> Option<Manifest> {
        if node.mapping().is_none() {
            let message = "expected a mapping with `metadata` and `spec`";
            found.problem(node.position, "manifest", message);
            return None;
        }
        let mut keys = Section::open(node, "", found)?;
        let api_version = constant(&mut keys, "apiVersion", API_VERSION);
        let kind = constant(&mut keys, "kind", KIND);
        if keys.has_problems() {
            return None; // another kind of document: what it lacks as a manifest is of no interest
        }
        let metadata = keys.required("metadata");
        let spec = keys.required("spec");
        keys.finish();
        Some(Manifest { api_version, kind, metadata: metadata?, spec: spec? })
    }
}

impl Read for Metadata {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Metadata> {
        let mut keys = Section::open(node, path, found)?;
        let name = keys.required("name");
        keys.finish();
        Some(Metadata { name: name? })
    }
}

impl Read for Spec {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Spec> {
        let mut keys = Section::open(node, path, found)?;
        let manufacturer = keys.required("manufacturer");
        let link = keys.optional("link");
        let bootcmd = keys.required("bootcmd");
        let interrupt = keys.optional("interrupt");
        let shelltype = keys.or("shelltype", ShellType::default());
        let login = keys.or("login", Login::default());
        let default_target = keys.optional("default_target");
        let targets = keys.required("targets");
        let uboot = keys.or("uboot", IndexMap::new());
        let kernel = keys.required("kernel");
        let initram = keys.optional("initram");
        let dtb = keys.optional("dtb");
        let preflash_commands = keys.or("preflash_commands", Vec::new());
        let medium_holds_bootloader = keys.or("medium_holds_bootloader", false);
        let expect_boot = keys.optional("expect_boot");
        let bundle = keys.optional("bundle");
        let architecture = keys.optional("architecture");
        let inherits = keys.optional("inherits");
        if let Some(targets) = &targets {
            check_default_target(&mut keys, targets, default_target.as_deref());
        }
        keys.finish();
        Some(Spec {
            manufacturer: manufacturer?,
            link,
            bootcmd: bootcmd?,
            interrupt,
            shelltype,
            login,
            default_target,
            targets: targets?,
            uboot,
            kernel: kernel?,
            initram,
            dtb,
            preflash_commands,
            medium_holds_bootloader,
            expect_boot,
            bundle,
            architecture,
            inherits,
        })
    }
}

impl Read for ShellType {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<ShellType> {
        let text = String::read(node, path, found)?;
        if text != "busybox" {
            found.problem(node.position, path, format!("expected `busybox`, found {}", quoted(&text)));
            return None;
        }
        Some(ShellType::Busybox)
    }
}

impl Read for Login {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Login> {
        let mut keys = Section::open(node, path, found)?;
        let login_prompt = keys.required("login_prompt");
        let prompt = keys.required("prompt");
        let username = keys.optional("username");
        let password = keys.optional("password");
        keys.ignored("type"); // published test bundles have it; no code reads it
        keys.finish();
        Some(Login { login_prompt: login_prompt?, prompt: prompt?, username, password })
    }
}

impl Read for Load {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Load> {
        let mut keys = Section::open(node, path, found)?;
        let file: Option<String> = keys.required("file");
        let address = keys.required("address");
        if file.as_deref() == Some("") {
            keys.problem("file", "is empty; expected the path of a file in the bundle".into());
        }
        keys.finish();
        Some(Load { file: file?, address: address? })
    }
}

impl Read for Dtb {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Dtb> {
        let mut keys = Section::open(node, path, found)?;
        let default: Option<String> = keys.required("default");
        let address = keys.required("address");
        let variants: Option<IndexMap<String, Variant>> = keys.required("variants");
        if let (Some(default), Some(variants)) = (&default, &variants) {
            check_named(&mut keys, "default", default, "variants", variants);
        }
        keys.finish();
        Some(Dtb { default: default?, address: address?, variants: variants? })
    }
}

impl Read for Variant {
    fn read(node: &YamlNode, path: &str, found: &mut Findings) -> Option<Variant> {
        let mut keys = Section::open(node, path, found)?;
        let variant = Variant { bootcmd: keys.optional("bootcmd"), file: keys.optional("file") };
        keys.finish();
        Some(variant)
    }
}

fn constant(keys: &mut Section<'_, '_>, key: &'static str, expected: &'static str) -> String {
    let text = keys.or(key, expected.to_owned());
    if text != expected {
        keys.problem(key, format!("expected `{expected}`, found {}", quoted(&text)));
    }
    text
}

fn check_default_target(
    keys: &mut Section<'_, '_>,
    targets: &IndexMap<String, String>,
    default: Option<&str>,
) {
    match default {
        _ if targets.is_empty() => keys.problem("targets", "is empty; expected at least one target".into()),
        Some(default) => check_named(keys, "default_target", default, "targets", targets),
        None if targets.len() > 1 => {
            let names: Vec<_> = targets.keys().collect();
            keys.problem("default_target", format!("is missing; name one of {}", listed(&names)));
        }
        None => {}
    }
}

/// Notes a problem unless `name`, the value of `key`, is one of the entries of `among`.
fn check_named<T>(
    keys: &mut Section<'_, '_>,
    key: &str,
    name: &str,
    among: &str,
    entries: &IndexMap<String, T>,
) {
    if entries.contains_key(name) {
        return;
    }
    let names: Vec<_> = entries.keys().map(String::as_str).collect();
    let hint = nearest(name, names.iter().copied())
        .map_or_else(String::new, |name| format!("; did you mean {}?", quoted(name)));
    let known =
        if names.is_empty() { "which is empty".into() } else { format!("which has {}", listed(&names)) };
    keys.problem(key, format!("{} is not among `{among}`, {known}{hint}", quoted(name)));
}
