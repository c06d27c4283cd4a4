//! The small Linux boots, its shell is proven, its network is up, and it has our script, checked by digest.

use board_console::{Console, LoginOptions, Shell, login, quote};
use bundle_store::Manifest;
use disk_image::Digest;
use flasher_core::{Class, Content, Error, Result};

use super::guest::{Guest, NAME, path};
use super::script::SCRIPT;
use crate::config::seconds;
use crate::job::{Session, waiting};
use crate::network::{self, Network};
use crate::trouble;

/// Logs in on `console` and prepares the board for everything that follows.
pub(crate) async fn enter<'a>(
    session: Session<'a>,
    manifest: &Manifest,
    network: &Network,
    console: Console,
) -> Result<Guest<'a>> {
    let mut shell = log_in(session, manifest, console).await?;
    let within = seconds(session.flasher.config.timeouts.command);
    let folder = format!("flasher-{}", session.run.token);
    let make =
        format!("f=\"${{TMPDIR:-/tmp}}\"/{folder}; mkdir -p \"$f\" && cd \"$f\" && echo \"folder $f\"");
    let text = shell.check(&make, within).await.map_err(|error| trouble::console(&error))?;
    let folder =
        text.lines().find_map(|line| line.trim().strip_prefix("folder ")).unwrap_or_default().to_owned();
    let url = format!("http://{}/{}", network.http, path(session, ""));
    let mut guest = Guest::new(session, shell, folder, url);
    session.flasher.http.publish(&path(session, NAME), Content::bytes(SCRIPT))?;
    connect(&mut guest, network).await?;
    check_script(&mut guest).await?;
    Ok(guest)
}

async fn log_in(session: Session<'_>, manifest: &Manifest, console: Console) -> Result<Shell> {
    let wanted = &manifest.spec.login;
    let password = wanted.password.as_ref().map(|password| password.expose().to_owned());
    if let (Some(transcript), Some(password)) = (session.run.console.transcript(), &password) {
        transcript.mask(password);
    }
    let options = LoginOptions {
        login_prompt: wanted.login_prompt.clone(),
        prompt: wanted.prompt.clone(),
        username: wanted.username.clone(),
        password,
        within: seconds(session.flasher.config.timeouts.shell),
    };
    let transcript = console.transcript().clone();
    let logging_in = login(console, &options);
    let shell =
        waiting(session, "the shell of the small Linux", options.within, &transcript, logging_in).await;
    shell.map_err(|(_, error)| trouble::console(&error))
}

/// Fetches the script; brings the network up first when the kernel has not.
async fn connect(guest: &mut Guest<'_>, network: &Network) -> Result<()> {
    let session = guest.session;
    if fetch(guest).await? {
        return Ok(());
    }
    for interface in interfaces(guest).await? {
        give_address(guest, &interface, network).await?;
        if fetch(guest).await? {
            session.run.note(format!("{interface} has {} and reaches {}", network.board, network.http));
            return Ok(());
        }
        try_dhcp(guest, &interface, network).await?;
        if fetch(guest).await? {
            session.run.note(format!("{interface} has an address by DHCP and reaches {}", network.http));
            return Ok(());
        }
    }
    let seen = session.run.evidence.about("http", &path(session, NAME));
    Err(Error::infrastructure(format!("the board's Linux does not reach {}", network.http))
        .with("http server", seen)
        .help(
            "does its kernel have a driver for this Ethernet port, and does a firewall block the HTTP port?",
        ))
}

async fn fetch(guest: &mut Guest<'_>) -> Result<bool> {
    let url = quote(&format!("{}{NAME}", guest.url));
    let command = format!(
        "t=; command -v timeout >/dev/null 2>&1 && t='timeout 15'; if command -v wget >/dev/null 2>&1; then $t wget -q -t 1 -O {NAME} {url}; else curl -fsS --connect-timeout 5 -m 20 -o {NAME} {url}; fi"
    );
    let output = guest.run(&command).await?;
    if output.status == 127 {
        return Err(Error::new(Class::Config, "the board's Linux has neither `wget` nor `curl`")
            .help("put one of them into the bundle's initramfs (busybox has wget)"));
    }
    Ok(output.status == 0)
}

async fn interfaces(guest: &mut Guest<'_>) -> Result<Vec<String>> {
    let listing = guest.check("ls /sys/class/net").await?;
    let is_usable = |name: &&str| *name != "lo" && !name.starts_with("sit") && !name.starts_with("can");
    Ok(listing.split_whitespace().filter(is_usable).map(str::to_owned).collect())
}

/// The address the boot loader had, which is ours for as long as the job runs.
async fn give_address(guest: &mut Guest<'_>, interface: &str, network: &Network) -> Result<()> {
    let (name, address) =
        (quote(interface), format!("{}/{}", network.board, network::prefix(network.netmask)));
    let mut command = format!(
        "ip link set {name} up; n=0; while [ \"$(cat /sys/class/net/{name}/carrier 2>/dev/null)\" != 1 ] && [ $n -lt 8 ]; do sleep 1; n=$((n+1)); done; ip addr add {address} dev {name}"
    );
    if let Some(gateway) = network.gateway {
        command.push_str(&format!("; ip route add default via {gateway} dev {name}"));
    }
    guest.run(&command).await.map(drop)
}

async fn try_dhcp(guest: &mut Guest<'_>, interface: &str, network: &Network) -> Result<()> {
    let name = quote(interface);
    let command = format!(
        "ip addr del {}/{} dev {name} 2>/dev/null; udhcpc -n -q -t 5 -i {name}",
        network.board,
        network::prefix(network.netmask)
    );
    guest.run(&command).await.map(drop)
}

/// Nothing runs on the board that did not arrive whole.
async fn check_script(guest: &mut Guest<'_>) -> Result<()> {
    let sum = guest.check(&format!("sha256sum < {NAME}")).await?;
    let expected = Digest::of(SCRIPT.as_bytes()).to_string();
    if sum.contains(&expected) {
        return Ok(());
    }
    Err(Error::infrastructure("the script arrived changed on the board")
        .with("expected", expected)
        .with("found", sum.trim().chars().take(200).collect::<String>()))
}
