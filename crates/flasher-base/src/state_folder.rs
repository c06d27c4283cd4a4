//! The folder for what is remembered between runs.

use std::ffi::OsString;
use std::path::PathBuf;

/// The state folder of this user: `flasher` in `$XDG_STATE_HOME` or `~/.local/state` (XDG Base Directory Specification 0.8). Root
/// without a home, as a service runs, has `/var/lib/flasher`; another user without a home has none. It need not be there.
pub fn of_user() -> Option<PathBuf> {
    choose(|name| std::env::var_os(name), rustix::process::geteuid().is_root())
}

fn choose(variable: impl Fn(&str) -> Option<OsString>, is_root: bool) -> Option<PathBuf> {
    let absolute = |name: &str| variable(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| absolute("HOME").map(|home| home.join(".local/state")));
    state.or_else(|| is_root.then(|| PathBuf::from("/var/lib"))).map(|state| state.join("flasher"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_state_folder_follows_the_environment() {
        let check = |set: &[(&str, &str)], is_root: bool, expected: Option<&str>| {
            let variable =
                |name: &str| set.iter().find(|(key, _)| *key == name).map(|(_, value)| value.into());
            assert_eq!(choose(variable, is_root), expected.map(PathBuf::from), "{set:?}");
        };
        check(&[("XDG_STATE_HOME", "/s"), ("HOME", "/h")], false, Some("/s/flasher"));
        check(&[("XDG_STATE_HOME", "s"), ("HOME", "/h")], false, Some("/h/.local/state/flasher"));
        check(&[("HOME", "/root")], true, Some("/root/.local/state/flasher"));
        check(&[], true, Some("/var/lib/flasher"));
        check(&[("HOME", "")], false, None);
    }
}
