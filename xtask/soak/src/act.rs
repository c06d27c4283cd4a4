//! What happens in the course of a flash: signals, files that change, power that fails.

use std::fs::{self, OpenOptions};
use std::io::Result;
use std::os::unix::fs::FileExt as _;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

use crate::clock::offset;
use crate::folder::Folder;

/// Something that happens to a flash.
#[derive(Clone, Debug)]
pub(crate) enum Act {
    /// These signals, each after a pause.
    Signals(Vec<(Duration, Signal)>),
    /// The outlet goes dead; the next order to switch on works again.
    PowerGone,
    /// The file that is flashed is removed.
    ImageGone,
    /// It becomes shorter.
    ImageShorter,
    /// Another image is written over it.
    ImageReplaced,
    /// Another image takes its name.
    ImageRenamed,
    /// The folder of decoded images is removed.
    CacheGone,
    /// One bit of each file in it changes.
    CacheFlipped,
    /// The files that the board loads are removed.
    BootFilesGone,
    /// The time of day is off by so many seconds from now on.
    ClockJumps(i64),
    /// The emulator is killed.
    EmulatorGone,
}

impl Act {
    /// Whether it sends a signal.
    pub(crate) fn is_signal(&self) -> bool {
        matches!(self, Self::Signals(_))
    }

    /// Whether it needs a clock that can be set.
    pub(crate) fn sets_clock(&self) -> bool {
        matches!(self, Self::ClockJumps(_))
    }

    /// Whether it sends the signal that no program can handle.
    pub(crate) fn kills(&self) -> bool {
        matches!(self, Self::Signals(all) if all.iter().any(|(_, signal)| *signal == Signal::KILL))
    }

    /// Does it, as far as it can be done now.
    pub(crate) fn happen(&self, process: Pid, folder: &Folder, other: &[u8]) {
        // What is not there any more cannot be changed; the flash was quicker.
        self.try_to(process, folder, other).ok();
    }

    fn try_to(&self, process: Pid, folder: &Folder, other: &[u8]) -> Result<()> {
        let image = folder.path("lab/image");
        match self {
            Self::Signals(signals) => {
                for (pause, signal) in signals {
                    std::thread::sleep(*pause);
                    kill_process(process, *signal)?;
                }
                Ok(())
            }
            Self::PowerGone => fs::write(folder.path("lab/outlet"), "off\n"),
            Self::ImageGone => fs::remove_file(image),
            Self::ImageShorter => {
                let file = OpenOptions::new().write(true).open(image)?;
                let length = file.metadata()?.len();
                file.set_len(length / 2)
            }
            Self::ImageReplaced => fs::write(image, other),
            Self::ImageRenamed => {
                fs::write(folder.path("lab/image.new"), other)?;
                fs::rename(folder.path("lab/image.new"), image)
            }
            Self::CacheGone => fs::remove_dir_all(folder.path("cache")),
            Self::CacheFlipped => flip_all(folder),
            Self::BootFilesGone => fs::remove_dir_all(folder.path("lab/tftp")),
            Self::ClockJumps(seconds) => fs::write(folder.path("clock"), offset(*seconds)),
            Self::EmulatorGone => {
                let emulators = folder.processes_named("qemu-system");
                emulators.into_iter().try_for_each(|pid| Ok(kill_process(pid, Signal::KILL)?))
            }
        }
    }
}

fn flip_all(folder: &Folder) -> Result<()> {
    for path in folder.files("cache") {
        let file = OpenOptions::new().read(true).write(true).open(path)?;
        let middle = file.metadata()?.len() / 2;
        let mut byte = [0];
        file.read_exact_at(&mut byte, middle)?;
        file.write_all_at(&[byte[0] ^ 4], middle)?;
    }
    Ok(())
}
