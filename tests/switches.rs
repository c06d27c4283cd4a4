//! Switches and lines that fail, hang, lie or vanish: infrastructure, with the cause named, tried again only where that can help; and
//! how sure a receipt is of the power.

use std::fs::{self, File};
use std::path::Path;
use std::sync::{Arc, Mutex};

use flasher_core::flash::{PowerEvidence, PowerState};
use flasher_core::registry::DriverType;
use flasher_core::{
    ChildSpec, Class, Device, Driver, Event, FlashJob, PowerDriver, Receipt, Result, Step, Verdict, Wiring,
    async_trait,
};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};

use crate::lab::{Lab, sample};

/// Flashes with the children `power` and `serial` of the flasher replaced; gives the receipt and how often it was tried again.
async fn flash(lab: &Lab, power: &str, serial: &str, retries: u32) -> (Receipt, usize) {
    let path = lab.exporter();
    let text = fs::read_to_string(&path).unwrap();
    let text = text.replace("power: { ref: board.power }", &format!("power: {power}"));
    fs::write(&path, text.replace("serial: { ref: board.serial }", &format!("serial: {serial}"))).unwrap();
    let tree = exporter_yaml::load(&path).unwrap_or_else(|findings| panic!("{findings}"));
    let seen = Arc::new(Mutex::new(0));
    let count = Arc::clone(&seen);
    let progress = move |event| {
        if matches!(event, Event::Retrying { .. }) {
            *count.lock().unwrap() += 1;
        }
    };
    let job = FlashJob { retries, ..FlashJob::new(lab.image(&sample(), None).to_str().unwrap()) };
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(progress)).await;
    tree.close().await.unwrap();
    let retried = *seen.lock().unwrap();
    (receipt, retried)
}

/// A board that never says a word, and the path of its line.
fn pty() -> (File, String) {
    let board = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY | OpenptFlags::CLOEXEC).unwrap();
    grantpt(&board).unwrap();
    unlockpt(&board).unwrap();
    let path = ptsname(&board, Vec::new()).unwrap().into_string().unwrap();
    (File::from(board), path)
}

fn command(config: &str) -> String {
    format!("{{ type: power-command, config: {{ {config} }} }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn a_switch_that_does_not_obey_is_no_fault_of_the_board() {
    // A board that cannot be switched off between two attempts is not tried again.
    for (config, says, retried) in [
        ("on: 'true', off: sleep 600, timeout_seconds: 0.3", "did not end within 0.3 s", 0),
        ("on: 'false', off: 'true'", "`on` of the power switch (`false`) ended with exit status 1", 1),
        (
            "on: 'true', off: 'true', status: echo on, confirm_seconds: 0.3",
            "power was switched `off`, but after 0.3 s the switch still reports `on`",
            0,
        ),
        ("on: no-such-relay, off: no-such-relay", "needs `no-such-relay`, which is not in the PATH", 0),
    ] {
        let (_board, line) = pty();
        let lab = Lab::new("");
        let serial = format!("{{ type: serial, config: {{ url: {line} }} }}");
        let (receipt, times) = flash(&lab, &command(config), &serial, 1).await;
        let failure = receipt.failure.clone().unwrap_or_else(|| panic!("{config}: a false success"));
        assert_eq!(receipt.verdict, Verdict::Failed, "{config}");
        assert_eq!(
            (failure.class, failure.step),
            (Class::Infrastructure, Step::Power),
            "{config}: {failure:#?}"
        );
        assert!(failure.cause.contains(says) && failure.help.is_some(), "{config}: {failure:#?}");
        assert_eq!(failure.context.get("node").map(String::as_str), Some("power"), "{config}");
        assert_eq!(times, retried, "{config}");
        assert!(lab.medium().iter().all(|byte| *byte == 0xa5), "{config}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_line_that_vanishes_or_is_taken_is_named() {
    let lab = Lab::new("");
    let (board, line) = pty();
    let serial = format!("{{ type: serial, config: {{ url: {line} }} }}");
    let switched_on = lab.path("on");
    // The adapter goes as soon as the board is switched on.
    let config = format!("on: touch {}, off: 'true'", switched_on.display());
    let watcher = tokio::spawn(vanish(board, switched_on));
    let (receipt, _) = flash(&lab, &command(&config), &serial, 0).await;
    watcher.await.unwrap();
    let failure = receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Infrastructure, Step::Bootloader), "{failure:#?}");
    assert!(failure.cause.contains(&format!("the serial port `{line}` vanished")), "{failure:#?}");

    let (_board, line) = pty();
    let other = File::options().read(true).write(true).open(&line).unwrap();
    rustix::fs::flock(&other, rustix::fs::FlockOperation::NonBlockingLockExclusive).unwrap();
    let serial = format!("{{ type: serial, config: {{ url: {line} }} }}");
    let (receipt, _) = flash(&lab, &command("on: 'true', off: 'true'"), &serial, 0).await;
    let failure = receipt.failure.unwrap();
    assert_eq!((failure.class, failure.step), (Class::Infrastructure, Step::Power), "{failure:#?}");
    assert!(
        failure.cause.contains(&format!("port is in use: `{line}` by this program itself")),
        "{failure:#?}"
    );
    assert_eq!(receipt.power, PowerState::Untouched, "nothing is switched before the line is there");
}

async fn vanish(board: File, sign: impl AsRef<Path>) {
    while !sign.as_ref().exists() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    drop(board);
}

/// A person who switches the board by hand when asked to, and only then.
#[tokio::test(flavor = "multi_thread")]
async fn who_switches_by_hand_is_told_what_to_do_and_when() {
    let mut lab = Lab::new("");
    lab.board += "\n      outlet: ./outlet";
    let text = std::fs::read_to_string(lab.exporter()).unwrap();
    let text = text.replace("power: { ref: board.power }", "power: { type: power-mock }");
    std::fs::write(lab.path("by-hand.yaml"), text).unwrap();
    let tree = exporter_yaml::load(&lab.path("by-hand.yaml")).unwrap_or_else(|findings| panic!("{findings}"));
    let (outlet, told) = (lab.path("outlet"), Arc::new(Mutex::new(Vec::new())));
    let hear = Arc::clone(&told);
    let person = move |event| {
        let Event::Warning { message } = event else { return };
        let Some(what) = message.strip_prefix("flasher has no switch for this board: switch it ") else {
            return;
        };
        std::fs::write(&outlet, what.split(' ').next().unwrap_or_default()).unwrap();
        hear.lock().unwrap().push(what.to_owned());
    };
    let job = lab.job(&lab.image(&crate::lab::sample(), None));
    let receipt = tree.flasher(None).unwrap().flash(job, Arc::new(person)).await;
    tree.close().await.unwrap();
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert_eq!(
        *told.lock().unwrap(),
        [
            "off by hand now, and leave it off for 5 s, until you are told",
            "on by hand now",
            "off by hand now: the job is over"
        ]
    );
}

/// A switch that cannot tell its state.
#[derive(Debug)]
struct Mute(Arc<dyn PowerDriver>);

#[async_trait]
impl Driver for Mute {
    async fn identities(&self) -> Vec<String> {
        self.0.identities().await
    }
}

#[async_trait]
impl PowerDriver for Mute {
    async fn on(&self) -> Result<()> {
        self.0.on().await
    }

    async fn off(&self) -> Result<()> {
        self.0.off().await
    }
}

#[derive(Debug, serde::Deserialize, schemars::JsonSchema)]
struct Nothing {}

impl DriverType for Mute {
    const NAME: &'static str = "mute-power";
    const SUMMARY: &'static str = "a switch that cannot tell its state";
    const EXAMPLE: &'static str = "type: mute-power\nchildren: { power: { type: power-mock } }\n";
    const CHILDREN: &'static [ChildSpec] = &[ChildSpec {
        role: "power",
        kind: flasher_core::Kind::Power,
        absent: flasher_core::device::Absent::Refused,
        purpose: "the switch",
    }];
    type Config = Nothing;

    fn build(_config: Nothing, wiring: Wiring) -> Result<Device> {
        Ok(Device::Power(Arc::new(Self(wiring.power("power")?)), None))
    }
}

flasher_core::register_driver!(Mute);

#[tokio::test(flavor = "multi_thread")]
async fn a_receipt_says_how_sure_it_is_that_the_board_is_off() {
    let mute = "{ type: mute-power, children: { power: { ref: board.power } } }";
    for (power, evidence) in
        [("{ ref: board.power }", PowerEvidence::Reported), (mute, PowerEvidence::ConsoleSilent)]
    {
        let lab = Lab::new("");
        let (receipt, _) = flash(&lab, power, "{ ref: board.serial }", 0).await;
        assert_eq!((receipt.verdict, receipt.failure), (Verdict::Proven, None), "{power}");
        assert_eq!((receipt.power, receipt.power_evidence), (PowerState::Off, evidence), "{power}");
    }
}
