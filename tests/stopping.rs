//! ^C in every step: services go down, the board is powered off, and the receipt says that it was stopped.

use std::net::TcpListener;
use std::sync::Arc;

use flasher_core::flash::{MediumState, PowerState};
use flasher_core::tree::DriverTree;
use flasher_core::{CancellationToken, Class, Device, Event, Step, Verdict};

use crate::lab::{Lab, noise, sample};

#[tokio::test(flavor = "multi_thread")]
async fn a_job_can_be_stopped_in_every_step() {
    for step in Step::ALL {
        let lab = Lab::new("");
        let stop = CancellationToken::new();
        let mut job = lab.job(&lab.image(&sample(), Some("gzip")));
        job.stop = stop.clone();
        job.expect_boot = Some("never printed".to_owned());
        let tree = exporter_yaml::load(&lab.exporter()).unwrap();
        let progress = move |event| {
            if matches!(event, Event::StepBegun { step: begun } if begun == step) {
                stop.cancel();
            }
        };
        let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
        assert_eq!(receipt.verdict, Verdict::Failed, "{step}");
        assert_eq!(receipt.class(), Some(Class::Interrupted), "{step}: {:#?}", receipt.failure);
        assert_eq!(receipt.exit_code(), 130, "{step}");
        assert!(
            matches!(receipt.power, PowerState::Off | PowerState::Untouched),
            "{step}: {:?}",
            receipt.power
        );
        // The step `power` opens the serial line first, and a stop may come before it switches.
        if step != Step::Power {
            assert_eq!(receipt.power == PowerState::Untouched, step < Step::Power, "{step}");
        }
        let medium = receipt.failure.as_ref().and_then(|failure| failure.medium).unwrap();
        assert_eq!(medium, holds(step), "{step}");
        assert_there(medium, &lab.medium(), step);
        assert_services_down(&tree, step);
        let staged = std::fs::read_dir(lab.path("tftp")).map(|entries| entries.count()).unwrap_or(0);
        assert_eq!(staged, 0, "{step}: staged files are left behind");
        tree.close().await.unwrap();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_job_that_is_stopped_while_it_writes_says_how_far_it_came() {
    let image = noise(12 << 20, 5);
    let lab = Lab::new("");
    let stop = CancellationToken::new();
    let mut job = lab.job(&lab.image(&image, None));
    job.stop = stop.clone();
    let tree = exporter_yaml::load(&lab.exporter()).unwrap();
    let progress = move |event| {
        if matches!(event, Event::Advanced { step: Step::Write, .. }) {
            stop.cancel();
        }
    };
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
    tree.close().await.unwrap();
    let failure = receipt.failure.unwrap();
    let Some(MediumState::PartlyWritten { to }) = failure.medium else { panic!("{failure:#?}") };
    assert!(to > FIRST as u64 && to <= 12 << 20, "{to}");
    assert_eq!(failure.help.as_deref(), Some("the medium is not whole; flash again before booting from it"));
    let medium = lab.medium();
    assert!(medium[..FIRST].iter().all(|byte| *byte == 0), "something boots");
    assert!(medium[FIRST..to as usize] == image[FIRST..to as usize], "{to} bytes are not there");
}

/// Length of the block that is erased first and written last, bytes.
const FIRST: usize = 64 * 1024;

fn assert_there(state: MediumState, medium: &[u8], step: Step) {
    let (image, erased) = (sample(), medium[..FIRST].iter().all(|byte| *byte == 0));
    let is_true = match state {
        MediumState::PartlyWritten { to } => {
            erased && medium[FIRST..to as usize] == image[FIRST..to as usize]
        }
        MediumState::NotProven | MediumState::Proven => medium.starts_with(&image),
        _ => medium.iter().all(|byte| *byte == 0xa5),
    };
    assert!(is_true, "{step}: the medium is not {state:?}");
}

/// What must be on the medium of a job that was stopped when this step began.
fn holds(step: Step) -> MediumState {
    let length = sample().len() as u64;
    match step {
        Step::Commit => MediumState::PartlyWritten { to: length },
        Step::Verify => MediumState::NotProven,
        Step::Finish => MediumState::Proven,
        _ => MediumState::Untouched,
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_bug_in_any_step_leaves_the_board_off_and_a_receipt() {
    for step in Step::ALL {
        let lab = Lab::new("");
        let job = lab.job(&lab.image(&sample(), None));
        let tree = exporter_yaml::load(&lab.exporter()).unwrap();
        let progress = move |event| {
            if matches!(event, Event::StepBegun { step: begun } if begun == step) {
                panic!("a bug in {step}");
            }
        };
        let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
        let failure = receipt.failure.clone().unwrap();
        assert_eq!((failure.class, failure.step), (Class::Internal, step), "{failure:#?}");
        assert_eq!(failure.cause, format!("flasher itself broke off: a bug in {step}"));
        assert_eq!(receipt.exit_code(), 70, "{step}");
        let expected = if step <= Step::Power { PowerState::Untouched } else { PowerState::Off };
        assert_eq!(receipt.power, expected, "{step}");
        assert_services_down(&tree, step);
        tree.close().await.unwrap();
    }
}

fn assert_services_down(tree: &DriverTree, step: Step) {
    for (path, device) in tree.all() {
        let address = match device {
            Device::FileServer(server) => server.address(),
            Device::ContentServer(server) => server.address(),
            _ => None,
        };
        assert_eq!(address, None, "{step}: {path} still runs");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_names_the_step_it_passed_in() {
    let mut lab = Lab::new("no_login: true");
    lab.flasher = "timeouts: { shell: 60 }".to_owned();
    let mut job = lab.job(&lab.image(&sample(), None));
    job.deadline = Some(std::time::Duration::from_secs(6));
    let (receipt, _) = lab.flash(job).await;
    let failure = receipt.failure.unwrap();
    assert_eq!(failure.cause, "the deadline of 6 s passed in step shell");
    assert_eq!(receipt.power, PowerState::Off);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deadline_names_what_the_attempt_before_failed_of() {
    let mut lab = Lab::new("reset_on_boot: 1, no_login: true");
    lab.flasher = "timeouts: { shell: 600 }".to_owned();
    let mut job = lab.job(&lab.image(&sample(), None));
    (job.retries, job.deadline) = (1, Some(std::time::Duration::from_secs(30)));
    let (receipt, _) = lab.flash(job).await;
    let failure = receipt.failure.unwrap();
    assert_eq!(failure.cause, "the deadline of 30 s passed in step shell");
    let before = &receipt.history[0].failure.as_ref().unwrap().cause;
    assert_eq!(failure.context.get("failure before"), Some(&format!("attempt 1: {before}")));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_port_that_is_taken_is_an_error_before_power_on() {
    let taken = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = taken.local_addr().unwrap().port();
    let lab = Lab::new("");
    let image = lab.image(&sample(), None);
    let text = std::fs::read_to_string(lab.exporter()).unwrap();
    let text = text.replace(
        "type: http, config: { port: 0",
        &format!("type: http, config: {{ host: 127.0.0.1, port: {port}"),
    );
    std::fs::write(lab.path("taken.yaml"), text).unwrap();
    let tree = exporter_yaml::load(&lab.path("taken.yaml")).unwrap();
    let receipt = tree.flasher(None).unwrap().flash(lab.job(&image), Arc::new(flasher_core::Quiet)).await;
    let failure = receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Infrastructure, Step::Services), "{failure:#?}");
    assert!(failure.cause.contains(&port.to_string()), "{failure:#?}");
    assert_eq!(receipt.power, PowerState::Untouched);
    tree.close().await.unwrap();
}
