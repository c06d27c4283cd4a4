//! Evidence as sentences, and a diagnosis made of it.

use flasher_core::RootCause;
use flasher_core::flash::{Diagnosis, MediumState, Observation, PowerEvidence, PowerState, View};

use crate::observed::Observed;
use crate::servers;

/// Silence of the console that counts as evidence, seconds.
pub(crate) const QUIET: f64 = 2.0;

/// A diagnosis without a next step of its own.
pub(crate) fn found(root_cause: RootCause, evidence: impl IntoIterator<Item = Observation>) -> Diagnosis {
    Diagnosis { root_cause, evidence: evidence.into_iter().collect(), next_step: None }
}

/// The same, with what to do next.
pub(crate) fn advised(
    root_cause: RootCause,
    evidence: impl IntoIterator<Item = Observation>,
    next_step: impl Into<String>,
) -> Diagnosis {
    Diagnosis { next_step: Some(next_step.into()), ..found(root_cause, evidence) }
}

/// The cause that the failure itself shows, with what the views that it concerns have seen.
pub(crate) fn stated(cause: RootCause, observed: &Observed) -> Diagnosis {
    let views: &[View] = match cause {
        RootCause::SwitchFailed | RootCause::SwitchDisagrees => &[View::Power],
        RootCause::MuxFailed => &[View::Medium],
        RootCause::FileNotFound
        | RootCause::TftpRefused
        | RootCause::ServerSilent
        | RootCause::ArpSilent
        | RootCause::TransferStopped
        | RootCause::TransferBroke
        | RootCause::BadChecksum => &[View::Console, View::Servers],
        RootCause::NothingHeard | RootCause::AlreadyRunning => &[View::Console, View::Power],
        RootCause::DhcpSilent | RootCause::LineGone | RootCause::ExpectedTextMissing => &[View::Console],
        RootCause::WriteError | RootCause::ReadError | RootCause::WritesLost | RootCause::Counterfeit => {
            &[View::Medium]
        }
        _ => &[],
    };
    found(cause, views.iter().filter_map(|view| seen(*view, observed)))
}

/// A cause with everything that was seen.
pub(crate) fn with_all(cause: RootCause, observed: &Observed) -> Diagnosis {
    let views = [View::Console, View::Servers, View::Power, View::Medium];
    found(cause, views.into_iter().filter_map(|view| seen(view, observed)))
}

/// What a view has seen, in a sentence; none when it saw nothing that tells anything.
pub(crate) fn seen(view: View, observed: &Observed) -> Option<Observation> {
    match view {
        View::Console => console_seen(observed),
        View::Servers => servers_seen(observed),
        View::Power => power_seen(observed),
        View::Medium => medium_seen(observed),
    }
}

pub(crate) fn console(seen: impl Into<String>) -> Observation {
    Observation { view: View::Console, seen: seen.into() }
}

pub(crate) fn servers(seen: impl Into<String>) -> Observation {
    Observation { view: View::Servers, seen: seen.into() }
}

pub(crate) fn power(seen: impl Into<String>) -> Observation {
    Observation { view: View::Power, seen: seen.into() }
}

/// So many times, in words.
pub(crate) fn times(count: u64) -> String {
    if count == 1 { "once".to_owned() } else { format!("{count} times") }
}

/// So many lines, in words.
pub(crate) fn lines(count: u32) -> String {
    match count {
        0 => "nothing".to_owned(),
        1 => "1 line".to_owned(),
        count => format!("{count} lines"),
    }
}

/// A console line.
pub(crate) fn line(line: &str) -> Observation {
    console(format!("`{line}`"))
}

fn console_seen(observed: &Observed) -> Option<Observation> {
    let view = &observed.console;
    if matches!(observed.power.state, PowerState::Untouched | PowerState::Off) && view.heard == 0 {
        return None;
    }
    if view.heard == 0 {
        return Some(console("nothing came since the power was switched on"));
    }
    let mut parts = Vec::new();
    if view.dhcp_asked > 0 && observed.network.is_none() {
        parts.push(format!("the board asked {} by DHCP for an address", times(view.dhcp_asked.into())));
    }
    if view.banners > 1 {
        parts.push(format!("U-Boot began {} times", view.banners));
    }
    if let Some(server) = view.server_asked {
        parts.push(format!("the board asked {server} by TFTP"));
    }
    if view.timeouts > 0 {
        parts.push(format!("it waited {} in vain for a packet", times(view.timeouts as u64)));
    }
    if view.is_kernel_started {
        parts.push(format!("the kernel was started and {} came after it", lines(view.kernel_lines)));
    }
    if let Some(answers) = view.answers {
        let does = if answers { "still answers" } else { "does not answer any more" };
        parts.push(format!("the board's Linux {does}"));
    }
    if view.quiet >= QUIET {
        parts.push(format!("nothing has come for {:.0} s", view.quiet));
    }
    (!parts.is_empty()).then(|| console(parts.join(", ")))
}

fn servers_seen(observed: &Observed) -> Option<Observation> {
    let view = &observed.servers;
    if let Some(transfer) = view.transfers.last() {
        return Some(servers(servers::sentence(transfer)));
    }
    let address = view.tftp?;
    Some(servers(format!("no request arrived at {address}")))
}

fn power_seen(observed: &Observed) -> Option<Observation> {
    let state = match observed.power.state {
        PowerState::Untouched => return None,
        PowerState::Off => "switched off",
        PowerState::On => "switched on",
        PowerState::Unknown => return Some(power("the switch failed")),
    };
    let sure = match observed.power.evidence {
        _ if observed.power.is_by_hand => "by hand, so nothing confirms it",
        PowerEvidence::Reported => "and the switch reports that it is",
        PowerEvidence::ConsoleSilent => "and the console is silent since",
        PowerEvidence::NotConfirmed => "the switch cannot tell whether it is",
    };
    Some(power(format!("{state}, {sure}")))
}

fn medium_seen(observed: &Observed) -> Option<Observation> {
    let state = observed.medium;
    (state != MediumState::Untouched).then(|| Observation { view: View::Medium, seen: state.to_string() })
}
