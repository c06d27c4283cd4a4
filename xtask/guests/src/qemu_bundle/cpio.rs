//! An archive in cpio's "new ASCII" format, as the kernel unpacks it (Linux `Documentation/driver-api/early-userspace/buffer-format.rst`).
//!
//! Everything belongs to root and has no time, entries are in the order of their names: equal content gives equal bytes.

use std::collections::BTreeMap;

/// What is at a path.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Node {
    Directory,
    File { executable: bool, content: Vec<u8> },
    Link(String),
    CharacterDevice { major: u32, minor: u32 },
}

/// A file tree by path, without leading slashes.
#[derive(Debug, Default)]
pub(crate) struct Archive {
    nodes: BTreeMap<String, Node>,
}

impl Archive {
    /// Puts a node at a path, and the directories above it where they are missing; replaces what is there.
    pub(crate) fn add(&mut self, path: &str, node: Node) {
        for (end, _) in path.match_indices('/') {
            self.nodes.entry(path[..end].to_owned()).or_insert(Node::Directory);
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// The bytes of the archive.
    pub(crate) fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::new();
        for (number, (path, node)) in (1..).zip(&self.nodes) {
            entry(&mut bytes, number, path, node);
        }
        entry(&mut bytes, 0, "TRAILER!!!", &Node::Link(String::new()));
        bytes
    }
}

impl Node {
    fn mode(&self) -> u32 {
        match self {
            Node::Directory => 0o040_755,
            Node::File { executable: true, .. } => 0o100_755,
            Node::File { executable: false, .. } => 0o100_644,
            Node::Link(_) => 0o120_777,
            Node::CharacterDevice { .. } => 0o020_600,
        }
    }

    fn content(&self) -> &[u8] {
        match self {
            Node::File { content, .. } => content,
            Node::Link(target) => target.as_bytes(),
            Node::Directory | Node::CharacterDevice { .. } => &[],
        }
    }
}

/// Magic and 13 numbers of 8 hexadecimal digits, the name with a NUL, the content; the latter two padded to 4 bytes.
fn entry(bytes: &mut Vec<u8>, number: u32, path: &str, node: &Node) {
    let (major, minor) = match node {
        Node::CharacterDevice { major, minor } => (*major, *minor),
        _ => (0, 0),
    };
    let (mode, content) = (if number == 0 { 0 } else { node.mode() }, node.content());
    let (owner, links, time, device, checksum) = (0, 1, 0, 0, 0);
    let fields = [number, mode, owner, owner, links, time, content.len() as u32, device, device];
    let more = [major, minor, path.len() as u32 + 1, checksum];
    bytes.extend_from_slice(b"070701");
    for field in fields.iter().chain(&more) {
        bytes.extend_from_slice(format!("{field:08X}").as_bytes());
    }
    bytes.extend_from_slice(path.as_bytes());
    bytes.push(0);
    pad(bytes);
    bytes.extend_from_slice(content);
    pad(bytes);
}

fn pad(bytes: &mut Vec<u8>) {
    bytes.resize(bytes.len().next_multiple_of(4), 0);
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::process::{Command, Stdio};
    use xtask_support::programs::has_program;

    fn sample() -> Archive {
        let mut archive = Archive::default();
        archive.add("init", Node::Link("bin/busybox".into()));
        archive.add("etc/init.d/rcS", Node::File { executable: true, content: b"#!/bin/sh\n".to_vec() });
        archive.add("dev/console", Node::CharacterDevice { major: 5, minor: 1 });
        archive.add("etc/hostname", Node::File { executable: false, content: b"board\n".to_vec() });
        archive
    }

    #[test]
    fn directories_come_before_their_files() {
        let paths: Vec<_> = sample().nodes.into_keys().collect();
        assert_eq!(
            paths,
            ["dev", "dev/console", "etc", "etc/hostname", "etc/init.d", "etc/init.d/rcS", "init"]
        );
        let mut other = Archive::default();
        for (path, node) in sample().nodes.into_iter().rev() {
            other.add(&path, node);
        }
        assert_eq!(other.bytes(), sample().bytes());
    }

    #[test]
    fn cpio_itself_lists_the_archive() {
        if !has_program("cpio") {
            println!("skipped: no cpio on this machine");
            return;
        }
        let mut cpio = Command::new("cpio")
            .args(["--list", "--verbose", "--numeric-uid-gid", "--quiet"])
            .env("TZ", "UTC")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        cpio.stdin.take().unwrap().write_all(&sample().bytes()).unwrap();
        let output = cpio.wait_with_output().unwrap();
        assert!(output.status.success());
        let text = String::from_utf8(output.stdout).unwrap();
        let lines: Vec<String> =
            text.lines().map(|it| it.split_whitespace().collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(
            lines,
            [
                "drwxr-xr-x 1 0 0 0 Jan 1 1970 dev",
                "crw------- 1 0 0 5, 1 Jan 1 1970 dev/console",
                "drwxr-xr-x 1 0 0 0 Jan 1 1970 etc",
                "-rw-r--r-- 1 0 0 6 Jan 1 1970 etc/hostname",
                "drwxr-xr-x 1 0 0 0 Jan 1 1970 etc/init.d",
                "-rwxr-xr-x 1 0 0 10 Jan 1 1970 etc/init.d/rcS",
                "lrwxrwxrwx 1 0 0 11 Jan 1 1970 init -> bin/busybox",
            ]
        );
    }
}
