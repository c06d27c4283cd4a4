//! Step 6: the boot loader is caught and given an address. Where a small Linux is the way to the medium, it loads each file,
//! checked by its length, and boots it.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use board_console::{Autoboot, CatchOptions, Console, UBoot};
use flasher_core::Result;
use flasher_core::flash::{AutobootEnd, AutobootFacts};
use job_recording::ServerName;

use super::resolve::Resolved;
use super::services::Services;

use crate::advice;
use crate::config::seconds;
use crate::job::{Session, waiting};
use crate::load_path;
use crate::network::{self, BoardAddress, Network, TFTP_PORT};
use crate::recording;
use crate::trouble;
use crate::uboot::stop_keys;

/// Netmask taken when a lease has none.
const ANY_24: std::net::Ipv4Addr = std::net::Ipv4Addr::new(255, 255, 255, 0);

/// How long U-Boot may take to offer a medium as a USB disk.
const OFFERED_WITHIN: Duration = Duration::from_secs(20);

/// Where the boot loader was brought to.
pub(crate) enum Reached {
    /// It boots what it has loaded.
    Booting {
        /// The console of what boots.
        console: Console,
        network: Network,
    },
    /// It waits at its prompt, and reaches our TFTP server.
    Prompt { uboot: UBoot, tftp: SocketAddr },
}

/// Catches the boot loader and gives it an address; then it loads and boots, where that is the way to the medium.
pub(crate) async fn load(
    session: Session<'_>,
    resolved: &Resolved,
    services: &Services,
    console: Console,
) -> Result<Reached> {
    let mut uboot = catch(session, resolved, console).await?;
    let (address, is_lwip) = address(session, &mut uboot).await?;
    load_path::begin(session, is_lwip).await;
    let tftp = network::facing(services.tftp, IpAddr::V4(address.board))?;
    recording::faces(session, ServerName::Tftp, tftp);
    point_at(tftp, &mut uboot).await?;
    let (Some(boots), Some(http)) = (&resolved.boots, services.http) else {
        return Ok(Reached::Prompt { uboot, tftp });
    };
    let files = &boots.files;
    for (role, file) in
        [("kernel", Some(&files.kernel)), ("initram", files.initram.as_ref()), ("dtb", files.dtb.as_ref())]
    {
        if let Some(file) = file {
            load_path::load(session, &mut uboot, (file.address, file.length), &file.name, tftp).await?;
            let set = uboot.set(&format!("{role}_size"), &format!("{:x}", file.length)).await;
            set.map_err(|error| trouble::console(&error))?;
        }
    }
    let console = uboot.boot(&files.bootcmd).await.map_err(|error| trouble::console(&error))?;
    let http = network::facing(http, IpAddr::V4(address.board))?;
    recording::faces(session, ServerName::Http, http);
    Ok(Reached::Booting { console, network: Network { address, http } })
}

/// Catches the boot loader, and has it make the medium a USB disk of this machine; it goes on with that until the medium is given back.
pub(crate) async fn share(
    session: Session<'_>,
    resolved: &Resolved,
    console: Console,
    what: &str,
) -> Result<()> {
    let mut uboot = catch(session, resolved, console).await?;
    session.run.medium_is_here(true);
    uboot.share(what, OFFERED_WITHIN).await.map_err(|error| advice::not_shared(&error))?;
    *session.run.sharing.lock().await = Some(uboot);
    Ok(())
}

async fn catch(session: Session<'_>, resolved: &Resolved, console: Console) -> Result<UBoot> {
    let prompt = session.flasher.uboot.prompt();
    let keys = session.flasher.uboot.interrupt().or_else(|| resolved.interrupt().map(stop_keys));
    if let Some(password) = keys.as_ref().and_then(|keys| keys.password.as_deref()) {
        console.transcript().mask(password);
        session.flasher.recorder.hide(password);
    }
    let mut options = CatchOptions {
        prompt: prompt.clone(),
        within: seconds(session.flasher.config.timeouts.bootloader),
        ..CatchOptions::default()
    };
    if let Some(prompt) = resolved.login_prompt() {
        options.login_prompt = prompt.to_owned();
    }
    let typed = keys.as_ref().map_or("`ctrl-c`", |keys| keys.shown.as_str()).to_owned();
    if let Some(keys) = keys {
        options.interrupt = keys.bytes;
    }
    let transcript = console.transcript().clone();
    let catching = board_console::catch(console, &options);
    let caught = waiting(session, "U-Boot", options.within, &transcript, catching).await;
    let uboot = caught.map_err(|(_, error)| advice::caught(&error, &prompt))?;
    session.run.views.caught();
    let ended = match uboot.autoboot() {
        Autoboot::Stopped => AutobootEnd::Stopped,
        Autoboot::RanOut => AutobootEnd::RanOut,
        Autoboot::NoCountdown => AutobootEnd::NoCountdown,
    };
    session.run.record.board(|facts| facts.autoboot = Some(AutobootFacts { ended, typed }));
    Ok(uboot)
}

/// The fixed address of the config, or DHCP; and whether U-Boot is known to have its second network stack.
async fn address(session: Session<'_>, uboot: &mut UBoot) -> Result<(BoardAddress, bool)> {
    let console = |error: board_console::Error| trouble::console(&error);
    let (board, netmask, gateway, is_lwip) = match &session.flasher.config.network {
        Some(fixed) => {
            uboot.set("ipaddr", &fixed.address.to_string()).await.map_err(console)?;
            uboot.set("netmask", &fixed.netmask.to_string()).await.map_err(console)?;
            if let Some(gateway) = fixed.gateway {
                uboot.set("gatewayip", &gateway.to_string()).await.map_err(console)?;
            }
            (fixed.address, fixed.netmask, fixed.gateway, false)
        }
        None => {
            let within = seconds(session.flasher.config.timeouts.dhcp);
            let lease = uboot.dhcp(within).await.map_err(|error| advice::no_lease(&error, within))?;
            (lease.address, lease.netmask.unwrap_or(ANY_24), lease.gateway, lease.is_lwip)
        }
    };
    session.run.record.board(|facts| facts.address = Some(board.to_string()));
    let address = BoardAddress { board, netmask, gateway };
    session.run.views.has_address(&address);
    Ok((address, is_lwip))
}

/// Tells U-Boot our address, after DHCP so that no lease overwrites it, and how long it waits. Blocks and windows are those of the
/// load path.
async fn point_at(tftp: SocketAddr, uboot: &mut UBoot) -> Result<()> {
    let mut settings = vec![
        ("serverip", tftp.ip().to_string()),
        // U-Boot's second network stack (lwIP) takes this one first, and `dhcp` sets it (net/lwip/dhcp.c).
        ("tftpserverip", tftp.ip().to_string()),
        // U-Boot counts timeouts over the whole file: those of 5 s are too long on a lossy line.
        ("tftptimeout", "1000".to_owned()),
    ];
    if tftp.port() != TFTP_PORT {
        settings.push(("tftpdstp", tftp.port().to_string()));
    }
    for (name, value) in settings {
        uboot.set(name, &value).await.map_err(|error| trouble::console(&error))?;
    }
    Ok(())
}
