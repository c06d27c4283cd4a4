//! Connections of clients that do not come about, and clients that come one after the other on one lease.

use std::process::Stdio;

use serde_json::json;

use super::{Controller, Served};
use crate::lab::{BENCH, said};
use crate::lifetime::eventually;

#[test]
fn a_connection_that_does_not_come_about_is_named() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let mut exporter = Served::start(&controller, "one");
    controller.until("Available");
    controller.order(json!({ "do": "lease", "name": "first", "client": "me", "exporter": "one" }));
    controller.until("LeaseReady");
    let mut check = |endpoint: &str, token: &str, expected: &[&str]| {
        controller.order(json!({ "do": "listen", "lease": "first", "endpoint": endpoint, "token": token }));
        expected.iter().for_each(|text| exporter.until_said(text));
    };
    let router = controller.order(json!({ "do": "router" })).as_str().unwrap().to_owned();
    let cannot = "a client could not be connected";
    check("nowhere.invalid:1", "x", &[cannot, "the router at `nowhere.invalid:1` does not connect it: "]);
    check("127.0.0.1:1", "x", &[cannot, "does not connect it: ", "refused"]);
    check(&router, "x", &[cannot, "does not connect it: ", "invalid token"]);
    check(&router, "two\nlines", &[cannot, "the controller's token for the router at", "is none"]);
    controller.order(json!({ "do": "stop", "what": "router" }));
    controller.order(json!({ "do": "new_authority" }));
    controller.order(json!({ "do": "start", "what": "router" }));
    check(&router, "x", &[cannot, "does not connect it: ", "invalid peer certificate"]);
    controller.order(json!({ "do": "end", "lease": "first" }));
    exporter.until_said("the lease first is over");
    controller.until("Available");
}

#[test]
fn a_lease_that_passes_on_ends_the_tunnels_it_had() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    controller.order(json!({ "do": "client", "name": "you" }));
    let _exporter = Served::start(&controller, "one");
    controller.until("Available");
    let mut mine = controller.shell("one", &["sh", "-c", "touch here; sleep 600"]);
    let mut mine = mine.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("the first client is in", || controller.lab.path("here").exists());
    let lease = controller.one()["lease"].as_str().unwrap().to_owned();
    controller.order(json!({ "do": "transfer", "lease": lease, "client": "you" }));
    eventually("its tunnels are gone", || controller.state()["router"]["open"] == 0);
    let on = ["j", "power", "on"];
    said(&on, &controller.join("you", &lease, &on).output().unwrap());
    assert_eq!(controller.one()["lease"], lease);
    mine.kill().unwrap();
    mine.wait().unwrap();
}

#[test]
fn an_exporter_killed_in_its_lease_begins_it_anew() {
    let hooks = "hooks: { beforeLease: { script: 'echo x >> hooks' } }\n";
    let Some(controller) = Controller::start(BENCH, hooks) else { return };
    let exporter = Served::start(&controller, "one");
    controller.until("Available");
    controller.order(json!({ "do": "lease", "name": "first", "client": "me", "exporter": "one" }));
    controller.until("LeaseReady");
    drop(exporter); // killed
    let _exporter = Served::start(&controller, "one");
    eventually("it registered anew", || controller.one()["registrations"] == 2);
    let on = ["j", "power", "on"];
    said(&on, &controller.join("me", "first", &on).output().unwrap());
    let hooks = std::fs::read_to_string(controller.lab.path("hooks")).unwrap();
    assert_eq!(hooks, "x\nx\n", "the hook ran once for each process");
    controller.order(json!({ "do": "end", "lease": "first" }));
    controller.until("Available");
}
