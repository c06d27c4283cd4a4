//! Stories of failures, each as console, servers, power and medium show it, and the root cause that they must lead to.

mod boot;
mod medium;
mod network;
mod power;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};

use flasher_core::flash::{MediumState, PowerEvidence, PowerState};
use flasher_core::{Class, RootCause, Step, Transfer, TransferState};

use crate::{BoardNetwork, ConsoleView, Observed, PowerView, ServersView, SourceTrouble, diagnose};

/// A failure and what it must lead to.
#[derive(Clone)]
struct Story {
    name: &'static str,
    class: Class,
    observed: Observed,
    cause: RootCause,
    /// The evidence, one line each.
    seen: &'static [&'static str],
    /// How the next step begins; empty where the failure itself advises.
    next: &'static str,
}

/// A step that failed with nothing seen but that its board was switched on.
fn failed(step: Step, stated: Option<RootCause>) -> Observed {
    Observed {
        step,
        stated,
        console: ConsoleView { heard: 5000, ..ConsoleView::default() },
        servers: ServersView { folder: "flasher-job-1".to_owned(), ..ServersView::default() },
        power: PowerView { state: PowerState::On, evidence: PowerEvidence::Reported, is_by_hand: false },
        medium: MediumState::Untouched,
        network: None,
        is_caught: step > Step::Power,
        source: None,
    }
}

impl Observed {
    /// The board printed these lines.
    fn says(mut self, text: &str) -> Self {
        text.lines().for_each(|line| self.console.line(line));
        self
    }

    /// And then nothing for so many seconds.
    fn quiet(mut self, seconds: f64) -> Self {
        self.console.quiet = seconds;
        self
    }

    /// The TFTP server is at 10.0.0.1 with this port, the HTTP server beside it.
    fn served(mut self, port: u16) -> Self {
        self.servers.tftp = Some(SocketAddr::from(([10, 0, 0, 1], port)));
        self.servers.http = Some(SocketAddr::from(([10, 0, 0, 1], 8080)));
        self.at([10, 0, 0, 21], None)
    }

    /// The board has this address in a network of 256.
    fn at(mut self, address: [u8; 4], gateway: Option<Ipv4Addr>) -> Self {
        let netmask = Ipv4Addr::new(255, 255, 255, 0);
        self.network = Some(BoardNetwork { address: address.into(), netmask, gateway });
        self
    }

    /// A transfer to the board.
    fn sent(mut self, protocol: &str, file: &str, state: TransferState) -> Self {
        let peer = SocketAddr::from(([10, 0, 0, 21], 2000));
        self.servers.transfers.push(Transfer {
            protocol: protocol.to_owned(),
            peer,
            file: file.to_owned(),
            state,
        });
        self
    }

    /// The image's server failed of this so many seconds ago, and was asked again.
    fn source(mut self, said: &str, ago: f64) -> Self {
        self.source = Some(SourceTrouble { said: said.to_owned(), ago });
        self
    }

    fn holds(self, medium: MediumState) -> Self {
        Self { medium, ..self }
    }
}

fn check(story: &Story) {
    let found = diagnose(story.class, &story.observed).unwrap_or_else(|| panic!("{}: nothing", story.name));
    let seen: Vec<String> = found.evidence.iter().map(ToString::to_string).collect();
    assert_eq!(
        (found.root_cause, seen.as_slice()),
        (story.cause, &strings(story.seen)[..]),
        "{}",
        story.name
    );
    let next = found.next_step.unwrap_or_default();
    assert!(
        next.starts_with(story.next) && next.is_empty() == story.next.is_empty(),
        "{}: {next}",
        story.name
    );
}

fn strings(lines: &[&str]) -> Vec<String> {
    lines.iter().map(|line| (*line).to_owned()).collect()
}

fn all() -> Vec<Story> {
    [power::stories(), network::stories(), boot::stories(), medium::stories()].concat()
}

#[test]
fn every_story_leads_to_its_root_cause() {
    all().iter().for_each(check);
}

/// What one view shows alone is stated by the failure itself, and stays.
#[test]
fn what_is_stated_stays_where_no_view_contradicts() {
    let by_rules: BTreeSet<RootCause> = all().iter().map(|story| story.cause).collect();
    for cause in RootCause::ALL.iter().filter(|cause| **cause != RootCause::Unknown) {
        if by_rules.contains(cause) {
            continue;
        }
        for step in [Step::Power, Step::Bootloader, Step::Shell, Step::Write] {
            let found = diagnose(Class::Board, &failed(step, Some(*cause))).unwrap();
            assert_eq!((found.root_cause, found.next_step), (*cause, None), "{step}");
        }
    }
}

#[test]
fn what_is_not_known_shows_everything_that_was_seen() {
    let observed = failed(Step::Write, None)
        .says("Starting kernel ...\n[ 1.0] mmc0: new card")
        .quiet(31.0)
        .served(69)
        .sent("http", "1/frames", TransferState::Begun { length: None, options: String::new() })
        .holds(MediumState::PartlyWritten { to: 4096 });
    check(&Story {
        name: "a transfer that stands still",
        class: Class::Infrastructure,
        observed: observed.clone(),
        cause: RootCause::Unknown,
        seen: &[
            "console: the kernel was started and 1 line came after it, nothing has come for 31 s",
            "servers: a http request of 10.0.0.21 arrived and is being served, a file of unknown length",
            "power: switched on, and the switch reports that it is",
            "medium: partly written: the image up to byte 4096, as the board says, without its first block; do not boot from it",
        ],
        next: "",
    });
    for class in [Class::Config, Class::Source, Class::Internal, Class::Interrupted] {
        assert_eq!(diagnose(class, &observed), None, "{class}");
    }
}
