//! What an exporter counts, as the parser of Prometheus' own client reads it.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::ops::RangeInclusive;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::controller::{Controller, Served};
use crate::lab::{BENCH, Lab, free_port, free_tcp_port, furnish, noise, said, sim_board};
use crate::lifetime::eventually;

/// Samples that must be there: name, some of the labels, and what the value may be.
type Expected<'a> = &'a [(&'a str, Value, RangeInclusive<f64>)];

/// What must be on the page, all of it with the exporter's name.
fn check(lab: &Lab, port: u16, exporter: &str, expected: Expected<'_>) {
    let port = port.to_string();
    let told = said(&["metrics.py"], &lab.python("metrics.py").arg(&port).output().unwrap());
    let samples: Vec<(String, Value, f64)> = serde_json::from_str(&told).unwrap();
    assert!(samples.iter().all(|(_, labels, _)| labels["exporter"] == exporter), "{told}");
    for (name, labels, value) in expected {
        let labels = labels.as_object().unwrap();
        let is_meant = |its: &Value| labels.iter().all(|(key, value)| its[key] == *value);
        let found: Vec<_> = samples.iter().filter(|it| it.0 == *name && is_meant(&it.1)).collect();
        assert!(
            matches!(&found[..], [it] if value.contains(&it.2)),
            "{name} {labels:?}: {found:?} in {told}"
        );
    }
}

/// The page as it is, without a look at its content.
fn page(port: u16, request: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).unwrap();
    write!(stream, "{request} HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

/// The rest of what is counted to 1.
const ONCE: RangeInclusive<f64> = 1.0..=1.0;
const NONE: RangeInclusive<f64> = 0.0..=0.0;

#[test]
fn calls_and_flashes_are_counted_while_they_run() {
    let port = free_tcp_port();
    let slow = sim_board(free_port(), ", faults: { slow: 4MiB }");
    let Some(lab) = Lab::with_clients(&slow) else { return };
    furnish(&lab);
    let image = noise(6 * 1024 * 1024, 5);
    fs::write(lab.path("image"), &image).unwrap();
    let exporter = lab.listen(&["--listen", "127.0.0.1:0", "--metrics", &port.to_string()]);
    let remote = |words: &str| {
        let mut command = lab.flasher(&["--remote", &exporter.address]);
        command.env_remove("FLASHER_EXPORTER").args(words.split(' '));
        command.stdout(Stdio::null());
        command
    };
    let run = |words: &str, code: i32| {
        assert_eq!(remote(words).status().unwrap().code(), Some(code), "{words}");
    };
    check(&lab, port, "lab", &[("jumpstarter_active_sessions", json!({}), NONE)]);
    run("power on --device storage.power", 0);
    run("power off --device storage.power", 0);
    let mut flash = remote("flash image").spawn().unwrap();
    eventually("the page tells of the flash", || {
        page(port, "GET /metrics").contains("flasher_jobs_running{exporter=\"lab\"} 1")
    });
    assert_eq!(flash.wait().unwrap().code(), Some(0));
    run(&format!("flash image --sha256 {}", "0".repeat(64)), 3);
    eventually("the clients are gone", || {
        page(port, "GET /metrics").contains("_sessions{exporter=\"lab\"} 0")
    });
    let length = image.len() as f64;
    let flashes = |verdict: &str, class: &str| json!({ "node": "storage", "job": "flash", "verdict": verdict, "class": class });
    let operation = |operation: &str, driver: &str, result: &str| json!({ "operation": operation, "driver_type": driver, "result": result });
    check(
        &lab,
        port,
        "lab",
        &[
            ("flasher_jobs_running", json!({}), NONE),
            ("flasher_jobs_total", flashes("proven", ""), ONCE),
            ("flasher_jobs_total", flashes("failed", "source"), ONCE),
            // The first block is written by itself.
            ("flasher_written_bytes_total", json!({ "node": "storage" }), length - 65_536.0..=2.0 * length),
            ("flasher_read_back_bytes_total", json!({ "node": "storage" }), length..=length),
            ("flasher_read_back_bytes_per_second", json!({ "node": "storage" }), 1.0..=1e12),
            ("flasher_step_seconds_total", json!({ "step": "write" }), 0.001..=3600.0),
            ("flasher_retries_total", json!({ "node": "storage" }), NONE),
            ("jumpstarter_operations_total", operation("on", "power", "success"), ONCE),
            ("jumpstarter_operations_total", operation("flash", "storage", "success"), ONCE),
            ("jumpstarter_operations_total", operation("flash", "storage", "failure"), ONCE),
            ("jumpstarter_operation_duration_seconds_count", operation("off", "power", "success"), ONCE),
            (
                "jumpstarter_operation_errors_total",
                json!({ "operation": "flash", "driver_type": "storage", "error_type": "source" }),
                ONCE,
            ),
            (
                "jumpstarter_stream_bytes_total",
                json!({ "driver_type": "storage", "direction": "rx" }),
                length..=3.0 * length,
            ),
        ],
    );
}

#[test]
fn under_a_controller_a_lease_is_a_session() {
    let Some(controller) = Controller::start(BENCH, "") else { return };
    let port = free_tcp_port();
    let mut serve = controller.serve("one");
    let exporter = Served::of(&controller, "one", serve.args(["--metrics", &port.to_string()]));
    controller.until("Available");
    let sessions = |count: RangeInclusive<f64>| {
        check(&controller.lab, port, "one", &[("jumpstarter_active_sessions", json!({}), count)]);
    };
    sessions(NONE);
    controller.order(json!({ "do": "lease", "name": "first", "client": "me", "exporter": "one" }));
    controller.until("LeaseReady");
    sessions(ONCE);
    let on = ["j", "power", "on"];
    said(&on, &controller.join("me", "first", &on).output().unwrap());
    controller.order(json!({ "do": "end", "lease": "first" }));
    controller.until("Available");
    sessions(NONE);
    drop(exporter);
}

#[test]
fn the_page_answers_one_question_only() {
    let port = free_tcp_port();
    let lab = Lab::new(BENCH);
    let serve = |metrics: &str, command: &[&str]| -> Command {
        let mut serve = lab.flasher(&["serve", "--metrics", metrics, "--"]);
        serve.args(command);
        serve
    };
    let exporter = lab.listen(&["--listen", "127.0.0.1:0", "--metrics", &format!("127.0.0.1:{port}")]);
    for (request, status) in [
        ("GET /metrics", "200 OK"),
        ("GET /", "404 Not Found"),
        ("POST /metrics", "405 Method Not Allowed"),
        ("GET /metrics/../etc/passwd", "404 Not Found"),
    ] {
        let answer = page(port, request);
        assert!(answer.starts_with(&format!("HTTP/1.1 {status}\r\n")), "{request}: {answer}");
    }
    for (metrics, code, expected) in [
        ("nonsense", 2, "`nonsense` is no address to listen on"),
        ("70000", 2, "`70000` is no address to listen on"),
        (&port.to_string(), 4, "metrics cannot be served on 127.0.0.1:"),
    ] {
        let output = serve(metrics, &["true"]).output().unwrap();
        let complaint = String::from_utf8_lossy(&output.stderr).into_owned();
        assert_eq!(output.status.code(), Some(code), "{metrics}: {complaint}");
        assert!(complaint.contains(expected), "{metrics}: {complaint}");
    }
    let output = serve("0", &["true"]).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(told.starts_with("metrics at http://127.0.0.1:"), "{told}");
    drop(exporter);
}
