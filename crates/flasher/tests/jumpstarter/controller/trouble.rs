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
    check("tls", json!({ "ca": "bm9uZQ" }), &["`tls.ca` is no base64: it was cut"]);
    check("hooks", json!({ "beforeLease": { "script": "x", "timeout": 0 } }), &["`timeout: 0`"]);
}

/// Something that goes wrong around an exporter at work, what is said of it, and what mends it.
struct Trouble {
    orders: Vec<Value>,
    expected: &'static [&'static str],
    mends: Vec<Value>,
}

#[test]
fn what_passes_is_named_and_ends_with_its_cause() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let restart = || {
        let order = |what: &str| json!({ "do": what, "what": "controller" });
        vec![order("stop"), order("start")]
    };
    let with = |first: Value| [vec![first], restart()].concat();
    let mut exporter = Served::start(&controller, "one");
    controller.until("Available");
    let on = ["j", "power", "on"];
    let all = [
        Trouble {
            orders: with(json!({ "do": "new_authority" })),
            expected: &["warning: the controller is away: invalid peer certificate: ", "into `tls.ca`"],
            mends: with(json!({ "do": "old_authority" })),
        },
        Trouble {
            orders: with(json!({ "do": "new_authority", "days": -30 })),
            expected: &["warning: the controller is away: invalid peer certificate: "],
            mends: with(json!({ "do": "old_authority" })),
        },
        Trouble {
            orders: vec![json!({ "do": "say_much", "exporter": "one", "bytes": 5 * 1024 * 1024 })],
            expected: &["warning: the controller is away: ", "message length too large", "; trying again"],
            mends: Vec::new(),
        },
        Trouble {
            orders: [
                vec![json!({ "do": "refuse", "rpc": "Status", "code": "UNKNOWN", "text": "oidc: no key yet", "times": 2 })],
                restart(),
            ]
            .concat(),
            expected: &["warning: the controller is away: ", "oidc: no key yet (put the exporter's token"],
            mends: Vec::new(),
        },
    ];
    for Trouble { orders, expected, mends } in all {
        orders.into_iter().for_each(|order| drop(controller.order(order)));
        expected.iter().for_each(|text| exporter.until_said(text));
        mends.into_iter().for_each(|order| drop(controller.order(order)));
        exporter.until_said("the controller answers again");
        controller.until("Available");
        said(&on, &controller.shell("one", &on).output().unwrap());
        controller.until("Available");
    }
    exporter.signal("TERM");
    assert_eq!(exporter.wait(), 0);
}

#[test]
fn a_clock_that_is_off_and_a_name_that_is_gone() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let yaml = controller.lab.path("exporter-one.yaml");
    let before = fs::read_to_string(&yaml).unwrap();
    for days in [-30, 30] {
        controller.order(json!({ "do": "new_authority", "days": days }));
        controller.order(json!({ "do": "stop", "what": "controller" }));
        controller.order(json!({ "do": "start", "what": "controller" }));
        controller.order(json!({ "do": "exporter", "name": "one" }));
        let head = fs::read_to_string(&yaml).unwrap();
        fs::write(&yaml, format!("{head}export:\n{BENCH}")).unwrap();
        let complaint = refusal(&controller);
        for expected in
            ["does not take the exporter `lab/one`", "invalid peer certificate", "clock of this machine"]
        {
            assert!(complaint.contains(expected), "{days}: {expected}: {complaint}");
        }
    }
    fs::write(&yaml, before).unwrap();
    set(&controller, "endpoint", &json!("controller.invalid:8082"));
    let mut exporter = Served::start(&controller, "one");
    exporter.until_said("warning: the exporter cannot register: ");
    exporter.until_said("; trying again");
    exporter.signal("TERM");
    assert_eq!(exporter.wait(), 0);
}

#[test]
fn two_exporters_with_one_identity_lose_no_client() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let yaml = controller.lab.path("exporter-one.yaml");
    fs::copy(&yaml, controller.lab.path("exporter-twin.yaml")).unwrap();
    let mut first = Served::start(&controller, "one");
    controller.until("Available");
    let mut second = Served::start(&controller, "twin");
    second.until_said("available as lab/one");
    controller.order(json!({ "do": "lease", "name": "first", "client": "me", "exporter": "one" }));
    first.until_said("leased to me");
    second.until_said("leased to me");
    eventually("one of them says it", || {
        let logs = ["one", "twin"]
            .map(|name| fs::read_to_string(controller.lab.path(&format!("served-{name}.log"))).unwrap());
        logs.concat().contains("does a second exporter with this identity run?")
    });
    let on = ["j", "power", "on"];
    said(&on, &controller.join("me", "first", &on).output().unwrap());
    controller.order(json!({ "do": "end", "lease": "first" }));
    first.until_said("the lease first is over");
    second.until_said("the lease first is over");
    drop(second);
    controller.until("Available");
    said(&on, &controller.shell("one", &on).output().unwrap());
}

#[test]
fn a_hook_that_forks_holds_nothing_up() {
    let hooks = "hooks: { beforeLease: { script: 'sleep 600 & echo forked' }, afterLease: { script: 'setsid sleep 600 & exit 0' } }\n";
    let Some(controller) = Controller::start(BENCH, hooks) else { return };
    let exporter = Served::start(&controller, "one");
    controller.until("Available");
    let on = ["j", "power", "on"];
    for _ in 0..2 {
        let told = said(&on, &controller.shell("one", &on).output().unwrap());
        assert!(told.contains("forked"), "{told}");
        controller.until("Available");
    }
    exporter.signal("TERM");
    assert_eq!(exporter.wait(), 0);
}

#[test]
fn the_lab_may_collect_telemetry() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let calls = || controller.state()["calls"]["GetServiceEndpoints"].as_u64().unwrap_or_default();
    let exporter = Served::start(&controller, "one");
    controller.until("Available");
    eventually("it has asked", || calls() >= 1);
    drop(exporter);
    controller.order(json!({ "do": "telemetry", "endpoints": ["telemetry.lab:8090", "other:1"] }));
    let mut exporter = Served::start(&controller, "one");
    exporter.until_said("the lab collects telemetry at telemetry.lab:8090, other:1");
}

#[test]
fn a_stop_in_a_flash_switches_the_board_off() {
    let slow = sim_board(free_port(), ", faults: { slow: 2MiB }");
    let Some(controller) = Controller::start(&slow, "") else { return };
    furnish(&controller.lab);
    let old = fs::read(controller.lab.path("medium")).unwrap();
    fs::write(controller.lab.path("image.img"), noise(8 * 1024 * 1024, 7)).unwrap();
    let exporter = Served::start(&controller, "one");
    controller.until("Available");
    let flash = format!("{} --remote unix:$JUMPSTARTER_HOST flash image.img", cargo_bin("flasher").display());
    let mut shell = controller.shell("one", &["sh", "-c", &flash]).stdout(Stdio::null()).spawn().unwrap();
    eventually("the medium changes", || fs::read(controller.lab.path("medium")).unwrap() != old);
    exporter.signal("TERM");
    assert_eq!(exporter.wait(), 0);
    shell.kill().unwrap();
    shell.wait().unwrap();
    assert_eq!(controller.one()["status"], "Offline");
    let history = controller.lab.flasher(&["history", "--json"]).output().unwrap();
    let history = String::from_utf8_lossy(&history.stdout).into_owned();
    let job: Value = serde_json::from_str(history.lines().next().unwrap()).unwrap();
    assert_eq!((&job["verdict"], &job["class"]), (&json!("failed"), &json!("interrupted")), "{history}");
    let show = controller.lab.flasher(&["history", "show", &job["id"].to_string()]).output().unwrap();
    let receipt: Value = serde_json::from_slice(&show.stdout).unwrap();
    assert_eq!(receipt["power"], "off", "{receipt}");
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
