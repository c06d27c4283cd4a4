//! A board without a bundle: its boot loader writes the medium and reads it back, and nothing is booted.

use flasher_core::flash::{
    CacheBypass, Compare, DigestsBy, MediumState, PartitionImage, RangeKind, Via, ViaUsed, Wire,
};
use flasher_core::{Class, Event, FlashJob, Receipt, Step, Verdict};

use crate::lab::{Lab, MEDIUM, has, noise, pack, sample};

const MIB: usize = 1 << 20;
/// A flasher without a bundle.
const WITHOUT_BUNDLE: &str = "via: uboot\n      targets: { emmc: mmc 0 }";

/// A lab whose U-Boot has these faults (YAML, flow style), and these further keys of the board's config.
fn lab(faults: &str, board: &str) -> Lab {
    let mut lab = Lab::new(&format!("uboot: {{{faults}}}"));
    lab.board = format!("{}\n      {board}", lab.board);
    lab.flasher = WITHOUT_BUNDLE.to_owned();
    std::fs::remove_dir_all(lab.path("bundle")).unwrap();
    lab
}

fn must_be_proven(lab: &Lab, content: &[u8], receipt: &Receipt) {
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let medium = lab.medium();
    assert!(medium[..content.len()] == *content, "a false success");
    assert!(medium[content.len()..].iter().all(|byte| *byte == 0xa5), "written behind the image");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_of_all_kinds_are_proven_without_a_bundle() {
    let content = sample();
    for tool in [None, Some("gzip"), Some("xz"), Some("zstd")] {
        if tool.is_some_and(|tool| !has(tool)) {
            continue;
        }
        let lab = lab("", "");
        let (receipt, events) = lab.flash(lab.job(&lab.image(&content, tool))).await;
        must_be_proven(&lab, &content, &receipt);
        let medium = receipt.medium.unwrap();
        assert_eq!((medium.via, medium.device.as_str()), (Some(ViaUsed::Uboot), "mmc 0"));
        assert_eq!(medium.digests_by, Some(DigestsBy::Compared));
        assert_eq!(medium.read_back, Some(CacheBypass::Bootloader));
        assert_eq!(receipt.board.bundle_sha256, None, "nothing was booted");
        let booted = events.iter().any(|event| matches!(event, Event::Transfer(it) if it.protocol == "http"));
        assert!(!booted, "a boot loader needs no HTTP");
    }
}

/// Its length shows while it is decoded, before the medium is compared with it.
#[tokio::test(flavor = "multi_thread")]
async fn a_packed_image_that_is_too_long_is_never_compared() {
    let lab = lab("", "");
    let old = lab.medium();
    let image = lab.image(&noise(MEDIUM + 4096, 1), Some("gzip"));
    let job = FlashJob { compare: Some(Compare::Always), ..lab.job(&image) };
    let failure = lab.flash(job).await.0.failure.expect("a false success");
    assert_eq!((failure.class, failure.step), (Class::Source, Step::Compare), "{failure:#?}");
    assert!(failure.cause.starts_with("the image is larger than the target"), "{}", failure.cause);
    assert_eq!(failure.medium, Some(MediumState::Untouched));
    assert!(lab.medium() == old);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_loader_that_hashes_proves_by_digests() {
    let content = sample();
    let lab = lab("", "drop_after_dhcp: true\n      without_commands: []");
    let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
    must_be_proven(&lab, &content, &receipt);
    assert_eq!(receipt.medium.unwrap().digests_by, Some(DigestsBy::Board));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_boot_loader_that_sends_is_hashed_here_when_asked() {
    let content = sample();
    for (read_back, digests_by) in [("network", DigestsBy::Exporter), ("auto", DigestsBy::Compared)] {
        let mut lab = lab("flip_put_at: 400000", "without_commands: [hash, sha256sum]");
        lab.flasher.push_str(&format!("\n      read_back: {read_back}"));
        let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
        must_be_proven(&lab, &content, &receipt);
        assert_eq!(receipt.medium.unwrap().digests_by, Some(digests_by));
    }
}

/// U-Boot's second network stack asks always the same port, and the server that DHCP names before ours.
#[tokio::test(flavor = "multi_thread")]
async fn a_second_network_stack_asks_our_server() {
    let content = sample();
    let port = std::net::UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    let personality = format!("network: lwip\n      next_server: 127.0.0.9\n      tftp_port: {port}");
    for flasher in [WITHOUT_BUNDLE, ""] {
        let mut lab = Lab::new("");
        lab.tftp = format!("host: 127.0.0.1, port: {port}");
        lab.board = format!("{}\n      {personality}", lab.board);
        lab.flasher = flasher.to_owned();
        let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
        must_be_proven(&lab, &content, &receipt);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn partitions_are_found_in_the_table_on_the_medium() {
    if !has("sfdisk") {
        return;
    }
    let lab = lab("", "");
    let table = "label: gpt\nstart=2048, size=4096, name=boot\nstart=8192, size=8192, name=\"my root\"\n";
    let mut sfdisk = std::process::Command::new("sfdisk")
        .arg(lab.path("medium"))
        .stdin(std::process::Stdio::piped())
        .stdout(std::process::Stdio::null())
        .spawn()
        .unwrap();
    std::io::Write::write_all(&mut sfdisk.stdin.take().unwrap(), table.as_bytes()).unwrap();
    assert!(sfdisk.wait().unwrap().success());
    let mut expected = lab.medium();
    let image = |name: &str, content: &[u8]| {
        std::fs::write(lab.path(name), content).unwrap();
        lab.path(name).to_str().unwrap().to_owned()
    };
    // An odd length: the rest of its last block stays as it is.
    let (boot, root) = (noise(MIB + 333, 1), noise(3 * MIB, 2));
    for (sector, content) in [(2048, &boot), (8192, &root)] {
        expected[sector * 512..][..content.len()].copy_from_slice(content);
    }
    let also = vec![PartitionImage { label: "my root".to_owned(), image: image("root", &root) }];
    let job = FlashJob {
        retries: 0,
        partition: Some("boot".to_owned()),
        also,
        ..FlashJob::new(image("boot", &boot))
    };
    let (receipt, _) = lab.flash(job).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium() == expected, "the medium differs");
    assert_eq!(receipt.further[0].medium.as_ref().unwrap().device, "mmc 0#my root");
    let job = FlashJob { partition: Some("rot".to_owned()), ..lab.job(&lab.path("boot")) };
    let failure = lab.flash(job).await.0.failure.unwrap();
    assert_eq!(failure.cause, "no partition of `mmc 0` is labelled `rot`");
}

/// What is left alone stays as it was, the first block too.
#[tokio::test(flavor = "multi_thread")]
async fn what_a_block_map_leaves_out_is_not_touched() {
    if !has("bmaptool") {
        return;
    }
    let lab = lab("", "");
    let path = lab.path("sparse.img");
    let file = std::fs::File::create(&path).unwrap();
    file.set_len(4 << 20).unwrap();
    let data = noise(MIB, 5);
    std::os::unix::fs::FileExt::write_all_at(&file, &data, 2 << 20).unwrap();
    file.sync_all().unwrap();
    let map = std::process::Command::new("bmaptool").arg("create").arg(&path).output().unwrap();
    assert!(map.status.success(), "{map:?}");
    std::fs::write(lab.path("sparse.bmap"), map.stdout).unwrap();
    let (receipt, _) = lab.flash(lab.job(&path)).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let medium = receipt.medium.unwrap();
    assert!(medium.ranges.iter().any(|range| range.kind == RangeKind::Unmapped));
    let mut expected = vec![0xa5; MEDIUM];
    expected[2 * MIB..3 * MIB].copy_from_slice(&data);
    assert!(lab.medium() == expected, "the medium differs");
}

/// A failure, or a flash that ends proven all the same.
struct Case {
    /// Faults of U-Boot.
    faults: &'static str,
    /// Further keys of the board.
    board: &'static str,
    ends: Result<(), (Class, Step, &'static str)>,
    /// Whether the medium may have been touched.
    touched: bool,
}

impl Case {
    async fn check(&self) {
        let lab = lab(self.faults, self.board);
        let content = sample();
        let (receipt, _) = lab.flash(lab.job(&lab.image(&content, None))).await;
        let name = format!("{} {}", self.faults, self.board);
        match (self.ends, receipt.failure.clone()) {
            (Ok(()), _) => must_be_proven(&lab, &content, &receipt),
            (Err(_), None) => panic!("{name}: a false success"),
            (Err(expected), Some(failure)) => {
                let found = (failure.class, failure.step, failure.cause.as_str());
                assert_eq!(found, expected, "{name}: {failure:#?}");
                let is_old = lab.medium().iter().all(|byte| *byte == 0xa5);
                assert_eq!(!is_old, self.touched, "{name}");
                let says_untouched = matches!(failure.medium, Some(MediumState::Untouched));
                assert_eq!(says_untouched, !self.touched, "{name}: {:?}", failure.medium);
            }
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_boot_loader_lacks_is_named_before_any_write() {
    let missing = |command, cause| Case {
        faults: "",
        board: command,
        ends: Err((Class::Board, Step::Shell, cause)),
        touched: false,
    };
    for case in [
        missing("without_commands: [mmc]", "this boot loader was built without `mmc`"),
        missing("without_commands: [crc32, cmp]", "this boot loader was built without `crc32`, `cmp`"),
        missing("without_commands: [bdinfo]", "this boot loader was built without `bdinfo`"),
        Case {
            faults: "absent: true",
            board: "",
            ends: Err((Class::Board, Step::Target, "the boot loader finds no `mmc 0`")),
            touched: false,
        },
    ] {
        case.check().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_goes_wrong_on_the_way_is_mended_or_named() {
    let mended = |faults| Case { faults, board: "", ends: Ok(()), touched: true };
    for case in [
        // A byte that is loaded wrong is loaded again.
        mended("flip_load_at: 2000000"),
        // What was not written is written again.
        mended("lost_writes: 1"),
        mended("stale_reads: 1"),
        mended("flip_read: { offset: 700000, mask: 1, times: 1 }"),
        mended("drop_console: 1500"),
    ] {
        case.check().await;
    }
}

/// `faults` are those of the whole board.
#[tokio::test(flavor = "multi_thread")]
async fn a_bad_medium_is_never_proven() {
    let held = "does not hold what was written";
    for (faults, step, says) in [
        ("uboot: { lost_writes: true }", Step::Verify, held),
        ("uboot: { stale_reads: true }", Step::Verify, held),
        ("uboot: { flip_read: { offset: 700000, mask: 1, times: 99 } }", Step::Verify, held),
        ("flip_bit: { offset: 1000000, mask: 4 }", Step::Verify, held),
        ("real_size: { bytes: 1MiB, beyond: wrap }", Step::Verify, held),
        ("real_size: { bytes: 1MiB, beyond: drop }", Step::Verify, held),
        ("uboot: { write_error_after: 2000 }", Step::Write, "of `mmc 0` could not be written"),
        ("write_error: 1MiB", Step::Write, "of `mmc 0` could not be written"),
        ("read_error_at: 1MiB", Step::Verify, "of `mmc 0` could not be read"),
    ] {
        let mut lab = lab("", "");
        lab.board = format!("faults: {{{faults}}}");
        let (receipt, _) = lab.flash(lab.job(&lab.image(&sample(), None))).await;
        let failure = receipt.failure.unwrap_or_else(|| panic!("{faults}: a false success"));
        assert_eq!((failure.class, failure.step), (Class::Medium, step), "{faults}: {failure:#?}");
        assert!(failure.cause.contains(says), "{faults}: {}", failure.cause);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_power_cut_is_mended_by_a_retry() {
    let mut lab = lab("", "");
    lab.flasher.push_str("\n      timeouts: { read_back: 10, tftp: 10, command: 10 }");
    lab.board = lab.board.replace("faults: {", "faults: {cut_power_after_bytes: 1000000, ");
    let content = sample();
    let job = FlashJob { retries: 1, ..lab.job(&lab.image(&content, None)) };
    let (receipt, _) = lab.flash(job).await;
    must_be_proven(&lab, &content, &receipt);
    assert_eq!(receipt.attempts, 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_needs_a_linux_is_refused_before_power_on() {
    let lab = lab("", "");
    let image = lab.image(&sample(), None);
    let refusal = |what: &str| {
        format!("{what} needs a small Linux on the board, and the boot loader is the way to the medium")
    };
    for (job, cause) in [
        (FlashJob { wire: Some(Wire::Gzip), ..lab.job(&image) }, refusal("a packed `--wire`")),
        (FlashJob { target: Some("emc".to_owned()), ..lab.job(&image) }, "unknown target `emc`".to_owned()),
    ] {
        let (receipt, _) = lab.flash(job).await;
        let failure = receipt.failure.unwrap();
        assert_eq!((failure.class, failure.cause), (Class::Config, cause));
    }
    let mut odd = lab;
    odd.flasher = odd.flasher.replace("mmc 0", "/dev/mmcblk0");
    let findings = exporter_yaml::load(&odd.exporter()).unwrap_err().to_string();
    assert!(findings.contains("`/dev/mmcblk0` is no block device of U-Boot"), "{findings}");
}

#[tokio::test(flavor = "multi_thread")]
async fn no_bundle_is_looked_for_where_none_is_needed() {
    for (config, has_bundle) in [
        ("via: uboot\n      targets: { emmc: mmc 0 }", false),
        ("targets: { emmc: mmc 0 }", false),
        ("via: linux\n      targets: { emmc: mmc 0 }", true),
        ("via: auto", true),
    ] {
        let mut lab = Lab::new("");
        lab.flasher = config.to_owned();
        let text = std::fs::read_to_string(lab.exporter()).unwrap();
        std::fs::write(lab.path("exporter.yaml"), text.replace("flasher_bundle: ./bundle", "")).unwrap();
        let tree = exporter_yaml::load(&lab.path("exporter.yaml")).unwrap_or_else(|it| panic!("{it}"));
        assert_eq!(tree.flasher(None).unwrap().flasher_bundle().is_some(), has_bundle, "{config}");
        tree.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_manifest_names_media_for_the_boot_loader() {
    let lab = Lab::new("");
    let content = sample();
    let job = FlashJob { via: Some(Via::Uboot), ..lab.job(&lab.image(&content, None)) };
    let (receipt, _) = lab.flash(job).await;
    must_be_proven(&lab, &content, &receipt);
    let medium = receipt.medium.unwrap();
    assert_eq!((medium.via, medium.device.as_str()), (Some(ViaUsed::Uboot), "mmc 0"));
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_changes_is_no_fault_of_the_medium() {
    let lab = lab("", "");
    let content = sample();
    let packed = pack("gzip", &content);
    std::fs::write(lab.path("image"), &packed).unwrap();
    let image = lab.path("image");
    let tree = exporter_yaml::load(&lab.exporter()).unwrap_or_else(|findings| panic!("{findings}"));
    let changing = image.clone();
    let progress = move |event: Event| {
        if matches!(event, Event::StepBegun { step: Step::Commit }) {
            std::fs::write(&changing, pack("gzip", &noise(3_000_000, 77))).unwrap();
        }
    };
    let flasher = tree.flasher(None).unwrap();
    let receipt = flasher.flash(lab.job(&image), std::sync::Arc::new(progress)).await;
    tree.close().await.unwrap();
    let failure = receipt.failure.expect("a false success");
    assert_eq!((failure.class, failure.step), (Class::Source, Step::Verify), "{failure:#?}");
}
