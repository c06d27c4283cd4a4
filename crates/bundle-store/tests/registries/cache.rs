//! The cache in daily life: pulled once, shared, pinned, used without the network, repaired, swept.

use std::{collections::BTreeMap, fs, path::Path, time::Duration};

use bundle_store::{Access, Bundle, Cached, Digest, OciError, Reference, Store, Wanted, export, push};
use serde_json::json;

use crate::{
    docker::DockerRegistry,
    faulty::{Answer, Faulty, manifest_of},
};

pub(crate) const MANIFEST: &str = "metadata: { name: acme }
spec:
  manufacturer: Acme
  link: null
  bootcmd: booti 0x82000000 - 0x84000000
  targets: { emmc: /dev/mmcblk0 }
  kernel: { file: data/kernel, address: \"0x82000000\" }
  dtb: { default: a, address: \"0x84000000\", variants: { a: { file: data/dtbs/a.dtb } } }
";

/// A bundle as its author has it.
pub(crate) fn bundle(kernel: &str) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::create_dir_all(folder.path().join("data/dtbs")).unwrap();
    fs::write(folder.path().join("manifest.yaml"), MANIFEST).unwrap();
    fs::write(folder.path().join("manifest-other.yaml"), MANIFEST.replace("emmc", "usd")).unwrap();
    fs::write(folder.path().join("data/kernel"), kernel.repeat(100_000)).unwrap();
    fs::write(folder.path().join("data/dtbs/a.dtb"), "tree").unwrap();
    fs::write(folder.path().join("data/copy"), "tree").unwrap(); // same content, one blob
    fs::write(folder.path().join("data/empty"), "").unwrap();
    folder
}

/// Every file below `root` by its path.
pub(crate) fn files(root: &Path) -> BTreeMap<String, Vec<u8>> {
    let mut found = BTreeMap::new();
    for entry in fs::read_dir(root).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if entry.file_type().unwrap().is_dir() {
            found.extend(
                files(&entry.path()).into_iter().map(|(path, bytes)| (format!("{name}/{path}"), bytes)),
            );
        } else {
            found.insert(name, fs::read(entry.path()).unwrap());
        }
    }
    found
}

pub(crate) fn store(folder: &Path) -> Store {
    Store::new(folder.join("cache"), Access::default())
}

pub(crate) async fn get(store: &Store, name: &str, locked: Option<Digest>) -> Result<Cached, OciError> {
    let reference: Reference = name.parse().unwrap();
    store.get(&Wanted { reference: &reference, locked, key: None }).await
}

async fn push_to(name: &str, folder: &Path) -> Digest {
    push(folder, &name.parse().unwrap(), &Access::default()).await.unwrap().digest
}

#[tokio::test]
async fn what_is_pushed_is_pulled_the_same_and_only_once() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (name, source, home) = (registry.name("acme/bundle:v1"), bundle("k"), tempfile::tempdir().unwrap());
    let reference: Reference = name.parse().unwrap();
    let pushed = push(source.path(), &reference, &Access::default()).await.unwrap();
    assert_eq!(pushed.files.len(), 6);
    let again = push(source.path(), &reference, &Access::default()).await.unwrap();
    assert_eq!((again.digest, again.sent), (pushed.digest, 0), "what the registry has is not sent again");

    let store = store(home.path());
    let first = get(&store, &name, None).await.unwrap();
    assert_eq!(first.digest, pushed.digest);
    assert_eq!(files(&first.dir), files(source.path()));
    assert_eq!(first.downloaded, pushed.sent - 2, "each blob once, and never the empty config");
    let second = get(&store, &name, None).await.unwrap();
    assert_eq!((second.downloaded, second.warnings.len()), (0, 0));
    Bundle::open(&second.dir, "manifest.yaml").unwrap().files(None).unwrap();
    Bundle::open(&second.dir, "manifest-other.yaml").unwrap().files(None).unwrap();

    let link = home.path().join("cache").join(name.replace([':', '/'], "_"));
    assert_eq!(files(&link), files(source.path()), "where Jumpstarter keeps it");
    let copy = home.path().join("copy");
    export(&second, &copy).unwrap();
    assert_eq!(files(&copy), files(source.path()));
    let taken = export(&second, &copy).unwrap_err().to_string();
    assert!(
        taken.ends_with("is there already; name a folder that is not there yet, or an empty one"),
        "{taken}"
    );
}

#[tokio::test]
async fn a_pinned_bundle_needs_no_registry_and_a_moved_tag_is_told() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (name, home) = (registry.name("acme/bundle:v1"), tempfile::tempdir().unwrap());
    let (old, new) = (bundle("old"), bundle("new"));
    let pinned = push_to(&name, old.path()).await;
    let store = store(home.path());
    assert_eq!(get(&store, &name, Some(pinned)).await.unwrap().warnings, [""; 0]);

    let moved = push_to(&name, new.path()).await;
    let cached = get(&store, &name, Some(pinned)).await.unwrap();
    assert_eq!(files(&cached.dir), files(old.path()), "never silently another one");
    assert_eq!(
        cached.warnings,
        [format!(
            "the tag of `{name}` now stands for {}; the lock file pins {}, which is used; `flasher bundle lock` takes the new one",
            moved.prefixed(),
            pinned.prefixed()
        )]
    );

    drop(registry);
    let cached = get(&store, &name, Some(pinned)).await.unwrap();
    assert_eq!(files(&cached.dir), files(old.path()));
    let [warning] = &cached.warnings[..] else { panic!("{:?}", cached.warnings) };
    assert!(
        warning.contains("cannot be reached")
            && warning.ends_with("the cached copy that the lock file pins is used"),
        "{warning}"
    );
    let by_digest = name.replace(":v1", &format!("@{}", pinned.prefixed()));
    assert_eq!(get(&store, &by_digest, None).await.unwrap().warnings, [""; 0], "nothing to ask for");

    let error = get(&store, &name, None).await.unwrap_err().to_string();
    assert!(error.contains("cannot be reached"), "{error}");
    assert!(error.contains(&format!("the cache has {} of `{name}`", pinned.prefixed())), "{error}");
    let absent = get(&store, &name, Some(Digest::of("never seen"))).await.unwrap_err();
    assert!(absent.is_offline(), "{absent}");
}

#[tokio::test]
async fn what_is_damaged_on_disk_is_noticed_and_fetched_again() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (name, source, home) = (registry.name("acme/bundle:v1"), bundle("k"), tempfile::tempdir().unwrap());
    push_to(&name, source.path()).await;
    let store = store(home.path());
    let dir = get(&store, &name, None).await.unwrap().dir;
    type Harm = fn(&Path);
    let damage: [(&str, Harm); 4] = [
        ("data/kernel", |path| {
            let mut bytes = fs::read(path).unwrap();
            bytes[5000] ^= 1;
            write_over(path, &bytes);
        }),
        ("data/kernel", |path| write_over(path, b"short")),
        ("data/dtbs/a.dtb", |path| fs::remove_file(path).unwrap()),
        ("manifest.yaml", |path| {
            fs::remove_file(path).unwrap();
            std::os::unix::fs::symlink("/etc/passwd", path).unwrap();
        }),
    ];
    for (file, harm) in damage {
        harm(&dir.join(file));
        let cached = get(&store, &name, None).await.unwrap();
        assert_eq!(files(&cached.dir), files(source.path()), "{file}");
        let expected = format!("the cached copy of `{name}` was damaged on disk (`{file}`");
        assert!(cached.warnings.iter().any(|it| it.starts_with(&expected)), "{:?}", cached.warnings);
        assert_eq!(get(&store, &name, None).await.unwrap().warnings, [""; 0]);
    }
    fs::write(
        home.path().join("cache/trees").join(format!("{}.json", dir.file_name().unwrap().display())),
        "{",
    )
    .unwrap();
    assert_eq!(files(&get(&store, &name, None).await.unwrap().dir), files(source.path()), "a damaged record");
}

#[tokio::test]
async fn damaged_cache_files_are_fetched_again() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (name, source, home) = (registry.name("acme/bundle:v1"), bundle("k"), tempfile::tempdir().unwrap());
    push_to(&name, source.path()).await;
    let store = store(home.path());
    let Cached { dir, digest, .. } = get(&store, &name, None).await.unwrap();
    let kernel = dir.join("data/kernel");
    let stamp = fs::metadata(&kernel).unwrap().modified().unwrap();
    let mut bytes = fs::read(&kernel).unwrap();
    bytes[5000] ^= 1;
    write_over(&kernel, &bytes);
    fs::File::open(&kernel).unwrap().set_modified(stamp).unwrap();
    let cached = get(&store, &name, None).await.unwrap();
    assert_eq!(
        (cached.warnings.len(), fs::read(&kernel).unwrap() == bytes),
        (0, true),
        "its stamp says nothing"
    );
    let error =
        Bundle::open(&cached.dir, "manifest.yaml").unwrap().expecting(cached.files().clone()).digest();
    assert!(error.unwrap_err().to_string().contains("damaged on disk"));
    drop(cached);
    store.distrust(digest).unwrap();
    let cached = get(&store, &name, None).await.unwrap();
    assert_eq!(files(&cached.dir), files(source.path()));
    assert!(cached.warnings[0].contains("was damaged on disk (`data/kernel`)"), "{:?}", cached.warnings);
    store.distrust(Digest::of("never seen")).unwrap();
}

/// Writes into the file as it is, whatever its mode, as a failing disk would.
fn write_over(path: &Path, bytes: &[u8]) {
    use std::os::unix::fs::PermissionsExt;
    fs::set_permissions(path, fs::Permissions::from_mode(0o644)).unwrap();
    fs::write(path, bytes).unwrap();
}

#[tokio::test]
async fn a_reboot_makes_the_cache_hash_again() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (name, source, home) = (registry.name("acme/bundle:v1"), bundle("k"), tempfile::tempdir().unwrap());
    push_to(&name, source.path()).await;
    let store = store(home.path());
    let cached = get(&store, &name, None).await.unwrap();
    let record = home.path().join("cache/trees").join(format!("{}.json", cached.digest));
    let text = fs::read_to_string(&record).unwrap();
    let boot: serde_json::Value = serde_json::from_str(&text).unwrap();
    fs::write(&record, text.replace(boot["boot"].as_str().unwrap(), "another")).unwrap();
    let cached = get(&store, &name, None).await.unwrap();
    assert_eq!((cached.downloaded, cached.warnings.len()), (0, 0));
    assert_eq!(fs::read_to_string(&record).unwrap(), text);
}

#[tokio::test(flavor = "multi_thread")]
async fn many_who_pull_at_once_download_once() {
    let registry = Faulty::start();
    let kernel = vec![3; 2_000_000];
    let layers =
        [registry.layer("manifest.yaml", MANIFEST.as_bytes()), registry.layer("data/kernel", &kernel)];
    registry.manifest(&manifest_of(&layers));
    let home = tempfile::tempdir().unwrap();
    let pulls = (0..6).map(|_| {
        let (store, name) = (store(home.path()), registry.name());
        tokio::spawn(async move { get(&store, &name, None).await.unwrap().downloaded })
    });
    let mut downloaded = 0;
    for pull in pulls.collect::<Vec<_>>() {
        downloaded += pull.await.unwrap();
    }
    assert_eq!(downloaded, (kernel.len() + MANIFEST.len()) as u64);
    let blobs = registry.requests().into_iter().filter(|it| it.contains("/blobs/")).count();
    assert_eq!(blobs, 2, "{:?}", registry.requests());
}

#[tokio::test]
async fn folders_that_others_packed_are_unpacked() {
    let registry = Faulty::start();
    let layer = packed(&registry, "data", |archive| {
        add(archive, "data/kernel", b"kernel");
        add(archive, "data/dtbs/a.dtb", b"tree");
    });
    registry.manifest(&manifest_of(&[registry.layer("manifest.yaml", MANIFEST.as_bytes()), layer]));
    let home = tempfile::tempdir().unwrap();
    let cached = get(&store(home.path()), &registry.name(), None).await.unwrap();
    let names: Vec<String> = files(&cached.dir).into_keys().collect();
    assert_eq!(names, ["data/dtbs/a.dtb", "data/kernel", "manifest.yaml"]);
    assert_eq!(cached.files()["data/kernel"], Digest::of("kernel"));
}

pub(crate) type Archive = tar::Builder<flate2::write::GzEncoder<Vec<u8>>>;

pub(crate) fn add(archive: &mut Archive, path: &str, bytes: &[u8]) {
    let mut header = tar::Header::new_gnu();
    header.set_size(bytes.len() as u64);
    header.set_mode(0o644);
    // Not through `set_path`: it refuses what a hostile archive has.
    let name = &mut header.as_old_mut().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_cksum();
    archive.append(&header, bytes).unwrap();
}

/// A layer that is a packed folder.
pub(crate) fn packed(registry: &Faulty, title: &str, fill: impl FnOnce(&mut Archive)) -> serde_json::Value {
    let mut archive =
        tar::Builder::new(flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast()));
    fill(&mut archive);
    let bytes = archive.into_inner().unwrap().finish().unwrap();
    let mut layer = registry.layer(title, &bytes);
    layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
    layer
}

#[tokio::test]
async fn gc_keeps_what_a_name_stands_for_or_a_process_uses() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (name, home) = (registry.name("acme/bundle:v1"), tempfile::tempdir().unwrap());
    let store = store(home.path());
    push_to(&name, bundle("old").path()).await;
    let old = get(&store, &name, None).await.unwrap();
    push_to(&name, bundle("new").path()).await;
    let new = get(&store, &name, None).await.unwrap();
    fs::write(home.path().join("cache/tmp/leftover"), "of a killed process").unwrap();

    let freed = store.gc(None, false).await.unwrap();
    assert_eq!((freed.bundles.len(), freed.in_use, freed.files), (0, 1, 1), "{freed:?}");
    let (gone, dir) = (old.digest, old.dir.clone());
    drop(old);
    let told = store.gc(None, true).await.unwrap();
    assert_eq!((told.bundles, dir.exists()), (vec![gone.to_string()], true), "dry");
    let freed = store.gc(None, false).await.unwrap();
    assert_eq!((freed.bundles, freed.files, freed.bytes), (vec![gone.to_string()], 1, 300_000));
    assert!(!dir.exists() && new.dir.join("data/kernel").exists());

    let dir = new.dir.clone();
    drop(new);
    assert_eq!(store.gc(Some(Duration::from_secs(3600)), false).await.unwrap().files, 0);
    let freed = store.gc(Some(Duration::ZERO), false).await.unwrap();
    assert!(freed.bundles.len() == 1 && freed.files == 5 && !dir.exists(), "{freed:?}");
    let left: Vec<_> =
        fs::read_dir(home.path().join("cache")).unwrap().map(|it| it.unwrap().file_name()).collect();
    assert!(!left.iter().any(|it| it.to_string_lossy().contains("acme")), "{left:?}");
}

#[tokio::test]
async fn a_real_folder_where_the_link_would_go_is_left_alone() {
    let registry = Faulty::start();
    registry.manifest(&manifest_of(&[registry.layer("manifest.yaml", MANIFEST.as_bytes())]));
    let home = tempfile::tempdir().unwrap();
    let foreign = home.path().join("cache").join(registry.name().replace([':', '/'], "_"));
    fs::create_dir_all(&foreign).unwrap();
    fs::write(foreign.join("theirs"), "x").unwrap();
    get(&store(home.path()), &registry.name(), None).await.unwrap();
    assert_eq!(files(&foreign).into_keys().collect::<Vec<_>>(), ["theirs"]);
    registry.put("manifests/v1", Answer::new(500, ""));
}
