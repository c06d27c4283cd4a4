//! U-Boot's network: an address by DHCP, files by TFTP.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::env::word;
use super::{QUICK, UBoot};
use crate::console::deadline;
use crate::error::Error;

/// Tries of `dhcp`: a link may need some seconds after power-on.
const TRIES: u32 = 3;
/// A DHCP exchange gets at least this time, unless the deadline is nearer.
const SHORTEST_TRY: Duration = Duration::from_secs(10);
const BETWEEN_TRIES: Duration = Duration::from_secs(1);

/// What U-Boot got from DHCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lease {
    /// The board's address (`ipaddr`).
    pub address: Ipv4Addr,
    /// Its netmask (`netmask`), if one was given.
    pub netmask: Option<Ipv4Addr>,
    /// The gateway (`gatewayip`); an isolated network has none.
    pub gateway: Option<Ipv4Addr>,
    /// U-Boot has its second network stack (lwIP, since 2024.10), as far as its words tell.
    pub is_lwip: bool,
}

/// Network interfaces whose variables are looked through for a lease.
const INTERFACES: u32 = 8;

impl UBoot {
    /// Gets an address by DHCP, in up to three tries `within` that time.
    ///
    /// Sets `autoload` to `no` first: otherwise `dhcp` also loads a file, and forgets the address when that fails.
    /// Note that DHCP may set `serverip`; set it afterwards.
    ///
    /// # Errors
    /// The error of the last try as in [`Self::run`]; [`Error::Unexpected`] when the address is missing or not one.
    pub async fn dhcp(&mut self, within: Duration) -> Result<Lease, Error> {
        self.set("autoload", "no").await?;
        let until = deadline(within);
        for tries_left in (0..TRIES).rev() {
            let rest = until.saturating_duration_since(Instant::now());
            let within =
                if tries_left == 0 { rest } else { (rest / (tries_left + 1)).max(SHORTEST_TRY).min(rest) };
            match self.run("dhcp", within).await {
                Ok(output) => return self.lease(&output).await,
                Err(error)
                    if tries_left == 0 || Instant::now() + BETWEEN_TRIES >= until || !may_pass(&error) =>
                {
                    return Err(error);
                }
                Err(_) => sleep(BETWEEN_TRIES).await,
            }
        }
        self.lease("").await
    }

    /// Loads `file` from the TFTP server `serverip` to the memory address `address`; gives its size in bytes. `SERVER:FILE` asks
    /// another one; only U-Boot's second network stack takes `SERVER:PORT:FILE`.
    ///
    /// # Errors
    /// [`Error::Command`] with its [`Cause`](crate::Cause) when the file does not arrive, [`Error::Unexpected`] when
    /// U-Boot does not state its size, and those of [`Self::run`].
    pub async fn tftp(&mut self, address: u64, file: &str, within: Duration) -> Result<u64, Error> {
        let command = format!("tftpboot {address:#x} {}", word(file));
        let output = self.run(&command, within).await?;
        transferred(&output).ok_or_else(|| self.unexpected(command, "`Bytes transferred = N`", &output))
    }

    /// Sends `length` bytes of memory from `address` on to the TFTP server, under the name `file`; gives how many U-Boot says it sent.
    ///
    /// # Errors
    /// As in [`Self::tftp`].
    pub async fn tftp_put(
        &mut self,
        (address, length): (u64, u64),
        file: &str,
        within: Duration,
    ) -> Result<u64, Error> {
        let command = format!("tftpput {address:#x} {length:#x} {}", word(file));
        let output = self.run(&command, within).await?;
        transferred(&output).ok_or_else(|| self.unexpected(command, "`Bytes transferred = N`", &output))
    }

    /// Fetches `what` by HTTP to the memory address `address`; gives its size in bytes. `what` is `SERVER:/PATH`, or for U-Boot's
    /// second network stack a URL.
    ///
    /// # Errors
    /// [`Error::Unexpected`] when U-Boot does not state its size, and those of [`Self::run`].
    pub async fn wget(&mut self, address: u64, what: &str, within: Duration) -> Result<u64, Error> {
        // What the load before has left there must not be taken for this one's.
        self.ask("setenv filesize", QUICK).await?;
        let command = format!("wget {address:#x} {}", word(what));
        self.run(&command, within).await?;
        let size = self.get("filesize").await?.unwrap_or_default();
        let number = u64::from_str_radix(size.trim().trim_start_matches("0x"), 16);
        number.map_err(|_| self.unexpected(command, "a number in `filesize`", &size))
    }

    /// What `dhcp`, which printed this, has set. U-Boot's second network stack has variables of their own for every interface but
    /// the first, and may leave those of the first as they were.
    async fn lease(&mut self, printed: &str) -> Result<Lease, Error> {
        let bound =
            printed.rsplit_once("bound to address ").and_then(|(_, rest)| rest.split_whitespace().next());
        let bound = bound.and_then(|address| address.parse::<Ipv4Addr>().ok());
        let is_lwip = bound.is_some() && !printed.contains("BOOTP broadcast");
        let first = self.address_in("ipaddr").await;
        let is_ours =
            |found: Option<Ipv4Addr>| found.is_some() && bound.is_none_or(|bound| found == Some(bound));
        let (address, number) = match first {
            Ok(found) if !is_lwip || is_ours(found) => (found, String::new()),
            Err(error) if !is_lwip => return Err(error),
            _ => match self.interface_of(bound).await? {
                Some(number) => (bound, number.to_string()),
                None => (None, String::new()),
            },
        };
        let Some(address) = address else {
            return Err(self.unexpected(
                "printenv ipaddr".into(),
                "the address that DHCP gave",
                "not defined",
            ));
        };
        let netmask = self.address_in(&format!("netmask{number}")).await?;
        let gateway = self.address_in(&format!("gatewayip{number}")).await?;
        Ok(Lease { address, netmask, gateway, is_lwip })
    }

    /// The number of the network interface that has this address, from the second on.
    async fn interface_of(&mut self, address: Option<Ipv4Addr>) -> Result<Option<u32>, Error> {
        for number in 1..INTERFACES {
            if self.address_in(&format!("ipaddr{number}")).await? == address {
                return Ok(Some(number));
            }
        }
        Ok(None)
    }

    async fn address_in(&mut self, name: &str) -> Result<Option<Ipv4Addr>, Error> {
        let Some(value) = self.get(name).await? else { return Ok(None) };
        match value.trim().parse::<Ipv4Addr>() {
            Ok(address) => Ok((!address.is_unspecified()).then_some(address)),
            Err(_) if value.trim().is_empty() => Ok(None),
            Err(_) => Err(self.unexpected(format!("printenv {name}"), "an IPv4 address", &value)),
        }
    }
}

/// Whether another try can help: the exchange failed or took too long, but U-Boot is alive and has the command.
fn may_pass(error: &Error) -> bool {
    use crate::Cause::{NoEthernet, UnknownCommand};
    match error {
        Error::Command { cause, .. } => !matches!(cause, Some(UnknownCommand | NoEthernet)),
        Error::Timeout { .. } => true,
        _ => false,
    }
}

/// The N of `Bytes transferred = N (HEX hex)`.
fn transferred(output: &str) -> Option<u64> {
    let (_, rest) = output.rsplit_once("Bytes transferred = ")?;
    rest.split_ascii_whitespace().next()?.parse().ok()
}
