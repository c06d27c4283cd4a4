//! Faults of images and of where they come from.

use super::row::{Row, Trait, any};
use crate::case::ServerAnswer::{
    ChunksCutAt, CutAt, LengthOf, Noise, NotEncoded, Nothing, Other, Page, Redirect, SilentAt, Slow, Status,
    UnframedTo, Whole, WrongPart,
};
use crate::case::{Case, Damage, Effect, End, ServerAnswer, Source};

const fn is(
    name: &'static str,
    make: fn(&mut fastrand::Rng, &Case) -> Vec<Effect>,
    ends: &'static [End],
) -> Row {
    Row { name, group: "source", fits: from_server, make, ends, traits: &[] }
}

const fn of_image(
    name: &'static str,
    make: fn(&mut fastrand::Rng, &Case) -> Vec<Effect>,
    ends: &'static [End],
) -> Row {
    Row { name, group: "source", fits: any, make, ends, traits: &[] }
}

const CUT: &[&str] = &["was cut at byte", "the connection", "cannot be reached", "changed while in use"];
const DAMAGED: &[&str] = &[
    "truncated",
    "corrupt",
    "damaged",
    "another digest",
    "does not end",
    "garbage",
    "shorter than",
    "is the last part",
    "behind",
    "larger than the target",
];

pub(super) const ROWS: &[Row] = &[
    is("status-404", |_, _| answers(&[Status(404)]), &[("source", &["is not on its server"])]),
    is("status-403", |_, _| answers(&[Status(403)]), &[("source", &["refuses access"])]),
    is("status-500", |_, _| answers(&[Status(500)]), &[("infrastructure", &["status 500"])]),
    is("status-503-once", |_, _| answers(&[Status(503), Whole]), &[("infrastructure", &["status 503"])]),
    is(
        "status-404-later",
        |_, _| answers(&[Whole, Status(404)]),
        &[("source", &["is not on its server"]), ("infrastructure", &["status 404"])],
    ),
    is(
        "transfer-cut",
        |rng, _| answers(&[Whole, CutAt(rng.usize(1..1000))]),
        &[("infrastructure", CUT), ("source", &["changed while in use"])],
    ),
    is("transfer-always-cut", |rng, _| answers(&[CutAt(rng.usize(1..1000))]), &[("infrastructure", CUT)]),
    is(
        "transfer-cut-once",
        |rng, _| answers(&[Whole, CutAt(rng.usize(1..1000)), Whole]),
        &[("infrastructure", CUT)],
    ),
    is("chunks-cut", |rng, _| answers(&[ChunksCutAt(rng.usize(1..1000))]), &[("infrastructure", CUT)]),
    is(
        "no-length-and-cut",
        |rng, _| answers(&[UnframedTo(rng.usize(1..1000))]),
        &[("config", &["a cut would go unnoticed"]), ("source", DAMAGED)],
    ),
    is(
        "length-too-small",
        |rng, _| answers(&[LengthOf(rng.usize(300..1000))]),
        &[("source", DAMAGED), ("infrastructure", CUT)],
    ),
    is("length-too-large", |rng, _| answers(&[LengthOf(rng.usize(1001..1500))]), &[("infrastructure", CUT)]),
    is(
        "replaced-after-cut",
        |rng, _| answers(&[Whole, CutAt(rng.usize(1..1000)), Other]),
        &[("source", &["changed while in use", "another digest"]), ("infrastructure", CUT)],
    ),
    is(
        "replaced-after-first-look",
        |_, _| answers(&[Whole, Other]),
        &[("source", &["changed while in use", "another digest"])],
    ),
    Row {
        traits: &[Trait::Slow],
        ..is(
            "server-falls-silent",
            |rng, _| answers(&[Whole, SilentAt(rng.usize(1..1000))]),
            &[("infrastructure", &["no byte for"])],
        )
    },
    is("server-slow", |_, _| answers(&[Whole, Slow]), &[]),
    is("redirect-in-circle", |_, _| answers(&[Redirect]), &[("source", &["redirects"])]),
    is("hangs-up", |_, _| answers(&[Nothing]), &[("infrastructure", &["image", "connection"])]),
    is("hangs-up-once", |_, _| answers(&[Nothing, Whole]), &[("infrastructure", &["image", "connection"])]),
    is("no-http", |_, _| answers(&[Noise]), &[("infrastructure", &["image", "http"])]),
    is("captive-portal", |_, _| answers(&[Page]), &[("source", &["web page", "another digest"])]),
    is(
        "captive-portal-later",
        |_, _| answers(&[Whole, Page]),
        &[("source", &["web page", "changed while in use", "another digest"])],
    ),
    is(
        "wrong-part",
        |rng, _| answers(&[Whole, CutAt(rng.usize(1..1000)), WrongPart]),
        &[("infrastructure", CUT), ("source", &["changed while in use", "in parts"])],
    ),
    is(
        "not-encoded-as-stated",
        |_, _| answers(&[NotEncoded]),
        &[("infrastructure", &["decod", "encod"]), ("source", &["encod", "web page", "another digest"])],
    ),
    Row {
        fits: |case| case.source != Source::Pipe,
        ..of_image(
            "checksum-file-wrong",
            |_, _| vec![Effect::Beside("image.sha256", format!("{}  image\n", "00".repeat(32)))],
            &[("source", &["another digest"])],
        )
    },
    of_image("image-cut", |rng, _| damage(Damage::CutTo(rng.usize(500..999))), &[("source", DAMAGED)]),
    of_image(
        "image-bit-flipped",
        |rng, _| damage(Damage::Flipped(rng.usize(20..1000))),
        &[("source", DAMAGED)],
    ),
    of_image("image-with-garbage-behind", |_, _| damage(Damage::Behind), &[("source", DAMAGED)]),
    Row {
        fits: |case| case.image.packed.is_some(),
        ..of_image(
            "image-without-magic",
            |_, _| damage(Damage::NoMagic),
            &[(
                "source",
                &[
                    "no image",
                    "is the last part",
                    "not an image",
                    "nothing that a",
                    "another digest",
                    "no disk",
                    "begins with",
                ],
            )],
        )
    },
    of_image("image-empty", |_, _| damage(Damage::Empty), &[("source", &["is empty"])]),
    of_image("image-is-a-page", |_, _| damage(Damage::Page), &[("source", &["web page", "another digest"])]),
    of_image("image-too-long", |_, _| damage(Damage::TooLong), &[("source", &["larger than the target"])]),
    Row {
        fits: |case| case.source == Source::File,
        ..of_image("image-missing", |_, _| damage(Damage::Missing), &[("source", &["does not exist"])])
    },
    of_image(
        "another-digest-demanded",
        |_, _| vec![Effect::Words(vec!["--sha256".to_owned(), "00".repeat(32)])],
        &[("source", &["another digest"])],
    ),
    Row {
        fits: |case| case.source == Source::Pipe,
        ..of_image(
            "pipe-cut",
            |rng, _| vec![Effect::Pipe { thousandths: rng.usize(1..1000), closes: true }],
            &[(
                "source",
                &[
                    "another digest",
                    "truncated",
                    "corrupt",
                    "damaged",
                    "is the last part",
                    "shorter than",
                    "no device begins",
                ],
            )],
        )
    },
];

fn from_server(case: &Case) -> bool {
    matches!(case.source, Source::Server { .. })
}

fn answers(answers: &[ServerAnswer]) -> Vec<Effect> {
    vec![Effect::Answers(answers.to_vec())]
}

fn damage(damage: Damage) -> Vec<Effect> {
    vec![Effect::Damage(damage)]
}
