//! `flasher --lease`: our own command line as a client of the lab, on our exporter and on Jumpstarter's own.

use std::fs;
use std::io::Write as _;
use std::process::{Child, Command, Output, Stdio};

use serde_json::{Value, json};

use super::judged::PythonExporter;
use super::{Controller, Served};
use crate::console::Terminal;
use crate::lab::{BENCH, free_port, furnish, noise, sim_board};
use crate::lifetime::eventually;

/// `flasher` as the client `me`, with these words.
fn flasher(controller: &Controller, words: &str) -> Command {
    let client = controller.lab.path("client-me.yaml");
    let mut command = controller.lab.flasher(&["--client", client.to_str().unwrap()]);
    command.args(words.split(' ')).env_remove("FLASHER_EXPORTER").stdin(Stdio::null());
    command
}

fn printed(output: &Output) -> String {
    [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes)).concat()
}

/// Runs it; gives what it printed when it ended with `code`.
fn run(controller: &Controller, words: &str, code: i32) -> String {
    let output = flasher(controller, words).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{words}: {}", printed(&output));
    printed(&output)
}

/// Every lease is over, and the exporter `one` is free.
fn assert_free(controller: &Controller, leases: usize) {
    controller.until("Available");
    let state = controller.state();
    let ended = state["leases"].as_object().unwrap().values().filter(|it| it["ended"].is_number()).count();
    assert_eq!((ended, state["leases"].as_object().unwrap().len()), (leases, leases), "{state}");
    eventually("the router is empty", || controller.state()["router"]["open"] == 0);
}

fn signal(child: &Child, name: &str) {
    let id = child.id().to_string();
    assert!(Command::new("sh").args(["-c", "kill -s $0 $1", name, &id]).status().unwrap().success());
}

#[test]
fn a_command_leases_what_it_needs_and_gives_it_back() {
    let hooks = "hooks: { beforeLease: { script: 'sleep 2' } }\n";
    let Some(controller) = Controller::start(BENCH, hooks) else { return };
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    for words in ["--lease board=one power on", "--lease board=one power cycle --wait 0"] {
        let told = run(&controller, words, 0);
        assert!(told.contains("leased the exporter one (lease "), "{told}");
        assert!(told.contains("waiting until the exporter is ready"), "{told}");
    }
    let told = run(&controller, "--lease board=one power off --device nothing", 2);
    assert!(told.contains("`nothing` names no node of `one`"), "{told}");
    assert_free(&controller, 3);
    // Without `--client`, as `jmp` finds its client.
    let home = controller.lab.path("home");
    fs::create_dir_all(home.join("clients")).unwrap();
    fs::copy(controller.lab.path("client-me.yaml"), home.join("clients/mine.yaml")).unwrap();
    fs::write(home.join("config.yaml"), "config: { current-client: mine }\n").unwrap();
    let mut command = controller.lab.flasher(&["--lease", "board=one", "power", "on"]);
    command.env_remove("FLASHER_EXPORTER").env("JMP_CLIENT_CONFIG_HOME", &home);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", printed(&output));
    assert_free(&controller, 4);
}

#[test]
fn jumpstarters_own_exporter_is_leased_the_same_way() {
    let Some(controller) = Controller::start(super::judged::EXPORT, "") else { return };
    let _exporter = PythonExporter::start(&controller);
    controller.until("Available");
    run(&controller, "--lease board=one power cycle --wait 0", 0);
    run(&controller, "--lease board=one power on", 0);
    let told = run(&controller, "--lease board=one flash image.img", 2);
    assert!(told.contains("the exporter has no flasher"), "{told}");
    assert_free(&controller, 3);
}

#[test]
fn a_flash_on_a_leased_exporter_ends_proven() {
    let Some(controller) = Controller::start(&sim_board(free_port(), ""), "") else { return };
    furnish(&controller.lab);
    let image = noise(6 * 1024 * 1024, 5);
    fs::write(controller.lab.path("image.img"), &image).unwrap();
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    let told = run(&controller, "--lease board=one --json flash image.img --receipt receipt.json", 0);
    assert!(told.contains("\"verdict\":\"proven\""), "{told}");
    let medium = fs::read(controller.lab.path("medium")).unwrap();
    assert!(medium[..image.len()] == image[..], "the medium has the image");
    run(&controller, "--lease board=one dump out.img", 0);
    assert!(fs::read(controller.lab.path("out.img")).unwrap() == medium, "the dump is the medium");
    assert_free(&controller, 2);
}

#[test]
fn a_person_works_on_a_leased_exporter() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    let told = run(&controller, "--lease board=one doctor", 0);
    assert!(told.contains("power, ") && told.contains("serial, ready"), "{told}");
    let told = run(&controller, "--lease board=one attach", 2);
    assert!(told.contains("the exporter has no flasher"), "{told}");
    let mut terminal = Terminal::new();
    let mut child = terminal.start(&mut flasher(&controller, "--lease board=one console"));
    eventually("the terminal is raw", || terminal.is_raw());
    terminal.person.write_all(b"hello").unwrap();
    terminal.expect(b"hello");
    terminal.person.write_all(b"\x1d").unwrap();
    assert!(child.wait().unwrap().success());
    assert_free(&controller, 3);
}

#[test]
fn a_lease_by_name_is_used_and_stays() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "client", "name": "you" }));
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    controller.order(json!({ "do": "lease", "name": "first", "client": "me", "exporter": "one" }));
    run(&controller, "--lease-name first power on", 0);
    run(&controller, "--lease-name first power off", 0);
    assert_eq!(controller.one()["lease"], "first");
    controller.order(json!({ "do": "transfer", "lease": "first", "client": "you" }));
    let told = run(&controller, "--lease-name first power on", 2);
    assert!(told.contains("the lease `first` is that of the client `you`"), "{told}");
    controller.order(json!({ "do": "end", "lease": "first" }));
    let told = run(&controller, "--lease-name first power on", 2);
    assert!(told.contains("the lease `first` is over"), "{told}");
    let told = run(&controller, "--lease-name second power on", 2);
    assert!(
        told.contains("the lease `second` cannot be used") && told.contains("does not know it"),
        "{told}"
    );
    assert_free(&controller, 1);
}

/// What is wrong, and what is said of it.
struct Trouble {
    /// Done to the controller before.
    orders: Vec<Value>,
    /// Another value for a key of the client file; null takes it out.
    client: Option<(&'static str, Value)>,
    words: &'static str,
    code: i32,
    expected: &'static [&'static str],
    /// Done to the controller after.
    mends: Vec<Value>,
}

fn check(controller: &Controller, trouble: Trouble) {
    let Trouble { orders, client, words, code, expected, mends } = trouble;
    let path = controller.lab.path("client-me.yaml");
    let before = fs::read_to_string(&path).unwrap();
    if let Some((key, value)) = &client {
        let kept = before.lines().filter(|line| !line.starts_with(&format!("{key}:")));
        let kept: String = kept.map(|line| format!("{line}\n")).collect();
        let line = if value.is_null() { String::new() } else { format!("{key}: {value}\n") };
        fs::write(&path, format!("{line}{kept}")).unwrap();
    }
    orders.into_iter().for_each(|order| drop(controller.order(order)));
    let told = run(controller, words, code);
    for expected in expected {
        assert!(told.contains(expected), "{words}: {expected}: {told}");
    }
    let secret = client.iter().find(|(key, _)| *key == "token").and_then(|(_, value)| value.as_str());
    assert!(secret.is_none_or(|secret| !told.contains(secret)), "{told}");
    mends.into_iter().for_each(|order| drop(controller.order(order)));
    fs::write(&path, before).unwrap();
}

#[test]
fn what_keeps_a_client_from_its_lease_is_named() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "client", "name": "you" }));
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    let token = |kind: &str, name: &str, expires: i64| {
        controller.order(json!({ "do": "token", "kind": kind, "name": name, "expires": expires }))
    };
    let plain = |words, code, expected| Trouble {
        orders: Vec::new(),
        client: None,
        words,
        code,
        expected,
        mends: Vec::new(),
    };
    const ON: &str = "--lease board=one power on";
    let file = |key, value, expected| Trouble { client: Some((key, value)), ..plain(ON, 2, expected) };
    let all = [
        file("endpoint", Value::Null, &["`endpoint` is missing, which a controller needs"]),
        file("endpoint", json!("localhost"), &["`localhost` is no address of a controller"]),
        file("token", Value::Null, &["`token` is missing", "`jmp login` gets one"]),
        file("token", json!("nonsense"), &["refuses the client `lab/me`", "`jmp login` gets a new token"]),
        file("token", token("Client", "me", -1000), &["token is expired", "`jmp login` gets a new token"]),
        file("token", token("Client", "you", 1000), &["permission denied", "belongs to another client"]),
        file("metadata", json!({ "namespace": "lab", "name": "he" }), &["not found", "make this client"]),
        file("kind", json!("ExporterConfig"), &["expected a client file (`kind: ClientConfig`)"]),
        file("tls", json!({ "ca": "*" }), &["`tls.ca` is no base64: it has `*` as its character 1"]),
        file("tls", json!({ "ca": "" }), &["refuses the client", "`tls.ca`"]),
        plain(
            "--lease board=three power on",
            2,
            &[
                "waiting for an exporter: no exporter fits",
                "the lab gives no lease of `board=three`: no exporter fits",
            ],
        ),
        Trouble {
            orders: vec![json!({ "do": "deny", "reason": "NoAccess", "message": "no policy lets you" })],
            mends: vec![json!({ "do": "deny", "reason": null, "message": null })],
            ..plain(ON, 2, &["the lab gives no lease of `board=one`: no policy lets you"])
        },
        Trouble {
            orders: vec![json!({ "do": "lease", "name": "long", "client": "you", "exporter": "one" })],
            client: Some(("leases", json!({ "acquisition_timeout": 5 }))),
            mends: vec![json!({ "do": "end", "lease": "long" })],
            ..plain(ON, 4, &["waiting for an exporter: no exporter is free", "became free within"])
        },
        Trouble {
            orders: vec![json!({ "do": "stop", "what": "router" })],
            mends: vec![json!({ "do": "start", "what": "router" })],
            ..plain(ON, 4, &["the exporter `one` cannot be reached: the router at `localhost:", "refused"])
        },
        Trouble {
            orders: vec![json!({ "do": "stop", "what": "controller" })],
            mends: vec![json!({ "do": "start", "what": "controller" })],
            ..plain(ON, 4, &["the controller at `localhost:", "does not answer"])
        },
    ];
    for trouble in all {
        check(&controller, trouble);
    }
    for (words, text) in [
        ("--lease board=one power on", "no client of a lab is chosen"),
        (
            "--client nowhere/file.yaml --lease board=one power on",
            "there is no client file `nowhere/file.yaml`",
        ),
        ("--client nobody --lease board=one power on", "/clients/nobody.yaml`"),
    ] {
        let mut command = controller.lab.flasher(&words.split(' ').collect::<Vec<_>>());
        command.env_remove("FLASHER_EXPORTER").env("JMP_CLIENT_CONFIG_HOME", controller.lab.path("empty"));
        let output = command.output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{words}");
        assert!(printed(&output).contains(text), "{words}: {}", printed(&output));
    }
    run(&controller, ON, 0);
    controller.until("Available");
}

#[test]
fn a_signal_gives_the_lease_back() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "client", "name": "you" }));
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    let start = |words: &str| {
        let mut command = flasher(&controller, words);
        command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    };
    let leases = || controller.state()["leases"].as_object().unwrap().len();
    for (number, name) in ["INT", "TERM", "HUP"].into_iter().enumerate() {
        let mut reading = start("--lease board=one power read --count 1000 --interval 1");
        controller.until("LeaseReady");
        signal(&reading, name);
        assert_eq!(reading.wait().unwrap().code(), Some(130), "{name}");
        assert_free(&controller, number + 1);
    }
    // While it waits.
    controller.order(json!({ "do": "lease", "name": "long", "client": "you", "exporter": "one" }));
    let mut waiting = start("--lease board=one power on");
    eventually("it waits", || leases() == 5);
    signal(&waiting, "INT");
    assert_eq!(waiting.wait().unwrap().code(), Some(130));
    controller.order(json!({ "do": "end", "lease": "long" }));
    assert_free(&controller, 5);
}

#[test]
fn a_flash_goes_on_when_its_lease_ends_and_stops_at_a_signal() {
    let slow = sim_board(free_port(), ", faults: { slow: 2MiB }");
    let Some(controller) = Controller::start(&slow, "") else { return };
    furnish(&controller.lab);
    let image = noise(6 * 1024 * 1024, 7);
    fs::write(controller.lab.path("image.img"), &image).unwrap();
    let mut exporter = Served::start(&controller, "one");
    controller.until("Available");
    let start = || {
        let old = fs::read(controller.lab.path("medium")).unwrap();
        let mut flash = flasher(&controller, "--lease board=one flash image.img");
        let flash = flash.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        eventually("the medium changes", || fs::read(controller.lab.path("medium")).unwrap() != old);
        flash
    };
    let flash = start();
    let lease = controller.one()["lease"].clone();
    controller.order(json!({ "do": "end", "lease": lease }));
    let output = flash.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(4), "{}", printed(&output));
    for expected in
        ["is over", "a flash that runs there goes on to its end", "unknown: the job ran elsewhere"]
    {
        assert!(printed(&output).contains(expected), "{expected}: {}", printed(&output));
    }
    exporter.until_said("is over");
    let history = controller.lab.flasher(&["history"]).output().unwrap();
    assert!(printed(&history).contains("proven"), "{}", printed(&history));
    let medium = fs::read(controller.lab.path("medium")).unwrap();
    assert!(medium[..image.len()] == image[..], "the medium has the image");
    controller.until("Available");
    fs::write(controller.lab.path("image.img"), noise(6 * 1024 * 1024, 8)).unwrap();
    let flash = start();
    signal(&flash, "INT");
    let output = flash.wait_with_output().unwrap();
    assert_eq!(output.status.code(), Some(130), "{}", printed(&output));
    assert_free(&controller, 2);
}
