//! A disk that is full before, and one that fills up during a pull: a small file system in a namespace of its own.

use std::{env, path::PathBuf, process::Command};

use bundle_store::{Access, Blamed, OciError, Store};
use serde_json::json;

use crate::{
    cache::{MANIFEST, get},
    faulty::{Faulty, manifest_of},
};

const INSIDE: &str = "BUNDLE_STORE_SMALL_DISK";
const TEST: &str = "full_disk::a_full_disk_is_told_and_leaves_nothing_behind";

#[test]
fn a_full_disk_is_told_and_leaves_nothing_behind() {
    if let Some(disk) = env::var_os(INSIDE) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        return runtime.block_on(fill(disk.into()));
    }
    let disk = tempfile::tempdir().unwrap();
    let script =
        "mount -t tmpfs -o size=1500k tmpfs \"$1\" || exit 77; exec \"$2\" --exact \"$3\" --nocapture";
    // In a chroot the kernel refuses user namespaces; root needs none.
    let is_root = rustix::process::geteuid().is_root();
    let user: &[&str] = if is_root { &[] } else { &["--map-root-user", "--user"] };
    let output = Command::new("unshare")
        .arg("--mount")
        .args(user)
        .args(["sh", "-c", script, "sh"])
        .arg(disk.path())
        .arg(env::current_exe().unwrap())
        .arg(TEST)
        .env(INSIDE, disk.path())
        .output()
        .unwrap();
    let text =
        format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
    if output.status.code() != Some(0) && text.contains("unshare failed") || output.status.code() == Some(77)
    {
        assert!(env::var_os("CI").is_none(), "{text}");
        println!("skipped: no file system can be mounted here: {text}");
        return;
    }
    assert!(output.status.success() && text.contains("1 passed"), "{text}");
}

async fn fill(disk: PathBuf) {
    let registry = Faulty::start();
    let kernel = vec![1; 4_000_000];
    let mut layer = registry.layer("data/kernel", &kernel);
    registry.manifest(&manifest_of(&[registry.layer("manifest.yaml", MANIFEST.as_bytes()), layer.clone()]));
    let store = Store::new(disk.join("cache"), Access::default());
    let error = get(&store, &registry.name(), None).await.unwrap_err();
    assert!(error.to_string().contains("needs 4000") && tells_to_make_room(&error), "{error}");

    // A folder that unfolds into more than the disk has: that cannot be known before.
    layer = crate::cache::packed(&registry, "data", |archive| {
        crate::cache::add(archive, "data/kernel", &kernel);
    });
    assert!(layer["size"].as_u64().unwrap() < 100_000, "{}", json!(layer));
    registry.manifest(&manifest_of(&[registry.layer("manifest.yaml", MANIFEST.as_bytes()), layer]));
    let error = get(&store, &registry.name(), None).await.unwrap_err();
    assert!(error.to_string().contains("No space left on device") && tells_to_make_room(&error), "{error}");
    for folder in ["tmp", "trees"] {
        let left: Vec<_> = std::fs::read_dir(disk.join("cache").join(folder)).unwrap().collect();
        assert!(left.is_empty(), "{folder}: {left:?}");
    }
}

fn tells_to_make_room(error: &OciError) -> bool {
    error.blame().next_step.is_some_and(|step| step.starts_with("run `flasher bundle gc`"))
}
