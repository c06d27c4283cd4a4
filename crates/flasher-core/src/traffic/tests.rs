//! What a receipt keeps of the traffic of short jobs, long ones and such with thousands of transfers.

use super::*;

fn begun(step: Step) -> Event {
    Event::StepBegun { step }
}

fn advanced(step: Step, done: u64) -> Event {
    Event::Advanced { step, done, total: None }
}

fn transfer(protocol: &str, file: &str, state: TransferState) -> Event {
    let peer = "192.0.2.9:1234".parse().unwrap();
    Event::Transfer(Transfer { protocol: protocol.to_owned(), peer, file: file.to_owned(), state })
}

fn done(bytes: u64) -> TransferState {
    TransferState::Done { bytes, resends: 1, seconds: 0.5, round_trip: None }
}

fn facts(events: &[(u64, Event)]) -> TrafficFacts {
    let mut log = TrafficLog::default();
    events.iter().for_each(|(at, event)| log.note(Duration::from_millis(*at), event));
    log.facts()
}

fn points(facts: &TrafficFacts, of: Moved) -> Vec<(f64, u64)> {
    let rate = facts.rates.iter().find(|rate| rate.of == of);
    rate.map_or_else(Vec::new, |rate| rate.points.iter().map(|it| (it.at, it.bytes)).collect())
}

#[test]
fn a_short_job_keeps_what_it_moved() {
    let failed = TransferState::Failed { bytes: 3, reason: "no answer".to_owned() };
    let begins = TransferState::Begun { length: None, options: String::new() };
    let facts = facts(&[
        (0, Event::AttemptBegun { attempt: 1, attempts: 1 }),
        (1000, transfer("tftp", "kernel", begins)),
        (2000, transfer("tftp", "kernel", done(7))),
        (2500, transfer("tftp", "initrd", failed)),
        (3000, begun(Step::Write)),
        (4000, advanced(Step::Write, 100)),
        (4100, advanced(Step::Write, 110)),
        (4200, advanced(Step::Write, 120)),
        (4500, transfer("http", "image", done(120))),
        // The next image is counted from its own beginning.
        (5000, advanced(Step::Write, 30)),
        (6000, begun(Step::Verify)),
        (7000, advanced(Step::Verify, 150)),
    ]);
    assert_eq!(points(&facts, Moved::Load), [(1.0, 0), (2.0, 7), (2.5, 10)]);
    assert_eq!(points(&facts, Moved::Write), [(3.0, 0), (4.0, 100), (4.2, 120), (5.0, 150)]);
    assert_eq!(points(&facts, Moved::ReadBack), [(6.0, 0), (7.0, 150)]);
    let ends: Vec<_> = facts.transfers.iter().map(|it| (it.file.as_str(), it.end, it.resends)).collect();
    let expected = [
        ("kernel", TransferEnd::Done, 1),
        ("initrd", TransferEnd::Failed, 0),
        ("image", TransferEnd::Done, 1),
    ];
    assert_eq!(ends, expected);
}

#[test]
fn an_attempt_begins_its_rates_anew() {
    let facts = facts(&[
        (0, Event::AttemptBegun { attempt: 1, attempts: 2 }),
        (10, begun(Step::Write)),
        (1000, advanced(Step::Write, 100)),
        (1500, transfer("tftp", "kernel", done(7))),
        (2000, Event::AttemptBegun { attempt: 2, attempts: 2 }),
        (2500, transfer("tftp", "kernel", done(7))),
        (3000, begun(Step::Write)),
        (4000, advanced(Step::Write, 50)),
    ]);
    assert_eq!(points(&facts, Moved::Write), [(3.0, 0), (4.0, 50)]);
    assert_eq!(facts.transfers.iter().map(|it| it.attempt).collect::<Vec<_>>(), [1, 2]);
}

#[test]
fn a_long_job_stays_short_in_its_receipt() {
    let mut log = TrafficLog::default();
    log.note(Duration::ZERO, &begun(Step::Write));
    for second in 1..=100_000 {
        log.note(Duration::from_secs(second), &advanced(Step::Write, second * 1000));
        log.note(Duration::from_secs(second), &transfer("tftp", &second.to_string(), done(1)));
    }
    let facts = log.facts();
    for of in [Moved::Write, Moved::Load] {
        let points = points(&facts, of);
        assert!((MOST_POINTS / 3..=MOST_POINTS).contains(&points.len()), "{of:?}: {}", points.len());
        assert!(points.is_sorted_by(|a, b| a.0 < b.0 && a.1 <= b.1), "{points:?}");
    }
    assert_eq!(points(&facts, Moved::Write).last(), Some(&(100_000.0, 100_000_000)));
    assert_eq!((facts.transfers.len(), facts.transfers_left_out), (2 * KEPT, 100_000 - 2 * KEPT as u64));
    assert_eq!(facts.transfers.last().unwrap().file, "100000");
}

#[test]
fn receipts_of_former_versions_have_no_traffic() {
    assert!(TrafficFacts::default().is_empty());
    let word = |end: TransferEnd| serde_json::to_value(end).unwrap();
    assert_eq!([word(TransferEnd::Done), word(TransferEnd::Failed)], ["done", "failed"]);
    assert_eq!(serde_json::to_value(Moved::ReadBack).unwrap(), "read-back");
}
