//! A file of ours into the board's memory by TFTP, checked by its length; what the server saw is put beside a failure.

use std::net::SocketAddr;

use board_console::UBoot;
use flasher_core::{Class, Error, Result};

use crate::config::seconds;
use crate::job::Session;
use crate::{advice, staging, trouble};

/// The port U-Boot asks when `tftpdstp` is not set (RFC 1350).
pub(crate) const TFTP_PORT: u16 = 69;

/// Loads the file `name` of the job's TFTP folder to `address`; it must have `length` bytes.
///
/// # Errors
/// When it does not arrive, or not whole.
pub(crate) async fn load(
    session: Session<'_>,
    uboot: &mut UBoot,
    (address, length): (u64, u64),
    name: &str,
    server: SocketAddr,
) -> Result<()> {
    let within = seconds(session.flasher.config.timeouts.tftp);
    let path = format!("{}/{name}", staging::folder(&session.run.token));
    let loaded =
        uboot.tftp(address, &path, within).await.map_err(|error| diagnose(session, &path, server, &error))?;
    if loaded == length {
        return Ok(());
    }
    let text = format!("the boot loader received {loaded} bytes of `{name}`, expected {length}");
    Err(Error::new(Class::Infrastructure, text).with("server", session.run.evidence.about("tftp", &path)))
}

/// Puts what the server saw beside what the board said.
pub(crate) fn diagnose(
    session: Session<'_>,
    file: &str,
    server: SocketAddr,
    error: &board_console::Error,
) -> Error {
    let asked = advice::asked_in_vain(error);
    let seen = session.run.evidence.about("tftp", file);
    let error = trouble::console(error).with("file", file).with("tftp server", format!("{server}: {seen}"));
    if session.run.evidence.any("tftp") || !asked {
        return error;
    }
    if server.port() == TFTP_PORT {
        return error.help(format!(
            "the request never arrived: is the board in the network of {}, and does a firewall block UDP port 69?",
            server.ip()
        ));
    }
    error.help(format!(
        "the request never arrived at port {}: a U-Boot without `tftpdstp` (CONFIG_TFTP_PORT) always asks port 69; set \
         `port: 69` at the tftp child and allow it with `sudo setcap cap_net_bind_service=+ep $(command -v flasher)`",
        server.port()
    ))
}
