//! Step 7: the small Linux boots, its shell is proven, its network is up, and it has our script, checked by digest.

use std::time::Duration;

use board_console::{Console, LoginOptions, Shell, login, quote};
use disk_image::Digest;
use flasher_core::flash::Wire;
use flasher_core::{Class, Content, Error, Result};

use super::bootloader::Network;
use super::resolve::Resolved;
use super::services::Services;
use super::waiting::waiting;
use crate::config::seconds;
use crate::guest::{self, Answer, SCRIPT, ScriptError};
use crate::job::{Session, Writes};
use crate::network;
use crate::trouble;

/// The script's name on the board.
const NAME: &str = "guest.sh";
/// The script's commands that write nothing to the medium.
const READERS: [&str; 4] = ["send", "verify", "pace", "trial"];

/// A board with a working shell, network and our script.
pub(crate) struct Guest {
    pub(crate) shell: Shell,
    /// Folder of this job on the board.
    folder: String,
    /// Where this job's content is served, with a slash at the end.
    pub(crate) url: String,
    /// Whether the board sends what it reads, as far as is known.
    pub(crate) sends: bool,
    /// How the image travels to it.
    pub(crate) wire: Wire,
    /// Counts what it is told to write.
    writes: Writes,
}

pub(crate) async fn enter(
    session: Session<'_>,
    resolved: &Resolved,
    _services: &Services,
    network: &Network,
    console: Console,
) -> Result<Guest> {
    let mut shell = log_in(session, resolved, console).await?;
    let within = seconds(session.flasher.config.timeouts.command);
    let folder = format!("flasher-{}", session.run.token);
    let make =
        format!("f=\"${{TMPDIR:-/tmp}}\"/{folder}; mkdir -p \"$f\" && cd \"$f\" && echo \"folder $f\"");
    let text = shell.check(&make, within).await.map_err(|error| trouble::console(&error))?;
    let folder =
        text.lines().find_map(|line| line.trim().strip_prefix("folder ")).unwrap_or_default().to_owned();
    let url = format!("http://{}/{}", network.http, path(session, ""));
    let writes = session.run.writes.clone();
    let mut guest = Guest { shell, folder, url, sends: true, wire: Wire::Identity, writes };
    session.flasher.http.publish(&path(session, NAME), Content::bytes(SCRIPT))?;
    guest.connect(session, network, within).await?;
    guest.check_script(within).await?;
    Ok(guest)
}

/// Path of something of this job on our HTTP server.
pub(crate) fn path(session: Session<'_>, name: &str) -> String {
    format!("{}/{name}", session.run.token)
}

async fn log_in(session: Session<'_>, resolved: &Resolved, console: Console) -> Result<Shell> {
    let wanted = &resolved.bundle.manifest().spec.login;
    let password = wanted.password.as_ref().map(|password| password.expose().to_owned());
    if let (Some(transcript), Some(password)) = (session.run.transcript(), &password) {
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

impl Guest {
    /// Runs one of the script's commands and gives its answers. Whatever is not known to leave the medium alone counts as a write.
    pub(crate) async fn script(
        &mut self,
        arguments: &[&str],
        within: Duration,
        stall: Option<Duration>,
    ) -> Result<Vec<Answer>> {
        if !arguments.first().is_some_and(|command| READERS.contains(command)) {
            self.writes.add();
        }
        let words: Vec<String> = arguments.iter().map(|word| quote(word)).collect();
        let command = format!("sh {}/{NAME} {}", quote(&self.folder), words.join(" "));
        let output =
            self.shell.watch(&command, within, stall).await.map_err(|error| trouble::console(&error))?;
        let answers = guest::answers(&output.text);
        if answers.is_empty() {
            let text =
                format!("the script on the board ended with status {} and said nothing", output.status);
            return Err(Error::new(Class::Board, text)
                .with("output", output.text.chars().take(500).collect::<String>()));
        }
        Ok(answers)
    }

    /// The script's first complaint as a failure; `device` is what was written or read.
    pub(crate) fn complaint(answers: &[Answer], device: &str) -> Option<Error> {
        answers.iter().find_map(|answer| match answer {
            Answer::Error(what, complaint) => Some(complaint_error(what, complaint, device)),
            _ => None,
        })
    }

    /// Fetches the script; brings the network up first when the kernel has not.
    async fn connect(&mut self, session: Session<'_>, network: &Network, within: Duration) -> Result<()> {
        if self.fetch(within).await? {
            return Ok(());
        }
        for interface in self.interfaces(within).await? {
            self.give_address(&interface, network, within).await?;
            if self.fetch(within).await? {
                session.run.note(format!("{interface} has {} and reaches {}", network.board, network.http));
                return Ok(());
            }
            self.try_dhcp(&interface, network, within).await?;
            if self.fetch(within).await? {
                session.run.note(format!("{interface} has an address by DHCP and reaches {}", network.http));
                return Ok(());
            }
        }
        let seen = session.run.evidence.about("http", &path(session, NAME));
        Err(Error::infrastructure(format!("the board's Linux does not reach {}", network.http))
            .with("http server", seen)
            .help("does its kernel have a driver for this Ethernet port, and does a firewall block the HTTP port?"))
    }

    async fn fetch(&mut self, within: Duration) -> Result<bool> {
        let url = quote(&format!("{}{NAME}", self.url));
        let command = format!(
            "t=; command -v timeout >/dev/null 2>&1 && t='timeout 15'; if command -v wget >/dev/null 2>&1; then $t wget -q -t 1 -O {NAME} {url}; else curl -fsS --connect-timeout 5 -m 20 -o {NAME} {url}; fi"
        );
        let output = self.shell.run(&command, within).await.map_err(|error| trouble::console(&error))?;
        if output.status == 127 {
            return Err(Error::new(Class::Config, "the board's Linux has neither `wget` nor `curl`")
                .help("put one of them into the bundle's initramfs (busybox has wget)"));
        }
        Ok(output.status == 0)
    }

    async fn interfaces(&mut self, within: Duration) -> Result<Vec<String>> {
        let listing =
            self.shell.check("ls /sys/class/net", within).await.map_err(|error| trouble::console(&error))?;
        let is_usable = |name: &&str| *name != "lo" && !name.starts_with("sit") && !name.starts_with("can");
        Ok(listing.split_whitespace().filter(is_usable).map(str::to_owned).collect())
    }

    /// The address the boot loader had, which is ours for as long as the job runs.
    async fn give_address(&mut self, interface: &str, network: &Network, within: Duration) -> Result<()> {
        let (name, address) =
            (quote(interface), format!("{}/{}", network.board, network::prefix(network.netmask)));
        let mut command = format!(
            "ip link set {name} up; n=0; while [ \"$(cat /sys/class/net/{name}/carrier 2>/dev/null)\" != 1 ] && [ $n -lt 8 ]; do sleep 1; n=$((n+1)); done; ip addr add {address} dev {name}"
        );
        if let Some(gateway) = network.gateway {
            command.push_str(&format!("; ip route add default via {gateway} dev {name}"));
        }
        self.shell.run(&command, within).await.map(drop).map_err(|error| trouble::console(&error))
    }

    async fn try_dhcp(&mut self, interface: &str, network: &Network, within: Duration) -> Result<()> {
        let name = quote(interface);
        let command = format!(
            "ip addr del {}/{} dev {name} 2>/dev/null; udhcpc -n -q -t 5 -i {name}",
            network.board,
            network::prefix(network.netmask)
        );
        self.shell.run(&command, within).await.map(drop).map_err(|error| trouble::console(&error))
    }

    /// Nothing runs on the board that did not arrive whole.
    async fn check_script(&mut self, within: Duration) -> Result<()> {
        let sum = self.shell.check(&format!("sha256sum < {NAME}"), within).await;
        let sum = sum.map_err(|error| trouble::console(&error))?;
        let expected = Digest::of(SCRIPT.as_bytes()).to_string();
        if sum.contains(&expected) {
            return Ok(());
        }
        Err(Error::infrastructure("the script arrived changed on the board")
            .with("expected", expected)
            .with("found", sum.trim().chars().take(200).collect::<String>()))
    }
}

fn complaint_error(what: &ScriptError, complaint: &str, device: &str) -> Error {
    let error = match what {
        ScriptError::Write | ScriptError::Flush => {
            Error::new(Class::Medium, format!("writing `{device}` failed: {complaint}"))
                .help("the medium may be worn, write-protected or smaller than it says")
        }
        ScriptError::Fetch | ScriptError::Cut | ScriptError::Send | ScriptError::NoSender => {
            Error::infrastructure(format!("the board's download broke off: {complaint}"))
                .help("check the network between board and exporter")
        }
        ScriptError::Unpack => {
            Error::infrastructure(format!("the board could not unpack what it fetched: {complaint}"))
                .help("flash without `--direct`: then the exporter unpacks")
        }
        ScriptError::NoUnpacker => {
            Error::config(format!("the board's Linux has nothing that unpacks {complaint}"))
                .help("put the tool into the bundle's initramfs, or flash without `--direct`")
        }
        ScriptError::Caches => Error::new(
            Class::Board,
            format!("`{device}` cannot be read back around the page cache: {complaint}"),
        )
        .help("the small Linux must run as root, or its dd must know iflag=direct")
        .retryable(false),
        _ => Error::new(Class::Board, format!("the script on the board gave up: {what} {complaint}")),
    };
    error.with("device", device)
}
