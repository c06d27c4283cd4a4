//! Images that know what they do not care about, and images that were flashed before.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use disk_image::Digest;
use flasher_core::flash::{PowerState, RangeKind};
use flasher_core::source::{BlockMapChoice, CacheChoice, SourceChoices};
use flasher_core::{Event, FlashJob, Receipt, Step, Verdict};

use crate::lab::{Lab, has, noise, pack, sample};
use crate::registries::docker::DockerRegistry;

const UNIT: usize = 4096;
const HOLE: std::ops::Range<usize> = 1 << 20..5 << 20;

/// 6 MiB with an unmapped hole.
fn sparse() -> Vec<u8> {
    let mut image = noise(6 << 20, 5);
    image[HOLE].fill(0);
    image
}

/// A proven flash that left the hole as it was.
fn check_hole(lab: &Lab, image: &[u8], receipt: &Receipt) {
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let medium = lab.medium();
    assert!(
        medium[..HOLE.start] == image[..HOLE.start] && medium[HOLE.end..image.len()] == image[HOLE.end..]
    );
    assert!(medium[HOLE].iter().all(|byte| *byte == 0xa5), "what need not be written was written");
    let medium = receipt.medium.as_ref().unwrap();
    let sent = (image.len() - HOLE.len()) as u64 - disk_image::BLOCK; // the first block is counted for itself
    assert_eq!((medium.data_written, medium.zeros_written), (sent, 0));
    let left: u64 = medium
        .ranges
        .iter()
        .filter(|range| range.kind == RangeKind::Unmapped)
        .map(|range| range.length)
        .sum();
    assert_eq!(left, HOLE.len() as u64);
    assert_eq!(receipt.image.decoded_sha256, Some(Digest::of(image).to_string()));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_sparse_image_leaves_alone_what_it_leaves_out() {
    let image = sparse();
    let (lab, blocks) = (Lab::new(""), |range: &[u8]| (range.len() / UNIT) as u32);
    let raw = |bytes: &[u8]| {
        let words = [blocks(bytes).to_le_bytes(), (12 + bytes.len() as u32).to_le_bytes()].concat();
        [&b"\xc1\xca\0\0"[..], &words, bytes].concat()
    };
    let nothing = [&b"\xc3\xca\0\0"[..], &blocks(&image[HOLE]).to_le_bytes(), &12u32.to_le_bytes()].concat();
    let head = [UNIT as u32, blocks(&image), 3, 0].map(u32::to_le_bytes).concat();
    let simg = [
        &b"\x3a\xff\x26\xed\x01\0\0\0\x1c\0\x0c\0"[..],
        &head,
        &raw(&image[..HOLE.start]),
        &nothing,
        &raw(&image[HOLE.end..]),
    ]
    .concat();
    let (receipt, _) = lab.flash(lab.job(&lab.image(&simg, None))).await;
    check_hole(&lab, &image, &receipt);
    assert_eq!(receipt.image.format.as_deref(), Some("simg"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_block_map_beside_the_image_is_used_and_named() {
    let (lab, image) = (Lab::new(""), sparse());
    let (file, map) = (lab.image(&image, None), lab.path("image.bmap"));
    let ranges = format!(
        "<Range>0-{}</Range><Range>{}-{}</Range>",
        HOLE.start / UNIT - 1,
        HOLE.end / UNIT,
        image.len() / UNIT - 1
    );
    let text = format!(
        "<bmap version=\"1.2\"><ImageSize>{}</ImageSize><BlockSize>{UNIT}</BlockSize><BlocksCount>{}</BlocksCount><MappedBlocksCount>{}</MappedBlocksCount><BlockMap>{ranges}</BlockMap></bmap>",
        image.len(),
        image.len() / UNIT,
        (image.len() - HOLE.len()) / UNIT,
    );
    std::fs::write(&map, text).unwrap();
    let (receipt, _) = lab.flash(lab.job(&file)).await;
    check_hole(&lab, &image, &receipt);
    let named = receipt.image.block_map.unwrap();
    assert!(named.ends_with("image.bmap (version 1.2, 0 of 2 ranges with a checksum)"), "{named}");

    lab.wipe();
    let source = SourceChoices { block_map: BlockMapChoice::Off, ..SourceChoices::default() };
    let (receipt, _) = lab.flash(FlashJob { source, ..lab.job(&file) }).await;
    assert_eq!((receipt.verdict, receipt.image.block_map.clone()), (Verdict::Proven, None));
    assert!(lab.medium()[..image.len()] == image);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_board_gets_the_image_out_of_the_cache() {
    if !has("xz") {
        return;
    }
    let (lab, image) = (Lab::new(""), sample());
    let file = lab.image(&image, Some("xz"));
    tokio::time::sleep(Duration::from_millis(150)).await; // a file only just written cannot be distinguished from a later one
    let cache = Some(CacheChoice { folder: lab.path("cache"), limit: 1 << 30 });
    for cached in [false, true] {
        lab.wipe();
        let source = SourceChoices { cache: cache.clone(), ..SourceChoices::default() };
        let (receipt, _) = lab.flash(FlashJob { source, ..lab.job(&file) }).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
        assert!(lab.medium()[..image.len()] == image);
        assert_eq!((receipt.image.cached, receipt.image.format.as_deref()), (cached, Some("xz")));
        assert_eq!(receipt.image.source_sha256, Some(Digest::of(std::fs::read(&file).unwrap()).to_string()));
        assert_eq!(receipt.image.decoded_sha256, Some(Digest::of(&image).to_string()));
    }
}

/// Where one bit of the medium is wrong once: in the last range of an image of 17 MiB.
const WRONG: usize = (16 << 20) + 70_000;

/// Flashes an image of 17 MiB to a medium that is wrong once; `damage` changes a byte of the cache's copy before what differs is
/// written again. Gives whether the copy was seen to be damaged.
async fn is_seen_damaged(packed: bool, cached: bool, damage: Option<usize>) -> bool {
    let mut lab = Lab::new(&format!("flip_bit: {{ offset: {WRONG}, mask: 4, times: 1 }}"));
    lab.size = 32 << 20;
    lab.wipe();
    let image = noise(17 << 20, 3);
    let file = lab.image(&image, packed.then_some("gzip"));
    tokio::time::sleep(Duration::from_millis(150)).await; // a file only just written is not kept
    let folder = lab.path("cache");
    let cache = cached.then(|| CacheChoice { folder: folder.clone(), limit: 1 << 30 });
    let source = SourceChoices { cache, ..SourceChoices::default() };
    let copy = folder.join(format!("{}.img", Digest::of(&image)));
    let harmed = copy.clone();
    let progress = move |event| {
        if let (Event::StepBegun { step: Step::Verify }, Some(at)) = (event, damage) {
            let mut bytes = std::fs::read(&harmed).unwrap();
            bytes[at] ^= 1;
            std::fs::write(&harmed, bytes).unwrap();
        }
    };
    let tree = exporter_yaml::load(&lab.exporter()).unwrap();
    let job = FlashJob { source, ..lab.job(&file) };
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
    tree.close().await.unwrap();
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium()[..image.len()] == image);
    let ranges = &receipt.medium.unwrap().ranges;
    assert_eq!(ranges.iter().map(|range| range.writes).collect::<Vec<_>>(), [2, 1, 2]);
    assert!(receipt.warnings.contains(&"1 range read back differently and is written again".to_owned()));
    let is_seen = receipt.warnings.iter().any(|warning| {
        warning.ends_with("in the cache is damaged and was removed; what differs is decoded again")
    });
    // What was damaged was decoded again, and so kept again.
    assert!(!is_seen || std::fs::read(&copy).unwrap() == image);
    assert_eq!(copy.exists(), packed && cached);
    is_seen
}

#[tokio::test(flavor = "multi_thread")]
async fn what_differs_is_written_again_from_what_is_decoded_already() {
    if !has("gzip") {
        return;
    }
    for (packed, cached, damage, expected) in [
        (true, true, None, false),
        // Not read, so not noticed: only the range that differs is taken from the copy.
        (true, true, Some(1 << 20), false),
        (true, true, Some(WRONG), true),
        (true, false, None, false),
        (false, false, None, false),
    ] {
        let seen = is_seen_damaged(packed, cached, damage).await;
        assert_eq!(seen, expected, "packed {packed}, cached {cached}, damage at {damage:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_wrong_digest_of_a_file_shows_before_power() {
    let (lab, image) = (Lab::new(""), sample());
    let raw = lab.image(&image, None);
    let packed = lab.path("image.gz");
    let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    std::io::Write::write_all(&mut encoder, &image).unwrap();
    std::fs::write(&packed, encoder.finish().unwrap()).unwrap();
    for file in [raw, packed] {
        let sha256 = Some(Digest::of(b"another").to_string());
        let (receipt, _) = lab.flash(FlashJob { sha256, ..lab.job(&file) }).await;
        assert_eq!(
            (receipt.verdict, receipt.power),
            (Verdict::Failed, PowerState::Untouched),
            "{}",
            file.display()
        );
        let failure = receipt.failure.unwrap();
        assert!(failure.cause.contains("has another digest"), "{failure:#?}");
        assert_eq!(receipt.attempts, 1, "trying again cannot help");
        let sha256 = Some(Digest::of(&image).to_string());
        let (receipt, _) = lab.flash(FlashJob { sha256, ..lab.job(&file) }).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    }
}

/// Serves `image`, and counts who asks for it.
fn origin(image: Vec<u8>) -> (String, Arc<AtomicUsize>) {
    use std::io::{Read, Write};
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/os.img", listener.local_addr().unwrap());
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let (count, image) = (Arc::clone(&count), image.clone());
            std::thread::spawn(move || {
                if !matches!(stream.read(&mut [0; 4096]), Ok(1..)) {
                    return; // a client that only looks whether there is a server
                }
                count.fetch_add(1, Ordering::Relaxed);
                let head = format!(
                    "HTTP/1.1 200 OK\r\nETag: \"1\"\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
                    image.len()
                );
                // A client that is gone is the test's own business.
                let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&image));
            });
        }
    });
    (url, asked)
}

#[tokio::test(flavor = "multi_thread")]
async fn retries_do_not_fetch_the_image_twice() {
    let image = sample();
    let mut asked = Vec::new();
    for (faults, attempts) in [("", 1), ("reset_on_boot: 1", 2)] {
        let (lab, (url, count)) = (Lab::new(faults), origin(image.clone()));
        let cache = Some(CacheChoice { folder: lab.path("cache"), limit: 1 << 30 });
        let source = SourceChoices { cache, ..SourceChoices::default() };
        let (receipt, _) = lab.flash(FlashJob { retries: 1, source, ..FlashJob::new(url) }).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
        assert_eq!(receipt.attempts, attempts, "{faults}");
        assert!(lab.medium()[..image.len()] == image);
        asked.push(count.load(Ordering::Relaxed));
    }
    assert_eq!(asked[0], asked[1], "requests of one attempt, and of two");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_comes_out_of_a_registry_by_its_title() {
    let Some(registry) = DockerRegistry::start() else { return };
    if !has("xz") {
        return;
    }
    let (lab, image) = (Lab::new(""), sample());
    let packed = pack("xz", &image);
    std::fs::write(lab.path("bundle/data/os"), &packed).unwrap();
    let name = registry.name("acme/os:v1");
    bundle_store::push(&lab.path("bundle"), &name.parse().unwrap(), &Default::default()).await.unwrap();
    let job = |source: String| FlashJob { retries: 0, ..FlashJob::new(source) };

    let (receipt, _) = lab.flash(job(format!("oci://{name}#data/os"))).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium()[..image.len()] == image);
    assert_eq!(receipt.image.source_sha256, Some(Digest::of(&packed).to_string()));

    let (receipt, _) = lab.flash(job(format!("oci://{name}"))).await;
    let failure = receipt.failure.unwrap();
    assert!(failure.cause.contains("data/os") && receipt.power == PowerState::Untouched, "{failure:#?}");

    let mut tampered = packed.clone();
    tampered[1000] ^= 1;
    std::fs::write(registry.blob(&Digest::of(&packed).to_string()), &tampered).unwrap();
    let (receipt, _) = lab.flash(job(format!("oci://{name}#data/os"))).await;
    assert_ne!(receipt.verdict, Verdict::Proven);
}
