//! Receipts and calls as series.

use std::time::{Duration, SystemTime};

use flasher_core::flash::{BoardFacts, Failure, JobKind, MediumFacts, RangeFacts, RangeKind, Site, ZerosBy};
use flasher_core::{Class, Receipt, Step, Verdict};
use tonic::Code;

use super::Metrics;

fn range(length: u64, is_right: bool) -> RangeFacts {
    let read_back = is_right.then(|| "a".to_owned());
    RangeFacts {
        offset: 0,
        length,
        kind: RangeKind::Data,
        sha256: "a".to_owned(),
        read_back,
        writes: 1,
        held: false,
    }
}

fn receipt(verdict: Verdict, class: Option<Class>) -> Receipt {
    let site = Site { node: Some("storage".to_owned()), ..Site::default() };
    let medium = MediumFacts {
        data_written: 100,
        zeros_written: 50,
        zeros_by: Some(ZerosBy::Discard),
        ranges: vec![range(70, true), range(30, false)],
        ..MediumFacts::default()
    };
    let blank = Receipt::blank("t", JobKind::Flash, site, SystemTime::UNIX_EPOCH, Duration::from_secs(20));
    Receipt {
        verdict,
        attempts: 3,
        board: BoardFacts { name: Some("acme".to_owned()), ..BoardFacts::default() },
        medium: Some(medium),
        steps: [(Step::Write, 4.0), (Step::Verify, 2.0)].into(),
        failure: class.map(|class| Failure::new(Step::Write, &flasher_core::Error::new(class, "broken"))),
        ..blank
    }
}

#[test]
fn a_receipt_is_counted_by_what_it_says() {
    let metrics = Metrics::new("lab");
    let check = |expected: &[&str]| {
        let text = metrics.text();
        for line in expected {
            assert!(text.lines().any(|it| it == *line), "{line} is missing in\n{text}");
        }
        assert!(text.ends_with("# EOF\n"), "{text}");
    };
    check(&[r#"jumpstarter_active_sessions{exporter="lab"} 0"#]);
    let (session, running) = (metrics.session(), metrics.running_job());
    check(&[r#"jumpstarter_active_sessions{exporter="lab"} 1"#, r#"flasher_jobs_running{exporter="lab"} 1"#]);
    drop((session, running));
    metrics.job(&receipt(Verdict::Proven, None));
    metrics.ordered_job(&receipt(Verdict::Proven, None));
    metrics.job(&receipt(Verdict::Failed, Some(Class::Board)));
    check(&[
        r#"jumpstarter_active_sessions{exporter="lab"} 0"#,
        r#"flasher_jobs_running{exporter="lab"} 0"#,
        r#"flasher_jobs_total{exporter="lab",board="acme",node="storage",job="flash",verdict="proven",class=""} 1"#,
        r#"flasher_jobs_total{exporter="lab",board="acme",node="storage",job="flash",verdict="failed",class="board"} 1"#,
        r#"flasher_written_bytes_total{exporter="lab",board="acme",node="storage"} 200"#,
        r#"flasher_read_back_bytes_total{exporter="lab",board="acme",node="storage"} 140"#,
        r#"flasher_read_back_bytes_per_second{exporter="lab",board="acme",node="storage"} 35.0"#,
        r#"flasher_step_seconds_total{exporter="lab",board="acme",node="storage",step="write"} 8.0"#,
        r#"flasher_retries_total{exporter="lab",board="acme",node="storage"} 4"#,
        r#"jumpstarter_operations_total{exporter="lab",operation="flash",result="success",driver_type="storage"} 1"#,
    ]);
}

#[test]
fn a_call_counts_by_its_end() {
    let metrics = Metrics::new("lab \"7\"\n");
    let call = |end: Option<Result<(), Code>>| {
        let mut counted = metrics.operation("on", "jumpstarter_driver_power.client.PowerClient");
        if let Some(result) = end {
            counted.end(result, |code| *code).ok();
        }
    };
    call(None);
    call(Some(Ok(())));
    call(Some(Err(Code::DeadlineExceeded)));
    let stream = metrics.stream("in_house.Client");
    stream.sent(3);
    stream.received(4);
    let text = metrics.text();
    for expected in [
        r#"jumpstarter_operations_total{exporter="lab \"7\"\n",operation="on",result="cancelled",driver_type="power"} 1"#,
        r#"jumpstarter_operations_total{exporter="lab \"7\"\n",operation="on",result="success",driver_type="power"} 1"#,
        r#"jumpstarter_operation_errors_total{exporter="lab \"7\"\n",operation="on",driver_type="power",error_type="timeout"} 1"#,
        r#"jumpstarter_stream_bytes_total{exporter="lab \"7\"\n",driver_type="other",direction="tx"} 3"#,
        r#"jumpstarter_stream_bytes_total{exporter="lab \"7\"\n",driver_type="other",direction="rx"} 4"#,
    ] {
        assert!(text.lines().any(|it| it == expected), "{expected} is missing in\n{text}");
    }
}
