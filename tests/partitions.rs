//! Images for partitions of the target by label, several in one session; and commands that are run before.

use flasher_core::flash::PartitionImage;
use flasher_core::{Class, Event, Failure, FlashJob, Receipt, Step, Verdict};

use crate::lab::{Lab, MEDIUM, noise, pack};

const MIB: usize = 1 << 20;
/// `root` is on two disks; `elsewhere` only on the one that is not the target.
const PARTITIONS: &str = "partitions:
      - { label: boot, start: 1MiB, size: 2MiB }
      - { label: root, start: 4MiB, size: 5MiB }
      - { label: root, disk: mmcblk1, start: 10MiB, size: 2MiB }
      - { label: elsewhere, disk: mmcblk1, start: 12MiB, size: 1MiB }
      - { label: twice, start: 13MiB, size: 1MiB }
      - { label: twice, start: 14MiB, size: 1MiB }";

fn lab(faults: &str) -> Lab {
    let mut lab = Lab::new(faults);
    lab.board = format!("{}\n      {PARTITIONS}", lab.board);
    lab
}

/// A file with this content, for the partition `label`.
fn image(lab: &Lab, label: &str, content: &[u8]) -> PartitionImage {
    let path = lab.path(&format!("{label}.image"));
    std::fs::write(&path, content).unwrap();
    PartitionImage { label: label.to_owned(), image: path.to_str().unwrap().to_owned() }
}

fn job(mut images: Vec<PartitionImage>) -> FlashJob {
    let first = images.remove(0);
    FlashJob { retries: 0, partition: Some(first.label), also: images, ..FlashJob::new(first.image) }
}

/// The wiped medium with `parts` written over it.
fn expected(parts: &[(usize, &[u8])]) -> Vec<u8> {
    let mut medium = vec![0xa5; MEDIUM];
    for (offset, content) in parts {
        medium[*offset..offset + content.len()].copy_from_slice(content);
    }
    medium
}

fn device(receipt: &Receipt, number: usize) -> &str {
    let medium = match number {
        0 => receipt.medium.as_ref(),
        number => receipt.further[number - 1].medium.as_ref(),
    };
    &medium.unwrap().device
}

#[tokio::test(flavor = "multi_thread")]
async fn overlapping_partitions_are_refused() {
    let mut lab = lab("");
    lab.board = lab.board.replace("start: 1MiB, size: 2MiB", "start: 1MiB, size: 4MiB");
    let images = vec![image(&lab, "boot", &noise(MIB, 1)), image(&lab, "root", &noise(MIB, 2))];
    let (receipt, _) = lab.flash(job(images)).await;
    let failure = receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Board, Step::Target));
    assert_eq!(
        failure.cause,
        "the partitions mmcblk0p1 and mmcblk0p2 share bytes, so only one of them can hold its image"
    );
    assert!(lab.medium() == expected(&[]));
}

#[tokio::test(flavor = "multi_thread")]
async fn what_prepares_a_whole_device_is_not_done_to_its_partitions() {
    let lab = lab("");
    let manifest = lab.path("bundle/manifest.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let wipes = "  preflash_commands: [ dd if=/dev/zero of=/dev/mmcblk0 bs=512 count=34 ]\n";
    std::fs::write(&manifest, format!("{}\n{wipes}", text.trim_end())).unwrap();
    let boot = noise(MIB, 1);
    let (receipt, _) = lab.flash(job(vec![image(&lab, "boot", &boot)])).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium() == expected(&[(MIB, &boot)]), "something beside the partition was written");
    let told = receipt.warnings.iter().any(|warning| warning.contains("preflash commands"));
    assert!(told, "{:?}", receipt.warnings);
    // For the whole device they are run.
    let (receipt, _) = lab.flash(lab.job(&lab.image(&noise(1000, 9), None))).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(lab.medium()[1000..34 * 512].iter().all(|byte| *byte == 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn several_images_in_one_boot() {
    let boot = noise(700_000, 1);
    let root = [noise(MIB, 2), vec![0; 2 * MIB], noise(77_777, 3)].concat();
    // By path, and by the address of the controller.
    for target in ["emmc", "usd"] {
        let lab = lab("");
        let images = vec![image(&lab, "boot", &boot), image(&lab, "root", &pack("gzip", &root))];
        let job = FlashJob { target: Some(target.to_owned()), ..job(images) };
        let (receipt, events) = lab.flash(job).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{target}: {:#?}", receipt.failure);
        assert!(lab.medium() == expected(&[(MIB, &boot), (4 * MIB, &root)]), "{target}: the medium differs");
        assert_eq!((device(&receipt, 0), device(&receipt, 1)), ("/dev/mmcblk0p1", "/dev/mmcblk0p2"));
        let second = receipt.further[0].medium.as_ref().unwrap();
        assert_eq!(
            (second.partition.as_deref(), second.disk.as_deref()),
            (Some("root"), Some("/dev/mmcblk0"))
        );
        assert_eq!(receipt.further[0].image.decoded_length, Some(root.len() as u64));
        let begun = |wanted: Step| {
            events
                .iter()
                .filter(|event| matches!(event, Event::StepBegun { step } if *step == wanted))
                .count()
        };
        assert_eq!((begun(Step::Power), begun(Step::Write), begun(Step::Commit)), (1, 2, 2), "{target}");
    }
}

/// Flashes and expects a failure; gives it with what is on the medium.
async fn fails(lab: &Lab, job: FlashJob, class: Class, step: Step, says: &str) -> Failure {
    let (receipt, _) = lab.flash(job).await;
    assert_eq!(receipt.verdict, Verdict::Failed, "{says}: a false success");
    let failure = receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (class, step), "{failure:#?}");
    assert!(failure.cause.contains(says), "{failure:#?}");
    failure
}

#[tokio::test(flavor = "multi_thread")]
async fn labels_that_are_not_there_once() {
    let lab = lab("");
    let small = noise(1000, 1);
    let refused = |label, says| (job(vec![image(&lab, "boot", &small), image(&lab, label, &small)]), says);
    for (job, says) in [
        refused("elsewhere", "no partition of `/dev/mmcblk0` is labelled `elsewhere`"),
        refused("roo", "no partition of `/dev/mmcblk0` is labelled `roo`"),
        refused("twice", "several partitions of `/dev/mmcblk0` are labelled `twice`: mmcblk0p3, mmcblk0p4"),
    ] {
        let failure = fails(&lab, job, Class::Board, Step::Target, says).await;
        let there = "mmcblk0p1 `boot`, mmcblk0p2 `root`, mmcblk0p3 `twice`, mmcblk0p4 `twice`";
        assert_eq!(failure.context["partitions"], there);
        assert!(lab.medium() == expected(&[]), "{says}: the medium was touched");
    }
    let large = noise(2 * MIB + 1, 1);
    let too_large = job(vec![image(&lab, "root", &small), image(&lab, "boot", &large)]);
    fails(&lab, too_large, Class::Source, Step::Target, "`/dev/mmcblk0p1` has 2097152").await;
    assert!(lab.medium() == expected(&[]), "the medium was touched");
}

#[tokio::test(flavor = "multi_thread")]
async fn images_that_exclude_each_other() {
    let lab = lab("");
    let two = || job(vec![image(&lab, "boot", b"x"), image(&lab, "root", b"y")]);
    let cases = [
        (FlashJob { partition: None, ..two() }, "one image is for the whole device"),
        (FlashJob { partition: Some("root".into()), ..two() }, "two images are for the partition `root`"),
        (FlashJob { sha256: Some("00".repeat(32)), ..two() }, "a digest, a length or a block map is given"),
        (FlashJob { partition: Some(String::new()), ..two() }, "a partition label is empty"),
    ];
    for (job, says) in cases {
        fails(&lab, job, Class::Config, Step::Image, says).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_of_any_image_is_that_of_the_job_and_names_it() {
    let boot = noise(500_000, 1);
    let cases = [
        // The second image breaks off, does not fit, or meets a bad spot of the medium.
        (
            "",
            {
                let mut cut = pack("gzip", &noise(MIB, 2));
                cut.truncate(cut.len() - 1000);
                cut
            },
            Class::Source,
            Step::Write,
        ),
        ("", pack("gzip", &noise(5 * MIB + 1, 2)), Class::Source, Step::Write),
        ("write_error: 5MiB", noise(3 * MIB, 2), Class::Medium, Step::Write),
        ("flip_bit: { offset: 6000000, mask: 4 }", noise(3 * MIB, 2), Class::Medium, Step::Verify),
    ];
    for (faults, root, class, step) in cases {
        let lab = lab(faults);
        let job = job(vec![image(&lab, "boot", &boot), image(&lab, "root", &root)]);
        let failure = fails(&lab, job, class, step, "").await;
        assert_eq!(failure.context["partition"], "root", "{failure:#?}");
        let medium = lab.medium();
        assert!(medium[MIB..MIB + boot.len()] == boot, "{faults}: the first image is whole");
        // A stream may break before the board has read its beginning: then what was there before is still there.
        // Its first page may hold a mark of the look at how much the medium holds.
        let first = &medium[4 * MIB..][4096..65_536];
        let is_all = |byte| first.iter().all(|it| *it == byte);
        assert!(is_all(0) || is_all(0xa5), "{faults}: the second image begins");
        assert!(
            medium[9 * MIB..].iter().all(|byte| *byte == 0xa5),
            "{faults}: another partition was touched"
        );
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn commands_before_a_flash_are_run_checked_and_named() {
    let lab = Lab::new("");
    let transcript = lab.path("transcript");
    let flash = |preflash: &[&str]| FlashJob {
        preflash: preflash.iter().map(|command| (*command).to_owned()).collect(),
        transcript: Some(transcript.clone()),
        ..lab.job(&lab.image(&noise(100_000, 1), None))
    };
    let (receipt, _) = lab.flash(flash(&["echo it says $((6 * 7))", "true"])).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert!(std::fs::read_to_string(&transcript).unwrap().contains("it says 42"));
    lab.wipe();
    let job = flash(&["true", "echo no way; false", "true"]);
    let failure = fails(&lab, job, Class::Board, Step::Target, "").await;
    assert_eq!(failure.context["preflash command"], "echo no way; false");
    assert!(lab.medium() == expected(&[]), "the medium was touched");
}
