//! What to do about a boot loader that does not do as it should: each advice names the setting, as it is written.

use std::time::Duration;

use board_console::{Cause, Error as Console, Missed};
use flasher_core::{Error, RootCause};

use crate::trouble;

/// A failure to bring the boot loader to its prompt; `prompt` is the one that was looked for.
pub(crate) fn caught(error: &Console, prompt: &str) -> Error {
    let told = trouble::console(error);
    match error {
        Console::OtherPrompt { found, .. } => {
            told.help(format!("set it below the flasher's `children`: `{}`", uboot("prompt", found)))
        }
        Console::Missed { missed: Missed::Countdown { line }, .. } => told.help(keys_for(line)),
        Console::Missed { .. } => told.help(
            "does the switch really cut the board's power? `flasher console --power-cycle` shows it; a board that \
             keeps running for a while must stay off for longer, in the flasher's config: `power_off_seconds: 10`",
        ),
        Console::AutobootNotInterruptible { .. } => told.help(format!(
            "set `bootdelay` to 1 or more in the boot loader (`flasher console`, then `setenv bootdelay 2; saveenv`); \
             where it counts in silence and wants keys of its own: `{}`",
            uboot("interrupt", "space")
        )),
        Console::Timeout { tail, .. } if tail.0.is_empty() => told.help(
            "nothing was heard from the board: is its power really switched, is this its serial line, and is the cable \
             in? `flasher console --power-cycle` shows what comes",
        ),
        Console::Timeout { .. } => told.help(format!(
            "the board talks, and `{}` was not among it: compare the last console lines; another prompt is set below \
             the flasher's `children`: `{}`",
            prompt.trim(),
            uboot("prompt", "U-Boot>")
        )),
        _ => told,
    }
}

/// A boot loader that does not make its medium a USB disk.
pub(crate) fn not_shared(error: &Console) -> Error {
    let told = trouble::console(error);
    match error {
        Console::Command { cause: Some(Cause::UnknownCommand), .. } => {
            told.help("this U-Boot was built without `ums` (CONFIG_CMD_USB_MASS_STORAGE): take `via: uboot`, or a storage mux")
        }
        Console::Command { .. } => told.help(
            "`host: { ums: \"0 mmc 1\" }` of the flasher's config names a USB controller, an interface and a device: \
             `flasher console --power-cycle` shows which ones this U-Boot knows (`mmc list`, `help ums`)",
        ),
        _ => told,
    }
}

/// A board without an address. One that restarts, that has no network, or whose console is at fault is reported as that; one
/// that asks in vain needs a DHCP server.
pub(crate) fn no_lease(error: &Console, within: Duration) -> Error {
    if !asked_in_vain(error) {
        return trouble::console(error);
    }
    Error::infrastructure(format!("the board got no address by DHCP within {} s", within.as_secs_f64())).caused_by(RootCause::DhcpSilent)
        .because(trouble::console(error))
        .help(
            "is a DHCP server in the board's network and its cable in? or give the board a fixed address in the \
             flasher's config: `network: {address: 192.168.1.20}`",
        )
}

/// Whether the boot loader could ask others, who did not answer it as it needs.
pub(crate) fn asked_in_vain(error: &Console) -> bool {
    match error {
        Console::Timeout { .. } | Console::Unexpected { .. } => true,
        Console::Command { cause, .. } => !matches!(
            cause,
            Some(
                Cause::NoEthernet
                    | Cause::LinkDown
                    | Cause::UnknownCommand
                    | Cause::Resetting
                    | Cause::AddressNotSet
            )
        ),
        _ => false,
    }
}

/// The keys that a countdown names.
fn keys_for(countdown: &str) -> String {
    match keys_in(countdown) {
        Some(keys) => format!(
            "set what stops it, below the flasher's `children`: `{}`, or `interrupt` in the manifest's `spec`",
            uboot("interrupt", &keys)
        ),
        None => format!(
            "where it wants a key or a stop string of its own, set that below the flasher's `children`: `{}` or `{}`; \
             where any key does, what is typed does not reach the board: check the wire to its receiving pin",
            uboot("interrupt", "space"),
            "uboot: {type: uboot, config: {interrupt: {text: STRING}}}"
        ),
    }
}

fn keys_in(countdown: &str) -> Option<String> {
    let quoted = |mark: char| countdown.split(mark).nth(1).filter(|text| !text.trim().is_empty());
    let lower = countdown.to_lowercase();
    let named = [
        ("esc esc", "esc esc"),
        ("esc twice", "esc esc"),
        ("space", "space"),
        ("esc", "esc"),
        ("enter", "enter"),
        ("return", "enter"),
        ("ctrl-c", "ctrl-c"),
        ("ctrl+c", "ctrl-c"),
        ("^c", "ctrl-c"),
    ];
    let names = |word: &str| {
        let edge = |letter: Option<char>| letter.is_none_or(|letter| !letter.is_alphanumeric());
        lower.match_indices(word).any(|(at, _)| {
            edge(lower[..at].chars().next_back()) && edge(lower[at + word.len()..].chars().next())
        })
    };
    let by_name = named.iter().find(|(word, _)| names(word)).map(|(_, keys)| (*keys).to_owned());
    quoted('"').or_else(|| quoted('\'')).map(str::to_owned).or(by_name)
}

/// A child `uboot` with one setting, as it is written in an exporter YAML.
fn uboot(setting: &str, value: &str) -> String {
    let value = value.replace('\\', "\\\\").replace('"', "\\\"");
    format!("uboot: {{type: uboot, config: {{{setting}: \"{value}\"}}}}")
}

#[cfg(test)]
mod tests {
    use board_console::Tail;
    use flasher_core::Class;

    use super::*;
    use crate::config::FlasherConfig;
    use crate::uboot::UbootConfig;

    fn tail() -> Tail {
        Tail(vec!["=>".to_owned()])
    }

    fn help(error: &Console) -> String {
        caught(error, "=>").next_step().unwrap_or_default().to_owned()
    }

    /// Every `uboot` that `help` shows, as its driver reads it.
    fn settings(help: &str) -> Vec<UbootConfig> {
        let shown = help.split('`').skip(1).step_by(2).filter(|text| text.starts_with("uboot:"));
        let read = |text: &str| -> UbootConfig {
            let value: serde_json::Value = serde_yaml::from_str(text).unwrap();
            assert_eq!(value["uboot"]["type"], "uboot", "{text}");
            serde_json::from_value(value["uboot"]["config"].clone())
                .unwrap_or_else(|error| panic!("{text}: {error}"))
        };
        shown.map(read).collect()
    }

    /// Every setting of the flasher that `help` shows, as its config reads it.
    fn own_settings(help: &str) -> Vec<FlasherConfig> {
        let shown = help.split('`').skip(1).step_by(2).filter(|text| text.contains(": "));
        let shown = shown.filter(|text| !text.starts_with("uboot:"));
        shown
            .map(|text| serde_yaml::from_str(text).unwrap_or_else(|error| panic!("{text}: {error}")))
            .collect()
    }

    #[test]
    fn another_prompt_comes_with_its_setting() {
        for found in ["MX8>", "=\">", "STM32MP1 #", "a: \\ b>"] {
            let error = Console::OtherPrompt { found: found.into(), expected: "=>".into(), tail: tail() };
            let told = caught(&error, "=>");
            assert_eq!((told.class(), told.is_retryable()), (Class::Config, false));
            assert_eq!(settings(told.next_step().unwrap())[0].prompt, found);
        }
    }

    #[test]
    fn the_keys_that_a_countdown_names_come_as_a_setting() {
        for (line, sent) in [
            ("Press SPACE to abort autoboot in 2 seconds", Some(&b" "[..])),
            ("Press ESC twice to stop autoboot: 3", Some(b"\x1b\x1b")),
            ("Autoboot in 3 seconds (ESC to stop)", Some(b"\x1b")),
            ("Enter \"stop\" to interrupt", Some(b"stop")),
            ("Hit ENTER to stop autoboot", Some(b"\r")),
            ("Hit Ctrl-C to stop autoboot", Some(b"\x03")),
            ("Hit any key to stop autoboot: 2", None),
            ("the description of autoboot in 3", None),
        ] {
            let missed = Missed::Countdown { line: line.to_owned() };
            let help = help(&Console::Missed { evidence: "login:".into(), missed, tail: tail() });
            let shown = settings(&help);
            let interrupt = shown[0].interrupt.as_ref().unwrap().bytes();
            assert_eq!(shown.len(), if sent.is_some() { 1 } else { 2 }, "{help}");
            assert_eq!(interrupt, sent.unwrap_or(b" "), "{line}");
        }
    }

    #[test]
    fn every_advice_on_the_boot_loader_names_settings_that_exist() {
        let within = Duration::from_secs(60);
        let timeout = |tail| Console::Timeout { waited_for: "U-Boot prompt".into(), within, tail };
        for (error, shown) in [
            (Console::AutobootNotInterruptible { tail: tail() }, 1),
            (timeout(tail()), 1),
            (timeout(Tail::default()), 0),
            (Console::Missed { evidence: "login:".into(), missed: Missed::AlreadyRunning, tail: tail() }, 0),
        ] {
            assert_eq!(settings(&help(&error)).len(), shown, "{error}");
        }
    }

    #[test]
    fn settings_of_the_flasher_are_advised_as_they_are_written() {
        let running = Missed::AlreadyRunning;
        let config = &own_settings(&help(&Console::Missed {
            evidence: "login:".into(),
            missed: running,
            tail: tail(),
        }))[0];
        assert!(config.power_off_seconds > FlasherConfig::default().power_off_seconds);

        let silent = Console::Timeout {
            waited_for: "an address".into(),
            within: Duration::from_secs(30),
            tail: tail(),
        };
        let told = no_lease(&silent, Duration::from_secs(30));
        assert!(own_settings(told.next_step().unwrap())[0].network.is_some());
    }

    #[test]
    fn only_a_board_that_asks_in_vain_lacks_a_dhcp_server() {
        let command = |cause| Console::Command {
            command: "dhcp".into(),
            status: Some(1),
            output: String::new(),
            cause,
        };
        let altered = Console::Altered { command: "dhcp".into(), changed: 2, length: 16, tail: tail() };
        for (error, class, blames_dhcp) in [
            (command(Some(Cause::DhcpSilent)), Class::Infrastructure, true),
            (command(None), Class::Infrastructure, true),
            (command(Some(Cause::NoEthernet)), Class::Board, false),
            (command(Some(Cause::LinkDown)), Class::Infrastructure, false),
            (command(Some(Cause::UnknownCommand)), Class::Board, false),
            (Console::Reset { during: "dhcp".into(), tail: tail() }, Class::Board, false),
            (altered, Class::Infrastructure, false),
        ] {
            let told = no_lease(&error, Duration::from_secs(3));
            let words = format!("{told} {}", told.next_step().unwrap_or_default());
            assert_eq!(told.class(), class, "{error}");
            assert_eq!(words.contains("DHCP"), blames_dhcp, "{words}");
        }
    }
}
