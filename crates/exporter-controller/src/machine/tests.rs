//! Every event in every state, as a table; and the rules of the field as stories.

use super::*;

fn lease(name: &str, client: &str) -> Lease {
    Lease { name: name.to_owned(), client: Some(client.to_owned()) }
}

fn leased(name: &str, client: &str) -> LeaseEvent {
    LeaseEvent::Leased(lease(name, client))
}

fn why() -> String {
    "why".to_owned()
}

fn hook(outcome: HookOutcome) -> LeaseEvent {
    LeaseEvent::HookEnded(outcome)
}

/// Every event with its name.
fn events() -> Vec<(&'static str, LeaseEvent)> {
    vec![
        ("leased L, me", leased("L", "me")),
        ("leased L, you", leased("L", "you")),
        ("leased M, me", leased("M", "me")),
        ("unleased", LeaseEvent::Unleased),
        ("opened", LeaseEvent::Opened),
        ("not opened", LeaseEvent::NotOpened(why())),
        ("hook passed", hook(HookOutcome::Passed)),
        ("hook warned", hook(HookOutcome::Warned(why()))),
        ("hook ends lease", hook(HookOutcome::EndsLease(why()))),
        ("hook ends exporter", hook(HookOutcome::EndsExporter(why()))),
        ("session ended", LeaseEvent::SessionEnded),
        ("still busy", LeaseEvent::StillBusy),
        ("drained", LeaseEvent::Drained),
        ("released", LeaseEvent::Released),
        ("closed", LeaseEvent::Closed),
        ("stop after lease", LeaseEvent::Stop(Stop::AfterLease)),
        ("stop now", LeaseEvent::Stop(Stop::Now)),
    ]
}

const HOOKS: Rules = Rules { before_hook: true, after_hook: true, exit_on_lease_end: false };

/// A machine with these rules that has seen these events.
fn after(rules: Rules, events: &[LeaseEvent]) -> LeaseMachine {
    let mut machine = LeaseMachine::new(rules);
    events.iter().for_each(|event| drop(machine.on(event.clone())));
    machine
}

/// Every state with its name, and how it is reached.
fn states() -> Vec<(&'static str, Rules, Vec<LeaseEvent>)> {
    let begun = leased("L", "me");
    let opened = [begun.clone(), LeaseEvent::Opened];
    let ready = [&opened[..], &[hook(HookOutcome::Passed)]].concat();
    let draining = [&ready[..], &[LeaseEvent::SessionEnded]].concat();
    let after_hook = [&draining[..], &[LeaseEvent::Drained]].concat();
    let releasing = [&after_hook[..], &[hook(HookOutcome::Passed)]].concat();
    let closing = [&releasing[..], &[LeaseEvent::Released]].concat();
    let with = |events: &[LeaseEvent], more: &[LeaseEvent]| [events, more].concat();
    vec![
        ("idle", HOOKS, vec![]),
        ("idle, L given back", HOOKS, with(&closing, &[LeaseEvent::Closed])),
        ("starting", HOOKS, vec![begun.clone()]),
        ("starting, without hooks", Rules::default(), vec![begun.clone()]),
        ("starting, taken back", HOOKS, vec![begun.clone(), LeaseEvent::Unleased]),
        ("before-hook", HOOKS, opened.to_vec()),
        ("before-hook, taken back", HOOKS, with(&opened, &[LeaseEvent::Unleased])),
        ("ready", HOOKS, ready.clone()),
        ("ready, without hooks", Rules::default(), opened.to_vec()),
        ("unused", Rules::default(), with(&opened, &[LeaseEvent::SessionEnded])),
        ("draining", HOOKS, draining.clone()),
        ("draining, M follows", HOOKS, with(&ready, &[leased("M", "me")])),
        ("after-hook", HOOKS, after_hook.clone()),
        ("after-hook, taken back", HOOKS, with(&after_hook, &[LeaseEvent::Unleased])),
        ("releasing", HOOKS, releasing.clone()),
        ("closing, given back", HOOKS, closing.clone()),
        ("closing, taken back", HOOKS, with(&releasing, &[LeaseEvent::Unleased])),
        ("closing, M follows", HOOKS, with(&closing, &[leased("M", "me")])),
        ("closing, to go", HOOKS, with(&closing, &[LeaseEvent::Stop(Stop::AfterLease)])),
        ("gone", HOOKS, vec![LeaseEvent::Stop(Stop::Now)]),
    ]
}

fn shown(actions: &[Action]) -> String {
    let shown = actions.iter().map(|action| match action {
        Action::Open(lease) => format!("open {}", lease.name),
        Action::Report(status, message) => {
            let name = status.as_str_name().trim_start_matches("EXPORTER_STATUS_");
            format!("report {name} `{message}`")
        }
        other => format!("{other:?}"),
    });
    shown.collect::<Vec<_>>().join("; ")
}

#[test]
fn every_event_in_every_state() {
    let mut table = String::new();
    for (name, rules, path) in states() {
        table.push_str(&format!("{name}\n"));
        for (event_name, event) in events() {
            let mut machine = after(rules, &path);
            let (before, known) = (machine.phase, format!("{machine:?}"));
            let actions = machine.on(event);
            if format!("{machine:?}") == known && actions.is_empty() {
                continue;
            }
            let to = if machine.phase == before { String::new() } else { format!(" -> {:?}", machine.phase) };
            let noted = if actions.is_empty() && to.is_empty() { " (noted)" } else { "" };
            table
                .push_str(&format!("  {event_name}{to}{noted}: {}\n", shown(&actions)).replace(": \n", "\n"));
        }
    }
    insta::assert_snapshot!(table);
}

/// Plays events, and compares what is done with what is expected, one line for each event.
fn check(rules: Rules, story: &[(LeaseEvent, &str)]) {
    let mut machine = LeaseMachine::new(rules);
    for (event, expected) in story {
        assert_eq!(shown(&machine.on(event.clone())), *expected, "{event:?} in {story:?}");
    }
}

const OPEN: &str = "Listen; report LEASE_READY `Ready for commands`";
const FREE_NOW: &str = "report AVAILABLE `Available for new lease`";

#[test]
fn a_lease_without_hooks() {
    check(
        Rules::default(),
        &[
            (leased("L", "me"), "open L"),
            (LeaseEvent::Opened, OPEN),
            (LeaseEvent::SessionEnded, FREE_NOW),
            (LeaseEvent::Unleased, "CutTunnels; Drain"),
            (LeaseEvent::Drained, "Close"),
            (LeaseEvent::Closed, FREE_NOW),
            (leased("M", "me"), "open M"),
        ],
    );
}

#[test]
fn a_stream_that_begins_anew_begins_no_lease_anew() {
    let same = || leased("L", "me");
    check(Rules::default(), &[(same(), "open L"), (same(), ""), (LeaseEvent::Opened, OPEN), (same(), "")]);
}

#[test]
fn a_trailing_message_begins_no_lease() {
    let back = [
        (leased("L", "me"), "open L"),
        (LeaseEvent::NotOpened(why()), "report BEFORE_LEASE_HOOK_FAILED `why`; Release { give_back: true }"),
        (LeaseEvent::Released, "Close"),
        (LeaseEvent::Closed, FREE_NOW),
        (leased("L", "me"), ""),
    ];
    check(
        Rules::default(),
        &[&back[..], &[(LeaseEvent::Unleased, ""), (leased("L", "me"), "open L")]].concat(),
    );
    check(Rules::default(), &[&back[..], &[(leased("M", "me"), "open M")]].concat());
}

#[test]
fn a_lease_that_is_passed_on_goes_on_with_new_tunnels() {
    check(
        Rules::default(),
        &[
            (leased("L", "me"), "open L"),
            (LeaseEvent::Opened, OPEN),
            (leased("L", "you"), "CutTunnels"),
            (LeaseEvent::SessionEnded, FREE_NOW),
            (leased("L", "me"), "CutTunnels; report LEASE_READY `Ready for commands`"),
        ],
    );
}

#[test]
fn the_next_lease_waits_for_the_end_of_the_one_before() {
    check(
        HOOKS,
        &[
            (leased("L", "me"), "open L"),
            (
                LeaseEvent::Opened,
                "Listen; report BEFORE_LEASE_HOOK `Running the beforeLease hook`; RunHook(Before)",
            ),
            (leased("M", "you"), ""),
            (hook(HookOutcome::Passed), "Drain"),
            (LeaseEvent::StillBusy, "report AFTER_LEASE_HOOK `Waiting for a flash to end`"),
            (LeaseEvent::Drained, "report AFTER_LEASE_HOOK `Running the afterLease hook`; RunHook(After)"),
            (hook(HookOutcome::Warned(why())), "report AVAILABLE `[HOOK_WARNING] why`; Close"),
            (LeaseEvent::Closed, "report AVAILABLE `Available for new lease`; open M"),
        ],
    );
}

#[test]
fn a_hook_that_ends_the_exporter_gives_the_lease_back_first() {
    check(
        HOOKS,
        &[
            (leased("L", "me"), "open L"),
            (
                LeaseEvent::Opened,
                "Listen; report BEFORE_LEASE_HOOK `Running the beforeLease hook`; RunHook(Before)",
            ),
            (
                hook(HookOutcome::EndsExporter(why())),
                "report BEFORE_LEASE_HOOK_FAILED `why`; Release { give_back: true }",
            ),
            (LeaseEvent::Released, "Close"),
            (LeaseEvent::Closed, "Leave(HookFailed)"),
        ],
    );
}

#[test]
fn one_lease_and_no_more() {
    let once = Rules { exit_on_lease_end: true, ..Rules::default() };
    let story = [
        (leased("L", "me"), "open L"),
        (LeaseEvent::Opened, OPEN),
        (LeaseEvent::Unleased, "CutTunnels; Drain"),
        (LeaseEvent::Drained, "Close"),
        (LeaseEvent::Closed, "Leave(LeaseOver)"),
    ];
    check(once, &story);
}
