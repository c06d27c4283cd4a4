//! The driver: orders become requests, answers a state or a reading.

use std::sync::Arc;
use std::time::Duration;

use flasher_core::registry::Counterpart;
use flasher_core::switch::{Built, Seconds, Switch, SwitchType, before_a_job};
use flasher_core::{Driver, PowerMeter, Reading, Result, Wiring, async_trait};
use regex::Regex;

use crate::ask::{PreparedRequest, RequestSettings, beginning, headers};
use crate::config::{Config, Spelled};
use crate::counterparts::COUNTERPARTS;
use crate::error::Error;

/// The driver type `power-http`.
#[derive(Debug)]
pub struct PowerHttp {
    on: PreparedRequest,
    off: PreparedRequest,
    status: Option<PreparedRequest>,
    is_on: Regex,
    is_off: Regex,
    /// What is asked and what is looked for in the answer come from a preset.
    by_preset: bool,
    settings: Arc<RequestSettings>,
}

impl SwitchType for PowerHttp {
    const NAME: &'static str = "power-http";
    const SUMMARY: &'static str = "power by HTTP requests: Tasmota, Shelly, and whatever has a URL";
    const EXAMPLE: &'static str = "type: power-http\nconfig:\n  preset: tasmota   # or: on, off and status with URLs of your own\n  host: 192.168.1.20\n";
    const COUNTERPARTS: &'static [Counterpart] = COUNTERPARTS;
    const CONFIRM: Seconds = Seconds {
        default: 5.0,
        meaning: "How long `status` may report the old state after a switch, seconds.",
    };
    const TIMEOUT: Option<Seconds> =
        Some(Seconds { default: 10.0, meaning: "Longest time a request may take, seconds." });
    type Config = Config;

    fn build(config: Config, timeout: Duration, wiring: &Wiring) -> Result<Built<Self>> {
        let plan = ResolvedRequests::of(config, timeout, wiring)?;
        let meter = plan.meter.map(|meter| Arc::new(meter) as Arc<dyn PowerMeter>);
        Ok(Built { switch: plan.switch, meter })
    }
}

struct ResolvedRequests {
    switch: PowerHttp,
    meter: Option<Meter>,
}

impl ResolvedRequests {
    fn of(config: Config, timeout: Duration, wiring: &Wiring) -> Result<Self, Error> {
        let known = config.preset.map(|preset| preset.known()).unwrap_or_default();
        let (host, outlet) = (config.host.as_deref(), config.outlet.unwrap_or(known.first));
        if host.is_some_and(|host| !is_host(host)) {
            return Err(Error::NoHost);
        }
        let user = user(&config, known.user)?;
        let prepared = |key, given: Option<Spelled>, known| {
            let request = given.map(|spelled| spelled.0).or(known);
            request.map(|request| PreparedRequest::new(key, request, host, outlet)).transpose()
        };
        let pattern = |key, given: Option<String>, known: Option<&str>, default: &str| {
            let text = given.unwrap_or_else(|| known.unwrap_or(default).to_owned());
            Regex::new(&text).map_err(|error| Error::Value { key, reason: error.to_string() })
        };
        let pointer = |given: Option<String>, known: Option<&str>| given.or_else(|| known.map(str::to_owned));
        let settings = Arc::new(RequestSettings {
            user,
            auth: config.auth.unwrap_or(known.auth),
            password_file: config.password_file.map(|file| wiring.file(file)),
            headers: headers(&config.headers)?,
            cacert: config.cacert.map(|file| wiring.file(file)),
            timeout,
        });
        let own = config.status.is_some() || config.status_on.is_some() || config.status_off.is_some();
        let switch = PowerHttp {
            by_preset: config.preset.is_some() && !own,
            on: prepared("on", config.on, known.on)?.ok_or(Error::Lacking { key: "on" })?,
            off: prepared("off", config.off, known.off)?.ok_or(Error::Lacking { key: "off" })?,
            status: prepared("status", config.status, known.status)?,
            is_on: pattern("status_on", config.status_on, known.is_on, r"(?i)\b(on|1|true)\b")?,
            is_off: pattern("status_off", config.status_off, known.is_off, r"(?i)\b(off|0|false)\b")?,
            settings: Arc::clone(&settings),
        };
        let read = prepared("read", config.read, known.read)?;
        let (voltage, current) =
            (pointer(config.voltage, known.voltage), pointer(config.current, known.current));
        let meter = read.map(|read| Meter::new(read, voltage, current, settings)).transpose()?;
        Ok(Self { switch, meter })
    }
}

/// Whether it is a name or an address, perhaps with a port, and nothing else of a URL.
fn is_host(text: &str) -> bool {
    let Ok(url) = reqwest::Url::parse(&format!("http://{text}")) else { return false };
    let is_bare = url.username().is_empty() && url.password().is_none() && url.query().is_none();
    is_bare && url.fragment().is_none() && url.path() == "/" && !text.contains(['/', '@', '\\', ' '])
}

/// The user to log in as. A password or another login setting that would not be used is an error.
fn user(config: &Config, known: Option<&str>) -> Result<Option<String>, Error> {
    let known = known.filter(|_| config.password_file.is_some()).map(str::to_owned);
    let user = config.user.clone().or(known);
    let idle = [("password_file", config.password_file.is_some()), ("auth", config.auth.is_some())];
    match idle.into_iter().find(|(_, given)| *given && user.is_none()) {
        Some((key, _)) => Err(Error::Idle { key }),
        None => Ok(user),
    }
}

#[async_trait]
impl Switch for PowerHttp {
    async fn set(&self, on: bool) -> Result<()> {
        Ok(self.settings.ask(if on { &self.on } else { &self.off }).await.map(drop)?)
    }

    async fn get(&self) -> Result<Option<bool>> {
        let Some(status) = &self.status else { return Ok(None) };
        let said = self.settings.ask(status).await?;
        match (self.is_on.is_match(&said), self.is_off.is_match(&said)) {
            (true, false) => Ok(Some(true)),
            (false, true) => Ok(Some(false)),
            _ => {
                let (url, said) = (status.shown(), beginning(&said));
                Err(Error::Unclear { url, said, by_preset: self.by_preset }.into())
            }
        }
    }

    async fn check_files(&self) -> Result<()> {
        self.settings.check_files().await.map_err(before_a_job)
    }

    async fn identities(&self) -> Vec<String> {
        let (host, port) = self.on.place();
        let hosts = flasher_core::owner::hosts(host, port).await;
        let orders = format!("{} {}", self.on.order(), self.off.order());
        hosts.into_iter().map(|host| format!("http {host} {orders}")).collect()
    }

    /// The status is asked for, where there is one; otherwise whether its port takes a connection.
    async fn probe(&self) -> Result<()> {
        self.check_files().await?;
        if self.status.is_some() {
            return self.get().await.map(drop);
        }
        let connecting = tokio::net::TcpStream::connect(self.on.place());
        let connected = tokio::time::timeout(self.settings.timeout, connecting).await;
        let late = Error::Late { url: self.on.shown(), seconds: self.settings.timeout.as_secs_f64() };
        let unreached =
            |error: std::io::Error| Error::Reach { url: self.on.shown(), reason: error.to_string() };
        Ok(connected.map_err(|_| late)?.map(drop).map_err(unreached)?)
    }
}

/// The meter of a switch that has one.
#[derive(Debug)]
struct Meter {
    read: PreparedRequest,
    voltage: String,
    current: String,
    settings: Arc<RequestSettings>,
}

impl Meter {
    fn new(
        read: PreparedRequest,
        voltage: Option<String>,
        current: Option<String>,
        settings: Arc<RequestSettings>,
    ) -> Result<Self, Error> {
        let pointer = |key, given: Option<String>| match given {
            Some(pointer) if pointer.starts_with('/') => Ok(pointer),
            Some(_) => Err(Error::Value { key, reason: "a JSON pointer begins with `/`".to_owned() }),
            None => Err(Error::Value { key, reason: "`read` needs it".to_owned() }),
        };
        Ok(Self {
            read,
            voltage: pointer("voltage", voltage)?,
            current: pointer("current", current)?,
            settings,
        })
    }

    fn number(&self, answer: &serde_json::Value, pointer: &str) -> Result<f64, Error> {
        let found = answer.pointer(pointer).and_then(|value| value.as_f64());
        found.ok_or_else(|| Error::Reading { url: self.read.shown(), pointer: pointer.to_owned() })
    }
}

impl Driver for Meter {}

#[async_trait]
impl PowerMeter for Meter {
    async fn read(&self) -> Result<Vec<Reading>> {
        let said = self.settings.ask(&self.read).await?;
        let answer = serde_json::from_str(&said).unwrap_or_default();
        let voltage = self.number(&answer, &self.voltage)?;
        Ok(vec![Reading { voltage, current: self.number(&answer, &self.current)? }])
    }
}
