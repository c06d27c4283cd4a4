//! Our own client: a flash with proof that runs on the exporter and outlives its client.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};

use serde_json::Value;
use sha2::Digest as _;

use crate::lab::{Exporter, Lab, MEDIUM, free_port, furnish, noise, said, sim_board};
use crate::lifetime::eventually;

pub(crate) fn board(more: &str) -> (Lab, Exporter, Vec<u8>) {
    let lab = Lab::new(&sim_board(free_port(), more));
    furnish(&lab);
    let mut image = noise(2_000_000, 3);
    image.extend(vec![0; 2_000_000]);
    image.extend(noise(500_123, 4));
    fs::write(lab.path("image"), &image).unwrap();
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    (lab, exporter, image)
}

pub(crate) fn assert_flashed(lab: &Lab, image: &[u8]) {
    let medium = fs::read(lab.path("medium")).unwrap();
    assert_eq!(medium.len(), MEDIUM);
    assert!(medium[..image.len()] == *image, "what is on the medium is not the image");
}

/// The events of `--json` output.
pub(crate) fn events(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

/// The end is the last, and no event has a time before that of another one before it.
fn assert_in_order(events: &[Value]) {
    let time = |event: &Value| flasher_core::clock::parse(event["time"].as_str().unwrap()).unwrap();
    let behind = events.iter().skip_while(|event| event["event"] != "finished").skip(1);
    assert!(behind.map(|event| &event["event"]).all(|event| event == "receipt"), "something behind the end");
    let late = events.windows(2).find(|pair| time(&pair[0]) > time(&pair[1]));
    assert!(late.is_none(), "out of order: {late:?}");
}

/// Each console line comes with the time at which the exporter heard it, which is not after it was reported.
fn assert_heard(events: &[Value]) {
    let time = |event: &Value, key: &str| flasher_core::clock::parse(event[key].as_str().unwrap_or_default());
    let lines: Vec<&Value> = events.iter().filter(|event| event["event"] == "console").collect();
    let odd = lines.iter().find(|it| {
        let heard = time(it, "heard_at");
        heard.is_none() || heard > time(it, "time")
    });
    assert!(odd.is_none() && lines.len() > 10, "{} lines, {odd:?}", lines.len());
}

#[test]
fn a_flash_on_the_exporter_ends_proven_here() {
    let (lab, exporter, image) = board("");
    let remote = ["--remote", &exporter.address, "--json"];
    let output = lab.flasher(&remote).args(["flash", "image", "--receipt", "receipt.json"]).output().unwrap();
    let told = said(&["flash"], &output);
    let all = events(&told);
    assert_in_order(&all);
    let sending = all.iter().position(|event| event["event"] == "note").expect("the sending is told");
    let advanced = all.iter().position(|event| event["event"] == "advanced").expect("so is its progress");
    assert!(sending < advanced, "{told}");
    assert_heard(&all);
    assert_flashed(&lab, &image);
    let receipt: Value = serde_json::from_slice(&fs::read(lab.path("receipt.json")).unwrap()).unwrap();
    assert_eq!(receipt["verdict"], "proven");
    assert_eq!(lab.uploads(), 0, "the uploaded image is gone");
    // How it went can be heard again.
    let again = said(&["attach"], &lab.flasher(&remote).arg("attach").output().unwrap());
    assert_eq!(events(&again).last().unwrap()["receipt"]["verdict"], "proven");
    assert_in_order(&events(&again));
    let plain = lab.flasher(&["--remote", &exporter.address]).arg("attach").output().unwrap();
    let told = String::from_utf8_lossy(&plain.stderr).into_owned();
    assert!(told.starts_with("no job is running; this is how the last one went\n"), "{told}");
    assert!(told.lines().any(|line| line.starts_with('[') && !line.starts_with("[   0.0 s]")), "{told}");
}

#[test]
fn a_flash_survives_its_client_and_another_one_follows_it() {
    let (lab, exporter, image) = board(", faults: { slow: 2MiB }");
    let remote = ["--remote", &exporter.address, "--json"];
    let mut first = lab.flasher(&remote).args(["flash", "image"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    let writes = |line: &String| line.contains("step-begun") && line.contains("write");
    assert!(lines.any(|line| writes(&line.unwrap())), "the flash got as far as writing");
    first.kill().unwrap();
    first.wait().unwrap();
    let second = lab.flasher(&remote).args(["flash", "image"]).output().unwrap();
    let complaint = String::from_utf8_lossy(&second.stderr).into_owned();
    assert_eq!(second.status.code(), Some(4), "{complaint}");
    assert!(complaint.contains("in use by a flash job"), "{complaint}");
    let mut attach = lab.flasher(&remote);
    let text = said(&["attach"], &attach.args(["attach", "--receipt", "attached.json"]).output().unwrap());
    // Every client that asks gets the receipt, and the exporter's ledger has it although its client is gone.
    let kept = std::fs::read_to_string(lab.path("attached.json")).unwrap();
    let listed = said(&["history"], &lab.flasher(&["history", "--json"]).output().unwrap());
    let listed = events(&listed);
    let [job] = &listed[..] else { panic!("{listed:?}") };
    assert_eq!((&job["exporter"], &job["verdict"]), (&"lab".into(), &"proven".into()));
    let id = job["id"].to_string();
    assert_eq!(said(&["history", "show"], &lab.flasher(&["history", "show", &id]).output().unwrap()), kept);
    let receipt: Value = serde_json::from_str(&kept).unwrap();
    assert_eq!((&receipt["site"]["exporter"], &receipt["site"]["node"]), (&"lab".into(), &"storage".into()));
    let events = events(&text);
    assert!(events.iter().any(|event| event["event"] == "step-begun" && event["step"] == "power"), "{text}");
    let [.., finished, kept] = events.as_slice() else { panic!("{text}") };
    assert_eq!((&finished["receipt"]["verdict"], &kept["file"]), (&"proven".into(), &"attached.json".into()));
    assert_flashed(&lab, &image);
}

#[test]
fn remote_flashes_can_be_cancelled() {
    let (lab, exporter, _) = board(", faults: { dd_stuck: true }");
    let remote = ["--remote", &exporter.address, "--json"];
    let mut first = lab.flasher(&remote).args(["flash", "image"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("write")));
    let cancel = lab.flasher(&remote).arg("cancel").output().unwrap();
    assert_eq!(cancel.status.code(), Some(130));
    let idle = lab.flasher(&remote).arg("cancel").output().unwrap();
    let complaint = String::from_utf8_lossy(&idle.stderr).into_owned();
    assert!(idle.status.code() == Some(4) && complaint.contains("no flash job is running"), "{complaint}");
    let rest: Vec<String> = lines.map(Result::unwrap).collect();
    assert_eq!(first.wait().unwrap().code(), Some(130));
    let last: Value = serde_json::from_str(rest.last().unwrap()).unwrap();
    assert_eq!(
        (&last["receipt"]["failure"]["class"], &last["receipt"]["power"]),
        (&"interrupted".into(), &"off".into())
    );
}

#[test]
fn one_of_fifty_flashes_sends_its_image() {
    let (lab, exporter, _) = board(", faults: { dd_stuck: true }");
    let remote = ["--remote", &exporter.address, "--json"];
    let start = |_| {
        let mut command = lab.flasher(&remote);
        command.args(["flash", "image"]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let running: Vec<_> = (0..50).map(start).collect();
    let is_over = |child: &std::process::Child| {
        fs::read_to_string(format!("/proc/{}/stat", child.id())).is_ok_and(|stat| stat.contains(") Z "))
    };
    eventually("all but one are refused", || running.iter().filter(|it| is_over(it)).count() == 49);
    let (refused, mut running): (Vec<_>, Vec<_>) = running.into_iter().partition(is_over);
    for client in refused {
        let output = client.wait_with_output().unwrap();
        let (said, complaint) =
            (String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.code(), Some(4), "{complaint}");
        assert!(complaint.contains("in use by a flash job"), "{complaint}");
        assert!(!said.contains("advanced"), "it has sent nothing: {said}");
    }
    assert_eq!(lab.uploads(), 1, "the one that flashes");
    assert_eq!(lab.flasher(&remote).arg("cancel").output().unwrap().status.code(), Some(130));
    let winner = running.remove(0).wait_with_output().unwrap();
    assert_eq!(winner.status.code(), Some(130));
    assert_eq!(lab.uploads(), 0);
}

#[test]
fn uploads_of_killed_exporters_go() {
    let (lab, mut exporter, _) = board(", faults: { dd_stuck: true }");
    let remote = ["--remote", &exporter.address, "--json"];
    let mut flash = lab.flasher(&remote).args(["flash", "image"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(flash.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("step-begun")), "the image has come");
    assert_eq!(lab.uploads(), 1);
    exporter.child.kill().unwrap();
    exporter.child.wait().unwrap();
    lines.for_each(drop);
    assert_eq!(flash.wait().unwrap().code(), Some(4));
    assert_eq!(lab.uploads(), 1, "nobody was left to remove it");
    let _next = lab.listen(&["--listen", "127.0.0.1:0"]);
    eventually("the upload is removed", || lab.uploads() == 0);
}

#[test]
fn boards_are_given_to_everybody_only_when_that_is_asked_for() {
    let lab = Lab::new(crate::lab::BENCH);
    fs::write(lab.path("secret"), "open sesame").unwrap();
    let passphrase = ["--passphrase-file", "secret"];
    for (more, expected) in [
        (&[][..], "without a passphrase gives the boards to every client that reaches it"),
        (&passphrase, "without TLS shows the passphrase to everyone who can read the network traffic"),
    ] {
        for address in ["0.0.0.0:0", ":0", "[::]:0"] {
            let mut command = lab.flasher(&["serve", "--listen", address]);
            let output = command.args(more).output().unwrap();
            let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
            assert_eq!(output.status.code(), Some(2), "{address} {more:?}: {complaint}");
            assert!(complaint.contains(expected) && complaint.contains("`--insecure`"), "{complaint}");
        }
        let insecure = [&["--listen", "0.0.0.0:0", "--insecure"], more].concat();
        assert!(lab.listen(&insecure).address.starts_with("0.0.0.0:"));
    }
}

#[test]
fn nobody_cuts_the_power_by_hand_while_the_exporter_flashes() {
    let (lab, exporter, _) = board(", faults: { dd_stuck: true }");
    let remote = ["--remote", &exporter.address, "--json"];
    let mut first = lab.flasher(&remote).args(["flash", "image"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(first.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("write")));
    let switch =
        |more: &[&str]| lab.flasher(&["power", "--device", "storage.power"]).args(more).output().unwrap();
    for action in [&["off"][..], &["cycle", "--wait", "0"]] {
        let output = switch(action);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let owner = format!("process {} of user", exporter.child.id());
        assert_eq!(output.status.code(), Some(4), "{complaint}");
        assert!(complaint.contains(&owner) && complaint.contains("`--force`"), "{complaint}");
    }
    said(&["power off --force"], &switch(&["--force", "off"]));
    assert_eq!(lab.flasher(&remote).arg("cancel").output().unwrap().status.code(), Some(130));
    lines.for_each(drop);
    assert_eq!(first.wait().unwrap().code(), Some(130));
    said(&["power off"], &switch(&["off"]));
}

#[test]
fn no_client_cuts_the_power_while_a_flash_runs_by_hand() {
    let Some(lab) = Lab::with_clients(&sim_board(free_port(), ", faults: { dd_stuck: true }")) else {
        return;
    };
    furnish(&lab);
    fs::write(lab.path("image"), noise(500_000, 5)).unwrap();
    let exporter = lab.listen(&["--listen", "127.0.0.1:0"]);
    let power = |action: &str| lab.client(&exporter, &[], &["j", "board", "power", action]).output().unwrap();
    said(&["power off"], &power("off"));
    let mut flash = lab.flasher(&["--json", "flash", "image"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(flash.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("write")));
    for action in ["off", "on"] {
        let output = power(action);
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        let owner = format!("the board is in use: `flash image`, process {} of user", flash.id());
        assert!(!output.status.success() && complaint.contains(&owner), "{complaint}");
    }
    assert!(Command::new("kill").arg(flash.id().to_string()).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(flash.wait().unwrap().code(), Some(130));
    said(&["power off"], &power("off"));
}

#[test]
fn what_cannot_be_flashed_is_said_before_anything_is_touched() {
    let (lab, exporter, _) = board("");
    let remote = ["--remote", &exporter.address];
    let cases: [(&[&str], i32, &str); 4] = [
        (&["flash", "missing.img"], 3, "cannot read `missing.img`"),
        (&["flash", "image", "--variant", "nope"], 2, "the exporter refused the job: "),
        (&["flash", "image", "--device", "board.power"], 2, "the exporter has no flasher at `board.power`"),
        (&["attach"], 4, "no flash job has run here"),
    ];
    for (args, code, text) in cases.into_iter().rev() {
        let output = lab.flasher(&remote).args(args).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{args:?}: {complaint}");
        assert!(complaint.contains(text), "{args:?}: {complaint}");
    }
    let nobody = lab.flasher(&["--remote", "127.0.0.1:1", "attach"]).output().unwrap();
    assert_eq!(nobody.status.code(), Some(4));
    assert!(String::from_utf8_lossy(&nobody.stderr).contains("no exporter answers at 127.0.0.1:1"));
}

/// A server that gives `/image` the image, and sends `/moved` to where clouds keep credentials.
pub(crate) fn image_server(image: Vec<u8>) -> u16 {
    let listener = std::net::TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let port = listener.local_addr().unwrap().port();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let mut stream = stream.unwrap();
            let request = BufReader::new(stream.try_clone().unwrap()).lines();
            let head: Vec<String> =
                request.map_while(Result::ok).take_while(|line| !line.is_empty()).collect();
            let to = "location: http://169.254.169.254/latest/meta-data";
            let head = match head.first().map_or("", String::as_str) {
                line if line.starts_with("GET /image ") => {
                    format!("HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: {}\r\n\r\n", image.len())
                }
                line if line.starts_with("GET /moved ") => {
                    format!("HTTP/1.1 302 Found\r\nconnection: close\r\n{to}\r\ncontent-length: 0\r\n\r\n")
                }
                _ => "HTTP/1.1 404 Not Found\r\nconnection: close\r\ncontent-length: 0\r\n\r\n".to_owned(),
            };
            let body: &[u8] = if head.starts_with("HTTP/1.1 200") { &image } else { &[] };
            // The client that asked may be gone.
            stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(body)).ok();
        }
    });
    port
}

#[test]
fn fetches_for_clients_are_bounded() {
    let (lab, exporter, image) = board("");
    let port = image_server(image.clone());
    let (url, moved) = (format!("http://127.0.0.1:{port}/image"), format!("http://127.0.0.1:{port}/moved"));
    let named = format!("http://localhost:{port}/image");
    drop(exporter);
    let untouched = fs::read(lab.path("medium")).unwrap();
    let cloud = "169.254.169.254 is an address where clouds keep the credentials of a machine";
    let cases: [(&[&str], &str, &str); 6] = [
        (&[], "http://169.254.169.254/latest/meta-data", cloud),
        (&[], &moved, cloud),
        (&["--fetch-from", "192.168.7.0/24"], &url, "127.0.0.1 is in no network that is fetched from here"),
        (&["--fetch-from", "192.168.7.0/24"], &named, "is in no network that is fetched from here"),
        (&["--fetch-https"], &url, "only https is fetched here"),
        (&["--fetch-max", "1MiB"], &url, "it has more than 1048576 bytes, the most that is fetched here"),
    ];
    for (options, url, expected) in cases {
        let exporter = lab.listen(&[&["--listen", "127.0.0.1:0"], options].concat());
        let output = lab.flasher(&["--remote", &exporter.address]).args(["flash", url]).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(2), "{options:?} {url}: {complaint}");
        assert!(complaint.contains(expected) && complaint.contains("`--fetch-from NETWORK`"), "{complaint}");
        assert!(fs::read(lab.path("medium")).unwrap() == untouched, "{options:?} {url}");
    }
    let exporter =
        lab.listen(&["--listen", "127.0.0.1:0", "--fetch-from", "127.0.0.0/8", "--fetch-from", "::1"]);
    let output = lab.flasher(&["--remote", &exporter.address]).args(["flash", &url]).output().unwrap();
    said(&["flash"], &output);
    assert_flashed(&lab, &image);
}

#[test]
fn boards_held_by_another_process() {
    let (lab, exporter, _) = board(", faults: { dd_stuck: true }");
    let mut flash = lab.flasher(&["--json", "flash", "image"]).stdout(Stdio::piped()).spawn().unwrap();
    let mut lines = BufReader::new(flash.stdout.take().unwrap()).lines();
    assert!(lines.any(|line| line.unwrap().contains("write")));
    let output = lab.flasher(&["--remote", &exporter.address]).args(["flash", "image"]).output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    let owner = format!("the board is in use: `flash image`, process {} of user", flash.id());
    assert_eq!(output.status.code(), Some(4), "{complaint}");
    assert!(complaint.contains(&owner), "{complaint}");
    assert_eq!(lab.uploads(), 0, "it has sent nothing");
    assert!(Command::new("kill").arg(flash.id().to_string()).status().unwrap().success());
    lines.for_each(drop);
    assert_eq!(flash.wait().unwrap().code(), Some(130));
}

#[test]
fn a_digest_that_the_user_gives_is_compared_by_the_exporter() {
    let (lab, exporter, image) = board("");
    let remote = ["--remote", &exporter.address];
    let untouched = fs::read(lab.path("medium")).unwrap();
    let wrong = "0".repeat(64);
    let output =
        lab.flasher(&remote).args(["--json", "flash", "image", "--sha256", &wrong]).output().unwrap();
    let said_there = String::from_utf8_lossy(&output.stdout).into_owned();
    assert_eq!(output.status.code(), Some(3), "{said_there}");
    let receipt = &events(&said_there).pop().unwrap()["receipt"];
    assert_eq!(receipt["failure"]["class"], "source", "the exporter says so: {receipt}");
    assert!(fs::read(lab.path("medium")).unwrap() == untouched);
    let right: String = sha2::Sha256::digest(&image).iter().map(|byte| format!("{byte:02x}")).collect();
    let output = lab.flasher(&remote).args(["flash", "image", "--sha256", &right]).output().unwrap();
    said(&["flash"], &output);
    assert_flashed(&lab, &image);
}
