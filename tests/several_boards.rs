//! Two boards of one exporter: their jobs run at the same time, on one TFTP and one HTTP server.

use std::sync::{Arc, Mutex};

use flasher_core::source::CacheChoice;
use flasher_core::{Event, FlashJob, Receipt, TransferState, Verdict};

use crate::lab::{Lab, MEDIUM, sample};

/// An exporter with the boards `a` and `b`, which share their servers; `b` has further config.
fn exporter(lab: &Lab, of_b: &str) -> std::path::PathBuf {
    let board = |name: &str, more: &str| {
        std::fs::write(lab.path(&format!("{name}.medium")), vec![0xa5; MEDIUM]).unwrap();
        format!(
            "  {name}-board: {{ type: sim-board, config: {{ medium: ./{name}.medium, size: {MEDIUM}, bootdelay: 3{more} }} }}
  {name}:
    type: flasher
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0.1 }}
    children:
      serial: {{ ref: {name}-board.serial }}
      power: {{ ref: {name}-board.power }}
      tftp: {{ ref: tftp }}
      http: {{ ref: http }}
"
        )
    };
    let (a, b) = (board("a", ""), board("b", of_b));
    let text = format!(
        "export:
  tftp: {{ type: tftp, config: {{ port: 0, root_dir: ./tftp }} }}
  http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
{a}{b}"
    );
    let path = lab.path("boards.yaml");
    std::fs::write(&path, text).unwrap();
    path
}

/// What came of flashing both boards at once: of each its receipt and its events.
async fn flash_both(lab: &Lab, of_b: &str, job: &FlashJob) -> [(Receipt, Vec<Event>); 2] {
    let tree = exporter_yaml::load(&exporter(lab, of_b)).unwrap_or_else(|findings| panic!("{findings}"));
    let flash = |name: &'static str| {
        let (flasher, job) = (tree.flasher(Some(name)).unwrap(), job.clone());
        async move {
            let events = Arc::new(Mutex::new(Vec::new()));
            let seen = Arc::clone(&events);
            let receipt = flasher.flash(job, Arc::new(move |event| seen.lock().unwrap().push(event))).await;
            let events = std::mem::take(&mut *events.lock().unwrap());
            (receipt, events)
        }
    };
    let (a, b) = tokio::join!(flash("a"), flash("b"));
    tree.close().await.unwrap();
    [a, b]
}

fn medium(lab: &Lab, name: &str) -> Vec<u8> {
    std::fs::read(lab.path(&format!("{name}.medium"))).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn two_boards_share_their_servers() {
    let (lab, content) = (Lab::new(""), sample());
    let mut job = lab.job(&lab.image(&content, Some("xz")));
    job.source.cache = Some(CacheChoice { folder: lab.path("cache"), limit: 1 << 30 });
    let both = flash_both(&lab, "", &job).await;
    for ((receipt, events), name) in both.iter().zip(["a", "b"]) {
        assert_eq!(receipt.verdict, Verdict::Proven, "{name}: {:#?}", receipt.failure);
        assert!(medium(&lab, name)[..content.len()] == content, "{name}: a false success");
        // Each hears of its own boot files, once.
        let kernels = events.iter().filter(|event| match event {
            Event::Transfer(transfer) => {
                transfer.file.ends_with("/kernel") && matches!(transfer.state, TransferState::Done { .. })
            }
            _ => false,
        });
        assert_eq!(kernels.count(), 1, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_failure_of_one_board_is_no_matter_to_the_other() {
    let (lab, content) = (Lab::new(""), sample());
    let job = lab.job(&lab.image(&content, None));
    let [(a, _), (b, _)] = flash_both(&lab, ", faults: { power_stuck: 9 }", &job).await;
    assert_eq!(a.verdict, Verdict::Proven, "{:#?}", a.failure);
    assert!(medium(&lab, "a")[..content.len()] == content, "a false success");
    assert_eq!(b.verdict, Verdict::Failed, "its power switch is stuck");
}
