//! The board's files: who it asks, who answers, and what arrives where.

use flasher_core::flash::{Diagnosis, View};
use flasher_core::{RootCause, Step, Transfer, TransferState};

use crate::console::Sign;
use crate::facts::{advised, console, found, line, seen, servers, times};
use crate::observed::Observed;
use crate::servers::sentence;

/// How long a server is waited for once it is asked again, with the pause before, seconds.
const ASKED_AGAIN: f64 = 45.0;

/// The port of TFTP (RFC 1350).
const TFTP_PORT: u16 = 69;
/// What a load shows that got no answer.
const NO_ANSWER: &[RootCause] = &[
    RootCause::ServerSilent,
    RootCause::ArpSilent,
    RootCause::TransferStopped,
    RootCause::TftpRefused,
    RootCause::FileNotFound,
];

/// The board asks another machine: a setting of its own names that.
pub(super) fn other_server_asked(observed: &Observed) -> Option<Diagnosis> {
    let (asked, ours) = (observed.console.server_asked?, observed.servers.tftp?);
    let fits = is_load(observed) && asked != ours.ip() && observed.servers.own_request().is_none();
    fits.then(|| {
        advised(
            RootCause::OtherServerAsked,
            [
                console(format!("the board asked {asked} for its file, and the server of this job is {}", ours.ip())),
                not_asked(observed),
            ],
            "does the environment of the boot loader set `serverip` or `tftpserverip` again, for example in `preboot`? `printenv` at its \
             prompt shows it",
        )
    })
}

/// An error came that our server never sent.
pub(super) fn other_server_answers(observed: &Observed) -> Option<Diagnosis> {
    let ours = observed.servers.tftp?;
    let fits = observed.states(&[RootCause::FileNotFound, RootCause::TftpRefused])
        && !observed.servers.is_asked_by_tftp();
    fits.then(|| {
        advised(
            RootCause::OtherServerAnswers,
            [console("a TFTP server answered with an error"), not_asked(observed)],
            format!(
                "another TFTP server answered the board, not ours at {ours}: is there a second one in its network, or does something \
                 else serve port {TFTP_PORT} on this machine?"
            ),
        )
    })
}

/// The board asked our server for a file that is not of the job.
pub(super) fn other_file(observed: &Observed) -> Option<Diagnosis> {
    let other = observed.servers.other_request()?;
    let fits =
        is_load(observed) && observed.servers.own_request().is_none() && is_of_the_board(observed, other);
    fits.then(|| {
        advised(
            RootCause::FileNotFound,
            [
                servers(format!("{} asked for `{}`, which is no file of this job", other.peer.ip(), other.file)),
                servers("no request for a boot file of this job arrived"),
            ],
            "does the boot loader replace the name it is given, for example by `bootfile` of its DHCP server? `printenv bootfile` at its \
             prompt shows it",
        )
    })
}

/// The board asks port 69, whatever it is given.
pub(super) fn other_port(observed: &Observed) -> Option<Diagnosis> {
    let ours = observed.servers.tftp?;
    let fits = is_unanswered(observed)
        && ours.port() != TFTP_PORT
        && observed.states_nothing_but(&[RootCause::ServerSilent]);
    fits.then(|| {
        advised(
            RootCause::OtherPort,
            [not_asked(observed)],
            format!(
                "the request never arrived at port {}: a U-Boot without `tftpdstp` (CONFIG_TFTP_PORT) always asks port 69; set \
                 `port: 69` at the tftp child and allow it with `sudo setcap cap_net_bind_service=+ep $(command -v flasher)`",
                ours.port()
            ),
        )
    })
}

/// By its own netmask the board has no way to us.
pub(super) fn other_network(observed: &Observed) -> Option<Diagnosis> {
    let (network, ours) = (observed.network?, observed.servers.tftp?);
    let fits = is_unanswered(observed) && !network.reaches(ours.ip());
    fits.then(|| {
        advised(
            RootCause::OtherNetwork,
            [
                console(format!("the board has {} with the netmask {} and no gateway", network.address, network.netmask)),
                servers(format!("the server is at {}, outside of that network; no request arrived", ours.ip())),
            ],
            "put board and exporter into one network, or give the board a gateway; a machine with several networks needs `host:` in the \
             config of its `tftp` and `http` children",
        )
    })
}

/// The board asks us, its network is up, and nothing arrives.
pub(super) fn request_lost(observed: &Observed) -> Option<Diagnosis> {
    let ours = observed.servers.tftp?;
    let fits = is_unanswered(observed) && observed.states_nothing_but(&[RootCause::ServerSilent]);
    fits.then(|| {
        let waited = observed.console.timeouts;
        let asked = match waited {
            0 => format!("the board asked {} and got no answer", ours.ip()),
            _ => format!("the board asked {} and waited {} in vain", ours.ip(), times(waited as u64)),
        };
        advised(
            RootCause::RequestLost,
            [console(asked), not_asked(observed)],
            format!(
                "the request never arrived: is the board in the network of {}, and does a firewall block UDP port {}?",
                ours.ip(),
                ours.port()
            ),
        )
    })
}

/// Packets had to be sent again and again.
pub(super) fn packets_lost(observed: &Observed) -> Option<Diagnosis> {
    let (transfer, resends) = observed.servers.lossy()?;
    let fits = is_load(observed) && observed.states_nothing_but(NO_ANSWER);
    fits.then(|| {
        advised(
            RootCause::PacketsLost,
            [servers(format!("{resends} packets of `{}` had to be sent again", transfer.file))],
            "try another cable or port of the switch; a link whose ends disagree on duplex loses packets like this",
        )
    })
}

/// Our server answers, and the board hears nothing of it.
pub(super) fn answer_lost(observed: &Observed) -> Option<Diagnosis> {
    let request = observed.servers.own_request()?;
    let nothing_acknowledged =
        matches!(request.state, TransferState::Begun { .. } | TransferState::Failed { bytes: 0, .. });
    let is_unheard =
        observed.states_nothing_but(&[RootCause::ServerSilent]) && observed.step == Step::Bootloader;
    (is_unheard && nothing_acknowledged).then(|| {
        advised(
            RootCause::AnswerLost,
            [servers(sentence(request)), console("the board did not get the answer")],
            "answers come from another UDP port than 69 (RFC 1350, 4): does a firewall let only port 69 out, or is the way back another one?",
        )
    })
}

/// It went well for a while.
pub(super) fn transfer_stopped(observed: &Observed) -> Option<Diagnosis> {
    let request = observed.servers.own_request()?;
    let some_acknowledged = matches!(request.state, TransferState::Failed { bytes: 1.., .. });
    let fits = observed.states_nothing_but(&[RootCause::ServerSilent, RootCause::TransferStopped]);
    (fits && some_acknowledged && observed.step == Step::Bootloader).then(|| {
        advised(
            RootCause::TransferStopped,
            [Some(servers(sentence(request))), seen(View::Console, observed)].into_iter().flatten(),
            "try another cable or port of the switch; `tftp_window_size: 1` in the flasher's config sends one packet at a time, which weak \
             network interfaces need",
        )
    })
}

/// The kernel says so.
pub(super) fn link_down(observed: &Observed) -> Option<Diagnosis> {
    let fits = observed.step > Step::Bootloader
        && observed.console.is_link_down
        && observed.states_nothing_but(&[RootCause::TransferBroke, RootCause::HttpUnreachable]);
    fits.then(|| {
        let last = console("the kernel's last word on the Ethernet link is that it is down");
        advised(
            RootCause::LinkDown,
            [Some(last), seen(View::Servers, observed)].into_iter().flatten(),
            "is the board's network cable in, and the other end switched on?",
        )
    })
}

/// The boot files came by TFTP, and Linux gets nothing by HTTP.
pub(super) fn http_unreachable(observed: &Observed) -> Option<Diagnosis> {
    let fits = observed.states(&[RootCause::HttpUnreachable]);
    fits.then(|| {
        let said = observed.console.sign(Sign::Unreachable).map(line);
        let http = match (observed.servers.by_http(), observed.servers.http) {
            (Some(transfer), _) => Some(servers(sentence(transfer))),
            (None, Some(address)) => Some(servers(format!(
                "the boot files went out by TFTP, and no request arrived at http://{address}"
            ))),
            (None, None) => None,
        };
        found(RootCause::HttpUnreachable, [said, http].into_iter().flatten())
    })
}

/// Whether a file was being loaded by the boot loader.
fn is_load(observed: &Observed) -> bool {
    observed.step >= Step::Bootloader
        && observed.servers.tftp.is_some()
        && (observed.states(NO_ANSWER)
            || observed.stated.is_none() && observed.console.server_asked.is_some())
}

/// Whether a load got no answer, and no request of it arrived here.
fn is_unanswered(observed: &Observed) -> bool {
    is_load(observed)
        && !observed.servers.is_asked_by_tftp()
        && observed.states_nothing_but(&[RootCause::ServerSilent, RootCause::ArpSilent])
}

fn is_of_the_board(observed: &Observed, transfer: &Transfer) -> bool {
    observed.network.is_none_or(|network| transfer.peer.ip() == network.address)
}

/// That nothing arrived, and where.
fn not_asked(observed: &Observed) -> flasher_core::flash::Observation {
    let at = observed.servers.tftp.map_or_else(String::new, |address| format!(" at {address}"));
    servers(format!("no TFTP request arrived{at}"))
}

/// The time was up while the image's server was asked again.
pub(super) fn image_server_lost(observed: &Observed) -> Option<Diagnosis> {
    let trouble = observed.source.as_ref().filter(|trouble| trouble.ago < ASKED_AGAIN)?;
    observed.states_nothing_but(&[]).then(|| {
        let said = servers(format!("{:.0} s before: {}", trouble.ago, trouble.said));
        advised(
            RootCause::ImageServerLost,
            [said],
            "check the network to the image's server; a copy on this machine needs none",
        )
    })
}
