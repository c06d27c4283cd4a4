//! Faults of images and of the servers they come from.

use flasher_core::{Class, Step};

use super::case::{Boots, Case, Content, Damage, Demand, Ends, Image, Medium, Options, Source};
use super::server::Answer;

/// Tools whose streams prove their own end.
const PACKED: [&str; 4] = ["gzip", "xz", "zstd", "bzip2"];

pub(super) fn cases() -> Vec<Case> {
    [broken_images(), sizes_and_digests(), refusals(), broken_transfers(), redirects()].concat()
}

fn broken_images() -> Vec<Case> {
    let mut cases = Vec::new();
    for tool in PACKED {
        for (what, damage) in [
            ("truncated", Damage::Truncated),
            ("corrupt", Damage::Flipped),
            ("garbage behind", Damage::Garbage),
        ] {
            let image = Image { content: Content::System, packed: Some(tool), damage };
            let case = Case { image, ..Case::new(format!("image {what}: {tool}")) };
            cases.push(case.breaks(Class::Source, Step::Write, "image").not_retried());
        }
    }
    let checked = |damage| Case {
        image: Image { content: Content::System, packed: Some("xz"), damage },
        options: Options { check_first: true, ..Options::default() },
        ..Case::new("")
    };
    for (what, damage) in [("truncated", Damage::Truncated), ("corrupt", Damage::Flipped)] {
        let case = Case { name: format!("image {what}: xz, checked first"), ..checked(damage) };
        cases.push(case.fails(Class::Source, Step::Image, "image").not_retried());
    }
    let no_magic = Image { content: Content::System, packed: Some("xz"), damage: Damage::NoMagic };
    let demands = Options { sha256: Some(Demand::Content), ..Options::default() };
    cases.push(
        Case {
            image: no_magic,
            options: demands,
            ..Case::new("image with wrong magic, its digest demanded")
        }
        .fails(Class::Source, Step::Image, "is the last part of xz data")
        .not_retried(),
    );
    cases
}

fn sizes_and_digests() -> Vec<Case> {
    let image = |content, packed| Image { content, packed, damage: Damage::None };
    let demand = |demand| Options { sha256: Some(demand), ..Options::default() };
    let missing = Image { content: Content::System, packed: None, damage: Damage::Missing };
    vec![
        Case { image: missing, ..Case::new("image missing") }
            .fails(Class::Source, Step::Image, "does not exist")
            .not_retried(),
        Case { image: image(Content::Empty, None), ..Case::new("image empty") }
            .fails(Class::Source, Step::Image, "is empty")
            .not_retried(),
        Case { image: image(Content::TooLong, None), ..Case::new("device too small") }
            .fails(Class::Source, Step::Target, "larger than the target")
            .not_retried(),
        Case {
            image: image(Content::TooLong, Some("gzip")),
            ..Case::new("device too small, seen while decoding")
        }
        .breaks(Class::Source, Step::Write, "larger than the target")
        .not_retried(),
        Case { image: image(Content::Full, None), ..Case::new("image exactly as large as the device") },
        Case { options: demand(Demand::Another), ..Case::new("image with another digest than demanded") }
            .fails(Class::Source, Step::Image, "another digest")
            .not_retried(),
        Case { options: demand(Demand::NoDigest), ..Case::new("a demanded digest that is none") }
            .fails(Class::Config, Step::Image, "`--sha256` is not one")
            .not_retried(),
        Case {
            source: Source::Url("ftp://127.0.0.1/image"),
            ..Case::new("image by a protocol nobody speaks")
        }
        .fails(Class::Config, Step::Image, "is not a source that can be opened")
        .not_retried(),
    ]
}

fn http(name: &str, answers: &[Answer]) -> Case {
    Case { source: Source::Http("image", answers.to_vec()), ..Case::new(name) }
}

fn refusals() -> Vec<Case> {
    let refused = |status: u16, class, says| {
        http(&format!("server says {status}"), &[Answer::Status(status)]).fails(class, Step::Image, says)
    };
    let unreachable =
        Case { source: Source::Url("http://127.0.0.1:1/image"), ..Case::new("no server there") };
    vec![
        refused(404, Class::Source, "is not on its server").not_retried(),
        refused(410, Class::Source, "is not on its server").not_retried(),
        refused(401, Class::Source, "refuses access").not_retried(),
        refused(403, Class::Source, "refuses access").not_retried(),
        refused(500, Class::Infrastructure, "status 500").in_vain(),
        refused(503, Class::Infrastructure, "status 503").in_vain(),
        http("server says 503 once", &[Answer::Status(503), Answer::Whole]),
        http("server says 502 twice", &[Answer::Status(502), Answer::Status(502), Answer::Whole]),
        unreachable.fails(Class::Infrastructure, Step::Image, "cannot be reached"),
        http("server hangs up without a word", &[Answer::Nothing]).fails(
            Class::Infrastructure,
            Step::Image,
            "image",
        ),
        http("server hangs up once", &[Answer::Nothing, Answer::Whole]),
        http("server that speaks no HTTP", &[Answer::Noise]).fails(
            Class::Infrastructure,
            Step::Image,
            "image",
        ),
    ]
}

/// The image is opened with one request and decoded with another.
fn broken_transfers() -> Vec<Case> {
    let cut = |name: &str, answers: &[Answer]| {
        http(name, answers).breaks(Class::Infrastructure, Step::Write, "was cut at byte")
    };
    let presigned = Case {
        image: Image { content: Content::System, packed: Some("xz"), damage: Damage::None },
        source: Source::Http("image.raw?X-Signature=ab%2Fcd.gz&token=secret", vec![Answer::Whole]),
        ..Case::new("presigned URL whose tail is not the extension")
    };
    let loris = http("server that sends a few bytes at a time", &[Answer::Whole, Answer::Loris]);
    let deadline = Options { deadline: Some(15), ..Options::default() };
    let stall = "timeouts: { stall: 2 }";
    let packed =
        |case: Case, tool| Case { image: Image { packed: Some(tool), ..case.image.clone() }, ..case };
    vec![
        presigned.clone(),
        Case {
            name: "presigned URL, its transfer cut once".to_owned(),
            source: Source::Http(
                "image.raw?X-Signature=ab%2Fcd.gz&token=secret",
                vec![Answer::Whole, Answer::CutAt(500), Answer::Whole],
            ),
            ..presigned
        },
        cut("transfer cut in the middle", &[Answer::Whole, Answer::CutAt(500)]),
        // The second attempt compares first, and reads the image to its end for that.
        cut("transfer cut in the middle always", &[Answer::Whole, Answer::CutAt(500)])
            .breaks(Class::Infrastructure, Step::Compare, "was cut at byte")
            .in_vain(),
        // The server takes no `Range`, so the transfer begins anew, and must be the same up to the cut.
        http("transfer cut once, begun anew", &[Answer::Whole, Answer::CutAt(500), Answer::Whole]),
        cut("transfer cut near the end", &[Answer::Whole, Answer::CutAt(999)]),
        cut("chunks cut in the middle", &[Answer::ChunksCutAt(500)]),
        packed(cut("xz in chunks cut in the middle", &[Answer::ChunksCutAt(500)]), "xz"),
        http("no length and an early end", &[Answer::UnframedUpTo(500)])
            .fails(Class::Config, Step::Image, "a cut would go unnoticed")
            .not_retried(),
        packed(http("no length and an early end: xz", &[Answer::UnframedUpTo(500)]), "xz")
            .breaks(Class::Source, Step::Write, "truncated")
            .not_retried(),
        packed(http("no length, but whole: xz", &[Answer::UnframedUpTo(1000)]), "xz"),
        cut("replaced between a cut and the resume", &[Answer::Whole, Answer::CutAt(500), Answer::Other])
            .breaks(Class::Source, Step::Write, "changed while in use")
            .not_retried(),
        http("server ignores what part is asked for", &[Answer::Whole, Answer::CutAt(900), Answer::Whole]),
        Case { flasher: stall, ..http("server falls silent", &[Answer::Whole, Answer::SilentAt(500)]) }
            .breaks(Class::Infrastructure, Step::Compare, "no byte for 30 s")
            .in_vain(),
        Case {
            flasher: stall,
            ..http("server falls silent once", &[Answer::Whole, Answer::SilentAt(500), Answer::Whole])
        }
        .helped(2),
        // What comes in 15 s is not even the first block.
        Case { options: deadline, ..loris }
            .fails(Class::Infrastructure, Step::Write, "the deadline of 15 s passed")
            .not_retried(),
        http("server that is slow", &[Answer::Whole, Answer::Slow]),
        // The second reading, for writing a range again, finds another image.
        Case {
            board: "flip_bit: { offset: 700000, mask: 4, times: 1 }",
            ..http("replaced between two readings", &[Answer::Whole, Answer::Whole, Answer::Other])
        }
        .breaks(Class::Source, Step::Verify, "changed while in use"),
    ]
}

fn redirects() -> Vec<Case> {
    let secret = Options { bearer: true, ..Options::default() };
    vec![
        Case {
            options: secret,
            ..http("redirect to another host, with credentials", &[Answer::RedirectAway])
        },
        http("redirect on the same host", &[Answer::RedirectHere, Answer::Whole, Answer::Whole]),
        Case {
            ends: Ends::Failed(Class::Source, Step::Image, "redirects", 1),
            medium: Medium::Old,
            boots: Boots::Old,
            ..http("redirect in a circle", &[Answer::RedirectHere])
        }
        .not_retried(),
        // The server at the end of the redirect is asked anew, without the secret, whenever an attempt begins.
        Case {
            board: "dd_stuck: true, heals_after: 1",
            flasher: "timeouts: { stall: 2 }",
            options: Options { bearer: true, ..Options::default() },
            ..http("redirect to another host, with credentials", &[Answer::RedirectAway])
        }
        .helped(2),
    ]
}
