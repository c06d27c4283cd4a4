//! Progress as a user watches it: the share of a step grows until the step is over, whatever the flash has to do.

use std::collections::BTreeMap;

use flasher_core::flash::PartitionImage;
use flasher_core::{Event, FlashJob, Step, Verdict};

use crate::lab::{Lab, noise, pack, sample};

const MIB: usize = 1 << 20;

/// What the steps of a flash reported of their progress, each from its beginning: bytes done, and bytes in all.
type Told = Vec<(Step, Vec<(u64, Option<u64>)>)>;

fn told(events: &[Event]) -> Told {
    let (mut all, mut open) = (Told::new(), BTreeMap::<Step, usize>::new());
    for event in events {
        match event {
            Event::StepBegun { step } => {
                open.insert(*step, all.len());
                all.push((*step, Vec::new()));
            }
            Event::Advanced { step, done, total } => all[open[step]].1.push((*done, *total)),
            _ => {}
        }
    }
    all
}

/// Neither the bytes nor the share of a step may ever go backwards.
fn assert_forwards(case: &str, told: &Told) {
    for (step, told) in told {
        for pair in told.windows(2) {
            let [(before, of), (now, in_all)] = pair else { unreachable!() };
            assert!(now >= before, "{case}: {step} told {before} bytes and then {now}");
            if let (Some(of), Some(in_all)) = (of, in_all) {
                let share = |done: &u64, total: &u64| u128::from(*done) * 100 / u128::from(*total);
                assert!(share(now, in_all) >= share(before, of), "{case}: {step} fell: {pair:?}");
            }
        }
    }
}

/// Flashes, and gives what the steps reported and the bytes that *verify* had to read.
async fn check(case: &str, lab: &Lab, job: FlashJob) -> (Told, u64) {
    let (receipt, events) = lab.flash(job).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{case}: {:#?}", receipt.failure);
    let told = told(&events);
    assert_forwards(case, &told);
    let media = receipt.medium.iter().chain(receipt.further.iter().filter_map(|it| it.medium.as_ref()));
    let read = media.flat_map(|medium| &medium.ranges).map(|range| range.length).sum();
    (told, read)
}

fn of_verify(told: &Told) -> Vec<(u64, Option<u64>)> {
    told.iter().filter(|(step, _)| *step == Step::Verify).flat_map(|(_, told)| told.clone()).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn verify_is_one_count_over_all_it_reads() {
    for (faults, flasher) in [
        ("", ""),
        ("", "read_back: board"),
        // The board cannot send: it is tried, and then the board hashes.
        ("bash_missing: true, curl_missing: true", ""),
    ] {
        let case = format!("{faults} {flasher}");
        let mut lab = Lab::new(faults);
        lab.flasher = flasher.to_owned();
        // More than what is read before the paces are compared.
        lab.size = 48 * MIB;
        lab.wipe();
        let content = [noise(20 * MIB, 1), vec![0; 5 * MIB], noise(15 * MIB, 2)].concat();
        let (told, read) = check(&case, &lab, lab.job(&lab.image(&content, None))).await;
        let verify = of_verify(&told);
        assert!(verify.iter().all(|(_, total)| *total == Some(read)), "{case}: {read} {verify:?}");
        assert_eq!(verify.last().unwrap().0, read, "{case}");
        assert_eq!(read, content.len() as u64, "{case}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_written_again_never_takes_a_share_back() {
    let lab = Lab::new("flip_bit: { offset: 700000, mask: 4, times: 1 }");
    for tool in [None, Some("gzip")] {
        lab.wipe();
        let job = lab.job(&lab.image(&sample(), tool));
        let (told, read) = check(&format!("{tool:?}"), &lab, job).await;
        let verify = of_verify(&told);
        assert!(verify.contains(&(read, Some(read))), "everything was read: {verify:?}");
        let (done, total) = *verify.last().unwrap();
        assert!(done >= 2 * read && total.is_none(), "and read again: {verify:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn several_images_are_one_count() {
    let mut lab = Lab::new("");
    let partitions = "partitions:
      - { label: boot, start: 1MiB, size: 2MiB }
      - { label: root, start: 4MiB, size: 5MiB }";
    lab.board = format!("{}\n      {partitions}", lab.board);
    let image = |label: &str, content: &[u8]| {
        let path = lab.path(label);
        std::fs::write(&path, content).unwrap();
        path.to_str().unwrap().to_owned()
    };
    let (boot, root) = (noise(2 * MIB, 1), [noise(MIB, 2), vec![0; 2 * MIB], noise(77_777, 3)].concat());
    let also = PartitionImage { label: "root".to_owned(), image: image("root", &pack("gzip", &root)) };
    let first = FlashJob::new(image("boot", &boot));
    let job = FlashJob {
        retries: 0,
        partition: Some("boot".to_owned()),
        also: vec![also],
        check_first: true,
        ..first
    };
    let (told, read) = check("two images", &lab, job).await;
    assert_eq!(read, (boot.len() + root.len()) as u64);
    assert_eq!(of_verify(&told).last(), Some(&(read, Some(read))));
    let image = told.iter().find(|(step, _)| *step == Step::Image).unwrap();
    assert_eq!(image.1.last(), Some(&(read, None)), "both images are decoded before power");
}
