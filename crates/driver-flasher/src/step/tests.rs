//! The steps from *target* to *verify* over another way to a medium than a Linux: bytes of this machine.

mod compared;
mod identify;
mod kept;
mod memory;

use std::path::Path;
use std::sync::{Arc, Mutex};

use disk_image::{BLOCK, Expected, Image, SourceOptions};
use flasher_core::flash::{CacheBypass, DigestsBy, JobKind, MediumState, RangeKind, WireUsed};
use flasher_core::mocks::{MockConsole, MockPower, MockSerial, MockServer};
use flasher_core::{Class, Error, FlashJob, Quiet, Result};

use self::memory::{Done, Memory};
use super::write::Put;
use super::{commit, compare, keep, resolve, target, verify, write};
use crate::access::MediumAccess;
use crate::config::FlasherConfig;
use crate::flasher::BaseFlasher;
use crate::job::{Proof, Purpose, Run, Session};
use crate::opened::OpenedImage;

const MIB: usize = 1 << 20;

/// A flasher whose devices must not be touched.
fn flasher() -> BaseFlasher {
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
    BaseFlasher {
        recorder: std::sync::Arc::default(),
        serial: Some(Arc::new(MockSerial::new())),
        power: Some(Arc::new(MockPower::new())),
        mux: None,
        tftp: Arc::new(MockServer::new()),
        http: Arc::new(MockServer::new()),
        uboot: Arc::new(MockConsole::new()),
        folder: bundle.clone(),
        found: Arc::default(),
        variant: Mutex::default(),
        forced: Mutex::default(),
        medium_open: Arc::default(),
        busy: tokio::sync::Mutex::new(()),
        config: FlasherConfig {
            flasher_bundle: Some(bundle.display().to_string()),
            ..FlasherConfig::default()
        },
    }
}

/// 5 MiB: noise, 2 MiB of zeros, noise.
fn content() -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut noise = std::iter::repeat_with(move || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        state as u8
    });
    let mut content: Vec<u8> = noise.by_ref().take(2 * MIB).collect();
    content.resize(4 * MIB, 0);
    content.extend(noise.take(MIB));
    content
}

/// Puts an image on the medium and proves it.
async fn flash(session: Session<'_>, image: &Path, access: &mut dyn MediumAccess) -> Result<Vec<Proof>> {
    let options = SourceOptions { expected: Expected::Anything, ..SourceOptions::default() };
    let image = Image::open(image.to_str().unwrap(), options).await.unwrap();
    let resolved = resolve::run(session).await?;
    keep::check_job(session.job)?;
    let keep = keep::of_image(session, &image).await?;
    let mut images = vec![OpenedImage::new(image, None, None).keeping(keep)];
    let targets = target::check(session, &resolved, &images, access).await?;
    let held = compare::all(session, &mut images, &targets, access).await?.remove(0);
    let written = write::all(session, &resolved, &mut images[0], (&targets[0], held), access).await?;
    if !written.is_unchanged {
        commit::first_block(session, &targets[0], &written, access).await?;
    }
    session.run.on_medium.leaves(MediumState::NotProven);
    let puts = [Put { opened: &images[0], target: &targets[0], written }];
    verify::all(session, &puts, access).await
}

/// Flashes a medium that stores a byte of its last data wrong so many times; `expected` is how often the range there was written, or the
/// failure.
async fn check(wrong: u32, expected: Result<u32, &str>) {
    let folder = tempfile::tempdir().unwrap();
    let (image, content) = (folder.path().join("os.img"), content());
    std::fs::write(&image, &content).unwrap();
    let (flasher, job) = (flasher(), FlashJob::new(image.display().to_string()));
    let run = Run::new(JobKind::Flash, &job, Arc::new(Quiet));
    let session = Session { flasher: &flasher, job: &job, run: &run, purpose: Purpose::Flash };
    let mut memory = Memory::new(16 * MIB, (4 * MIB + 5000, wrong));
    let proofs = flash(session, &image, &mut memory).await;
    let Memory { bytes, done, .. } = memory;
    let first = BLOCK as usize;
    match expected {
        Ok(writes) => {
            assert_eq!(proofs.unwrap()[0].length, content.len() as u64);
            assert!(bytes[..content.len()] == content, "a false success");
            assert!(bytes[content.len()..].iter().all(|byte| *byte == 0xa5), "written behind the image");
            let medium = run.record.medium_now().unwrap();
            assert_eq!(
                (medium.digests_by, medium.read_back, medium.wire),
                (Some(DigestsBy::Exporter), Some(CacheBypass::Direct), Some(WireUsed::Identity))
            );
            assert_eq!((medium.data_written, medium.zeros_written), ((3 * MIB - first) as u64, 2 << 20));
            let last = medium.ranges.iter().rfind(|range| range.kind == RangeKind::Data).unwrap();
            assert_eq!(last.writes, writes);
            assert_eq!(
                done.last(),
                Some(&Done::Write { offset: 0, length: BLOCK }),
                "the first block is last"
            );
        }
        Err(text) => {
            let error: Error = proofs.unwrap_err();
            assert_eq!((error.class(), error.cause().as_str()), (Class::Medium, text));
            assert!(bytes[..first].iter().all(|byte| *byte == 0), "it must not boot");
        }
    }
    assert_eq!(
        done[..2],
        [Done::Fill { offset: 0, length: BLOCK }, Done::Flush],
        "the first block is spoiled"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn another_way_to_a_medium_needs_no_other_steps() {
    check(0, Ok(1)).await;
    check(1, Ok(2)).await;
    let twice = "`/dev/mmcblk0` does not hold what was written: bytes 65536-5242879 differ, twice";
    check(u32::MAX, Err(twice)).await;
}

#[test]
fn only_who_opens_and_closes_the_way_knows_which_it_is() {
    let code = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut folders = vec![code.join("step"), code.join("transaction")];
    let mut seen = 0;
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
                continue;
            }
            let name = path.strip_prefix(&code).unwrap().display().to_string();
            let text = std::fs::read_to_string(&path).unwrap();
            let code = text.split("#[cfg(test)]").next().unwrap();
            let knows = ["linux::", "uboot::enter", "host::"].iter().any(|it| code.contains(it));
            let may = ["step/shell.rs", "transaction/settle.rs"].contains(&name.as_str());
            assert!(!knows || may || name == "step/tests.rs", "{name} must know the trait alone");
            let serves = code.contains("flasher.http") || code.contains("board_console::quote");
            let may = ["step/services.rs", "transaction/settle.rs", "step/tests.rs"].contains(&name.as_str());
            assert!(!serves || may, "{name} must leave the way to the medium to `access/`");
            seen += 1;
        }
    }
    assert!(seen > 25, "only {seen} files");
}
