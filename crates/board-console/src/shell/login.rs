//! From the boot command to a proven shell: boot failures, login and password prompts, silence.

use std::time::Duration;

use tokio::time::{Instant, timeout};

use super::{Shell, prove};
use crate::cause::Cause;
use crate::cause_texts::{BANNER, kernel_fatal, uboot_fatal};
use crate::console::{Console, Found, deadline};
use crate::error::{Error, LoginProblem};
use crate::pattern::Pattern;

/// After so much silence a line end is sent: a prompt may have been overwritten by kernel messages.
const SILENCE: Duration = Duration::from_secs(5);
/// A board that never falls silent is sent one after so long.
const NOISE: Duration = Duration::from_secs(10);
/// A proof that began in time may be finished for so long, and the shell be made quiet.
const OVERTIME: Duration = Duration::from_secs(15);
/// A prompt is one when nothing follows it for this time.
const REST: Duration = Duration::from_millis(300);
/// An error text may be followed by the line that explains it.
const DETAILS: Duration = Duration::from_millis(300);
/// What of a line is shown as evidence, characters.
const EVIDENCE: usize = 200;
/// How a kernel message begins that follows a prompt on its line.
const KERNEL_MESSAGE: &[u8] = b"\r\n[";
/// How often a user name is sent when the login prompt comes back.
const TRIES: u32 = 3;

const PASSWORD: &str = "assword:";
const REFUSED: [&str; 4] =
    ["Login incorrect", "Login failed", "login incorrect", "Maximum number of tries exceeded"];
/// Busybox init's askfirst.
const PRESS_ENTER: &str = "Please press Enter to activate this console";
const KERNEL: [&str; 4] =
    ["Starting kernel", "Linux version ", "Booting Linux on", "EFI stub: Booting Linux"];

/// How to log in.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginOptions {
    /// The login prompt, literally.
    pub login_prompt: String,
    /// The shell's prompt, literally (not a regular expression).
    pub prompt: String,
    /// The user name; none when the board starts a shell without asking.
    pub username: Option<String>,
    /// The password, masked in the transcript.
    pub password: Option<String>,
    /// How long the board may take from the boot command to the shell.
    pub within: Duration,
}

impl Default for LoginOptions {
    fn default() -> Self {
        Self {
            login_prompt: "login:".into(),
            prompt: "#".into(),
            username: Some("root".into()),
            password: None,
            within: Duration::from_secs(180),
        }
    }
}

impl std::fmt::Debug for LoginOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginOptions")
            .field("login_prompt", &self.login_prompt)
            .field("prompt", &self.prompt)
            .field("username", &self.username)
            .field("password", &self.password.as_ref().map(|_| "********"))
            .field("within", &self.within)
            .finish()
    }
}

/// Follows the boot to the login, logs in, and proves that a shell answers.
///
/// A boot that fails is noticed when it does: U-Boot's error texts, a kernel panic, the boot loader starting again,
/// U-Boot's prompt coming back. A shell prompt is believed only when nothing follows it and a random marker comes
/// back, so `#1 SMP` in the kernel's banner is none.
///
/// # Errors
/// It ends at most 15 s after `within`, whatever the board sends. The console is given back with the error:
/// [`Error::Boot`], [`Error::Login`], [`Error::Timeout`],
/// [`Error::Invalid`] for an empty prompt, and those of [`Console::expect`].
pub async fn login(mut console: Console, options: &LoginOptions) -> Result<Shell, (Console, Error)> {
    let longest = options.within.saturating_add(OVERTIME);
    let reached = timeout(longest, async {
        reach_shell(&mut console, options).await?;
        Shell::quiet(&mut console).await
    });
    match reached.await {
        Ok(Ok(())) => Ok(Shell { console, idle: true }),
        Ok(Err(error)) => Err((console, error)),
        Err(_) => {
            let error = console.timeout_error("shell prompt that answers", options.within);
            Err((console, error))
        }
    }
}

async fn reach_shell(console: &mut Console, options: &LoginOptions) -> Result<(), Error> {
    for (what, value) in [("login prompt", &options.login_prompt), ("shell prompt", &options.prompt)] {
        if value.trim().is_empty() {
            let value = value.escape_debug().to_string();
            return Err(Error::Invalid { what, value, problem: "must not be empty" });
        }
    }
    if let Some(password) = &options.password {
        console.transcript().mask(password);
    }
    let until = deadline(options.within);
    let mut login = Login { console, options, stage: Stage::Boot, kernel_started: false, usernames: 0 };
    login.reach_shell(until).await
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    Boot,
    UsernameSent,
    PasswordSent,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Seen {
    LoginPrompt,
    Password,
    Prompt,
    Refused,
    PressEnter,
    KernelStart,
    KernelFatal,
    Banner,
    UBootFatal,
    UBootPrompt,
}

struct Login<'c> {
    console: &'c mut Console,
    options: &'c LoginOptions,
    stage: Stage,
    /// From then on U-Boot's error texts are a kernel's ordinary messages.
    kernel_started: bool,
    usernames: u32,
}

impl Login<'_> {
    async fn reach_shell(&mut self, until: Instant) -> Result<(), Error> {
        let mut heard = self.console.received();
        let mut latest = deadline(NOISE);
        let (mut seen, mut patterns) = self.patterns()?;
        loop {
            if Instant::now() >= until {
                return Err(self.too_late());
            }
            let wake = deadline(SILENCE).min(latest).min(until);
            match self.console.expect_until(&patterns, wake).await? {
                Some(found) if self.handle(seen[found.index], &found).await? => return Ok(()),
                Some(_) => (seen, patterns) = self.patterns()?,
                // Not at the deadline: the silence was shorter.
                None if Instant::now() >= until => {}
                // An empty line right behind the user name could be taken for the password.
                None if heard == self.console.received()
                    || (Instant::now() >= latest && self.stage != Stage::UsernameSent) =>
                {
                    self.console.send(b"\n").await?;
                    latest = deadline(NOISE);
                }
                None => {}
            }
            heard = self.console.received();
        }
    }

    fn patterns(&self) -> Result<(Vec<Seen>, Vec<Pattern>), Error> {
        let mut list = vec![
            (Seen::LoginPrompt, Pattern::text(self.options.login_prompt.trim())),
            (Seen::Password, Pattern::text(PASSWORD)),
            (Seen::Prompt, Pattern::text(self.options.prompt.trim())),
            (Seen::Refused, Pattern::any("a refused login", REFUSED)),
            (Seen::PressEnter, Pattern::text(PRESS_ENTER)),
            (Seen::KernelFatal, kernel_fatal()),
            (Seen::Banner, Pattern::regex(BANNER)?),
        ];
        if !self.kernel_started {
            list.push((Seen::KernelStart, Pattern::any("a starting kernel", KERNEL)));
            if let Some(prompt) = self.console.uboot_prompt() {
                list.push((Seen::UBootFatal, uboot_fatal()));
                list.push((Seen::UBootPrompt, Pattern::text(prompt.trim())));
            }
        }
        Ok(list.into_iter().unzip())
    }

    /// Acts on what was seen; whether a shell is proven.
    async fn handle(&mut self, seen: Seen, found: &Found) -> Result<bool, Error> {
        match seen {
            Seen::LoginPrompt => self.login_prompt(found).await?,
            Seen::Password if self.stage == Stage::UsernameSent => self.send_password().await?,
            Seen::Password => {}
            Seen::Prompt => return self.prompt().await,
            Seen::Refused if self.stage != Stage::Boot => return Err(self.refused(LoginProblem::Incorrect)),
            Seen::Refused => {}
            Seen::PressEnter => self.console.send(b"\n").await?,
            Seen::KernelStart => self.kernel_started = true,
            Seen::Banner => return Err(self.boot_failed(Cause::BootLoaderAgain, found).await),
            Seen::KernelFatal | Seen::UBootFatal => {
                let cause = Cause::of(&found.matched).unwrap_or(Cause::BootReturned);
                return Err(self.boot_failed(cause, found).await);
            }
            Seen::UBootPrompt => {
                if ends_line(&found.before) && self.at_rest(b"").await? {
                    return Err(self.boot_failed(Cause::BootReturned, found).await);
                }
            }
        }
        Ok(false)
    }

    async fn login_prompt(&mut self, found: &Found) -> Result<(), Error> {
        if self.stage == Stage::PasswordSent
            || found.before.ends_with(b"Last ")
            || !self.at_rest(KERNEL_MESSAGE).await?
        {
            return Ok(());
        }
        let Some(username) = &self.options.username else {
            return Err(self.refused(LoginProblem::UsernameWanted));
        };
        if self.usernames == TRIES {
            return Err(self.refused(LoginProblem::Repeated));
        }
        self.usernames += 1;
        self.kernel_started = true;
        self.stage = Stage::UsernameSent;
        self.console.discard();
        self.console.send(format!("{username}\n").as_bytes()).await
    }

    async fn send_password(&mut self) -> Result<(), Error> {
        let Some(password) = &self.options.password else {
            return Err(self.refused(LoginProblem::PasswordWanted));
        };
        self.stage = Stage::PasswordSent;
        self.console.discard();
        self.console.send(format!("{password}\n").as_bytes()).await
    }

    /// A prompt at rest must prove that it is a shell's. While the board boots, a `#` at the end of a line is no
    /// prompt, and what we would type would later be taken for a user name.
    async fn prompt(&mut self) -> Result<bool, Error> {
        let after: &[u8] = if self.stage == Stage::Boot { b"" } else { KERNEL_MESSAGE };
        Ok(self.at_rest(after).await? && prove(self.console).await?)
    }

    /// Whether what was just matched ends what the board printed; one of `after` may follow.
    async fn at_rest(&mut self, after: &[u8]) -> Result<bool, Error> {
        let until = deadline(REST);
        loop {
            let next = self.console.buffered().iter().copied().find(|byte| !matches!(byte, b' ' | b'\t'));
            match next {
                Some(byte) => return Ok(after.contains(&byte)),
                None if !self.console.hear_until(until).await? => return Ok(true),
                None => {}
            }
        }
    }

    fn refused(&self, problem: LoginProblem) -> Error {
        let username = self.options.username.clone().unwrap_or_default();
        Error::Login { username, problem, tail: self.console.tail() }
    }

    /// The evidence is the whole line of what was found.
    async fn boot_failed(&mut self, cause: Cause, found: &Found) -> Error {
        // The stream may have ended with the failure, which is then the better explanation.
        let settled = self.console.settle(DETAILS, Duration::from_secs(1)).await;
        let mut line = found.before.rsplit(|byte| *byte == b'\n').next().unwrap_or_default().to_vec();
        line.extend_from_slice(&found.matched);
        if settled.is_ok() {
            line.extend(self.console.buffered().iter().take_while(|byte| !matches!(byte, b'\r' | b'\n')));
        }
        let refined = Cause::in_uboot_output(&line).unwrap_or(cause);
        let cause = if self.kernel_started { cause } else { refined };
        let evidence = self.console.transcript().shown(&line, EVIDENCE);
        Error::Boot { cause, evidence, tail: self.console.tail() }
    }

    fn too_late(&self) -> Error {
        let tail = self.console.tail();
        let silent = tail.0.last().is_some_and(|line| line.contains("Starting kernel"));
        let waited_for = match self.stage {
            Stage::Boot if silent => {
                "output of the kernel after `Starting kernel` (check the device tree, `console=` in \
                                      bootargs and the load addresses)"
                    .into()
            }
            Stage::Boot if self.options.username.is_some() => {
                format!(
                    "login prompt `{}` or shell prompt `{}`",
                    self.options.login_prompt, self.options.prompt
                )
            }
            _ => format!("shell prompt `{}` that answers", self.options.prompt),
        };
        self.console.timeout_error(&waited_for, self.options.within)
    }
}

fn ends_line(before: &[u8]) -> bool {
    before.last().is_none_or(|byte| matches!(byte, b'\r' | b'\n'))
}
