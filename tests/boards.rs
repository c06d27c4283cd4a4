//! Every board of this build, flashed end to end on the simulated board: prompts, password, targets and boot commands
//! are those of its manifest. A board that is added is flashed here without a word in this file.

use std::collections::BTreeSet;
use std::fs;
use std::path::Path;
use std::sync::Arc;

use bundle_store::{Manifest, Variant};
use flasher_core::{BundleEntry, FlashJob, Quiet, Verdict, registry};
use serde_json::json;

use crate::lab::{MEDIUM, noise};

/// Boards flashed at a time.
const AT_ONCE: usize = 4;
const IMAGE: usize = 200_000;

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn every_board_of_this_build_is_flashed_and_proven() {
    let mut flashed = 0;
    let mut running = tokio::task::JoinSet::new();
    for board in registry::boards() {
        for variant in variants(&manifest(board)) {
            if running.len() >= AT_ONCE {
                running.join_next().await.unwrap().unwrap();
            }
            running.spawn(async move { flash(board, variant).await });
            flashed += 1;
        }
    }
    running.join_all().await;
    println!("{flashed} boards and variants were flashed");
    assert!(flashed >= registry::boards().len());
}

fn manifest(board: &BundleEntry) -> Manifest {
    let text_of = |name: &str| registry::board(name).map(|board| board.manifest.to_owned());
    Manifest::parse_with(board.manifest, board.name, &text_of).unwrap().0
}

/// The default variant; of a board that heads its family, also the others that boot from what the bundle holds.
fn variants(manifest: &Manifest) -> Vec<Option<String>> {
    let mut all = vec![None];
    if let (Some(dtb), None) = (&manifest.spec.dtb, &manifest.spec.inherits) {
        let others = dtb.variants.iter().filter(|(name, _)| **name != dtb.default);
        let address = dtb.address.to_string();
        all.extend(
            others.filter(|(_, it)| !wants_own_tree(it, &address)).map(|(name, _)| Some(name.clone())),
        );
    }
    all
}

/// Whether the variant boots with a device tree that the lab itself loads: nothing puts one there.
fn wants_own_tree(variant: &Variant, address: &str) -> bool {
    let command = variant.bootcmd.as_deref().unwrap_or_default();
    variant.file.is_none() && command.matches(address).count() == 1
}

async fn flash(board: &BundleEntry, variant: Option<String>) {
    let name = format!("{} {}", board.name, variant.as_deref().unwrap_or("(default)"));
    let folder = tempfile::Builder::new().prefix("flasher-board-").tempdir().unwrap();
    let place = folder.path();
    fs::set_permissions(place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let manifest = manifest(board);
    write_bundle(&place.join("bundle"), board, &manifest);
    fs::write(place.join("medium"), vec![0xa5; MEDIUM]).unwrap();
    let image = noise(IMAGE, 42);
    fs::write(place.join("image"), &image).unwrap();
    // YAML is a superset of JSON.
    fs::write(place.join("exporter.yaml"), exporter(board, &manifest).to_string()).unwrap();

    let tree = exporter_yaml::load(&place.join("exporter.yaml"))
        .unwrap_or_else(|findings| panic!("{name}: {findings}"));
    let flasher = tree.flasher(None).unwrap();
    if let Some(variant) = &variant {
        flasher.required_bundle().unwrap().use_variant(Some(variant.to_owned())).await.unwrap();
    }
    let job = FlashJob { retries: 0, ..FlashJob::new(place.join("image").to_str().unwrap()) };
    let receipt = flasher.flash(job, Arc::new(Quiet)).await;
    tree.close().await.unwrap();
    assert_eq!(receipt.verdict, Verdict::Proven, "{name}: {:#?}", receipt.failure);
    let medium = fs::read(place.join("medium")).unwrap();
    assert!(medium[..IMAGE] == image[..], "{name}: the medium differs");
    assert!(medium[IMAGE + 4096..].iter().all(|&byte| byte == 0xa5), "{name}: written too far");
}

/// The board's manifest as it is, and a file for every name in it.
fn write_bundle(dir: &Path, board: &BundleEntry, manifest: &Manifest) {
    let spec = &manifest.spec;
    let mut names = BTreeSet::from([&spec.kernel.file]);
    names.extend(spec.initram.iter().map(|load| &load.file));
    names.extend(spec.dtb.iter().flat_map(|dtb| dtb.variants.values()).filter_map(|it| it.file.as_ref()));
    for (seed, file) in (1..).zip(names) {
        let path = dir.join(file);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, noise(50_000, seed)).unwrap();
    }
    fs::write(dir.join("manifest.yaml"), board.manifest).unwrap();
}

/// An exporter YAML whose simulated board is what the manifest says.
fn exporter(board: &BundleEntry, manifest: &Manifest) -> serde_json::Value {
    let spec = &manifest.spec;
    let devices: Vec<&str> = spec.targets.values().map(String::as_str).collect();
    let paths =
        devices.iter().copied().filter(|it| it.starts_with("/dev/")).chain(["/dev/mmcblk0", "/dev/mmcblk1"]);
    let addresses = devices.iter().filter_map(|it| it.strip_prefix("/sys/class/block#")).enumerate();
    let addresses = addresses.map(|(index, text)| (text.to_owned(), json!(format!("mmcblk{index}"))));
    let password = spec.login.password.as_ref().map(|password| password.expose());
    let mut config = json!({
        "apiVersion": "jumpstarter.dev/v1alpha1",
        "kind": "ExporterConfig",
        "metadata": { "namespace": "test", "name": board.name },
        "export": {
            "board": { "type": "sim-board", "config": {
                "medium": "./medium", "size": MEDIUM, "bootdelay": 1,
                "targets": paths.collect::<BTreeSet<_>>(),
                "block_addresses": addresses.collect::<serde_json::Map<_, _>>(),
                "login_prompt": spec.login.login_prompt, "shell_prompt": format!("{} ", spec.login.prompt.trim_end()),
                "username": spec.login.username, "password": password,
            } },
            "storage": {
                "type": board.name,
                "config": { "flasher_bundle": "./bundle", "power_off_seconds": 0.1 },
                "children": {
                    "serial": { "ref": "board.serial" },
                    "power": { "ref": "board.power" },
                    "tftp": { "type": "tftp", "config": { "port": 0, "root_dir": "./tftp" } },
                    "http": { "type": "http", "config": { "port": 0, "root_dir": "./http" } },
                },
            },
        },
    });
    if spec.architecture.as_ref().is_some_and(|it| it.to_string() == "amd64") {
        // A PC's memory begins at 0, and its boot loader has `zboot`.
        let board = &mut config["export"]["board"]["config"];
        board["dram_start"] = json!(0);
        board["without_commands"] = json!(["booti", "bootz"]);
    }
    config
}
