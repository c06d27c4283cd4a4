//! What a manifest may say, and what it may not.

use super::*;

const A: &str = "sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08";

fn layer(title: &str) -> String {
    format!(
        r#"{{"mediaType":"application/octet-stream","digest":"{A}","size":4,"annotations":{{"{TITLE}":"{title}"}}}}"#
    )
}

fn with(layers: &[String]) -> String {
    format!(r#"{{"schemaVersion":2,"layers":[{}]}}"#, layers.join(","))
}

fn files(text: &str) -> Result<Vec<String>, String> {
    let manifest = Manifest::parse(text.as_bytes(), "r/b:v1").map_err(|error| error.to_string())?;
    manifest.files("r/b:v1").map(|files| files.into_keys().collect()).map_err(|error| error.to_string())
}

#[test]
fn titles_become_paths_and_lose_what_does_not_matter() {
    let text = with(&[layer("./manifest.yaml"), layer("data//kernel")]);
    assert_eq!(files(&text).unwrap(), ["data/kernel", "manifest.yaml"]);
}

#[test]
fn what_cannot_be_a_bundle_is_refused_in_words() {
    let untitled = format!(r#"{{"mediaType":"x","digest":"{A}","size":4}}"#);
    let big = format!(r#"{{"digest":"{A}","size":99999999999999}}"#);
    let cases = [
        ("<html>".to_owned(), "no OCI manifest: expected value at line 1 column 1"),
        (r#"{"schemaVersion":1}"#.to_owned(), "its schema version is not 2"),
        (with(&[]), "it has no layers, so it is no flash bundle"),
        (
            with(&[untitled]),
            "layer 1 (sha256:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08) of `r/b:v1`: has no `org.opencontainers.image.title`",
        ),
        (with(&[layer("../x")]), "the title `../x` goes upwards with `..`"),
        (with(&[layer("a/../../x")]), "goes upwards with `..`"),
        (with(&[layer("/etc/passwd")]), "the title `/etc/passwd` is absolute"),
        (with(&[layer("")]), "the title `` names no file"),
        (with(&[layer(r"a\nb")]), "has control characters"),
        (with(&[layer("a"), layer("./a")]), "the title `./a` is taken by another layer"),
        (with(&[layer("a"), layer("a/b")]), "its folder `a` is a file of another layer"),
        (
            with(&[big]),
            "1 layers of 99999999999999 bytes; at most 4096 layers of 17179869184 bytes are taken",
        ),
        (with(&[layer("a").replace("sha256", "sha512")]), "is not of sha256"),
        (with(&[layer("a").replace("\"size\":4", "\"size\":-4")]), "no OCI manifest"),
    ];
    for (text, expected) in cases {
        let error = files(&text).unwrap_err();
        assert!(error.contains(expected), "{text}\n{error}");
    }
}

#[test]
fn an_index_is_resolved_to_the_bundle_in_it() {
    let b = A.replace("9f", "aa");
    let entry =
        |digest: &str, rest: &str| format!(r#"{{"mediaType":"m","digest":"{digest}","size":4{rest}}}"#);
    let bundle = r#","artifactType":"application/vnd.oci.bundle.v1""#;
    let unknown = r#","platform":{"os":"unknown","architecture":"unknown"}"#;
    let linux = |arch: &str| format!(r#","platform":{{"os":"linux","architecture":"{arch}"}}"#);
    let v6 = r#","platform":{"os":"linux","architecture":"arm","variant":"v6"}"#;
    let v7 = r#","platform":{"os":"linux","architecture":"arm","variant":"v7"}"#;
    let windows = r#","platform":{"os":"windows","architecture":"arm64"}"#;
    let cases = [
        (vec![entry(A, "")], None, Some(A)),
        (vec![entry(A, "")], Some("arm64"), Some(A)),
        (vec![entry(&b, ""), entry(A, bundle)], None, Some(A)),
        (vec![entry(A, ""), entry(&b, unknown)], None, Some(A)),
        // The board decides, and never the machine that asks.
        (vec![entry(&b, &linux("amd64")), entry(A, &linux("arm64"))], Some("arm64"), Some(A)),
        (vec![entry(A, &linux("amd64")), entry(&b, &linux("arm64"))], Some("amd64"), Some(A)),
        (vec![entry(&b, &linux("amd64")), entry(A, &linux("arm64"))], None, None),
        (vec![entry(&b, &linux("amd64")), entry(A, &linux("arm64"))], Some("riscv64"), None),
        (vec![entry(&b, windows), entry(A, &linux("arm64"))], Some("arm64"), Some(A)),
        (vec![entry(&b, v6), entry(A, v7)], Some("arm/v7"), Some(A)),
        (vec![entry(&b, v6), entry(A, v7)], Some("arm"), None),
        (vec![entry(A, &linux("amd64"))], Some("arm64"), None),
        (vec![entry(A, &linux("amd64"))], None, Some(A)),
        (vec![entry(A, ""), entry(&b, "")], Some("arm64"), None),
        (vec![], None, None),
    ];
    for (entries, board, expected) in cases {
        let text = format!(r#"{{"schemaVersion":2,"manifests":[{}]}}"#, entries.join(","));
        let board = board.map(|board| board.parse().unwrap());
        let chosen = match Document::parse(text.as_bytes(), board.as_ref(), "r/b:v1") {
            Ok(Document::Index(chosen)) => Some(chosen.digest.prefixed()),
            Ok(Document::Manifest(_)) => panic!("not a manifest"),
            Err(_) => None,
        };
        assert_eq!(chosen.as_deref(), expected, "{text}");
    }
}

#[test]
fn unresolved_index_lists_its_platforms() {
    let entry = |digest: &str, arch: &str| {
        format!(r#"{{"digest":"{digest}","size":4,"platform":{{"os":"linux","architecture":"{arch}"}}}}"#)
    };
    let b = A.replace("9f", "aa");
    let text = format!(r#"{{"schemaVersion":2,"manifests":[{},{}]}}"#, entry(A, "amd64"), entry(&b, "arm64"));
    let rest = format!(
        "; it has: linux/amd64 {A}, linux/arm64 {b}; set `architecture` in the flasher's config or the bundle's manifest, or name one by its digest (`NAME@sha256:…`)"
    );
    for (board, why) in [
        (None, "it is an index, and the board's `architecture` is not known"),
        (Some("riscv64"), "it is an index without the one manifest for linux/riscv64"),
    ] {
        let board = board.map(|board| board.parse().unwrap());
        match Document::parse(text.as_bytes(), board.as_ref(), "r/b:v1") {
            Err(OciError::Manifest { reason, .. }) => assert_eq!(reason, format!("{why}{rest}")),
            other => panic!("{other:?}"),
        }
    }
}
