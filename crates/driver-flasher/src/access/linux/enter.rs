//! The small Linux boots, its shell is proven, its network is up, and it has our script, checked by digest.

use std::time::Duration;

use board_console::{Console, LoginOptions, Shell, login, quote};
use bundle_store::Login;
use disk_image::Digest;
use flasher_core::{Class, Content, Error, Result, RootCause};

use super::guest::{Guest, NAME, path};
use super::script::SCRIPT;
use crate::config::seconds;
use crate::job::{Session, waiting};
use crate::network::{self, Network};
use crate::trouble;

/// How often the board is asked for its folder before its answers count as lost.
const ASKED: u32 = 3;

/// Logs in on `console` and prepares the board for everything that follows.
pub(crate) async fn enter<'a>(
    session: Session<'a>,
    wanted: &Login,
    network: &Network,
    console: Console,
) -> Result<Guest<'a>> {
    let mut shell = log_in(session, wanted, console).await?;
    let within = seconds(session.flasher.config.timeouts.command);
    let folder = format!("flasher-{}", session.run.token);
    let make =
        format!("f=\"${{TMPDIR:-/tmp}}\"/{folder}; mkdir -p \"$f\" && cd \"$f\" && echo \"folder $f\"");
    let folder = own_folder(&mut shell, &make, &folder, within).await?;
    let url = format!("http://{}/{}", network.http, path(session, ""));
    let mut guest = Guest::new(session, shell, folder, url);
    session.http().publish(&path(session, NAME), Content::bytes(SCRIPT))?;
    connect(&mut guest, network).await?;
    check_script(&mut guest).await?;
    Ok(guest)
}

/// Makes the job's folder with `make`; gives its path. Asks again when a message of the kernel tears the answer.
async fn own_folder(shell: &mut Shell, make: &str, name: &str, within: Duration) -> Result<String> {
    let mut told = String::new();
    for _ in 0..ASKED {
        told = shell.check(make, within).await.map_err(|error| trouble::console(&error))?;
        if let Some(folder) = folder_in(&told, name) {
            return Ok(folder.to_owned());
        }
    }
    Err(Error::new(Class::Board, format!("the board's answers were lost {ASKED} times on the console")).caused_by(RootCause::LineChangesCharacters)
        .with("answer", told.trim().chars().take(200).collect::<String>())
        .help("check the serial line; in the config of the flasher's `serial` child, `cps: 100` slows typing down"))
}

/// The path of the folder `name` in what the board answers.
fn folder_in<'t>(told: &'t str, name: &str) -> Option<&'t str> {
    let paths = told.lines().filter_map(|line| line.trim().strip_prefix("folder "));
    paths
        .into_iter()
        .find(|path| path.starts_with('/') && path.strip_suffix(name).is_some_and(|it| it.ends_with('/')))
}

async fn log_in(session: Session<'_>, wanted: &Login, console: Console) -> Result<Shell> {
    let password = wanted.password.as_ref().map(|password| password.expose().to_owned());
    if let (Some(transcript), Some(password)) = (session.run.console.transcript(), &password) {
        transcript.mask(password);
        session.flasher.recorder.hide(password);
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
            session
                .run
                .note(format!("{interface} has {} and reaches {}", network.address.board, network.http));
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
        .caused_by(RootCause::HttpUnreachable)
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
            .caused_by(RootCause::ToolMissing)
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
        (quote(interface), format!("{}/{}", network.address.board, network::prefix(network.address.netmask)));
    let mut command = format!(
        "ip link set {name} up; n=0; while [ \"$(cat /sys/class/net/{name}/carrier 2>/dev/null)\" != 1 ] && [ $n -lt 8 ]; do sleep 1; n=$((n+1)); done; ip addr add {address} dev {name}"
    );
    if let Some(gateway) = network.address.gateway {
        command.push_str(&format!("; ip route add default via {gateway} dev {name}"));
    }
    guest.run(&command).await.map(drop)
}

async fn try_dhcp(guest: &mut Guest<'_>, interface: &str, network: &Network) -> Result<()> {
    let name = quote(interface);
    let command = format!(
        "ip addr del {}/{} dev {name} 2>/dev/null; udhcpc -n -q -t 5 -i {name}",
        network.address.board,
        network::prefix(network.address.netmask)
    );
    guest.run(&command).await.map(drop)
}

/// Nothing runs on the board that did not arrive whole. Another digest is asked for again: the console may have changed it.
async fn check_script(guest: &mut Guest<'_>) -> Result<()> {
    let expected = Digest::of(SCRIPT.as_bytes()).to_string();
    let mut sum = String::new();
    for _ in 0..ASKED {
        sum = guest.check(&format!("sha256sum < {NAME}")).await?;
        if sum.contains(&expected) {
            return Ok(());
        }
    }
    Err(Error::infrastructure("the script arrived changed on the board")
        .with("expected", expected)
        .with("found", sum.trim().chars().take(200).collect::<String>()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_whole_answer_names_the_folder() {
        let name = "flasher-0123456789abcdef";
        for (told, folder) in [
            ("folder /tmp/flasher-0123456789abcdef", Some("/tmp/flasher-0123456789abcdef")),
            (
                "[ 9.9] mmc0\nfolder /run/x/flasher-0123456789abcdef\n",
                Some("/run/x/flasher-0123456789abcdef"),
            ),
            ("folder /tmp/flasher-01234[ 9.9] mmc0\n56789abcdef", None),
            ("fol[ 9.9] mmc0\nder /tmp/flasher-0123456789abcdef", None),
            ("folder flasher-0123456789abcdef", None),
            ("", None),
        ] {
            assert_eq!(folder_in(told, name), folder, "{told}");
        }
    }
}
