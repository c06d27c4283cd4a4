//! Our exporter under a controller, as Jumpstarter's own unmodified client uses it.

use std::fs;
use std::io::Write;
use std::os::unix::net::UnixDatagram;
use std::process::Stdio;

use serde_json::json;

use super::{Controller, Served, WHOLE_HISTORY};
use crate::lab::{BENCH, free_port, furnish, noise, said, sim_board};
use crate::lifetime::eventually;

#[test]
fn power_and_the_serial_line_twice_by_two_clients() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "client", "name": "you" }));
    let exporter = Served::start(&controller, "one");
    controller.until("Available");
    for client in ["me", "you", "me"] {
        let cycle = ["j", "power", "cycle", "--wait", "0"];
        said(&cycle, &controller.shell_of(client, "one", &cycle).output().unwrap());
        let mut pipe = controller.shell_of(client, "one", &["j", "serial", "pipe", "--input"]);
        let mut pipe =
            pipe.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        pipe.stdin.take().unwrap().write_all(b"hello board\n").unwrap();
        let output = pipe.wait_with_output().unwrap();
        assert!(said(&["serial pipe"], &output).contains("hello board"));
    }
    exporter.signal("TERM");
    assert_eq!(exporter.wait(), 0);
    let one = controller.one();
    assert_eq!(one["status"], "Offline");
    assert_eq!(one["unregistrations"], json!(["Exporter shutdown"]));
    assert_eq!(one["registrations"], 1);
    let mut history = controller.history();
    history.dedup();
    assert_eq!(history, [&["Available"], &["LeaseReady", "Available"].repeat(6)[..], &["Offline"]].concat());
    let router = &controller.state()["router"];
    assert_eq!((&router["open"], &router["waiting"]), (&json!(0), &json!(0)));
}

#[test]
fn a_whole_flash_through_router_and_controller() {
    let port = free_port();
    let Some(controller) = Controller::start(&sim_board(port, ""), "") else { return };
    furnish(&controller.lab);
    let image = noise(6 * 1024 * 1024, 5);
    fs::write(controller.lab.path("image.img"), &image).unwrap();
    let exporter = Served::start(&controller, "one");
    controller.until("Available");
    let flash = ["j", "storage", "flash", "image.img", "--method", "shell"];
    said(&flash, &controller.shell("one", &flash).output().unwrap());
    let medium = fs::read(controller.lab.path("medium")).unwrap();
    assert!(medium[..image.len()] == image[..], "the medium has the image");
    controller.until("Available");
    drop(exporter);
}

#[test]
fn hooks_run_around_a_lease_and_clients_see_what_they_print() {
    let hooks = "hooks:
  beforeLease: { script: 'echo $CLIENT_NAME has $LEASE_NAME; j power on && echo powered; echo read me > $JMP_MOTD_FILE' }
  afterLease: { script: 'j power off; echo switched off' }
";
    let Some(controller) = Controller::start(BENCH, hooks) else { return };
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    for _ in 0..2 {
        let cycle = ["j", "power", "cycle", "--wait", "0"];
        let printed = said(&cycle, &controller.shell("one", &cycle).output().unwrap());
        for expected in ["me has", "powered", "switched off"] {
            assert!(printed.contains(expected), "{expected}: {printed}");
        }
        controller.until("Available");
    }
    let mut history = controller.history();
    history.dedup();
    assert_eq!(history, [&["Available"], &WHOLE_HISTORY[..], &WHOLE_HISTORY[..]].concat());
}

#[test]
fn a_failed_hook_warns_ends_the_lease_or_ends_the_exporter() {
    for (on_failure, script) in [
        ("warn", "exit 3"),
        ("endLease", "exit 3"),
        ("exit", "exit 3"),
        ("endLease", "sleep 600 & sleep 600"),
    ] {
        let hooks = format!(
            "hooks: {{ beforeLease: {{ script: '{script}', onFailure: {on_failure}, timeout: 4 }}, afterLease: {{ script: 'touch after' }} }}\n"
        );
        let Some(controller) = Controller::start(BENCH, &hooks) else { return };
        let exporter = Served::start(&controller, "one");
        controller.until("Available");
        let cycle = ["j", "power", "cycle", "--wait", "0"];
        let output = controller.shell("one", &cycle).output().unwrap();
        let printed =
            format!("{}{}", String::from_utf8_lossy(&output.stdout), String::from_utf8_lossy(&output.stderr));
        assert_eq!(output.status.success(), on_failure == "warn", "{on_failure}: {printed}");
        assert!(printed.contains("beforeLease hook failed"), "{on_failure}: {printed}");
        assert_eq!(controller.lab.path("after").exists(), on_failure == "warn", "{on_failure}");
        if on_failure == "exit" {
            assert_eq!(exporter.wait(), 1);
            assert_eq!(controller.one()["status"], "Offline");
        } else {
            eventually("the exporter is free again", || {
                let one = controller.one();
                one["status"] == "Available" && one["lease"].is_null()
            });
        }
    }
}

#[test]
fn one_lease_and_no_more() {
    let Some(controller) = Controller::start(BENCH, "exitOnLeaseEnd: true\n") else { return };
    let exporter = Served::start(&controller, "one");
    controller.until("Available");
    let on = ["j", "power", "on"];
    said(&on, &controller.shell("one", &on).output().unwrap());
    assert_eq!(exporter.wait(), 0);
    assert_eq!(controller.one()["status"], "Offline");
}

#[test]
fn the_service_manager_hears_of_its_life_and_end() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let path = controller.lab.path("notify");
    let socket = UnixDatagram::bind(&path).unwrap();
    let mut serve = controller.serve("one");
    serve.env("NOTIFY_SOCKET", &path).env("WATCHDOG_USEC", "300000");
    let exporter = Served::of(&controller, "one", &mut serve);
    let mut heard = String::new();
    let mut until = |word: &str| {
        while !heard.contains(word) {
            let mut buffer = [0; 256];
            let length = socket.recv(&mut buffer).unwrap();
            heard.push_str(&String::from_utf8_lossy(&buffer[..length]));
        }
        heard.clear();
    };
    until("READY=1");
    assert_eq!(controller.one()["status"], "Available");
    until("WATCHDOG=1");
    exporter.signal("HUP");
    until("RELOADING=1");
    until("READY=1");
    exporter.signal("TERM");
    until("STOPPING=1");
    assert_eq!(exporter.wait(), 0);
}

#[test]
fn a_reload_waits_for_the_end_of_the_lease() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let mut exporter = Served::start(&controller, "one");
    controller.until("Available");
    let yaml = controller.lab.path("exporter-one.yaml");
    let text = fs::read_to_string(&yaml).unwrap();
    fs::write(&yaml, "export: nonsense").unwrap();
    exporter.signal("HUP");
    exporter.until_said("nothing was reloaded");
    // A client that waits for a line, then uses the node that it began with.
    let mut shell = controller.shell("one", &["sh", "-c", "echo here; read line; j power on"]);
    let mut shell = shell.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    exporter.until_said("leased to me");
    fs::write(&yaml, text.replace("  power:", "  relay:")).unwrap();
    exporter.signal("HUP");
    exporter.until_said("reloading once no client has the exporter");
    drop(shell.stdin.take());
    said(&["power"], &shell.wait_with_output().unwrap());
    exporter.until_said("available as");
    eventually("the exporter registered anew", || controller.one()["registrations"] == 2);
    controller.until("Available");
    let relay = ["j", "relay", "on"];
    said(&relay, &controller.shell("one", &relay).output().unwrap());
}
