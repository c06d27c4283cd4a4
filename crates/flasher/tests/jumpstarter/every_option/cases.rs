//! Lines with `--remote`, and what they show of each option.

use std::fs;
use std::io::Write as _;

use crate::lab::{Lab, MEDIUM, noise};

/// A line, what is done before it, and what it shows.
pub(super) struct Case {
    pub(super) words: String,
    pub(super) code: i32,
    /// The option by its name in the definition, and how it shows.
    pub(super) shows: Vec<(&'static str, Shown)>,
    pub(super) prepare: fn(&Lab),
}

/// How an option shows.
#[derive(Clone, Copy)]
pub(super) enum Shown {
    /// In what is printed.
    Said(&'static str),
    /// Not in what is printed, where it is without the option.
    NotSaid(&'static str),
    /// A place of `receipt.json` has this value.
    Receipt(&'static str, &'static str),
    /// A file has this text, or anything.
    File(&'static str, &'static str),
    /// A file is equal to the medium.
    Medium(&'static str),
    /// The command says and ends as it does on the machine that has the board.
    AsHere,
    /// In a test of its own.
    Elsewhere,
    /// It is refused: the option as typed, and a part of the sentence.
    Refused(&'static str, &'static str),
}

use Shown::{AsHere, Elsewhere, File, Medium, NotSaid, Receipt, Refused, Said};

fn case(words: &str, code: i32, shows: &[(&'static str, Shown)]) -> Case {
    Case { words: words.to_owned(), code, shows: shows.to_vec(), prepare: |_| {} }
}

impl Case {
    fn after(self, prepare: fn(&Lab)) -> Self {
        Self { prepare, ..self }
    }
}

fn image(lab: &Lab) {
    fs::write(lab.path("image"), noise(300_000, 3)).unwrap();
}

/// An image with a block map, which leaves out its second MiB of three.
fn mapped(lab: &Lab) {
    let length = 3 << 20;
    let content = [noise(1 << 20, 3), vec![0; 1 << 20], noise(1 << 20, 4)].concat();
    fs::write(lab.path("sparse"), content).unwrap();
    let map = format!(
        "<bmap version=\"1.2\"><ImageSize>{length}</ImageSize><BlockSize>4096</BlockSize>\
         <BlocksCount>768</BlocksCount><MappedBlocksCount>512</MappedBlocksCount>\
         <BlockMap><Range>0-255</Range><Range>512-767</Range></BlockMap></bmap>"
    );
    for name in ["sparse.bmap", "map"] {
        fs::write(lab.path(name), &map).unwrap();
    }
}

/// An image that cannot be decoded to its end.
fn damaged(lab: &Lab) {
    let mut packed = zstd::Encoder::new(Vec::new(), 0).unwrap();
    packed.write_all(&noise(3_000_000, 5)).unwrap();
    let packed = packed.finish().unwrap();
    fs::write(lab.path("damaged.zst"), &packed[..packed.len() - 1000]).unwrap();
}

/// An image with checksums of another one beside it.
fn misnamed(lab: &Lab) {
    fs::write(lab.path("summed"), noise(300_000, 6)).unwrap();
    for name in ["summed.sha256", "sums"] {
        fs::write(lab.path(name), format!("{}  summed\n", "0".repeat(64))).unwrap();
    }
}

/// A medium with the copy of an older partition table at its end.
fn old_table(lab: &Lab) {
    image(lab);
    let mut medium = fs::read(lab.path("medium")).unwrap();
    medium[MEDIUM - 512..MEDIUM - 504].copy_from_slice(b"EFI PART");
    fs::write(lab.path("medium"), medium).unwrap();
}

const KEPT: &str = "does not go through `--remote`: an exporter keeps no decoded images of its clients";
const OUTLIVES: &str =
    "does not go through `--remote`: a flash on an exporter goes on by itself when its client ends";
const STAYS_THERE: &str =
    "does not go through `--remote`: an exporter keeps the recordings of failures itself";

/// Options of jobs on several boards. What each does is shown by the tests of several boards.
fn several(words: &str) -> Case {
    let all = ("all", Said("1 of 1 boards done"));
    case(words, 0, &[all, ("jobs", Elsewhere), ("keep_going", Elsewhere), ("fail_fast", Elsewhere)])
}

/// Of `flash` and `plan`: what is refused before anything is done.
fn refused() -> Vec<Case> {
    let no = |words: &str, id, option| case(words, 2, &[(id, Refused(option, KEPT))]);
    let outlives = |words: &str, id, option| case(words, 2, &[(id, Refused(option, OUTLIVES))]);
    vec![
        no("image --cache-dir d", "cache_dir", "--cache-dir"),
        no("image --cache-size 1GiB", "cache_size", "--cache-size"),
        no("image --no-cache", "no_cache", "--no-cache"),
        outlives("image --detach", "detach", "--detach"),
        outlives("image --in-job d", "in_job", "--in-job"),
        case("image --record own.jsonl", 2, &[("record", Refused("--record", STAYS_THERE))]),
    ]
}

pub(super) fn flash() -> Vec<Case> {
    let all = "image --receipt receipt.json --transcript console.log --verify off --wire gzip --via linux --no-power-off";
    let url = "http://127.0.0.1:@PORT@/image";
    let tls = "https://@EXPORTER@/image";
    let mut cases = vec![
        case(
            all,
            0,
            &[
                ("image", Receipt("/image/source", "\"image\"")),
                ("receipt", File("receipt.json", "\"verdict\"")),
                ("transcript", File("console.log", " # power on")),
                ("verify", Receipt("/verdict", "\"written, not proven\"")),
                ("wire", Receipt("/medium/wire", "\"gzip\"")),
                ("via", Receipt("/medium/via", "\"linux\"")),
                ("no_power_off", Receipt("/power", "\"on\"")),
            ],
        )
        .after(image),
        case("image --receipt receipt.json --power-off", 0, &[("power_off", Receipt("/power", "\"off\""))]),
        case("image --no-ledger", 0, &[("no_ledger", NotSaid("flasher history show"))]),
        case("-t nope:image", 5, &[("partitions", Said("`nope`"))]),
        case("image --target nope", 2, &[("target", Said("`nope`"))]),
        case("image --device nope", 2, &[("device", Said("`nope`"))]),
        several("image --all --jobs 1"),
        case("image --variant nope", 2, &[("variant", Said("`nope`"))]),
        case(
            "image --preflash false --retries 1 --receipt receipt.json",
            5,
            &[("preflash", Said("`false`")), ("retries", Receipt("/attempts", "2"))],
        ),
        case("image --deadline 1s", 4, &[("deadline", Said("deadline"))]),
        case("image --expect-boot (", 2, &[("expect_boot", Said("expect"))]),
        case(
            "image --receipt receipt.json --wipe-old-table",
            0,
            &[("wipe_old_table", Receipt("/medium/old_table", "\"wiped\""))],
        )
        .after(old_table),
        case("image --keep nope", 2, &[("keep", Said("`nope`"))]),
        case(
            "text --format raw --receipt receipt.json",
            0,
            &[("format", Receipt("/image/format_choice", "\"raw\""))],
        )
        .after(|lab| fs::write(lab.path("text"), "no disk\n".repeat(1000)).unwrap()),
        case(&format!("image --sha256 {}", "0".repeat(64)), 3, &[("sha256", Said("expected sha256 0000"))]),
        case("image --length 7", 3, &[("length", Said("has another length"))]),
        case(
            "damaged.zst --check-first --receipt receipt.json",
            3,
            &[("check_first", Receipt("/power", "\"untouched\""))],
        )
        .after(damaged),
        case(
            "sparse --bmap map --receipt receipt.json",
            0,
            &[("bmap", Receipt("/medium/ranges/2/kind", "\"dont-care\""))],
        )
        .after(mapped),
        case(
            "sparse --no-bmap --receipt receipt.json",
            0,
            &[("no_bmap", Receipt("/image/block_map", "null"))],
        ),
        case("sparse --bmap-keyring secret", 3, &[("bmap_keyring", Said("has no signature beside it"))]),
        case("summed --checksum-url sums", 3, &[("checksum_url", Said("sums"))]).after(misnamed),
        case("summed --no-checksum", 0, &[("no_checksum", Said("proven"))]),
        case(
            "image --compare never --receipt receipt.json",
            0,
            &[("compare", Receipt("/medium/compare", "null"))],
        ),
        case("image --direct", 2, &[("direct", Said("`--direct` takes an http(s) URL"))]),
        case(&format!("{url} --header nonsense"), 2, &[("headers", Said("header 1 has no colon"))]),
        case(&format!("{url} --bearer-file missing"), 2, &[("bearer_file", Said("`missing`"))]),
        case(&format!("{tls} --cacert secret"), 2, &[("cacert", Said("secret"))]),
        case(&format!("{tls} -k"), 3, &[("insecure", Said("is empty"))]),
    ];
    cases.extend(refused());
    cases
}

/// A plan is what is planned where the board is, option by option.
pub(super) fn plan() -> Vec<Case> {
    let here = |words: &str, code, id| case(words, code, &[(id, AsHere)]);
    let url = "http://127.0.0.1:1/image";
    let digest = "0".repeat(64);
    let mut cases = vec![
        here("image", 0, "image").after(image),
        here("-t boot:image", 0, "partitions"),
        here("image --target usd", 0, "target"),
        here("image --device storage", 0, "device"),
        here("image --all", 0, "all"),
        here("image --all --jobs 1", 2, "jobs"),
        here("image --all --keep-going", 2, "keep_going"),
        here("image --all --fail-fast", 2, "fail_fast"),
        here("image --variant sim", 0, "variant"),
        here("image --preflash true", 0, "preflash"),
        here("image --wipe-old-table", 0, "wipe_old_table"),
        here("image --keep nope", 2, "keep"),
        here("text --format raw", 0, "format").after(|lab| fs::write(lab.path("text"), "no disk\n").unwrap()),
        here(&format!("image --sha256 {digest}"), 3, "sha256"),
        here("image --verify off", 0, "verify"),
        here("image --check-first", 0, "check_first"),
        here("image --expect-boot login:", 0, "expect_boot"),
        here("image --receipt receipt.json", 0, "receipt"),
        here("image --no-ledger", 0, "no_ledger"),
        here("image --transcript console.log", 0, "transcript"),
        here("image --retries 0", 0, "retries"),
        here("image --deadline 20m", 0, "deadline"),
        here("image --power-off", 0, "power_off"),
        here("image --no-power-off", 0, "no_power_off"),
        here("sparse --bmap map", 0, "bmap").after(mapped),
        here("sparse --no-bmap", 0, "no_bmap"),
        here("sparse --bmap-keyring secret", 3, "bmap_keyring"),
        here("summed --checksum-url sums", 3, "checksum_url").after(misnamed),
        here("summed --no-checksum", 0, "no_checksum"),
        here("image --length 300000", 0, "length"),
        here("image --via linux", 0, "via"),
        here("image --compare always", 0, "compare"),
        here("image --wire gzip", 0, "wire"),
        here("image --direct", 2, "direct"),
        here(&format!("{url} --header a:b"), 4, "headers"),
        here(&format!("{url} --bearer-file token"), 4, "bearer_file")
            .after(|lab| fs::write(lab.path("token"), "abc").unwrap()),
        here(&format!("{url} --cacert cert.pem"), 4, "cacert"),
        here(&format!("{url} -k"), 4, "insecure"),
    ];
    cases.extend(refused());
    cases
}

pub(super) fn dump() -> Vec<Case> {
    let all =
        "out.img --receipt receipt.json --transcript console.log --verify off --via linux --no-power-off";
    vec![
        case(
            all,
            0,
            &[
                ("out", Medium("out.img")),
                ("receipt", Receipt("/job", "\"dump\"")),
                ("transcript", File("console.log", " # power on")),
                ("verify", Receipt("/verdict", "\"written, not proven\"")),
                ("via", Receipt("/medium/via", "\"linux\"")),
                ("no_power_off", Receipt("/power", "\"on\"")),
            ],
        ),
        case("out.img --receipt receipt.json --power-off", 0, &[("power_off", Receipt("/power", "\"off\""))]),
        case("out.img --no-ledger", 0, &[("no_ledger", NotSaid("flasher history show"))]),
        case("out.img --target nope", 2, &[("target", Said("`nope`"))]),
        case("out.img --device nope", 2, &[("device", Said("`nope`"))]),
        several("out --all --jobs 1"),
        case("out.img --variant nope", 2, &[("variant", Said("`nope`"))]),
        case("out.img -t nope", 5, &[("partition", Said("`nope`"))]),
        case(
            "out.img --preflash false --retries 0 --receipt receipt.json",
            5,
            &[("preflash", Said("`false`")), ("retries", Receipt("/attempts", "1"))],
        ),
        case("out.img --deadline 1s", 4, &[("deadline", Said("deadline"))]),
    ]
}

/// Commands that are no jobs, and those that follow one.
pub(super) mod other {
    use super::{Case, Elsewhere, Refused, Said, case};

    const GUARDED: &str = "does not go through `--remote`: an exporter guards its boards itself";

    pub(in super::super) fn switch() -> Vec<Case> {
        vec![
            case("--device nope", 2, &[("device", Said("`nope`"))]),
            case("--all --device nope", 2, &[("all", Said("--all"))]),
            case("--force", 2, &[("force", Refused("--force", GUARDED))]),
        ]
    }

    pub(in super::super) fn cycle() -> Vec<Case> {
        let mut cases = switch();
        cases.push(case("--wait x", 2, &[("wait", Said("--wait"))]));
        cases
    }

    pub(in super::super) fn meter() -> Vec<Case> {
        let mut cases = switch();
        cases.push(case(
            "--count 2 --interval 0",
            2,
            &[("count", Said("meter")), ("interval", Said("meter"))],
        ));
        cases
    }

    pub(in super::super) fn console() -> Vec<Case> {
        vec![
            case("--device nope", 2, &[("device", Said("`nope`"))]),
            case(
                "--watch --power-cycle",
                2,
                &[("watch", Said("--watch")), ("power_cycle", Said("--power-cycle"))],
            ),
            case("--escape bogus", 2, &[("escape", Said("--escape"))]),
            case("--timestamps", 0, &[("timestamps", Elsewhere)]),
        ]
    }

    pub(in super::super) fn attach() -> Vec<Case> {
        let job = "an ID names a job of this machine";
        vec![
            case("--device nope", 2, &[("device", Said("`nope`"))]),
            case("7", 2, &[("job", Said(job))]),
            case("--receipt no/such/file", 2, &[("receipt", Said("no/such/file"))]),
        ]
    }

    pub(in super::super) fn cancel() -> Vec<Case> {
        vec![
            case("--device nope", 2, &[("device", Said("`nope`"))]),
            case("7", 2, &[("job", Said("an ID names a job of this machine"))]),
        ]
    }
}
