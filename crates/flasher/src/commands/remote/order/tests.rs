//! What a job names here goes along, and a receipt is held against it.

use std::time::{Duration, SystemTime};

use flasher_core::flash::{ImageFacts, JobKind, Site, Verify};

use super::*;

/// Every field of a job is in its order, or is the exporter's own. A new field does not compile here until it is named: put it
/// into [`OutgoingOrder::new`] as well.
#[allow(dead_code, reason = "it is there to be compiled")]
fn fields(job: FlashJob) {
    let FlashJob {
        image: _,
        partition: _,
        also: _,
        target: _,
        preflash: _,
        headers: _,
        bearer: _,
        cacert: _,
        insecure: _,
        sha256: _,
        source: _,
        format: _,
        wipe_old_table: _,
        keep: _,
        retries: _,
        deadline: _,
        power_off: _,
        expect_boot: _,
        verify: _,
        check_first: _,
        compare: _,
        wire: _,
        via: _,
        direct: _,
        transcript: _,
        // The exporter's own.
        fetch: _,
        site: _,
        sent_sha256: _,
        recording: _,
        stop: _,
        hurry: _,
        exchanges: _,
    } = job;
}

#[tokio::test]
async fn what_a_job_names_here_goes_along() {
    let folder = tempfile::tempdir().unwrap();
    let path = |name: &str| folder.path().join(name);
    let text = |name: &str| path(name).to_str().unwrap().to_owned();
    std::fs::create_dir(path("b")).unwrap();
    for name in ["os.img", "os.bmap", "os.img.sha256", "b/os.img", "b/os.bmap", "b/os.bmap.sig", "other.bmap"]
    {
        std::fs::write(path(name), "").unwrap();
    }
    let image = |label: &str, image: String| PartitionImage { label: label.into(), image };
    let job = FlashJob {
        also: vec![image("b", format!("file://{}", text("b/os.img"))), image("c", "https://h/c.img".into())],
        cacert: Some("/etc/ca.pem".into()),
        source: SourceChoices {
            checksums: Some("SUMS".into()),
            checksums_beside: true,
            map_keyring: Some("keys.gpg".into()),
            ..SourceChoices::default()
        },
        verify: Verify::Mapped,
        transcript: Some("out/console.log".into()),
        ..FlashJob::new(text("os.img"))
    };
    let OutgoingOrder { order, paths } = OutgoingOrder::new(job, Some("v2".into())).await.unwrap();
    let sent: Vec<_> = order.files.iter().map(|file| (file.name.as_str(), file.beside)).collect();
    assert_eq!(
        sent,
        [
            ("os.img", None),
            ("os.bmap", Some(0)),
            ("os.img", None),
            ("os.bmap.sig", Some(2)),
            ("os.bmap", Some(2)),
            ("ca.pem", None),
            ("SUMS", None),
            ("keys.gpg", None),
        ]
    );
    assert_eq!(paths[4], path("b/os.bmap"));
    assert_eq!(order.image, OrderedSource::File(0));
    assert_eq!(order.also[0].image, OrderedSource::File(2));
    assert_eq!(order.also[1].image, OrderedSource::Url("https://h/c.img".into()));
    assert_eq!(order.block_map, OrderedBlockMap::Beside);
    assert_eq!(
        (order.cacert, order.checksums, order.map_keyring),
        (Some(5), Some(OrderedSource::File(6)), Some(7))
    );
    assert_eq!((order.verify, order.variant.as_deref()), (Some(Verify::Mapped), Some("v2")));
    assert_eq!(order.transcript.as_deref(), Some("console.log"));

    // What is not looked at is not sent.
    let source =
        SourceChoices { block_map: BlockMapChoice::Off, checksums_beside: true, ..SourceChoices::default() };
    for (sha256, expected) in [(None, &["os.img", "os.img.sha256"][..]), (Some("0".repeat(64)), &["os.img"])]
    {
        let job = FlashJob { sha256, source: source.clone(), ..FlashJob::new(text("os.img")) };
        let order = OutgoingOrder::new(job, None).await.unwrap().order;
        assert_eq!(order.files.iter().map(|file| file.name.as_str()).collect::<Vec<_>>(), expected);
    }
    let source =
        SourceChoices { block_map: BlockMapChoice::At(text("b/os.bmap")), ..SourceChoices::default() };
    let job = FlashJob { source, ..FlashJob::new("HTTPS://h/os.img") };
    let order = OutgoingOrder::new(job, None).await.unwrap().order;
    assert_eq!(order.block_map, OrderedBlockMap::At(OrderedSource::File(0)));
    assert_eq!(order.files[1].beside, Some(0), "its signature");
}

#[tokio::test]
async fn what_is_no_file_and_no_url_is_refused_without_its_secrets() {
    for (image, expected) in [
        ("oci://user:hunter2@host/os:1", "an exporter takes nothing by `oci://`: `oci://***@host/os:1`"),
        ("s3://bucket/os.img", "an exporter takes nothing by `s3://`: `s3://bucket/os.img`"),
        ("-", "an exporter takes no standard input: `-`"),
    ] {
        let error = OutgoingOrder::new(FlashJob::new(image), None).await.err().unwrap();
        assert_eq!((error.class(), error.to_string().as_str()), (Class::Config, expected));
    }
}

#[test]
fn a_receipt_of_another_image_is_no_success() {
    let facts = |sha256: Option<&str>| ImageFacts {
        source_sha256: sha256.map(str::to_owned),
        ..ImageFacts::default()
    };
    let check = |verdict, read: Option<&str>, sent: Option<&str>, is_good: bool| {
        let (begun, site) = (SystemTime::now(), Site::default());
        let mut receipt = Receipt::blank("flasher", JobKind::Flash, site, begun, Duration::ZERO);
        (receipt.verdict, receipt.image) = (verdict, facts(read));
        receipt.further = vec![FurtherImage { image: facts(Some("cc")), medium: None }];
        let is_failed = verdict == Verdict::Failed;
        for (second, is_second_good) in [("cc", true), ("dd", false)] {
            let digests = [second.to_owned(), sent.unwrap_or_default().to_owned()];
            let images = SentImages(vec![sent.map(|_| 1), Some(0)]);
            let compared = images.compare(&receipt, &digests);
            assert_eq!(
                compared.is_ok(),
                is_failed || (is_good && is_second_good),
                "{verdict:?} {read:?} {sent:?}"
            );
        }
        // Sent, and its digest never became known.
        assert_eq!(SentImages(vec![Some(0)]).compare(&receipt, &[]).is_ok(), is_failed);
    };
    check(Verdict::Proven, Some("aa"), Some("aa"), true);
    check(Verdict::Proven, Some("bb"), Some("aa"), false);
    check(Verdict::Written, Some("bb"), Some("aa"), false);
    check(Verdict::Proven, None, Some("aa"), false);
    check(Verdict::Failed, None, Some("aa"), true);
    check(Verdict::Proven, Some("bb"), None, true);
}
