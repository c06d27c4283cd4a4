//! Several boards in one command: each with its own attempts and receipt, shown behind its name.

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader};
use std::net::UdpSocket;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};

use assert_cmd::cargo::cargo_bin;
use flasher_core::flash::PowerState;
use flasher_core::{Class, Receipt, Verdict};
use serde_json::Value;

use crate::lab::{make_disk, text};

/// Length of each medium, bytes.
const MEDIUM: usize = 4 << 20;

/// A folder with exporter YAMLs, an image, and the media of their boards.
struct Bench {
    folder: tempfile::TempDir,
    image: Vec<u8>,
}

impl Bench {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::set_permissions(folder.path(), std::fs::Permissions::from_mode(0o755)).unwrap();
        let mut image: Vec<u8> = (0..2_000_000_u64).map(|at| ((at * at) >> 7) as u8).collect();
        make_disk(&mut image);
        std::fs::write(folder.path().join("os.img"), &image).unwrap();
        Self { folder, image }
    }

    fn read(&self, name: &str) -> Vec<u8> {
        std::fs::read(self.folder.path().join(name)).unwrap()
    }

    /// An exporter YAML with these boards: of each its name and its faults. Every board has servers of its own, which all want one
    /// port, as boards whose YAML says nothing of servers want port 69.
    fn exporter(&self, name: &str, boards: &[(&str, &str)], port: u16) {
        let board = |(name, faults): &(&str, &str)| {
            std::fs::write(self.folder.path().join(format!("{name}.medium")), vec![0xa5; MEDIUM]).unwrap();
            format!(
                "  {name}-board: {{ type: sim-board, config: {{ medium: ./{name}.medium, size: {MEDIUM}, bootdelay: 3, \
                 faults: {{ {faults} }} }} }}\n  \
                 {name}:\n    type: flasher\n    config: {{ via: uboot, targets: {{ emmc: mmc 0 }}, power_off_seconds: 0.1 }}\n    \
                 children:\n      serial: {{ ref: {name}-board.serial }}\n      power: {{ ref: {name}-board.power }}\n      \
                 tftp: {{ type: tftp, config: {{ port: {port}, root_dir: ./tftp-{name} }} }}\n      \
                 http: {{ type: http, config: {{ port: 0, root_dir: ./http-{name} }} }}\n"
            )
        };
        let boards: String = boards.iter().map(board).collect();
        std::fs::write(self.folder.path().join(name), format!("export:\n{boards}")).unwrap();
    }

    fn command(&self, line: &str) -> Command {
        let mut command = Command::new(cargo_bin("flasher"));
        command.args(line.split(' ')).current_dir(self.folder.path()).stdin(Stdio::null());
        command.env("FLASHER_CACHE_DIR", self.folder.path().join("cache"));
        command.env("XDG_STATE_HOME", self.folder.path().join("state"));
        command
    }

    fn run(&self, line: &str) -> Output {
        self.command(line).output().unwrap()
    }

    fn receipt(&self, name: &str) -> Receipt {
        serde_json::from_slice(&self.read(name)).unwrap()
    }

    fn has_image(&self, board: &str) -> bool {
        self.read(&format!("{board}.medium"))[..self.image.len()] == self.image
    }
}

/// A UDP port that is free now.
fn free_port() -> u16 {
    UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port()
}

#[test]
fn one_of_four_boards_fails_and_the_others_are_proven() {
    let bench = Bench::new();
    let boards = [("a", ""), ("b", "power_stuck: true"), ("c", ""), ("d", "")];
    bench.exporter("lab.yaml", &boards, free_port());
    let output = bench.run("--exporter lab.yaml flash os.img --all --retries 0 --receipt receipts");
    let (table, told) = (text(&output.stdout), text(&output.stderr));
    assert_eq!(output.status.code(), Some(4), "{told}");
    for board in ["a", "c", "d"] {
        assert!(bench.has_image(board), "{board}: {told}");
        let receipt = format!("receipts/{board}.json");
        assert_eq!(bench.receipt(&receipt).site.node.as_deref(), Some(board));
        let verified = bench.run(&format!("verify-receipt {receipt} os.img"));
        assert_eq!(verified.status.code(), Some(0), "{}", text(&verified.stderr));
        assert!(table.contains(&format!("{board}      proven")), "{table}");
        assert!(told.contains(&format!("] {board}: verify: ")), "{told}");
    }
    assert!(!bench.has_image("b"));
    let failure = bench.receipt("receipts/b.json").failure.unwrap();
    assert_eq!(failure.class, Class::Infrastructure);
    assert!(told.contains("\nb:\nerror: simulated board: the power switch"), "{told}");
    assert!(table.contains("b      failed (infrastructure) in power"), "{table}");
    assert!(table.ends_with("3 of 4 boards done\n"), "{table}");
    let history = text(&bench.run("history").stdout);
    assert_eq!(history.lines().filter(|line| line.contains("os.img")).count(), 4, "{history}");
}

#[test]
fn boards_of_two_exporters_and_of_a_server_in_one_format() {
    let bench = Bench::new();
    bench.exporter("one.yaml", &[("a", ""), ("b", "")], free_port());
    bench.exporter("two.yaml", &[("c", "")], free_port());
    let line = "--exporter one.yaml --exporter two.yaml --json flash os.img --device a --device two:c";
    let output = bench.run(line);
    assert_eq!(output.status.code(), Some(0), "{}", text(&output.stderr));
    let lines: Vec<Value> =
        text(&output.stdout).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let (last, events) = lines.split_last().unwrap();
    let boards: BTreeSet<&str> = events.iter().map(|event| event["board"].as_str().unwrap()).collect();
    assert_eq!(boards.into_iter().collect::<Vec<_>>(), ["one:a", "two:c"]);
    let ends: BTreeMap<&str, &Value> = last["boards"]
        .as_array()
        .unwrap()
        .iter()
        .map(|end| (end["board"].as_str().unwrap(), &end["verdict"]))
        .collect();
    assert_eq!(ends, BTreeMap::from([("one:a", &"proven".into()), ("two:c", &"proven".into())]));
    assert!(bench.has_image("a") && !bench.has_image("b") && bench.has_image("c"));
}

#[test]
fn an_exporter_that_does_not_answer_costs_the_others_nothing() {
    let bench = Bench::new();
    bench.exporter("one.yaml", &[("a", "")], 0);
    let mut server = bench.command("--exporter one.yaml --json serve --listen 127.0.0.1:0");
    let mut server = server.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(server.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let address = serde_json::from_str::<Value>(&line).unwrap()["address"].as_str().unwrap().to_owned();
    // Nothing listens at port 1.
    let output = bench.run(&format!("--remote {address} --remote 127.0.0.1:1 flash os.img --receipt r"));
    Command::new("kill").arg(server.id().to_string()).status().unwrap();
    server.wait().unwrap();
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(bench.has_image("a"), "{table}");
    let row = |board: &str| table.lines().find(|line| line.starts_with(board)).unwrap_or_default().to_owned();
    assert!(row(&address).contains("proven"), "{table}");
    assert!(row("127.0.0.1:1 ").contains("failed (infrastructure)"), "{table}");
}

#[test]
fn a_signal_stops_all_boards_in_good_order() {
    let bench = Bench::new();
    let boards = [("a", "slow: 100KiB"), ("b", "slow: 100KiB"), ("c", "")];
    bench.exporter("lab.yaml", &boards, free_port());
    let mut command = bench.command("--exporter lab.yaml --json flash os.img --all --receipt r --jobs 2");
    let mut job = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut begun = BTreeSet::new();
    let mut events = BufReader::new(job.stdout.take().unwrap()).lines();
    while begun.len() < 2 {
        let event: Value = serde_json::from_str(&events.next().unwrap().unwrap()).unwrap();
        if event["event"] == "step-begun" && event["step"] == "write" {
            begun.insert(event["board"].as_str().unwrap().to_owned());
        }
    }
    Command::new("kill").args(["-INT", &job.id().to_string()]).status().unwrap();
    let last: Value = serde_json::from_str(&events.map_while(Result::ok).last().unwrap()).unwrap();
    assert_eq!(job.wait().unwrap().code(), Some(130), "{last}");
    for board in ["a", "b"] {
        let receipt = bench.receipt(&format!("r/{board}.json"));
        assert_eq!((receipt.verdict, receipt.power), (Verdict::Failed, PowerState::Off), "{board}");
        assert_eq!(receipt.failure.unwrap().class, Class::Interrupted, "{board}");
    }
    assert_eq!(last["boards"][2]["verdict"], Value::Null, "{last}");
    assert!(!bench.folder.path().join("r/c.json").exists(), "it was not begun");
}

#[test]
fn the_first_failure_stops_the_others_when_that_is_wanted() {
    let bench = Bench::new();
    let boards = [("a", "slow: 100KiB"), ("b", "power_stuck: true"), ("c", "")];
    bench.exporter("lab.yaml", &boards, free_port());
    let line = "--exporter lab.yaml flash os.img --all --receipt r --jobs 2 --fail-fast --retries 0";
    let output = bench.run(line);
    let table = text(&output.stdout);
    assert_eq!(output.status.code(), Some(4), "{}", text(&output.stderr));
    assert!(table.contains("a      stopped, as `b` failed"), "{table}");
    assert!(table.contains("b      failed (infrastructure) in power"), "{table}");
    assert!(table.contains("c      not begun, as `b` failed"), "{table}");
    assert_eq!(bench.receipt("r/a.json").power, PowerState::Off);
}

#[test]
fn what_cannot_be_done_with_several_boards_is_refused() {
    let bench = Bench::new();
    bench.exporter("one.yaml", &[("a", ""), ("b", "")], 0);
    bench.exporter("two.yaml", &[("a", ""), ("c", "")], 0);
    let shared = text(&bench.read("one.yaml")).replace("ref: b-board.power", "ref: a-board.power");
    std::fs::write(bench.folder.path().join("shared.yaml"), shared).unwrap();
    for (line, said) in [
        ("--exporter one.yaml flash os.img", "`one.yaml` has 2 nodes of kind flasher"),
        ("--exporter one.yaml --exporter two.yaml flash os.img", "`one` has 2 boards: `a`, `b`"),
        ("--exporter one.yaml --exporter two.yaml flash os.img --device a", "`a` is in 2 exporters"),
        ("--exporter one.yaml flash os.img --device a --device x", "there is no board `x`"),
        ("--exporter one.yaml flash os.img --device a --device a", "the board `a` is named twice"),
        ("--exporter shared.yaml flash os.img --all", "the boards `a` and `b` share hardware"),
        ("--exporter one.yaml flash - --all", "standard input can be read once"),
        (
            "--exporter one.yaml flash os.img --all --detach",
            "`--detach` and several boards exclude each other",
        ),
        ("--exporter one.yaml flash os.img --all --receipt os.img", "--receipt names the file `os.img`"),
        (
            "--exporter one.yaml flash --exporter two.yaml os.img --all",
            "`--exporter` stands before and after",
        ),
        ("--exporter one.yaml --exporter two.yaml console", "this command takes one exporter"),
    ] {
        let output = bench.run(line);
        let told = text(&output.stderr);
        assert_eq!(output.status.code(), Some(2), "{line}: {told}");
        assert!(told.contains(said), "{line}: {told}");
        assert!(!bench.has_image("a"), "{line}");
    }
}

#[test]
fn power_and_plan_go_from_board_to_board() {
    let bench = Bench::new();
    bench.exporter("lab.yaml", &[("a", ""), ("b", "power_stuck: true")], 0);
    let output = bench.run("--exporter lab.yaml power on --device a.power --device b.power");
    assert_eq!(output.status.code(), Some(4));
    assert_eq!(text(&output.stdout), "a.power: power on, as the switch reports\n");
    assert!(text(&output.stderr).starts_with("b.power:\nerror: "), "{}", text(&output.stderr));
    let output = bench.run("--exporter lab.yaml plan os.img --all");
    let told = text(&output.stdout);
    assert!(told.contains("a:\nos.img to emmc") && told.contains("b:\nos.img to emmc"), "{told}");
}
