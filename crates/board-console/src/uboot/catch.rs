//! Stopping U-Boot's autoboot: which output means what, when to press the key, when it is too late.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::prompt::{PossiblePrompt, shown_prompt};
use super::{Autoboot, UBoot};
use crate::cause_texts::BANNER;
use crate::console::{Console, deadline};
use crate::error::{Error, Missed};
use crate::pattern::Pattern;

/// Between two keys while the countdown runs: it may last one second or less.
const DURING_COUNTDOWN: Duration = Duration::from_millis(50);
/// Between two keys after the banner.
const AFTER_BANNER: Duration = Duration::from_millis(100);
/// Between two keys while the board is silent: it may wait at its prompt.
const WHILE_SILENT: Duration = Duration::from_millis(300);
/// A prompt gets this long to prove itself.
const PROOF_WITHIN: Duration = Duration::from_secs(5);
/// A proof that began in time may be finished for so long.
const OVERTIME: Duration = Duration::from_secs(5);
/// Between two keys while the board talks and is not known yet: it may do so at its prompt.
const WHILE_TALKING: Duration = Duration::from_secs(3);
/// Bytes that may come between two keys of a silent board: noise, not text.
const NOISE: u64 = 4;
/// Sent in turn with the interrupt while no countdown is seen: at a prompt it shows a new one and repeats no command,
/// and it interrupts boot scripts.
const CTRL_C: &[u8] = b"\x03";
/// After an interrupt that ends with a line end, every so many keys are control C. U-Boot compares a hash of the whole
/// line, so that the one behind a control C is lost and the next one counts (common/autoboot.c).
const LINES_TO_CTRL_C: usize = 4;

/// `bootdelay` countdown texts (CONFIG_AUTOBOOT_PROMPT and the default of common/autoboot.c).
const COUNTDOWN: &str =
    r"(?i)stop autoboot|autoboot in \d|to abort autoboot|to interrupt|press .{1,40} to stop";
/// Bytes that are no text, in percent of all, at which the line itself is at fault. A boot loader prints none.
const UNREADABLE_PERCENT: u64 = 2;
/// So few of them are the noise of a board that is switched on.
const FEW_UNREADABLE: u64 = 4;
/// Lines of the console that are searched for the countdown when it was missed.
const RECENT: usize = 200;
/// The kernel is starting.
const KERNEL: [&str; 4] =
    ["Starting kernel", "Linux version ", "Booting Linux on", "EFI stub: Booting Linux"];

/// How to stop U-Boot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CatchOptions {
    /// U-Boot's prompt, literally; line ends around it are ignored (Jumpstarter's default is `"\n=>"`).
    pub prompt: String,
    /// What stops the countdown: control C by default, or the board's own keys or stop string (CONFIG_AUTOBOOT_STOP_STR),
    /// with a line end behind it where U-Boot holds only a hash of it.
    pub interrupt: Vec<u8>,
    /// How long the board may take from power-on to its prompt.
    pub within: Duration,
    /// Seeing this text means that the system is running and U-Boot was missed.
    pub login_prompt: String,
}

impl Default for CatchOptions {
    fn default() -> Self {
        Self {
            prompt: "=>".into(),
            interrupt: CTRL_C.to_vec(),
            within: Duration::from_secs(60),
            login_prompt: "login:".into(),
        }
    }
}

/// Banners without a countdown that show a board restarting again and again: SPL, TPL and U-Boot each have one.
const RESTARTS: usize = 4;

/// Stops autoboot and brings U-Boot to a proven prompt.
///
/// Recognises the banner, the countdown, an idle prompt, and a system that is already starting. Keys are pressed fast
/// during the countdown, less so after the banner, gently while the board is silent, and hardly ever while it prints
/// something else.
///
/// # Errors
/// It ends at most 5 s after `within`, whatever the board sends. The console is given back with the error:
/// [`Error::AutobootNotInterruptible`], [`Error::Missed`], [`Error::OtherPrompt`] when the boot loader answers with a
/// prompt of its own, [`Error::Unreadable`] when the line gives no text, [`Error::Timeout`], [`Error::Invalid`] for an
/// empty prompt, and those of [`Console::expect`].
pub async fn catch(console: Console, options: &CatchOptions) -> Result<UBoot, (Console, Error)> {
    let prompt = options.prompt.trim_matches(['\r', '\n']).to_owned();
    let mut uboot = UBoot::new(console, prompt);
    let longest = options.within.saturating_add(OVERTIME);
    match timeout(longest, reach_prompt(&mut uboot, options)).await {
        Ok(Ok(())) => Ok(uboot),
        Ok(Err(error)) => Err((uboot.into_console(), error)),
        Err(_) => {
            let error = no_prompt(&uboot.console, "U-Boot prompt that answers", options.within);
            Err((uboot.into_console(), error))
        }
    }
}

async fn reach_prompt(uboot: &mut UBoot, options: &CatchOptions) -> Result<(), Error> {
    if uboot.prompt.trim().is_empty() {
        let value = options.prompt.escape_debug().to_string();
        return Err(Error::Invalid { what: "U-Boot prompt", value, problem: "must not be empty" });
    }
    uboot.console.set_uboot_prompt(None);
    let until = deadline(options.within);
    let mut catching = Catching::new(options, until)?;
    loop {
        catching.stop_autoboot(&mut uboot.console).await?;
        match uboot.resync(PROOF_WITHIN).await {
            Err(Error::Timeout { .. }) if Instant::now() < until => {}
            Err(Error::Timeout { waited_for, .. }) => {
                return Err(no_prompt(&uboot.console, &waited_for, options.within));
            }
            result => {
                uboot.autoboot = catching.autoboot;
                return result;
            }
        }
    }
}

/// Why there is no prompt: the line, where hardly anything on it is text.
fn no_prompt(console: &Console, waited_for: &str, within: Duration) -> Error {
    let (received, unreadable) = console.readable();
    if unreadable > FEW_UNREADABLE && unreadable * 100 >= received * UNREADABLE_PERCENT {
        return Error::Unreadable { unreadable, received, tail: console.tail() };
    }
    console.timeout_error(waited_for, within)
}

struct Catching<'o> {
    options: &'o CatchOptions,
    until: Instant,
    patterns: Vec<Pattern>,
    stage: Stage,
    /// Keys pressed so far.
    keys: usize,
    /// Banners seen so far.
    banners: usize,
    /// How autoboot ended, as far as it was seen.
    autoboot: Autoboot,
    /// What may be the boot loader's prompt, and is not the one that is looked for.
    stranger: PossiblePrompt,
}

#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Stage {
    Unknown,
    Banner,
    Countdown,
}

impl<'o> Catching<'o> {
    fn new(options: &'o CatchOptions, until: Instant) -> Result<Self, Error> {
        let prompt = options.prompt.trim_matches(['\r', '\n']);
        let mut patterns = vec![
            Pattern::text(prompt),
            Pattern::regex(COUNTDOWN)?,
            Pattern::regex(BANNER)?,
            Pattern::any("a starting kernel", KERNEL),
        ];
        if !options.login_prompt.trim().is_empty() {
            patterns.push(Pattern::text(options.login_prompt.trim()));
        }
        Ok(Self {
            options,
            until,
            patterns,
            stage: Stage::Unknown,
            keys: 0,
            banners: 0,
            autoboot: Autoboot::NoCountdown,
            stranger: PossiblePrompt::default(),
        })
    }

    /// Watches and presses keys until the prompt is seen.
    async fn stop_autoboot(&mut self, console: &mut Console) -> Result<(), Error> {
        let mut heard = console.received();
        let mut next_key = deadline(self.pause());
        let mut longest = deadline(WHILE_TALKING);
        loop {
            if Instant::now() >= self.until {
                return Err(self.too_late(console));
            }
            if let Some(found) = console.expect_until(&self.patterns, next_key.min(self.until)).await? {
                match found.index {
                    0 => {
                        self.note_end(&found.before);
                        return Ok(());
                    }
                    1 => next_key = self.enter(Stage::Countdown, next_key),
                    2 => next_key = self.enter(Stage::Banner, next_key),
                    _ => return Err(self.missed(console, &found.matched)),
                }
                continue;
            }
            if let Some(line) = self.stranger.at_rest(console.unfinished(), &self.options.interrupt) {
                self.ask_stranger(console, &line).await?;
            }
            let is_silent = console.received() <= heard + NOISE;
            if self.stage != Stage::Unknown || is_silent || Instant::now() >= longest {
                self.press_key(console).await?;
                longest = deadline(WHILE_TALKING);
            }
            heard = console.received();
            next_key = deadline(self.pause());
        }
    }

    /// The countdown wants a key at once; a second banner (SPL, then U-Boot) changes nothing.
    fn enter(&mut self, stage: Stage, next_key: Instant) -> Instant {
        self.stage = self.stage.max(stage);
        self.banners += usize::from(stage == Stage::Banner);
        if stage == Stage::Countdown { Instant::now() } else { next_key.min(deadline(self.pause())) }
    }

    fn pause(&self) -> Duration {
        match self.stage {
            Stage::Unknown => WHILE_SILENT,
            Stage::Banner => AFTER_BANNER,
            Stage::Countdown => DURING_COUNTDOWN,
        }
    }

    async fn press_key(&mut self, console: &mut Console) -> Result<(), Error> {
        let keys = &self.options.interrupt;
        let every = if keys.ends_with(b"\r") && keys.len() > 1 { LINES_TO_CTRL_C } else { 2 };
        let in_turn = self.stage != Stage::Countdown && self.keys % every == every - 1;
        self.keys += 1;
        console.send(if in_turn { CTRL_C } else { keys }).await
    }

    /// A line that looks like a prompt has stood there for a while: who answers behind it?
    async fn ask_stranger(&mut self, console: &mut Console, line: &str) -> Result<(), Error> {
        let Some(shown) = shown_prompt(console).await? else { return Ok(()) };
        if shown.text.contains(self.options.prompt.trim()) {
            return Ok(());
        }
        let tail = console.tail();
        match self.stage != Stage::Unknown || shown.is_uboot {
            true => {
                let expected = self.options.prompt.trim().to_owned();
                Err(Error::OtherPrompt { found: shown.text, expected, tail })
            }
            false => {
                let evidence = line.to_owned();
                Err(Error::Missed { evidence, missed: Missed::AlreadyRunning, tail })
            }
        }
    }

    /// Notes how autoboot ended; `before` is what came between the countdown and the prompt.
    fn note_end(&mut self, before: &[u8]) {
        if self.stage == Stage::Countdown && self.autoboot == Autoboot::NoCountdown {
            // The first line is the rest of the countdown.
            let mut lines = before.split(|byte| *byte == b'\n').skip(1);
            let has_text = lines.any(|line| line.iter().any(u8::is_ascii_alphabetic));
            self.autoboot = if has_text { Autoboot::RanOut } else { Autoboot::Stopped };
        }
    }

    /// A board that starts over and over and never counts down cannot be stopped; one banner too many is SPL's.
    fn too_late(&self, console: &Console) -> Error {
        if self.stage == Stage::Banner && self.banners >= RESTARTS {
            return Error::AutobootNotInterruptible { tail: console.tail() };
        }
        no_prompt(console, "U-Boot prompt", self.options.within)
    }

    fn missed(&self, console: &Console, evidence: &[u8]) -> Error {
        let tail = console.tail();
        let missed = match self.stage {
            Stage::Banner => return Error::AutobootNotInterruptible { tail },
            Stage::Countdown => Missed::Countdown { line: self.countdown(console) },
            Stage::Unknown => Missed::AlreadyRunning,
        };
        Error::Missed { evidence: String::from_utf8_lossy(evidence).trim().to_owned(), missed, tail }
    }

    /// The line of the countdown, as far as the console shows it.
    fn countdown(&self, console: &Console) -> String {
        let lines = console.transcript().tail(RECENT);
        let is_countdown = |line: &&String| self.patterns[1].find(line.as_bytes(), 0).is_some();
        lines.iter().rfind(is_countdown).map(|line| line.trim().to_owned()).unwrap_or_default()
    }
}
