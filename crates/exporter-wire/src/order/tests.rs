//! Orders that come back as they were sent, and orders that are refused.

use flasher_core::CancellationToken;
use flasher_core::fetch::FetchRules;
use flasher_core::flash::Site;
use flasher_core::source::BlockMapChoice;

use super::*;

fn file(name: &str, beside: Option<usize>) -> OrderedFile {
    OrderedFile { name: name.to_owned(), length: 1, beside }
}

fn received(path: &str, sha256: &str) -> ReceivedFile {
    ReceivedFile { path: path.to_owned(), sha256: sha256.to_owned() }
}

fn here() -> Surroundings {
    Surroundings {
        site: Site::default(),
        fetch: FetchRules::default(),
        transcript: Some("/srv/transcript/t".into()),
        stop: CancellationToken::new(),
    }
}

#[test]
fn an_order_comes_back_as_it_was_sent() {
    let order = JobOrder {
        files: vec![file("image.xz", None), file("keys", None), file("ca", None)],
        partition: Some("a".into()),
        also: vec![OrderedPartition { label: "b".into(), image: OrderedSource::Url("HTTP://h/b".into()) }],
        target: Some("emmc".into()),
        variant: Some("v2".into()),
        preflash: vec!["true".into()],
        headers: vec![("a".into(), "b".into())],
        bearer: Some("token".into()),
        cacert: Some(2),
        insecure: true,
        sha256: Some("AA".repeat(32)),
        length: Some(7),
        checksums: Some(OrderedSource::Url("https://h/SUMS".into())),
        checksums_beside: true,
        block_map: OrderedBlockMap::At(OrderedSource::File(1)),
        map_keyring: Some(1),
        format: FormatChoice::Raw,
        wipe_old_table: true,
        keep: vec!["data".into()],
        retries: Some(0),
        deadline: Some(1.5),
        power_off: Some(false),
        expect_boot: Some("login:".into()),
        verify: Some(Verify::Mapped),
        check_first: true,
        compare: Some(Compare::Always),
        wire: Some(Wire::Zstd),
        via: Some(Via::Uboot),
        direct: true,
        transcript: Some("t".into()),
        ..JobOrder::new(OrderedSource::File(0))
    };
    let files =
        [received("/srv/0/image.xz", "11"), received("/srv/1/keys", "22"), received("/srv/2/ca", "33")];
    let job = JobOrder::parse(&order.json()).unwrap().job(&files, here()).unwrap();
    assert_eq!((job.image.as_str(), job.partition.as_deref()), ("/srv/0/image.xz", Some("a")));
    assert_eq!((job.also[0].label.as_str(), job.also[0].image.as_str()), ("b", "HTTP://h/b"));
    assert_eq!(job.sent_sha256, [Some("11".to_owned()), None]);
    assert_eq!((job.target.as_deref(), job.preflash), (Some("emmc"), vec!["true".to_owned()]));
    assert_eq!((job.headers, job.bearer.as_deref()), (order.headers, Some("token")));
    assert_eq!((job.cacert, job.insecure), (Some("/srv/2/ca".into()), true));
    assert_eq!(job.sha256, Some("aa".repeat(32)));
    assert_eq!(job.source.length, Some(7));
    assert_eq!(job.source.checksums.as_deref(), Some("https://h/SUMS"));
    assert_eq!(job.source.block_map, BlockMapChoice::At("/srv/1/keys".into()));
    assert_eq!(job.source.map_keyring, Some("/srv/1/keys".into()));
    assert!(job.source.checksums_beside && job.source.cache.is_none());
    assert_eq!(job.keep, ["data"]);
    assert_eq!((job.format, job.wipe_old_table, job.retries), (FormatChoice::Raw, true, 0));
    assert_eq!((job.deadline.map(|it| it.as_millis()), job.power_off), (Some(1500), false));
    assert_eq!((job.expect_boot.as_deref(), job.verify), (Some("login:"), Verify::Mapped));
    assert_eq!(
        (job.check_first, job.compare, job.wire, job.via, job.direct),
        (true, Some(Compare::Always), Some(Wire::Zstd), Some(Via::Uboot), true)
    );
    assert_eq!(job.transcript, Some("/srv/transcript/t".into()));
}

#[test]
fn what_is_left_out_has_its_default() {
    let order = JobOrder::parse(r#"{"version": 2, "image": {"url": "http://h/a"}}"#).unwrap();
    let (job, plain) = (order.job(&[], here()).unwrap(), flasher_core::FlashJob::new("http://h/a"));
    assert_eq!((job.image, job.retries, job.power_off), (plain.image, plain.retries, plain.power_off));
    assert_eq!((job.verify, job.format, job.source), (plain.verify, plain.format, plain.source));
}

#[test]
fn half_an_order_is_refused() {
    let of_version = |version| {
        format!("the order of the flash is of version {version}, and this exporter takes version 2")
    };
    let unknown = |key: &str| {
        format!("this exporter takes orders of version 2 and does not understand `{key}` of this one")
    };
    let secret = "s3cret s3cret s3cret s3cret";
    for (text, expected) in [
        (String::new(), "the order of the flash is malformed at column 0".to_owned()),
        ("{".to_owned(), "the order of the flash is malformed at column 1".to_owned()),
        (r#"{"version": 2}"#.to_owned(), "the order of the flash is malformed at column 14".to_owned()),
        ("{}".to_owned(), of_version(1)),
        ("{} {}".to_owned(), "the order of the flash is malformed at column 4".to_owned()),
        (r#"{"image": "a", "length": 5}"#.to_owned(), of_version(1)),
        (r#"{"version": 3, "new": []}"#.to_owned(), of_version(3)),
        (format!(r#"{{"version": "{secret}"}}"#), unknown("version")),
        (format!(r#"{{"version": 2, "tarqet": "usd", "bearer": "{secret}"}}"#), unknown("tarqet")),
        (format!(r#"{{"version": 2, "bearer": ["{secret}"]}}"#), unknown("bearer")),
        (
            r#"{"version": 2, "files": [{"name": "a", "length": 1, "mode": 7}]}"#.to_owned(),
            unknown("files[0].mode"),
        ),
        (r#"{"version": 2, "image": {"path": "/etc/shadow"}}"#.to_owned(), unknown("image")),
    ] {
        let failure = JobOrder::parse(&text).unwrap_err();
        assert_eq!(failure, expected, "{text}");
    }
}

#[test]
fn what_an_order_cannot_mean_is_refused() {
    let url = || JobOrder::new(OrderedSource::Url("http://h/a".into()));
    let sent = |files: Vec<OrderedFile>| JobOrder { files, ..JobOrder::new(OrderedSource::File(0)) };
    let missing = "the order names a file that is not sent with it";
    let not_http = "a URL of an order begins with http:// or https://";
    let of_length = |length| OrderedFile { length, ..file("a", None) };
    let map = |at| JobOrder { block_map: OrderedBlockMap::At(at), ..url() };
    for (order, expected) in [
        (url(), None),
        (sent(vec![file("a", None), file("b", Some(0))]), None),
        (sent(vec![of_length(1 << 40)]), None),
        (sent(Vec::new()), Some(missing)),
        (JobOrder { cacert: Some(0), ..url() }, Some(missing)),
        (JobOrder { map_keyring: Some(0), ..url() }, Some(missing)),
        (JobOrder { checksums: Some(OrderedSource::File(3)), ..url() }, Some(missing)),
        (map(OrderedSource::File(0)), Some(missing)),
        (JobOrder::new(OrderedSource::Url("file:///etc/shadow".into())), Some(not_http)),
        (JobOrder::new(OrderedSource::Url("/etc/shadow".into())), Some(not_http)),
        (map(OrderedSource::Url("/etc/shadow".into())), Some(not_http)),
        (JobOrder { checksums: Some(OrderedSource::Url("-".into())), ..url() }, Some(not_http)),
        (sent(vec![file("a", Some(0))]), Some("file 0 of the order is beside none that has a folder")),
        (
            sent(vec![file("a", None), file("b", Some(0)), file("c", Some(1))]),
            Some("file 2 of the order is beside none that has a folder"),
        ),
        (
            sent(vec![file("a", None), OrderedFile { length: (32 << 20) + 1, ..file("os.bmap", Some(0)) }]),
            Some("`os.bmap` is no image and has 33554433 bytes, at most 33554432 are taken"),
        ),
        (
            JobOrder {
                also: vec![OrderedPartition { label: "b".into(), image: OrderedSource::File(1) }],
                ..sent(vec![of_length(u64::MAX), of_length(1)])
            },
            Some("the files of the order are longer than can be"),
        ),
        (sent(vec![file("a", None); 129]), Some("an order has at most 128 files")),
        (JobOrder { deadline: Some(-1.0), ..url() }, Some("`deadline` is a positive number of seconds")),
        (JobOrder { deadline: Some(1e300), ..url() }, Some("`deadline` is a positive number of seconds")),
        (JobOrder { sha256: Some("abc".into()), ..url() }, Some("`sha256` has 64 hex digits")),
    ] {
        let refusal = JobOrder::parse(&order.json()).err();
        assert_eq!(refusal.as_deref(), expected, "{}", order.json());
    }
}

#[test]
fn others_hear_no_secrets_of_an_image() {
    for (image, label) in [
        ("http://h/a/os.img?token=1", "flash os.img"),
        ("https://user:secret@host", "flash host"),
        ("http://h/os.img#x", "flash os.img"),
    ] {
        assert_eq!(JobOrder::new(OrderedSource::Url(image.into())).label(), label);
    }
}
