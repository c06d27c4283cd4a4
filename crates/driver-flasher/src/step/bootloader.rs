//! Step 6: the boot loader is caught, given an address, and loads each file, checked by its length.

use std::net::{IpAddr, SocketAddr};

use board_console::{Autoboot, CatchOptions, Console, UBoot};
use flasher_core::flash::{AutobootEnd, AutobootFacts};
use flasher_core::{Class, Error, Result};

use super::resolve::Resolved;
use super::services::Services;
use crate::advice;
use crate::config::seconds;
use crate::job::{Session, waiting};
use crate::network::{self, Network};
use crate::staging;
use crate::trouble;
use crate::uboot::stop_keys;

/// The port U-Boot asks when `tftpdstp` is not set (RFC 1350).
const TFTP_PORT: u16 = 69;
/// Netmask taken when a lease has none.
const ANY_24: std::net::Ipv4Addr = std::net::Ipv4Addr::new(255, 255, 255, 0);

pub(crate) async fn load(
    session: Session<'_>,
    resolved: &Resolved,
    services: &Services,
    console: Console,
) -> Result<(Console, Network)> {
    let mut uboot = catch(session, resolved, console).await?;
    let network = address(session, services, &mut uboot).await?;
    let tftp = network::facing(services.tftp, IpAddr::V4(network.board))?;
    point_at(session, tftp, &mut uboot).await?;
    let files = &resolved.files;
    for (role, file) in
        [("kernel", Some(&files.kernel)), ("initram", files.initram.as_ref()), ("dtb", files.dtb.as_ref())]
    {
        if let Some(file) = file {
            fetch(session, &mut uboot, file, tftp).await?;
            let set = uboot.set(&format!("{role}_size"), &format!("{:x}", file.length)).await;
            set.map_err(|error| trouble::console(&error))?;
        }
    }
    let console = uboot.boot(&files.bootcmd).await.map_err(|error| trouble::console(&error))?;
    Ok((console, network))
}

async fn catch(session: Session<'_>, resolved: &Resolved, console: Console) -> Result<UBoot> {
    let prompt = session.flasher.uboot.prompt();
    let manifest = &resolved.bundle.manifest().spec;
    let keys = session.flasher.uboot.interrupt().or_else(|| manifest.interrupt.as_ref().map(stop_keys));
    if let Some(password) = keys.as_ref().and_then(|keys| keys.password.as_deref()) {
        console.transcript().mask(password);
    }
    let mut options = CatchOptions {
        prompt: prompt.clone(),
        within: seconds(session.flasher.config.timeouts.bootloader),
        login_prompt: manifest.login.login_prompt.clone(),
        ..CatchOptions::default()
    };
    let typed = keys.as_ref().map_or("`ctrl-c`", |keys| keys.shown.as_str()).to_owned();
    if let Some(keys) = keys {
        options.interrupt = keys.bytes;
    }
    let transcript = console.transcript().clone();
    let catching = board_console::catch(console, &options);
    let caught = waiting(session, "U-Boot", options.within, &transcript, catching).await;
    let uboot = caught.map_err(|(_, error)| advice::caught(&error, &prompt))?;
    let ended = match uboot.autoboot() {
        Autoboot::Stopped => AutobootEnd::Stopped,
        Autoboot::RanOut => AutobootEnd::RanOut,
        Autoboot::NoCountdown => AutobootEnd::NoCountdown,
    };
    session.run.record.board(|facts| facts.autoboot = Some(AutobootFacts { ended, typed }));
    Ok(uboot)
}

/// The fixed address of the config, or DHCP.
async fn address(session: Session<'_>, services: &Services, uboot: &mut UBoot) -> Result<Network> {
    let console = |error: board_console::Error| trouble::console(&error);
    let (board, netmask, gateway) = match &session.flasher.config.network {
        Some(fixed) => {
            uboot.set("ipaddr", &fixed.address.to_string()).await.map_err(console)?;
            uboot.set("netmask", &fixed.netmask.to_string()).await.map_err(console)?;
            if let Some(gateway) = fixed.gateway {
                uboot.set("gatewayip", &gateway.to_string()).await.map_err(console)?;
            }
            (fixed.address, fixed.netmask, fixed.gateway)
        }
        None => {
            let within = seconds(session.flasher.config.timeouts.dhcp);
            let lease = uboot.dhcp(within).await.map_err(|error| advice::no_lease(&error, within))?;
            (lease.address, lease.netmask.unwrap_or(ANY_24), lease.gateway)
        }
    };
    session.run.record.board(|facts| facts.address = Some(board.to_string()));
    let http = network::facing(services.http, IpAddr::V4(board))?;
    Ok(Network { board, netmask, gateway, http })
}

/// Tells U-Boot our address, after DHCP so that no lease overwrites it, and how to ask for files.
async fn point_at(session: Session<'_>, tftp: SocketAddr, uboot: &mut UBoot) -> Result<()> {
    let config = &session.flasher.config;
    let mut settings = vec![
        ("serverip", tftp.ip().to_string()),
        ("tftpblocksize", config.tftp_block_size.to_string()),
        ("tftpwindowsize", config.tftp_window_size.to_string()),
        // U-Boot counts timeouts over the whole file and gives up after 10 of 5 s: on a lossy line neither is wise.
        ("tftptimeout", "1000".to_owned()),
        ("tftptimeoutcountmax", "100".to_owned()),
    ];
    if tftp.port() != TFTP_PORT {
        settings.push(("tftpdstp", tftp.port().to_string()));
    }
    for (name, value) in settings {
        uboot.set(name, &value).await.map_err(|error| trouble::console(&error))?;
    }
    Ok(())
}

async fn fetch(
    session: Session<'_>,
    uboot: &mut UBoot,
    file: &bundle_store::File,
    server: SocketAddr,
) -> Result<()> {
    let within = seconds(session.flasher.config.timeouts.tftp);
    let name = format!("{}/{}", staging::folder(&session.run.token), file.name);
    let loaded = uboot
        .tftp(file.address, &name, within)
        .await
        .map_err(|error| diagnose(session, &name, server, &error))?;
    if loaded == file.length {
        return Ok(());
    }
    let text =
        format!("the boot loader received {loaded} bytes of `{}`, expected {}", file.name, file.length);
    Err(Error::new(Class::Infrastructure, text).with("server", session.run.evidence.about("tftp", &name)))
}

/// Puts what the server saw beside what the board said.
fn diagnose(session: Session<'_>, file: &str, server: SocketAddr, error: &board_console::Error) -> Error {
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
