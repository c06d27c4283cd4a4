//! What a registry can do wrong: each ends with a sentence that says so, and leaves the cache as it was.

use std::{fs, path::Path};

use bundle_store::{Access, Digest, Limits, Store};
use serde_json::{Value, json};

use crate::{
    cache::{MANIFEST, add, get, packed},
    docker::DockerRegistry,
    faulty::{Answer, Faulty, manifest_of},
};

struct Case {
    name: &'static str,
    set_up: fn(&Faulty),
    expected: &'static str,
}

fn publish(registry: &Faulty, layers: &[Value]) {
    let mut all = vec![registry.layer("manifest.yaml", MANIFEST.as_bytes())];
    all.extend_from_slice(layers);
    registry.manifest(&manifest_of(&all));
}

/// A layer whose blob is answered otherwise.
fn blob(registry: &Faulty, answer: Answer) {
    let layer = registry.layer("data/kernel", b"kernel");
    registry.put(&format!("blobs/{}", Digest::of("kernel").prefixed()), answer);
    publish(registry, &[layer]);
}

const CASES: &[Case] = &[
    Case { name: "no such tag", set_up: |_| {}, expected: "the registry has no manifest of `REF`" },
    Case {
        name: "401",
        set_up: |registry| registry.put("manifests/v1", Answer::new(401, "")),
        expected: "the registry refuses `REF` to anonymous users",
    },
    Case {
        name: "403",
        set_up: |registry| {
            registry.put("manifests/v1", Answer::new(403, r#"{"errors":[{"code":"DENIED","message":"no"}]}"#))
        },
        expected: "the registry refuses `REF` to anonymous users, it says: `no`",
    },
    Case {
        name: "500",
        set_up: |registry| registry.put("manifests/v1", Answer::new(500, "<html>")),
        expected: "the registry does not give `REF`: it answers with status 500",
    },
    Case {
        name: "no JSON",
        set_up: |registry| {
            let page = "<html>login</html>";
            registry.put("manifests/v1", Answer::new(200, page));
            registry.put(&format!("manifests/{}", Digest::of(page).prefixed()), Answer::new(200, page));
        },
        expected: "the OCI manifest of `REF` cannot be used: no OCI manifest: expected value at line 1 column 1",
    },
    Case {
        name: "a digest that the manifest does not have",
        set_up: |registry| {
            let digest = registry.manifest(&manifest_of(&[registry.layer("manifest.yaml", b"x")]));
            registry.put(
                &format!("manifests/{}", digest.prefixed()),
                Answer::new(200, manifest_of(&[]).to_string()),
            );
        },
        expected: "the OCI manifest of `REF` cannot be used: its digest is not the one that was asked for",
    },
    Case {
        name: "no layers",
        set_up: |registry| {
            registry.manifest(&manifest_of(&[]));
        },
        expected: "the OCI manifest of `REF` cannot be used: it has no layers, so it is no flash bundle",
    },
    Case {
        name: "a layer without title",
        set_up: |registry| {
            let mut layer = registry.layer("x", b"x");
            layer["annotations"] = json!({});
            publish(registry, &[layer]);
        },
        expected: "has no `org.opencontainers.image.title`, so its path is not known",
    },
    Case {
        name: "a title that goes up",
        set_up: |registry| publish(registry, &[registry.layer("data/../../../evil", b"x")]),
        expected: "layer `data/../../../evil` of `REF`: the title `data/../../../evil` goes upwards with `..`",
    },
    Case {
        name: "an absolute title",
        set_up: |registry| publish(registry, &[registry.layer("/tmp/evil", b"x")]),
        expected: "the title `/tmp/evil` is absolute; expected a path relative to the bundle",
    },
    Case {
        name: "a tampered blob",
        set_up: |registry| blob(registry, Answer::new(200, "kernal")),
        expected: "layer `data/kernel` has the digest sha256:",
    },
    Case {
        name: "a truncated blob",
        set_up: |registry| blob(registry, Answer::new(200, "ker")),
        expected: "the transfer of layer `data/kernel` broke off after 3 of 6 bytes: the registry ended it early",
    },
    Case {
        name: "a size that is a lie",
        set_up: |registry| blob(registry, Answer::new(200, "kernel and very much more")),
        expected: "layer `data/kernel` has more bytes, its manifest promises 6: it is truncated or the manifest is wrong",
    },
    Case {
        name: "a blob that is gone",
        set_up: |registry| blob(registry, Answer::new(404, "")),
        expected: "the registry has no layer `data/kernel` of `REF`",
    },
    Case {
        name: "more bytes than any disk has",
        set_up: |registry| {
            let mut layer = registry.layer("data/kernel", b"kernel");
            layer["size"] = json!(16_000_000_000u64);
            let layers = [&layer, &layer].map(Value::clone);
            publish(registry, &layers);
        },
        expected: "3 layers of 32000000",
    },
    Case {
        name: "a zip bomb",
        set_up: |registry| {
            let bomb = packed(registry, "data", |archive| add(archive, "data/kernel", &vec![0; 20_000_000]));
            publish(registry, &[bomb]);
        },
        expected: "layer `data` cannot be unpacked: it unfolds into more bytes than a bundle may have",
    },
    Case {
        name: "a folder of very many files",
        set_up: |registry| {
            let many = packed(registry, "data", |archive| {
                (0..200).for_each(|n| add(archive, &format!("data/{n}"), b""))
            });
            publish(registry, &[many]);
        },
        expected: "layer `data` cannot be unpacked: it has too many entries",
    },
    Case {
        name: "a link in a packed folder",
        set_up: |registry| {
            let link = packed(registry, "data", |archive| {
                let mut header = tar::Header::new_gnu();
                header.set_entry_type(tar::EntryType::Symlink);
                header.set_size(0);
                archive.append_link(&mut header, "data/out", "/etc").unwrap();
            });
            publish(registry, &[link]);
        },
        expected: "layer `data` cannot be unpacked: `data/out` is a link; a bundle holds files only",
    },
    Case {
        name: "a way up in a packed folder",
        set_up: |registry| {
            publish(registry, &[packed(registry, "data", |archive| add(archive, "../../evil", b"x"))])
        },
        expected: "layer `data` cannot be unpacked: `../../evil` goes upwards with `..`",
    },
    Case {
        name: "a packed folder that overwrites",
        set_up: |registry| {
            publish(registry, &[packed(registry, "zdata", |archive| add(archive, "manifest.yaml", b"x"))])
        },
        expected: "layer `zdata` cannot be unpacked: `manifest.yaml` is there twice",
    },
    Case {
        name: "a packed folder that is none",
        set_up: |registry| {
            let mut layer = registry.layer("data", b"not gzip at all");
            layer["mediaType"] = json!("application/vnd.oci.image.layer.v1.tar+gzip");
            publish(registry, &[layer]);
        },
        expected: "layer `data` cannot be unpacked: ",
    },
];

#[tokio::test]
async fn wrong_registry_answers_are_not_cached() {
    let mut wrong = Vec::new();
    for case in CASES {
        let (registry, home) = (Faulty::start(), tempfile::tempdir().unwrap());
        (case.set_up)(&registry);
        let store = Store::new(home.path().join("cache"), Access::default())
            .with_limits(Limits { unpacked: 10_000_000, entries: 100 });
        let name = registry.name();
        let error = get(&store, &name, None).await.expect_err(case.name).to_string();
        // The tag is asked for once; from then on its digest is.
        let pinned = error.split('`').find(|it| it.contains("@sha256:")).unwrap_or(&name).to_owned();
        let error = error.replace(&pinned, "REF").replace(&name, "REF");
        if !error.contains(case.expected) {
            wrong.push(format!("{}:\n  {error}\n  {}", case.name, case.expected));
        }
        unpoisoned(&home.path().join("cache"), case.name);
        assert!(!home.path().join("evil").exists() && !Path::new("/tmp/evil").exists(), "{}", case.name);
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Nothing half there: no bundle, no leftovers, and every blob is what its name says.
fn unpoisoned(cache: &Path, name: &str) {
    let list = |folder: &str| -> Vec<_> {
        fs::read_dir(cache.join(folder)).into_iter().flatten().map(|it| it.unwrap().path()).collect()
    };
    assert_eq!(list("trees"), [""; 0].map(std::path::PathBuf::from), "{name}");
    assert_eq!(list("tmp"), [""; 0].map(std::path::PathBuf::from), "{name}");
    for blob in list("blobs/sha256") {
        let found = Digest::of(fs::read(&blob).unwrap()).to_string();
        assert_eq!(blob.file_name().unwrap().to_str(), Some(&*found), "{name}");
    }
}

#[tokio::test]
async fn a_registry_that_is_down_is_named() {
    let home = tempfile::tempdir().unwrap();
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let store = Store::new(home.path(), Access::default());
    let error = get(&store, &format!("{free}/acme/bundle:v1"), None).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!("the registry `{free}` cannot be reached: Connection refused (os error 111)")
    );
    assert!(error.is_offline());
}

#[tokio::test]
async fn who_may_read_and_not_push_is_told_so() {
    let source = crate::cache::bundle("k");
    for (status, body, said) in [
        (401, "", ""),
        (403, r#"{"errors":[{"code":"DENIED","message":"read only"}]}"#, ", it says: `read only`"),
        (403, "", ""),
        (403, "<html>no</html>", ""),
    ] {
        let registry = Faulty::start();
        registry.put("blobs/uploads/", Answer::new(status, body));
        let reference = registry.name().parse().unwrap();
        let error = bundle_store::push(source.path(), &reference, &Access::default()).await.unwrap_err();
        let blame = bundle_store::Blamed::blame(&error);
        let denied = bundle_store::Blame::LASTING
            .advise("check the credentials: OCI_USERNAME and OCI_PASSWORD, or `docker login`");
        assert_eq!(blame, denied, "{status} {body}: {error}");
        let expected = format!("the registry refuses `{reference}` to anonymous users{said}");
        assert_eq!(error.to_string(), expected, "{status} {body}");
        assert!(registry.requests().iter().any(|it| it.starts_with("POST ")), "{:?}", registry.requests());
    }
}

#[tokio::test]
async fn a_blob_that_changed_in_a_real_registry_is_refused() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (name, source, home) =
        (registry.name("acme/bundle:v1"), crate::cache::bundle("k"), tempfile::tempdir().unwrap());
    bundle_store::push(source.path(), &name.parse().unwrap(), &Access::default()).await.unwrap();
    let kernel = fs::read(source.path().join("data/kernel")).unwrap();
    let blob = registry.blob(&Digest::of(&kernel).to_string());
    let mut tampered = kernel.clone();
    tampered[4242] ^= 0x20;
    fs::write(&blob, &tampered).unwrap();
    let store = crate::cache::store(home.path());
    let error = get(&store, &name, None).await.unwrap_err().to_string();
    assert_eq!(
        error,
        format!(
            "layer `data/kernel` has the digest {}, expected {}: it was tampered with or damaged, and nothing of it was used",
            Digest::of(&tampered).prefixed(),
            Digest::of(&kernel).prefixed()
        )
    );
    unpoisoned(&home.path().join("cache"), "tampered");
    fs::write(&blob, &kernel).unwrap();
    let cached = get(&store, &name, None).await.unwrap();
    assert_eq!(crate::cache::files(&cached.dir), crate::cache::files(source.path()), "mended, it is taken");
}
