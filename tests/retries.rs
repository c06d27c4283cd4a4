//! Attempts that cannot help are not made: no waiting, no power cycle of a board for nothing.

use std::io::Write;
use std::net::{TcpListener, UdpSocket};
use std::sync::{Arc, Mutex};

use flasher_core::{Class, Event, FlashJob, Step, Verdict};

use crate::lab::{Lab, sample};

/// What is wrong, and how it is reported.
struct Case {
    lab: Lab,
    /// A text of the exporter YAML and what stands there instead.
    swap: (&'static str, String),
    job: fn(&mut FlashJob),
    class: Class,
    cause: &'static str,
}

impl Case {
    fn new(board: &str, class: Class, cause: &'static str) -> Self {
        Self { lab: Lab::new(board), swap: ("", String::new()), job: |_| {}, class, cause }
    }

    fn with(self, job: fn(&mut FlashJob)) -> Self {
        Self { job, ..self }
    }

    fn in_place_of(self, text: &'static str, other: String) -> Self {
        Self { swap: (text, other), ..self }
    }
}

/// Flashes with three retries; nothing may be tried twice.
async fn check(case: Case) {
    let mut job = case.lab.job(&case.lab.image(&sample(), None));
    job.retries = 3;
    (case.job)(&mut job);
    let text = std::fs::read_to_string(case.lab.exporter()).unwrap();
    assert!(text.contains(case.swap.0), "{}", case.cause);
    let yaml = case.lab.path("case.yaml");
    std::fs::write(&yaml, text.replacen(case.swap.0, &case.swap.1, 1)).unwrap();
    let tree = exporter_yaml::load(&yaml).unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let seen = Arc::clone(&events);
    let receipt =
        tree.flasher(None).unwrap().flash(job, Arc::new(move |event| seen.lock().unwrap().push(event))).await;
    tree.close().await.unwrap();
    let failure = receipt.failure.unwrap_or_else(|| panic!("no failure: {}", case.cause));
    assert_eq!(receipt.verdict, Verdict::Failed);
    assert!(failure.cause.contains(case.cause), "{failure:#?}");
    assert_eq!(failure.class, case.class, "{failure:#?}");
    let count = |is: fn(&Event) -> bool| events.lock().unwrap().iter().filter(|event| is(event)).count();
    assert_eq!(count(|event| matches!(event, Event::Retrying { .. })), 0, "{failure:#?}");
    assert!(count(|event| matches!(event, Event::StepBegun { step: Step::Power })) <= 1, "{failure:#?}");
}

/// The https URL of a server that does not speak TLS, and says so.
fn plain_server() -> String {
    let server = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = server.local_addr().unwrap();
    std::thread::spawn(move || {
        while let Ok((mut client, _)) = server.accept() {
            let _ = client.write_all(b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"); // it may have gone
        }
    });
    format!("https://{address}/os.img")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_another_attempt_cannot_mend_is_tried_once() {
    let (tcp, udp) = (TcpListener::bind("127.0.0.1:0").unwrap(), UdpSocket::bind("127.0.0.1:0").unwrap());
    let taken = |kind: &str, port: u16| format!("type: {kind}, config: {{ host: 127.0.0.1, port: {port}");
    let new = |class, cause| Case::new("", class, cause);
    let cases = [
        new(Class::Infrastructure, "the port is in use")
            .in_place_of("type: http, config: { port: 0", taken("http", tcp.local_addr().unwrap().port())),
        new(Class::Infrastructure, "the port is in use")
            .in_place_of("type: tftp, config: { port: 0", taken("tftp", udp.local_addr().unwrap().port())),
        new(Class::Infrastructure, "image`: it is a file")
            .in_place_of("root_dir: ./tftp", "root_dir: ./image".to_owned()),
        new(Class::Board, "no partition of `/dev/mmcblk0` is labelled `rootfs`")
            .with(|job| job.partition = Some("rootfs".to_owned())),
        new(Class::Source, "sha256").with(|job| job.sha256 = Some("0".repeat(64))),
        new(Class::Infrastructure, "does not speak TLS").with(|job| job.image = plain_server()),
        new(Class::Source, "does not exist").with(|job| job.image = "/nowhere/os.img".to_owned()),
        new(Class::Config, "no-such-target").with(|job| job.target = Some("no-such-target".to_owned())),
        new(Class::Source, "the image is larger than the target").in_place_of(
            "medium: ./medium\n      size: 16777216",
            "medium: ./small\n      size: 1048576".to_owned(),
        ),
    ];
    for case in cases {
        check(case).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transcript_that_cannot_be_written_is_refused_before_power() {
    for path in ["/nowhere/console.log", "/proc/console.log"] {
        let lab = Lab::new("");
        let mut job = lab.job(&lab.image(&sample(), None));
        (job.retries, job.transcript) = (3, Some(path.into()));
        let (receipt, events) = lab.flash(job).await;
        assert!(receipt.failure.is_some());
        assert_eq!(receipt.power, flasher_core::flash::PowerState::Untouched);
        assert!(!events.iter().any(|event| matches!(event, Event::Retrying { .. })), "{path}");
    }
}
