//! U-Boot's network: an address by DHCP, files by TFTP.

use std::net::Ipv4Addr;
use std::time::Duration;

use tokio::time::{Instant, sleep};

use super::UBoot;
use super::env::word;
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
}

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
                Ok(_) => break,
                Err(error)
                    if tries_left == 0 || Instant::now() + BETWEEN_TRIES >= until || !may_pass(&error) =>
                {
                    return Err(error);
                }
                Err(_) => sleep(BETWEEN_TRIES).await,
            }
        }
        self.lease().await
    }

    /// Loads `file` from the TFTP server `serverip` to the memory address `address`; gives its size in bytes.
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

    async fn lease(&mut self) -> Result<Lease, Error> {
        let Some(address) = self.address_in("ipaddr").await? else {
            return Err(self.unexpected(
                "printenv ipaddr".into(),
                "the address that DHCP gave",
                "not defined",
            ));
        };
        let netmask = self.address_in("netmask").await?;
        Ok(Lease { address, netmask, gateway: self.address_in("gatewayip").await? })
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
