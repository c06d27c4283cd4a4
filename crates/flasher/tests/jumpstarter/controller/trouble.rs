//! What goes wrong around a controller: each named, none of them lasting longer than its cause.

use std::fs;
use std::process::Stdio;

use assert_cmd::cargo::cargo_bin;
use serde_json::{Value, json};

use super::{Controller, Served};
use crate::lab::{BENCH, free_port, furnish, noise, said, sim_board};
use crate::lifetime::eventually;

/// What `serve --controller` says when it ends by itself with class config.
fn refusal(controller: &Controller) -> String {
    let output = controller.serve("one").output().unwrap();
    let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
    assert_eq!(output.status.code(), Some(2), "{complaint}");
    complaint
}

/// Puts another value for a key into the YAML of the exporter `one`.
fn set(controller: &Controller, key: &str, value: &Value) {
    let path = controller.lab.path("exporter-one.yaml");
    let text = fs::read_to_string(&path).unwrap();
    let kept = text.lines().filter(|line| !line.starts_with(&format!("{key}:")));
    let kept: String = kept.map(|line| format!("{line}\n")).collect();
    let line = if value.is_null() { String::new() } else { format!("{key}: {value}\n") };
    fs::write(&path, format!("{line}{kept}")).unwrap();
}

#[test]
fn what_the_operator_has_to_mend_is_named() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "exporter", "name": "two" }));
    let token = |kind: &str, name: &str, expires: i64| {
        controller.order(json!({ "do": "token", "kind": kind, "name": name, "expires": expires }))
    };
    let right = token("Exporter", "one", 1000);
    let check = |key: &str, value: Value, expected: &[&str]| {
        let before = fs::read_to_string(controller.lab.path("exporter-one.yaml")).unwrap();
        set(&controller, key, &value);
        let complaint = refusal(&controller);
        for expected in expected {
            assert!(complaint.contains(expected), "{key} {value}: {complaint}");
        }
        let secret = value.as_str().filter(|_| key == "token");
        assert!(secret.is_none_or(|secret| !complaint.contains(secret)), "{complaint}");
        fs::write(controller.lab.path("exporter-one.yaml"), before).unwrap();
    };
    set(&controller, "token", &right);
    check("endpoint", Value::Null, &["`endpoint` is missing, which a controller needs"]);
    check("token", Value::Null, &["`token` is missing, which a controller needs"]);
    check(
        "token",
        json!("nonsense"),
        &["does not take the exporter `lab/one`", "put the exporter's token into `token`"],
    );
    check("token", token("Exporter", "one", -1000), &["token is expired", "clock of this machine"]);
    check("token", token("Exporter", "two", 1000), &["permission denied", "belongs to another exporter"]);
    check("token", token("Client", "me", 1000), &["permission denied", "or to a client"]);
    check("metadata", json!({ "namespace": "lab", "name": "three" }), &["not found", "make this exporter"]);
    check("tls", json!({ "ca": "" }), &["does not take the exporter", "`tls.ca`"]);
    check("tls", json!({ "ca": "bm9uZQ==" }), &["`tls.ca` holds no certificate"]);
}

#[test]
fn tls_that_is_not_verified_is_still_tls() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    set(&controller, "tls", &json!({ "insecure": true }));
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    let on = ["j", "power", "on"];
    said(&on, &controller.shell("one", &on).output().unwrap());
}

#[test]
fn a_controller_that_lets_no_exporter_give_back_a_lease() {
    let hooks = "hooks: { beforeLease: { script: 'exit 3', onFailure: endLease } }\n";
    let Some(controller) = Controller::start(BENCH, hooks) else { return };
    controller.order(json!({ "do": "refuse", "rpc": "ReleaseLease", "code": "PERMISSION_DENIED" }));
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    controller.order(json!({ "do": "lease", "name": "first", "client": "me", "exporter": "one" }));
    eventually("the lease was given back", || controller.one()["lease"].is_null());
    assert!(controller.state()["calls"]["ReleaseLease"].as_u64() >= Some(1));
    controller.until("Available");
}

#[test]
fn a_controller_that_knows_no_status_is_enough() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "refuse", "rpc": "ReportStatus", "code": "UNIMPLEMENTED" }));
    let mut exporter = Served::start(&controller, "one");
    exporter.until_said("the controller does not know `ReportStatus`");
    let on = ["j", "power", "on"];
    said(&on, &controller.shell("one", &on).output().unwrap());
    exporter.until_said("is over");
}

#[test]
fn a_controller_that_goes_and_comes_finds_its_exporter_again() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "stop", "what": "controller" }));
    let mut exporter = Served::start(&controller, "one");
    exporter.until_said("the exporter cannot register");
    controller.order(json!({ "do": "start", "what": "controller" }));
    controller.until("Available");
    let on = ["j", "power", "on"];
    said(&on, &controller.shell("one", &on).output().unwrap());
    for what in ["controller", "router"] {
        controller.order(json!({ "do": "stop", "what": what }));
        controller.order(json!({ "do": "start", "what": what }));
    }
    exporter.until_said("the controller answers again");
    controller.order(json!({ "do": "cut", "stream": "Status" }));
    controller.order(json!({ "do": "say_much", "exporter": "one", "bytes": 5 * 1024 * 1024 }));
    let reports = controller.history().len();
    eventually("the status was repeated", || controller.history().len() > reports);
    said(&on, &controller.shell("one", &on).output().unwrap());
    eventually("the exporter is free again", || controller.one()["lease"].is_null());
    exporter.signal("TERM");
    assert_eq!(exporter.wait(), 0);
}

#[test]
fn trailing_repeated_and_false_messages_begin_no_lease() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let mut exporter = Served::start(&controller, "one");
    controller.until("Available");
    let on = ["j", "power", "on"];
    said(&on, &controller.shell("one", &on).output().unwrap());
    let say = |leased: bool, lease: Value| {
        controller.order(
            json!({ "do": "say", "exporter": "one", "leased": leased, "lease": lease, "client": "me" }),
        );
    };
    say(false, Value::Null);
    say(true, Value::Null); // a lease without a name
    say(true, json!("ghost")); // the controller does not know it: no client ever comes
    exporter.until_said("leased to me (lease ghost)");
    say(true, json!("ghost"));
    say(false, Value::Null);
    exporter.until_said("the lease ghost is over");
    said(&on, &controller.shell("one", &on).output().unwrap());
}

#[test]
fn a_flash_outlives_client_router_and_controller() {
    let port = free_port();
    let Some(controller) = Controller::start(&sim_board(port, ""), "") else { return };
    furnish(&controller.lab);
    let (old, image) = (fs::read(controller.lab.path("medium")).unwrap(), noise(8 * 1024 * 1024, 7));
    fs::write(controller.lab.path("image.img"), &image).unwrap();
    let mut exporter = Served::start(&controller, "one");
    controller.until("Available");
    let flasher = cargo_bin("flasher");
    let flash = format!("{} --remote unix:$JUMPSTARTER_HOST flash image.img", flasher.display());
    let mut shell = controller.shell("one", &["sh", "-c", &flash]).stdout(Stdio::null()).spawn().unwrap();
    eventually("the medium changes", || fs::read(controller.lab.path("medium")).unwrap() != old);
    controller.order(json!({ "do": "stop", "what": "router" }));
    controller.order(json!({ "do": "stop", "what": "controller" }));
    shell.kill().unwrap();
    shell.wait().unwrap();
    eventually("the flash is proven", || {
        let history = controller.lab.flasher(&["history"]).output().unwrap();
        String::from_utf8_lossy(&history.stdout).contains("proven")
    });
    let medium = fs::read(controller.lab.path("medium")).unwrap();
    assert!(medium[..image.len()] == image[..], "the medium has the image");
    controller.order(json!({ "do": "start", "what": "router" }));
    controller.order(json!({ "do": "start", "what": "controller" }));
    exporter.until_said("the controller answers again");
    let lease = controller.one()["lease"].clone();
    controller.order(json!({ "do": "end", "lease": lease }));
    exporter.until_said("is over");
    controller.until("Available");
}
