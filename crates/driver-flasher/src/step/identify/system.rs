//! Which operating system is in a file system: its `os-release` (os-release(5)), read without mounting anything.

use std::collections::BTreeMap;
use std::error::Error as StdError;

use ext4_view::{Ext4, Ext4Read};
use flasher_core::{Class, Error, Result, safe};
use tokio::sync::{mpsc, oneshot};

use crate::access::{MediumAccess, Stretch, Target};
use crate::job::Session;
use crate::step::read_back;

/// Where the file is; the first that is there counts.
const FILES: [&str; 2] = ["/etc/os-release", "/usr/lib/os-release"];
/// Longest name that is shown, characters.
const LONGEST_NAME: usize = 120;
/// Longest file that is looked at, bytes.
const LONGEST_FILE: u64 = 64 << 10;
/// Bytes that are read at once: each reading is a command on the board.
const PAGE: u64 = 64 << 10;
/// So many are read of one file system at most.
const PAGES: usize = 48;
/// Where an ext file system has its mark, and the mark (`s_magic` of struct ext4_super_block).
const MARK: (usize, [u8; 2]) = (1080, [0x53, 0xef]);

/// Whether what begins with `head` may be a file system that can be looked into.
pub(super) fn can_be_read(head: &[u8]) -> bool {
    let (at, mark) = MARK;
    head.get(at..at + mark.len()) == Some(&mark[..])
}

/// The name of the system in the file system at this place of the medium; none where it has none, or cannot be understood.
pub(super) async fn of(
    session: Session<'_>,
    (offset, length): (u64, u64),
    target: &Target,
    access: &mut dyn MediumAccess,
) -> Result<Option<String>> {
    let (asks, mut asked) = mpsc::channel::<Ask>(1);
    let reading = tokio::task::spawn_blocking(move || name(Pages { asks, length, known: BTreeMap::new() }));
    while let Some(Ask { at, reply }) = asked.recv().await {
        let stretch = Stretch { offset: offset + at, length: PAGE.min(length - at) };
        match read_back::stretches(session, target, &[stretch], access).await {
            // Who asks for it may be gone already.
            Ok(read) => drop(reply.send(read.concat())),
            // What cannot be read has no name.
            Err(error) if error.class() == Class::Medium => drop(reply),
            Err(error) => return Err(error),
        }
    }
    let ended = |ended| Error::new(Class::Internal, "a worker thread ended unexpectedly").because(ended);
    reading.await.map_err(ended)
}

/// A page that is wanted.
struct Ask {
    /// Where it begins in the file system, bytes.
    at: u64,
    reply: oneshot::Sender<Vec<u8>>,
}

/// A file system as the reader of a library sees it. Each reading blocks its thread.
struct Pages {
    asks: mpsc::Sender<Ask>,
    length: u64,
    known: BTreeMap<u64, Vec<u8>>,
}

/// A page cannot be had.
type Unreadable = Box<dyn StdError + Send + Sync>;

impl Pages {
    fn page(&mut self, at: u64) -> Result<&[u8], Unreadable> {
        if !self.known.contains_key(&at) {
            if at >= self.length || self.known.len() >= PAGES {
                return Err("too much of the file system would have to be read".into());
            }
            let (reply, page) = oneshot::channel();
            self.asks.blocking_send(Ask { at, reply })?;
            self.known.insert(at, page.blocking_recv()?);
        }
        self.known.get(&at).map(Vec::as_slice).ok_or_else(|| "a page is gone".into())
    }
}

impl Ext4Read for Pages {
    fn read(&mut self, start_byte: u64, dst: &mut [u8]) -> Result<(), Unreadable> {
        let (mut at, mut rest) = (start_byte, dst);
        while !rest.is_empty() {
            let within = at % PAGE;
            let page = self.page(at - within)?;
            let some = page.get(within as usize..).filter(|some| !some.is_empty()).ok_or("it ends before")?;
            let length = some.len().min(rest.len());
            rest[..length].copy_from_slice(&some[..length]);
            (at, rest) = (at + length as u64, &mut rest[length..]);
        }
        Ok(())
    }
}

/// Blocks. A file system that cannot be understood has no name.
fn name(pages: Pages) -> Option<String> {
    let files = Ext4::load(Box::new(pages)).ok()?;
    let is_short = |path: &&&str| files.metadata(**path).is_ok_and(|file| file.len() <= LONGEST_FILE);
    let path = FILES.iter().find(is_short)?;
    named(&files.read_to_string(*path).ok()?)
}

/// The name that the text of an `os-release` gives.
fn named(text: &str) -> Option<String> {
    let value = |key: &str| {
        let line = text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='))?;
        let bare = line.trim_matches(['"', '\'']);
        Some(safe::one_line(bare)).filter(|name| !name.trim().is_empty())
    };
    let name = value("PRETTY_NAME").or_else(|| value("NAME"))?;
    Some(name.chars().take(LONGEST_NAME).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_systems() {
        for (text, expected) in [
            (
                "NAME=\"Debian\"\nPRETTY_NAME=\"Debian GNU/Linux 12 (bookworm)\"\n",
                Some("Debian GNU/Linux 12 (bookworm)"),
            ),
            ("ID=poky\nNAME='Poky (Yocto)'\n", Some("Poky (Yocto)")),
            ("PRETTY_NAME=\nNAME=Buildroot\n", Some("Buildroot")),
            ("VERSION=3\n", None),
            ("", None),
        ] {
            assert_eq!(named(text).as_deref(), expected, "{text}");
        }
        let hostile = format!("NAME=\u{1b}[31m{}", "x".repeat(4000));
        let name = named(&hostile).unwrap();
        assert!(name.chars().count() <= LONGEST_NAME && !name.contains('\u{1b}'), "{name}");
    }
}
