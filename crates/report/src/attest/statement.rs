//! The statement itself: which images, what the result was, and what that rests on.

use flasher_core::{Class, Error, Result};
use serde_json::{Map, Value, json};

use crate::bounds::paragraph;
use crate::job::ReportedJob;
use crate::kcidb::is_digest;
use crate::standing::Standing;
use crate::words::class_name;

/// in-toto's statement about `job`, with the predicate `test-result`.
///
/// # Errors
/// Class source when no image has a digest.
pub(super) fn statement(job: &ReportedJob) -> Result<Value> {
    let subject = subjects(job);
    if subject.is_empty() {
        return Err(Error::new(
            Class::Source,
            format!("nothing is attested: the receipt `{}` names no digest of an image", job.name),
        )
        .help("only a flash that decoded its image to the end can be attested"));
    }
    let steps =
        |of: &str| -> Vec<Value> { job.receipt.steps.keys().map(|it| json!(format!("{of}.{it}"))).collect() };
    let (kind, failed) = (if job.is_dump() { "dump" } else { "flash" }, job.receipt.failure.as_ref());
    let failing: Vec<Value> = failed.iter().map(|it| json!(format!("{kind}.{}", it.step))).collect();
    let passed: Vec<Value> = steps(kind).into_iter().filter(|step| !failing.contains(step)).collect();
    Ok(json!({
        "_type": "https://in-toto.io/Statement/v1",
        "subject": subject,
        "predicateType": "https://in-toto.io/attestation/test-result/v0.1",
        "predicate": {
            "result": match job.standing {
                Standing::Proven => "PASSED",
                Standing::Written => "WARNED",
                Standing::Failed(_) | Standing::Unproven(_) => "FAILED",
            },
            "configuration": configuration(job),
            "passedTests": passed,
            "failedTests": failing,
        },
    }))
}

/// Each image as it was decoded, and as it was fetched where that is another file.
fn subjects(job: &ReportedJob) -> Vec<Value> {
    let mut subjects: Vec<Value> = Vec::new();
    for (image, _) in job.images() {
        let name = paragraph(&image.source);
        for (digest, name) in
            [(&image.source_sha256, name.clone()), (&image.decoded_sha256, format!("{name} (decoded)"))]
        {
            let Some(digest) = digest.as_deref().filter(|it| is_digest(it)) else { continue };
            if subjects.iter().all(|known| known["digest"]["sha256"] != digest) {
                subjects.push(json!({ "name": name, "digest": { "sha256": digest } }));
            }
        }
    }
    subjects
}

/// What the result is of: the receipt by its digest, the board and the medium.
fn configuration(job: &ReportedJob) -> Vec<Value> {
    let receipt = &job.receipt;
    let mut about = Map::new();
    let mut fact = |name: &str, value: Option<String>| {
        value.map(|value| about.insert(name.to_owned(), json!(paragraph(&value))));
    };
    fact("verdict", Some(job.standing.words().to_owned()));
    fact("class", receipt.failure.as_ref().map(|it| class_name(it.class)));
    fact("cause", receipt.failure.as_ref().map(|it| it.cause.clone()));
    fact("begun", Some(receipt.begun.clone()));
    fact("ended", Some(receipt.ended.clone()));
    fact("host", receipt.site.host.clone());
    fact("tool", Some(receipt.tool.clone()));
    let mut all = vec![json!({
        "name": "receipt",
        // Over the receipt as `jq -cjS 'del(.sha256)'` prints it, as the receipt itself says it.
        "digest": { "sha256": receipt.sha256 },
        "annotations": about,
    })];
    let mut board = Map::new();
    let parts = [("kind", &receipt.board.name), ("variant", &receipt.board.variant)];
    board.extend(
        parts
            .into_iter()
            .filter_map(|(key, value)| Some((key.to_owned(), json!(paragraph(value.as_ref()?))))),
    );
    let bundle = receipt.board.bundle_sha256.as_deref().filter(|it| is_digest(it));
    let mut descriptor = json!({ "name": format!("board {}", job.board()), "annotations": board });
    if let Some(bundle) = bundle {
        descriptor["digest"] = json!({ "sha256": bundle });
    }
    all.push(descriptor);
    let media = job.images().filter_map(|(_, medium)| medium).take(crate::bounds::MOST);
    all.extend(media.map(|medium| {
        let facts = medium.identity.iter().take(crate::bounds::MOST);
        let identity: Map<String, Value> =
            facts.map(|(key, value)| (paragraph(key), json!(paragraph(value)))).collect();
        json!({ "name": format!("medium {}", paragraph(&medium.device)), "annotations": identity })
    }));
    all
}
