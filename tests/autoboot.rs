//! Boot loaders with keys, stop strings and prompts of their own: what the failure advises is what mends it.

use flasher_core::flash::{AutobootEnd, AutobootFacts};
use flasher_core::{Class, Receipt, Step, Verdict};

use crate::lab::{Lab, noise};

/// A lab whose simulated board has these settings.
fn lab(board: &str) -> Lab {
    let mut lab = Lab::new("");
    lab.board = board.to_owned();
    lab.flasher = "timeouts: { bootloader: 20 }".to_owned();
    // An old system starts when the countdown is missed.
    lab.make_bootable();
    lab
}

async fn flash(lab: &Lab) -> Receipt {
    lab.flash(lab.job(&lab.image(&noise(100_000, 3), None))).await.0
}

/// The child `uboot` that the advice of a failure shows, as it stands there.
fn advised(receipt: &Receipt) -> String {
    let help = receipt.failure.as_ref().and_then(|failure| failure.help.as_deref()).unwrap_or_default();
    let shown = help.split('`').skip(1).step_by(2).find(|text| text.starts_with("uboot:"));
    shown.unwrap_or_else(|| panic!("no setting in `{help}`")).to_owned()
}

fn stopped_by(typed: &str) -> Option<AutobootFacts> {
    Some(AutobootFacts { ended: AutobootEnd::Stopped, typed: typed.to_owned() })
}

#[tokio::test(flavor = "multi_thread")]
async fn keys_that_the_countdown_names_are_advised_and_then_stop_it() {
    for (autoboot, typed) in [
        ("{ prompt: 'Press SPACE to abort autoboot in %d seconds', stop: ' ' }", "`space`"),
        ("{ prompt: 'Hit ESC twice to stop autoboot: %d', stop: \"\\x1b\\x1b\" }", "`esc esc`"),
        ("{ prompt: 'Type \"halt\" to stop autoboot: %d', stop: halt }", "the stop string `halt`"),
    ] {
        let mut lab = lab(&format!("autoboot: {autoboot}"));
        let old = lab.medium();
        let missed = flash(&lab).await;
        let failure = missed.failure.clone().unwrap_or_else(|| panic!("{autoboot}: a false success"));
        assert_eq!((failure.class, failure.step), (Class::Board, Step::Bootloader), "{failure:#?}");
        assert!(failure.cause.contains("went on although `interrupt` was typed"), "{}", failure.cause);
        assert!(lab.medium() == old, "{autoboot}: the medium was touched");

        lab.children = advised(&missed);
        let receipt = flash(&lab).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{autoboot}: {:#?}", receipt.failure);
        assert_eq!(receipt.board.autoboot, stopped_by(typed));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_board_that_comes_to_its_prompt_by_itself_is_told_as_that() {
    let mut lab = Lab::new("");
    lab.board = "autoboot: { stop: halt }".to_owned();
    let receipt = flash(&lab).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    let facts = AutobootFacts { ended: AutobootEnd::RanOut, typed: "`ctrl-c`".to_owned() };
    assert_eq!(receipt.board.autoboot, Some(facts));
}

#[tokio::test(flavor = "multi_thread")]
async fn stop_passwords_are_never_recorded() {
    let lab = lab("autoboot: { stop: hunter2, hashed: true }");
    let manifest = lab.path("bundle/manifest.yaml");
    let text = std::fs::read_to_string(&manifest).unwrap();
    let text = text.replace("spec:\n", "spec:\n  interrupt: { text: hunter2, enter: true }\n");
    std::fs::write(&manifest, text).unwrap();
    let mut job = lab.job(&lab.image(&noise(100_000, 3), None));
    job.transcript = Some(lab.path("console.log"));
    let (receipt, events) = lab.flash(job).await;
    assert_eq!(receipt.verdict, Verdict::Proven, "{:#?}", receipt.failure);
    assert_eq!(receipt.board.autoboot, stopped_by("the stop string and enter"));
    let console = std::fs::read_to_string(lab.path("console.log")).unwrap();
    assert!(console.contains("********"), "{console}");
    let records = format!("{console} {receipt:?} {events:?}");
    assert!(!records.contains("hunter2"), "{records}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_of_its_own_is_named_with_the_setting_that_mends_it() {
    for prompt in ["MX8> ", "U-Boot> ", "STM32MP1# "] {
        let mut lab = lab(&format!("prompt: '{prompt}'"));
        let named = flash(&lab).await;
        let failure = named.failure.clone().unwrap_or_else(|| panic!("{prompt}: a false success"));
        assert_eq!((failure.class, failure.step), (Class::Config, Step::Bootloader), "{failure:#?}");
        let cause = format!("the boot loader's prompt is `{}`, expected `=>`", prompt.trim());
        assert_eq!(failure.cause, cause);
        assert_eq!(failure.console.last().map(String::as_str), Some(prompt.trim()), "{failure:#?}");

        lab.children = advised(&named);
        let receipt = flash(&lab).await;
        assert_eq!(receipt.verdict, Verdict::Proven, "{prompt}: {:#?}", receipt.failure);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_prompt_of_its_own_is_named_behind_a_stop_string_too() {
    let mut lab = lab("autoboot: { stop: halt }\n      prompt: 'MX8> '");
    lab.children = "uboot: { type: uboot, config: { interrupt: { text: halt } } }".to_owned();
    let failure = flash(&lab).await.failure.expect("a false success");
    let cause = "the boot loader's prompt is `MX8>`, expected `=>`";
    assert_eq!((failure.class, failure.cause.as_str()), (Class::Config, cause), "{failure:#?}");
}

#[tokio::test(flavor = "multi_thread")]
async fn dhcp_is_not_blamed_for_other_faults() {
    for (faults, class, says) in [
        ("no_network: true", Class::Board, "U-Boot finds no Ethernet device"),
        ("garble_console: 2", Class::Infrastructure, "what the board sends is no text"),
    ] {
        let mut lab = Lab::new(faults);
        lab.flasher = "timeouts: { bootloader: 8, dhcp: 3 }".to_owned();
        let receipt = flash(&lab).await;
        let failure = receipt.failure.clone().unwrap_or_else(|| panic!("{faults}: a false success"));
        let words = format!("{} {}", failure.cause, failure.help.clone().unwrap_or_default());
        assert_eq!((failure.class, failure.step), (class, Step::Bootloader), "{failure:#?}");
        assert!(words.contains(says) && !words.contains("DHCP") && !words.contains("power"), "{words}");
    }
}

/// The settings in the advice of a failure, as they stand there: `key: value`.
fn settings(receipt: &Receipt) -> Vec<String> {
    let help = receipt.failure.as_ref().and_then(|failure| failure.help.as_deref()).unwrap_or_default();
    help.split('`').skip(1).step_by(2).filter(|text| text.contains(": ")).map(str::to_owned).collect()
}

/// Whether an exporter with these settings of its flasher and its serial line is taken.
fn is_taken(flasher: &str, serial: &str) -> bool {
    let export = format!(
        "apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: {{ namespace: test, name: lab }}
export:
  storage:
    type: flasher
    config: {{ flasher_bundle: ./bundle, {flasher} }}
    children:
      serial: {{ type: pyserial, config: {{ url: /dev/ttyUSB0, check_present: false, {serial} }} }}
      power: {{ type: power-mock }}
"
    );
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("exporter.yaml");
    std::fs::write(&path, export).unwrap();
    exporter_yaml::load(&path).is_ok()
}

#[tokio::test(flavor = "multi_thread")]
async fn advised_settings_are_taken_where_the_advice_puts_them() {
    assert!(is_taken("", "") && !is_taken("netwrok: {}", "") && !is_taken("", "baudrat: 9600"));
    for (faults, advised, is_of_line) in [
        ("garble_console: 2", "baudrate: 115200", true),
        ("dhcp_fail: true", "network: {address: 192.168.1.20}", false),
    ] {
        let mut lab = Lab::new(faults);
        lab.flasher = "timeouts: { bootloader: 8, dhcp: 3 }".to_owned();
        let shown = settings(&flash(&lab).await);
        assert_eq!(shown, [advised], "{faults}");
        let (flasher, serial) = if is_of_line { ("", advised) } else { (advised, "") };
        assert!(is_taken(flasher, serial), "{advised}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_console_lines_hold_what_a_person_would_see() {
    for (faults, flasher, last) in [
        ("dhcp_fail: true", "timeouts: { dhcp: 3 }", "Abort"),
        ("tftp_missing: true", "", "Not retrying..."),
        ("write_error: 4096", "", ""),
        ("dd_stuck: true", "timeouts: { stall: 3 }", ""),
    ] {
        let mut lab = Lab::new(faults);
        lab.flasher = flasher.to_owned();
        let receipt = flash(&lab).await;
        let failure = receipt.failure.unwrap_or_else(|| panic!("{faults}: a false success"));
        let lines = failure.console.join("\n");
        println!("{faults}:\n{lines}");
        assert!(lines.contains(last), "{faults}: {lines}");
        for ours in ["echo ", "printf", "__", "<INTERRUPT>", "guest.sh"] {
            assert!(!lines.contains(ours), "{faults}: `{ours}` in {lines}");
        }
    }
}
