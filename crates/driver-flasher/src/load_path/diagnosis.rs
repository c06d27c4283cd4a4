//! What to do about a load that failed, by its cause: what the server saw is put beside what the board said.

use std::net::SocketAddr;

use board_console::{Cause, Error as Console};
use flasher_core::Error;

use crate::job::Session;
use crate::network::TFTP_PORT;
use crate::{advice, trouble};

/// The failure of a transfer of `file`, which our TFTP server at `server` should have had.
pub(crate) fn diagnose(session: Session<'_>, file: &str, server: SocketAddr, error: &Console) -> Error {
    let seen = session.run.evidence.about("tftp", file);
    let told = trouble::console(error).with("file", file).with("tftp server", format!("{server}: {seen}"));
    match help(error, server, session.run.evidence.any("tftp")) {
        Some(help) => told.help(help),
        None => told,
    }
}

/// The next step, where the cause names one; `arrived` when any request has reached our server.
fn help(error: &Console, server: SocketAddr, arrived: bool) -> Option<String> {
    let cause = error.cause();
    match cause {
        Some(Cause::LoadAddressRefused | Cause::OutOfMemory) => Some(
            "the file does not fit where it is loaded to: choose another `address` for it in the manifest; with `via: uboot`, set \
             `loadaddr` in the boot loader's environment to an address in free memory (`bdinfo` shows what there is)"
                .to_owned(),
        ),
        Some(Cause::FileNotFound | Cause::TftpRefused) if !arrived => Some(format!(
            "another TFTP server answered the board, not ours at {server}: is there a second one in its network, or does something \
             else serve port {TFTP_PORT} on this machine?"
        )),
        _ if arrived || !advice::asked_in_vain(error) => None,
        _ if server.port() == TFTP_PORT => Some(format!(
            "the request never arrived: is the board in the network of {}, and does a firewall block UDP port 69?",
            server.ip()
        )),
        _ => Some(format!(
            "the request never arrived at port {}: a U-Boot without `tftpdstp` (CONFIG_TFTP_PORT) always asks port 69; set \
             `port: 69` at the tftp child and allow it with `sudo setcap cap_net_bind_service=+ep $(command -v flasher)`",
            server.port()
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(cause: Option<Cause>, port: u16, arrived: bool, expected: Option<&str>) {
        let command = "tftpboot 0x82000000 job/kernel".to_owned();
        let error = Console::Command { command, status: Some(1), output: String::new(), cause };
        let found = help(&error, SocketAddr::from(([192, 0, 2, 1], port)), arrived);
        match expected {
            Some(begin) => {
                assert!(found.as_deref().is_some_and(|help| help.starts_with(begin)), "{cause:?}: {found:?}")
            }
            None => assert_eq!(found, None, "{cause:?}"),
        }
    }

    #[test]
    fn the_advice_follows_the_cause() {
        let never =
            Some("the request never arrived: is the board in the network of 192.0.2.1, and does a firewall");
        let port = Some("the request never arrived at port 6969: a U-Boot without `tftpdstp`");
        let memory = Some("the file does not fit where it is loaded to: choose another `address`");
        let other =
            Some("another TFTP server answered the board, not ours at 192.0.2.1:69: is there a second one");
        for silent in [None, Some(Cause::ServerSilent), Some(Cause::ArpSilent)] {
            check(silent, 69, false, never);
            check(silent, 6969, false, port);
            check(silent, 6969, true, None);
        }
        for full in [Cause::LoadAddressRefused, Cause::OutOfMemory] {
            check(Some(full), 69, false, memory);
            check(Some(full), 6969, true, memory);
        }
        for refused in [Cause::FileNotFound, Cause::TftpRefused] {
            check(Some(refused), 69, false, other);
            check(Some(refused), 69, true, None);
        }
        for board in [
            Cause::LinkDown,
            Cause::NoEthernet,
            Cause::UnknownCommand,
            Cause::Resetting,
            Cause::AddressNotSet,
        ] {
            check(Some(board), 6969, false, None);
        }
    }
}
