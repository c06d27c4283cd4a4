//! Which commands this U-Boot has, and what `help` says of them (common/command.c).

use super::state::UBoot;

/// Every command: `%% NAME: SUMMARY`, then its usage as the real one prints it.
const COMMANDS: &str = include_str!("commands.txt");

/// A command as U-Boot's table has it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct CommandHelp {
    name: &'static str,
    summary: &'static str,
    usage: &'static str,
}

fn entries() -> impl Iterator<Item = CommandHelp> {
    COMMANDS.split("%% ").skip(1).filter_map(|section| {
        let (head, usage) = section.split_once('\n')?;
        let (name, summary) = head.split_once(": ")?;
        Some(CommandHelp { name, summary, usage })
    })
}

/// The command that `typed` means among those that `has` knows: it may be shortened as long as it stays unique, and end
/// in a width like `.b`.
pub(super) fn resolve(typed: &str, has: impl Fn(&str) -> bool) -> Option<&'static str> {
    let name = typed.split('.').next().filter(|name| !name.is_empty())?;
    let mut candidates =
        entries().map(|entry| entry.name).filter(|known| known.starts_with(name) && has(known));
    let first = candidates.next()?;
    if first == name {
        return Some(first);
    }
    let mut rest = candidates.peekable();
    if rest.peek().is_none() { Some(first) } else { rest.find(|known| *known == name) }
}

impl UBoot<'_> {
    /// Whether this U-Boot was built with a command.
    pub(super) fn has_command(&self, name: &str) -> bool {
        !self.machine.config.without_commands.iter().any(|missing| missing == name)
    }

    /// `help [COMMAND ...]`.
    pub(super) fn help(&self, names: &[&str]) -> i32 {
        if names.is_empty() {
            for entry in entries().filter(|entry| self.has_command(entry.name)) {
                self.print(&format!("{:<10}- {}\n", entry.name, entry.summary));
            }
            return 0;
        }
        let mut status = 0;
        for name in names {
            match resolve(name, |known| self.has_command(known)) {
                Some(known) => {
                    self.usage(known);
                }
                None => {
                    status = 1;
                    self.print(&format!(
                        "Unknown command '{name}' - try 'help' without arguments for list of all known commands\n\n"
                    ));
                }
            }
        }
        status
    }

    /// Says how a command is typed, as after a wrong one.
    pub(super) fn usage(&self, name: &str) -> i32 {
        if let Some(entry) = entries().find(|entry| entry.name == name) {
            self.print(&format!("{} - {}\n\nUsage:\n{}", entry.name, entry.summary, entry.usage));
        }
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_command_may_be_shortened_while_it_is_unique() {
        // As Debian's U-Boot, which has no command to send.
        let all = |name: &str| name != "tftpput";
        for (typed, meant) in [
            ("md.b", Some("md")),
            ("print", Some("printenv")),
            ("boot", Some("boot")),
            ("bootm", Some("bootm")),
            ("tftp", Some("tftpboot")),
            ("s", None),
            ("frob", None),
            ("", None),
            (".b", None),
        ] {
            assert_eq!(resolve(typed, all), meant, "{typed}");
        }
        assert_eq!(resolve("tftp", |_| true), None, "two begin like this");
        assert_eq!(resolve("sl", |name| name != "sleep"), None);
    }

    #[test]
    fn every_command_has_a_summary_and_its_usage() {
        assert!(entries().count() > 30);
        for entry in entries() {
            assert!(entry.usage.starts_with(entry.name) && entry.usage.ends_with('\n'), "{entry:?}");
            assert!(!entry.summary.is_empty());
        }
    }
}
