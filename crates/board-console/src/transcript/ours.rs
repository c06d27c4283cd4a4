//! What our own dialogue leaves on a console, and how a person would want to see it.

use std::collections::VecDeque;

use crate::marker::Marker;

/// The halves of so many markers are kept: far more than the last lines of a console can hold.
const KEPT: usize = 256;
/// What stands before a marker where we typed it.
const TYPED: [&str; 4] = ["; echo ", "echo ", ":; printf '%s%s\\n' ", "; printf '%s%s\\n' "];
/// Parts of lines that only we type, to frame a command or to make a shell quiet.
const FRAMES: [&str; 6] =
    ["__v=", "__w=", "__s=", "\"$__", "unset HISTFILE PROMPT_COMMAND", "printf '%s%s:%s:%s:"];
/// What U-Boot and shells print for our control C.
const INTERRUPTED: [&str; 2] = ["<INTERRUPT>", "^C"];

/// The markers of our own dialogue.
#[derive(Default)]
pub(super) struct Ours {
    halves: VecDeque<String>,
}

impl Ours {
    /// A new marker, which is known from now on.
    pub(super) fn marker(&mut self) -> Marker {
        let marker = Marker::random();
        self.halves.extend([marker.first.clone(), marker.second.clone()]);
        let excess = self.halves.len().saturating_sub(KEPT);
        self.halves.drain(..excess);
        marker
    }

    /// The words of the markers.
    pub(super) fn words(&self) -> Vec<String> {
        self.halves.iter().cloned().collect()
    }

    /// `line` without what is ours; none when nothing of it is the board's own.
    pub(super) fn without<'l>(&self, line: &'l str) -> Option<&'l str> {
        if FRAMES.iter().any(|frame| line.contains(frame)) {
            return None;
        }
        let line = INTERRUPTED.iter().find_map(|shown| line.strip_suffix(shown)).unwrap_or(line);
        let marked = self.halves.iter().filter_map(|half| line.find(half)).min();
        let own = marked.map_or(line, |at| before_marker(&line[..at]));
        (!own.trim().is_empty()).then_some(own)
    }
}

/// A command that ends with our marker is shown as it was meant.
fn before_marker(line: &str) -> &str {
    TYPED.iter().find_map(|typed| line.strip_suffix(typed)).unwrap_or(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_person_sees_the_commands_and_what_the_board_said() {
        let mut ours = Ours::default();
        let Marker { first, second } = ours.marker();
        for (line, shown) in [
            (format!("=> dhcp; echo {first}\"{second}\"$?"), Some("=> dhcp")),
            (format!("=> echo {first}\"{second}\""), Some("=> ")),
            (format!("{first}{second}0"), None),
            (format!("no newline{first}{second}1"), Some("no newline")),
            ("=> <INTERRUPT>".to_owned(), Some("=> ")),
            (
                format!("/ # stty -echo; unset HISTFILE PROMPT_COMMAND; printf '%s%s\\n' {first} {second}"),
                None,
            ),
            (format!("__v='ls'; __w='__s=x; printf \"%s%s\\n\" {first} {second}; command eval"), None),
            (format!(":; printf '%s%s\\n' {first} {second}"), None),
            (format!("# printf '%s%s:%s:%s:\\n' {first} {second} \"$__s\""), None),
            ("/ # ^C".to_owned(), Some("/ # ")),
            ("mmc0: error -110".to_owned(), Some("mmc0: error -110")),
            ("__switch_to+0x98/0xe0".to_owned(), Some("__switch_to+0x98/0xe0")),
            ("echo of a mountain".to_owned(), Some("echo of a mountain")),
        ] {
            assert_eq!(ours.without(&line), shown, "{line}");
        }
    }
}
