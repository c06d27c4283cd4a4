//! The driver: orders become SET requests, GET requests a state.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI32, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use flasher_core::registry::Counterpart;
use flasher_core::switch::{Built, Seconds, Switch, SwitchType, before_a_job, secret_line};
use flasher_core::{Result, Wiring, async_trait};
use snmp2::{AsyncSession, Oid, Pdu, Value};
use tokio::time::timeout;

use crate::config::{Config, Version};
use crate::counterparts::COUNTERPARTS;
use crate::error::Error;
use crate::outlet::Outlet;

/// How often a request is sent before the PDU counts as unreachable. UDP may lose it, and setting the same again changes nothing.
const TRIES: u32 = 3;

/// The driver type `power-snmp`.
pub struct PowerSnmp {
    outlet: Outlet,
    host: String,
    port: u16,
    version: Version,
    community: String,
    community_file: Option<PathBuf>,
    timeout: Duration,
    /// Number of the next request; late answers to another one are not taken.
    next: AtomicI32,
}

impl SwitchType for PowerSnmp {
    const NAME: &'static str = "power-snmp";
    const SUMMARY: &'static str =
        "power by SNMP: an outlet of a PDU (APC, CyberPower, Raritan, or by its objects)";
    const EXAMPLE: &'static str = "type: power-snmp\nconfig:\n  preset: apc\n  host: pdu.lab.example\n  outlet: 3\n  community_file: ./pdu-community\n";
    const COUNTERPARTS: &'static [Counterpart] = COUNTERPARTS;
    const CONFIRM: Seconds = Seconds {
        default: 10.0,
        meaning: "How long the PDU may report the old state after a switch, seconds.",
    };
    const TIMEOUT: Option<Seconds> =
        Some(Seconds { default: 6.0, meaning: "Longest time for an answer, seconds, over three tries." });
    type Config = Config;

    fn build(config: Config, timeout: Duration, wiring: &Wiring) -> Result<Built<Self>> {
        let outlet = Outlet::of(&config)?;
        if config.host.is_empty() || config.host.contains(['/', '@', '?', '#', ' ']) {
            return Err(Error::Host.into());
        }
        let switch = Self {
            outlet,
            host: config.host,
            port: config.port,
            version: config.version,
            community: config.community,
            community_file: config.community_file.map(|file| wiring.file(file)),
            timeout,
            next: AtomicI32::new(first_number()),
        };
        Ok(switch.into())
    }
}

/// Another one in each process, so that answers to a former one are not taken.
fn first_number() -> i32 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
    i32::try_from((since.as_nanos() ^ u128::from(std::process::id())) & 0x3fff_ffff).unwrap_or(1)
}

// The community is a secret.
impl std::fmt::Debug for PowerSnmp {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("PowerSnmp")
            .field("pdu", &self.pdu())
            .field("outlet", &self.outlet)
            .finish_non_exhaustive()
    }
}

impl PowerSnmp {
    fn pdu(&self) -> String {
        if self.host.contains(':') {
            format!("[{}]:{}", self.host, self.port)
        } else {
            format!("{}:{}", self.host, self.port)
        }
    }

    async fn community(&self) -> Result<String, Error> {
        let Some(file) = &self.community_file else { return Ok(self.community.clone()) };
        secret_line(file).await.map_err(|error| Error::File { reason: error.to_string() })
    }

    async fn session(&self) -> Result<AsyncSession, Error> {
        let community = self.community().await?;
        let (to, number) = ((self.host.as_str(), self.port), self.next.fetch_add(16, Ordering::Relaxed));
        let session = match self.version {
            Version::One => AsyncSession::new_v1(to, community.as_bytes(), number).await,
            Version::TwoC => AsyncSession::new_v2c(to, community.as_bytes(), number).await,
        };
        session.map_err(|error| Error::Reach { pdu: self.pdu(), reason: error.to_string() })
    }

    /// Sets, or asks when there is nothing to set; gives the value that came back.
    async fn ask(&self, oid: &Oid<'static>, set: Option<i64>) -> Result<i64, Error> {
        for _ in 0..TRIES {
            let answer = async {
                let mut session = self.session().await?;
                let answer = match set {
                    None => session.get(oid).await,
                    Some(value) => session.set(&[(oid, Value::Integer(value))]).await,
                };
                match answer {
                    Ok(pdu) => self.value(&pdu, set.is_some()),
                    Err(error) => Err(self.failed(&error)),
                }
            };
            if let Ok(answer) = timeout(self.timeout / TRIES, answer).await {
                return answer;
            }
        }
        Err(Error::Late { pdu: self.pdu(), seconds: self.timeout.as_secs_f64() })
    }

    /// Sending and receiving fail when the host says that no program listens there.
    fn failed(&self, error: &snmp2::Error) -> Error {
        match error {
            snmp2::Error::Send | snmp2::Error::Receive => {
                Error::Reach { pdu: self.pdu(), reason: "no program listens on its port".to_owned() }
            }
            other => Error::Broken { pdu: self.pdu(), reason: other.to_string() },
        }
    }

    fn value(&self, answer: &Pdu<'_>, set: bool) -> Result<i64, Error> {
        let what = if set { "set the outlet" } else { "tell the outlet's state" };
        let refused = |reason: &str| Err(Error::Refused { pdu: self.pdu(), what, reason: reason.to_owned() });
        if answer.error_status != 0 {
            return refused(status(answer.error_status));
        }
        match answer.varbinds.clone().next() {
            Some((_, Value::Integer(value))) => Ok(value),
            Some((_, Value::NoSuchObject)) => refused("noSuchObject"),
            Some((_, Value::NoSuchInstance)) => refused("noSuchInstance"),
            Some(_) => refused("its value is no number"),
            None => refused("its answer is empty"),
        }
    }
}

/// RFC 3416, section 3.
fn status(number: u32) -> &'static str {
    const NAMES: [&str; 19] = [
        "noError",
        "tooBig",
        "noSuchName",
        "badValue",
        "readOnly",
        "genErr",
        "noAccess",
        "wrongType",
        "wrongLength",
        "wrongEncoding",
        "wrongValue",
        "noCreation",
        "inconsistentValue",
        "resourceUnavailable",
        "commitFailed",
        "undoFailed",
        "authorizationError",
        "notWritable",
        "inconsistentName",
    ];
    NAMES.get(number as usize).copied().unwrap_or("an unknown error status")
}

#[async_trait]
impl Switch for PowerSnmp {
    async fn set(&self, on: bool) -> Result<()> {
        let value = if on { self.outlet.on } else { self.outlet.off };
        Ok(self.ask(&self.outlet.control, Some(value)).await.map(drop)?)
    }

    async fn get(&self) -> Result<Option<bool>> {
        let (on, off) = (self.outlet.status_on, self.outlet.status_off);
        let said = self.ask(&self.outlet.status, None).await?;
        if said != on && said != off {
            return Err(Error::Unclear { pdu: self.pdu(), said: said.to_string(), on, off }.into());
        }
        Ok(Some(said == on))
    }

    async fn cycle(&self) -> Result<bool> {
        let Some(value) = self.outlet.cycle else { return Ok(false) };
        self.ask(&self.outlet.control, Some(value)).await?;
        Ok(true)
    }

    async fn check_files(&self) -> Result<()> {
        self.community().await.map(drop).map_err(before_a_job)
    }

    async fn identities(&self) -> Vec<String> {
        let hosts = flasher_core::owner::hosts(&self.host, self.port).await;
        hosts.into_iter().map(|host| format!("snmp {host} {}", self.outlet.control)).collect()
    }

    /// The state is asked for.
    async fn probe(&self) -> Result<()> {
        self.check_files().await?;
        self.get().await.map(drop)
    }
}
