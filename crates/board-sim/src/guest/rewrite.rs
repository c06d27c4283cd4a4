//! Leads device paths, and others that would leave the board, into its private folder.

/// Names below /dev that are the host's own: harmless, and needed as they are.
const HARMLESS: &[&str] =
    &["null", "zero", "full", "random", "urandom", "tty", "stdin", "stdout", "stderr", "fd", "ptmx", "pts"];
/// Paths of the host that mean the board's own.
const OWN: &[&str] = &[
    "/dev",
    "/sys",
    "/proc/sys",
    "/proc/partitions",
    "/tmp",
    "/var",
    "/run",
    "/mnt",
    "/media",
    "/root",
    "/home",
    "/etc",
    "/boot",
    "/bin",
    "/sbin",
    "/usr/bin",
    "/usr/sbin",
    "/usr/local",
];
/// Folders of programs; the board has a single one.
const PROGRAMS: &[&str] = &["/bin", "/sbin", "/usr/bin", "/usr/sbin"];

/// Rewrites what was typed.
#[derive(Debug)]
pub(crate) struct Rewrite {
    root: String,
    /// Kernel names of block devices: writing to them must not shorten them.
    block: Vec<String>,
}

impl Rewrite {
    pub(crate) fn new(root: String, block: Vec<String>) -> Self {
        Self { root, block }
    }

    /// `line` with the board's paths in place of the host's.
    pub(crate) fn line(&self, line: &[u8]) -> Vec<u8> {
        let mut out = Vec::with_capacity(line.len() + self.root.len());
        let mut place = 0;
        while place < line.len() {
            let rest = &line[place..];
            let begins = rest[0] == b'/' && (place == 0 || !continues_a_path(line[place - 1]));
            if !begins {
                out.push(rest[0]);
                place += 1;
            } else if rest.starts_with(self.root.as_bytes()) {
                out.extend_from_slice(self.root.as_bytes());
                place += self.root.len();
            } else {
                place += self.path(&mut out, rest);
            }
        }
        out
    }

    /// Writes the path at the beginning of `rest`, the board's own where it has one; gives its length.
    fn path(&self, out: &mut Vec<u8>, rest: &[u8]) -> usize {
        let Some(own) = OWN.iter().find(|own| is_below(rest, own.as_bytes())) else {
            out.push(b'/');
            return 1;
        };
        if *own == "/dev" {
            let name = name_of(&rest[own.len()..]);
            if HARMLESS.contains(&name.as_str()) {
                out.extend_from_slice(own.as_bytes());
                return own.len();
            }
            if self.block.contains(&name) {
                keep_length(out);
            }
        }
        out.extend_from_slice(self.root.as_bytes());
        out.extend_from_slice(if PROGRAMS.contains(own) { b"/bin" } else { own.as_bytes() });
        own.len()
    }
}

/// Letters before a slash that make it the middle of a path.
fn continues_a_path(letter: u8) -> bool {
    letter.is_ascii_alphanumeric() || b"._-}*?~+@%)".contains(&letter)
}

/// Whether the path at the beginning of `rest` is `own` or lies below it.
fn is_below(rest: &[u8], own: &[u8]) -> bool {
    rest.starts_with(own) && rest.get(own.len()).is_none_or(|&next| next == b'/' || !continues_a_path(next))
}

/// The first name in `/name…`.
fn name_of(rest: &[u8]) -> String {
    let rest = rest.strip_prefix(b"/").unwrap_or(rest);
    let end = rest.iter().position(|letter| !letter.is_ascii_alphanumeric() && !b"._-".contains(letter));
    String::from_utf8_lossy(&rest[..end.unwrap_or(rest.len())]).into_owned()
}

/// Turns `>` before a block device into `1<>`: the shell would shorten the file that stands for it.
fn keep_length(out: &mut Vec<u8>) {
    let Some(arrow) = out.iter().rposition(|letter| !b" \t\"'".contains(letter)) else { return };
    let before = arrow.checked_sub(1).map(|place| out[place]);
    if out[arrow] == b'>' && before.is_none_or(|letter| !b"0123456789<>&".contains(&letter)) {
        out.splice(arrow..=arrow, *b"1<>");
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(line: &str, expected: &str) {
        let rewrite = Rewrite::new("/tmp/b/g".into(), vec!["mmcblk0".into(), "sda".into()]);
        let got = rewrite.line(line.as_bytes());
        assert_eq!(String::from_utf8_lossy(&got), expected, "{line}");
        assert_eq!(rewrite.line(&got), got, "rewriting twice changes nothing: {line}");
    }

    #[test]
    fn no_way_leads_to_the_hosts_devices() {
        check("dd if=/dev/zero of=/dev/mmcblk0", "dd if=/dev/zero of=/tmp/b/g/dev/mmcblk0");
        check(
            "sh /tmp/w.sh write '/dev/sda1' \"/dev/sda\"",
            "sh /tmp/b/g/tmp/w.sh write '/tmp/b/g/dev/sda1' \"/tmp/b/g/dev/sda\"",
        );
        check("ls -l /sys/class/block/ | grep 4fb", "ls -l /tmp/b/g/sys/class/block/ | grep 4fb");
        check("echo 3 >/proc/sys/vm/drop_caches", "echo 3 >/tmp/b/g/proc/sys/vm/drop_caches");
        check("cat /proc/cmdline", "cat /proc/cmdline");
        check("t=//dev/sda; /sbin/reboot", "t=//tmp/b/g/dev/sda; /tmp/b/g/bin/reboot");
        check("cd /; ls /dev", "cd /; ls /tmp/b/g/dev");
        check("x >/dev/null 2>&1 </dev/tty", "x >/dev/null 2>&1 </dev/tty");
        check("wget http://10.0.0.1:80/dev/sda", "wget http://10.0.0.1:80/dev/sda");
        check("ls a/dev/sda devices /devices", "ls a/dev/sda devices /devices");
        check("ls /tmp/b/g/dev/sda", "ls /tmp/b/g/dev/sda");
    }

    #[test]
    fn writing_to_a_device_does_not_shorten_it() {
        check("cat x > /dev/sda", "cat x 1<> /tmp/b/g/dev/sda");
        check("cat x >\"/dev/sda\"", "cat x 1<>\"/tmp/b/g/dev/sda\"");
        check("cat x >> /dev/sda", "cat x >> /tmp/b/g/dev/sda");
        check("cat x > /dev/nosuch", "cat x > /tmp/b/g/dev/nosuch");
    }
}
