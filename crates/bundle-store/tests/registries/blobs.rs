//! One file out of a registry, as a stream: what is whole arrives, what is not ends with an error.

use bundle_store::{Access, Digest, Pick, Reference, open_blob, push};
use futures_util::StreamExt;
use serde_json::json;

use crate::{
    docker::DockerRegistry,
    faulty::{Answer, Faulty, manifest_of},
};

/// Reads the picked file to its end, and looks whether anything comes behind an error.
async fn read(reference: &str, pick: &Pick) -> Result<Vec<u8>, String> {
    let reference: Reference = reference.parse().unwrap();
    let mut blob =
        open_blob(&reference, pick, &Access::default()).await.map_err(|error| error.to_string())?;
    let mut bytes = Vec::new();
    while let Some(piece) = blob.stream.next().await {
        match piece {
            Ok(piece) => bytes.extend_from_slice(&piece),
            Err(error) => {
                assert!(blob.stream.next().await.is_none(), "an error is the last thing");
                return Err(error.to_string());
            }
        }
    }
    assert_eq!(bytes.len() as u64, blob.length);
    assert_eq!(Digest::of(&bytes), blob.digest);
    Ok(bytes)
}

#[tokio::test]
async fn a_file_is_found_by_title_by_type_or_as_the_only_one() {
    let Some(registry) = DockerRegistry::start() else { return };
    let folder = tempfile::tempdir().unwrap();
    let image = vec![7; 3_000_000];
    std::fs::write(folder.path().join("disk.img"), &image).unwrap();
    let one = registry.name("acme/one:v1");
    push(folder.path(), &one.parse().unwrap(), &Access::default()).await.unwrap();
    std::fs::write(folder.path().join("notes.yaml"), "a: b\n").unwrap();
    let two = registry.name("acme/two:v1");
    push(folder.path(), &two.parse().unwrap(), &Access::default()).await.unwrap();

    assert_eq!(read(&format!("oci://{one}"), &Pick::Only).await.unwrap(), image);
    assert_eq!(read(&two, &Pick::Title("disk.img".into())).await.unwrap(), image);
    assert_eq!(read(&two, &Pick::MediaType("application/yaml".into())).await.unwrap(), b"a: b\n");
    assert_eq!(
        read(&two, &Pick::Only).await.unwrap_err(),
        format!("`{two}` has no single file; it has: `disk.img`, `notes.yaml`")
    );
    assert_eq!(
        read(&two, &Pick::Title("disk".into())).await.unwrap_err(),
        format!("`{two}` has no single file `disk`; it has: `disk.img`, `notes.yaml`")
    );
}

#[tokio::test]
async fn the_board_decides_which_platform_is_taken() {
    let registry = Faulty::start();
    let mut entries = Vec::new();
    for platform in ["amd64", "arm64"] {
        let layer = registry.layer("os.img", platform.as_bytes());
        let manifest = manifest_of(&[layer]);
        let digest = registry.manifest(&manifest).prefixed();
        entries.push(json!({
            "mediaType": "application/vnd.oci.image.manifest.v1+json", "digest": digest,
            "size": manifest.to_string().len(), "platform": { "os": "linux", "architecture": platform },
        }));
    }
    registry.manifest(&json!({ "schemaVersion": 2, "manifests": entries }));
    let reference: Reference = registry.name().parse().unwrap();
    for board in ["arm64", "amd64"] {
        let access = Access { architecture: Some(board.parse().unwrap()), ..Access::default() };
        let mut blob = open_blob(&reference, &Pick::Only, &access).await.unwrap();
        assert_eq!(blob.platform, Some(format!("linux/{board}")));
        assert_eq!(blob.stream.next().await.unwrap().unwrap(), board);
    }
    let unknown = read(&registry.name(), &Pick::Only).await.unwrap_err();
    assert!(
        unknown.contains("the board's `architecture` is not known; it has: linux/amd64 sha256:"),
        "{unknown}"
    );
    let named = registry.name().replace(":v1", &format!("@{}", entries[1]["digest"].as_str().unwrap()));
    assert_eq!(read(&named, &Pick::Only).await.unwrap(), b"arm64");
}

#[tokio::test]
async fn broken_transfers_resume_or_fail() {
    let body: Vec<u8> = (0..1_000_000u32).map(|number| number as u8).collect();
    // Breaks, and whether the registry knows ranges.
    for (breaks, ranges, whole) in [(2, true, true), (2, false, true), (usize::MAX, true, false)] {
        let registry = Faulty::start();
        let layer = registry.layer("disk.img", &body);
        let mut answer = Answer::new(200, &body[..]);
        (answer.cut, answer.breaks, answer.ranges) = (Some(300_000), breaks, ranges);
        if !whole {
            answer.cut = Some(10);
        }
        registry.put(&format!("blobs/{}", Digest::of(&body).prefixed()), answer);
        registry.manifest(&manifest_of(&[layer]));
        let outcome = read(&registry.name(), &Pick::Only).await;
        if whole {
            assert_eq!(outcome.unwrap(), body, "{breaks} {ranges}");
            let asked = registry.requests().into_iter().filter(|it| it.contains("/blobs/")).count();
            assert_eq!(asked, breaks + 1, "{ranges}");
        } else {
            let text = outcome.unwrap_err();
            assert!(
                text.starts_with("the transfer of layer `disk.img` broke off after 40 of 1000000 bytes: "),
                "{text}"
            );
        }
    }
}

#[tokio::test]
async fn lies_about_length_and_content_are_told_apart() {
    let digest = Digest::of("good").prefixed();
    let cases = [
        (
            "evil",
            4,
            format!(
                "layer `f` has the digest {}, expected {digest}: it was tampered with or damaged, and nothing of it was used",
                Digest::of("evil").prefixed()
            ),
        ),
        (
            "good and more",
            4,
            "layer `f` has more bytes, its manifest promises 4: it is truncated or the manifest is wrong"
                .to_owned(),
        ),
        (
            "goo",
            4,
            "the transfer of layer `f` broke off after 3 of 4 bytes: the registry ended it early".to_owned(),
        ),
    ];
    for (body, size, expected) in cases {
        let registry = Faulty::start();
        registry.put(&format!("blobs/{digest}"), Answer::new(200, body));
        registry.manifest(&json!({ "schemaVersion": 2, "layers": [{
            "mediaType": "x", "digest": digest, "size": size,
            "annotations": { "org.opencontainers.image.title": "f" },
        }] }));
        assert_eq!(read(&registry.name(), &Pick::Only).await.unwrap_err(), expected);
    }
}
