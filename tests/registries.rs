//! A flasher whose bundle is in a registry: pulled, pinned, reported when the tag moves, refused when it was tampered with.

#[path = "../crates/bundle-store/tests/registries/docker.rs"]
pub(crate) mod docker;

use std::fs;
use std::sync::Arc;

use bundle_store::{Access, Digest, push};
use flasher_core::{Class, Event, Quiet, Step, Verdict};

use self::docker::DockerRegistry;
use crate::lab::{Lab, sample};

/// A lab whose bundle is in the registry, and nowhere else.
async fn lab(registry: &DockerRegistry, config: &str) -> (Lab, String, Digest) {
    let mut lab = Lab::new("");
    let name = registry.name("acme/sim:v1");
    let pushed = push(&lab.path("bundle"), &name.parse().unwrap(), &Access::default()).await.unwrap();
    fs::rename(lab.path("bundle"), lab.path("source")).unwrap();
    lab.flasher = format!("cache_dir: ./cache\n      {config}");
    (lab, name, pushed.digest)
}

/// The exporter YAML, with the bundle's name in the registry.
fn exporter(lab: &Lab, name: &str) -> std::path::PathBuf {
    let path = lab.exporter();
    let text = fs::read_to_string(&path)
        .unwrap()
        .replace("flasher_bundle: ./bundle", &format!("flasher_bundle: {name}"));
    fs::write(&path, text).unwrap();
    path
}

async fn flash(lab: &Lab, name: &str) -> (flasher_core::Receipt, Vec<String>) {
    let tree = exporter_yaml::load(&exporter(lab, name)).unwrap_or_else(|findings| panic!("{findings}"));
    let warnings = Arc::new(std::sync::Mutex::new(Vec::new()));
    let heard = Arc::clone(&warnings);
    let progress = move |event| {
        if let Event::Warning { message } = event {
            heard.lock().unwrap().push(message);
        }
    };
    let job = lab.job(&lab.image(&sample(), None));
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
    tree.close().await.unwrap();
    let warnings = warnings.lock().unwrap().clone();
    (receipt, warnings)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bundle_is_pulled_pinned_and_used_without_its_registry() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (lab, name, digest) = lab(&registry, "").await;
    let (receipt, _) = flash(&lab, &name).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);

    let tree = exporter_yaml::load(&exporter(&lab, &name)).unwrap();
    let pinned = tree.flasher(None).unwrap().required_bundle().unwrap().lock_bundle().await.unwrap().unwrap();
    assert_eq!((pinned.reference.as_str(), pinned.digest, pinned.before), (&*name, digest.prefixed(), None));
    assert_eq!(pinned.file, lab.path("flasher.lock"));

    fs::write(lab.path("source/data/kernel"), [9; 1000]).unwrap();
    let moved = push(&lab.path("source"), &name.parse().unwrap(), &Access::default()).await.unwrap();
    let (receipt, warnings) = flash(&lab, &name).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let told = format!(
        "the tag of `{name}` now stands for {}; the lock file pins {}",
        moved.digest.prefixed(),
        digest.prefixed()
    );
    assert!(warnings.iter().any(|it| it.starts_with(&told)), "{warnings:?}");

    let pinned = tree.flasher(None).unwrap().required_bundle().unwrap().lock_bundle().await.unwrap().unwrap();
    assert_eq!((pinned.digest, pinned.before), (moved.digest.prefixed(), Some(digest.prefixed())));
    drop(registry);
    let (receipt, warnings) = flash(&lab, &name).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(warnings.iter().any(|it| it.contains("cannot be reached")), "{warnings:?}");

    fs::remove_file(lab.path("flasher.lock")).unwrap();
    let (receipt, _) = flash(&lab, &name).await;
    let failure = receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Infrastructure, Step::Resolve), "{failure:#?}");
    assert!(failure.help.as_ref().is_some_and(|it| it.contains("`flasher bundle lock`")), "{failure:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_tampered_bundle_is_refused_before_anything_is_touched() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (lab, name, _) = lab(&registry, "").await;
    let kernel = fs::read(lab.path("source/data/kernel")).unwrap();
    let mut tampered = kernel.clone();
    tampered[1000] ^= 1;
    fs::write(registry.blob(&Digest::of(&kernel).to_string()), &tampered).unwrap();
    let (receipt, _) = flash(&lab, &name).await;
    let failure = receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Config, Step::Resolve), "{failure:#?}");
    assert!(
        failure.cause.contains("it was tampered with or damaged, and nothing of it was used"),
        "{failure:#?}"
    );
    assert_eq!(receipt.power, flasher_core::flash::PowerState::Untouched);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_unsigned_bundle_is_refused_where_a_signature_is_demanded() {
    let Some(registry) = DockerRegistry::start() else { return };
    let (lab, name, digest) =
        lab(&registry, "require_signature: true\n      signature_key: ./cosign.pub").await;
    let key = "-----BEGIN PUBLIC KEY-----\nMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\
               axfR8uEsQkf4vOblY6RA8ncDfYEt6zOg9KE5RdiYwpZP40Li/hp/m47n60p8D54WK84zV2sxXs7LtkBoN79R9Q==\n-----END PUBLIC KEY-----\n";
    fs::write(lab.path("cosign.pub"), key).unwrap();
    let tree = exporter_yaml::load(&exporter(&lab, &name)).unwrap();
    let error = tree.flasher(None).unwrap().required_bundle().unwrap().describe().await.unwrap_err();
    assert_eq!(error.class(), Class::Config);
    assert!(error.to_string().contains(&format!("({}) has no signature", digest.prefixed())), "{error}");
    let job = lab.job(&lab.image(&sample(), None));
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(Quiet)).await;
    assert_eq!(receipt.class(), Some(Class::Config));
    tree.close().await.unwrap();
}
