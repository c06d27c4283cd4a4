//! A boot loader that waits at its prompt becomes a way to its media: which commands it has, and where in memory there is room.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use board_console::{UBoot, UBootReply};
use flasher_core::{Class, Error, Result, RootCause};

use super::answers;
use super::areas::{Areas, areas};
use super::block_device::{BlockDevice, Interface};
use crate::commands::has;
use crate::config::seconds;
use crate::job::{Purpose, Session, WritePermit};
use crate::trouble;

/// Commands without which nothing is written or proven.
const NEEDED: [&str; 5] = ["bdinfo", "tftpboot", "crc32", "cmp", "mw"];
/// The command that sends memory.
const PUT: &str = "tftpput";
/// Commands that compute SHA-256.
const HASHES: [&str; 2] = ["hash sha256", "sha256sum"];
/// Variables that hold an address for loads, the best first.
const ADDRESSES: [&str; 4] = ["loadaddr", "kernel_addr_r", "ramdisk_addr_r", "fileaddr"];
/// Time for a command that only looks something up.
const QUICK: Duration = Duration::from_secs(20);
/// Time to look for devices: a USB bus takes some seconds.
const SEARCH: Duration = Duration::from_secs(60);
/// Sectors of 512 bytes lie behind every block that a 32 bit number of them names.
const BEYOND: &str = "7fffffff";

/// U-Boot at its prompt, and what is known of the board.
pub(crate) struct BootLoader<'a> {
    pub(super) session: Session<'a>,
    pub(super) uboot: UBoot,
    /// Our TFTP server, as the board reaches it.
    pub(super) server: SocketAddr,
    pub(super) areas: Areas,
    /// The command that computes SHA-256 over a whole range, if there is one.
    pub(super) hash: Option<&'static str>,
    /// Whether it sends memory by the network (`tftpput`).
    pub(super) has_put: bool,
    /// What tells the medium from another.
    pub(super) facts: BTreeMap<String, String>,
    /// The devices and partitions that were found, by the name that messages give them.
    pub(super) windows: BTreeMap<String, Window>,
    /// Files that were made for loads so far.
    pub(super) files: u64,
    /// Bytes from the beginning of the load area on that are known to be zeros.
    pub(super) zeros: u64,
}

/// A device, or a part of one.
#[derive(Clone, Debug)]
pub(super) struct Window {
    pub(super) device: BlockDevice,
    /// First byte on the device.
    pub(super) start: u64,
    /// Bytes.
    pub(super) length: u64,
    /// Bytes of a block.
    pub(super) block: u64,
}

/// Asks the boot loader at `uboot` what it can, before anything is touched. `target` is what will be written.
///
/// # Errors
/// When a command is missing, named, or there is too little memory.
pub(crate) async fn enter<'a>(
    session: Session<'a>,
    target: &str,
    mut uboot: UBoot,
    server: SocketAddr,
) -> Result<BootLoader<'a>> {
    let device: BlockDevice = target.parse()?;
    let sending = matches!(session.purpose, Purpose::Dump(_)).then_some(PUT);
    let needed: Vec<&str> = NEEDED.into_iter().chain([device.interface.command()]).chain(sending).collect();
    let mut missing = Vec::new();
    for command in needed {
        if !has(&mut uboot, command).await? {
            missing.push(format!("`{command}`"));
        }
    }
    if !missing.is_empty() {
        return Err(lacks(&missing.join(", ")));
    }
    // What it holds back would be read in place of the medium.
    ask(&mut uboot, "blkcache configure 0 0", QUICK).await?;
    let areas = room(&mut uboot).await?;
    let has_put = sending.is_some() || has(&mut uboot, PUT).await?;
    let hash = if areas.length >= disk_image::RANGE { hash(&mut uboot, areas.load).await? } else { None };
    Ok(BootLoader {
        session,
        uboot,
        server,
        hash,
        has_put,
        areas,
        facts: BTreeMap::new(),
        windows: BTreeMap::new(),
        files: 0,
        zeros: 0,
    })
}

fn lacks(commands: &str) -> Error {
    Error::new(Class::Board, format!("this boot loader was built without {commands}"))
        .caused_by(RootCause::UnknownCommand)
        .help("take a U-Boot with these commands, or `via: linux` with a bundle")
        .retryable(false)
}

/// The command with which U-Boot computes SHA-256: a build may have `hash` without this digest.
async fn hash(uboot: &mut UBoot, address: u64) -> Result<Option<&'static str>> {
    for command in HASHES {
        let answer = ask(uboot, &format!("{command} {address:#x} 40"), QUICK).await?;
        if answer.status == 0 && answers::sha256(&answer.output).is_some() {
            return Ok(Some(command));
        }
    }
    Ok(None)
}

/// The memory that is free for loads.
async fn room(uboot: &mut UBoot) -> Result<Areas> {
    let mut candidates = Vec::new();
    for name in ADDRESSES {
        let value = uboot.get(name).await.map_err(|error| trouble::console(&error))?;
        let address =
            value.and_then(|text| u64::from_str_radix(text.trim().trim_start_matches("0x"), 16).ok());
        candidates.extend(address);
    }
    let told = ask(uboot, "bdinfo", QUICK).await?;
    areas(&told.output, &candidates)
}

async fn ask(uboot: &mut UBoot, command: &str, within: Duration) -> Result<UBootReply> {
    uboot.ask(command, within).await.map_err(|error| trouble::console(&error))
}

impl BootLoader<'_> {
    /// Runs a command whatever its status is.
    pub(super) async fn ask(&mut self, command: &str, within: Duration) -> Result<UBootReply> {
        ask(&mut self.uboot, command, within).await
    }

    /// Runs a command that only computes or looks something up in memory.
    pub(super) async fn compute(&mut self, command: &str) -> Result<UBootReply> {
        let within = seconds(self.session.flasher.config.timeouts.command);
        ask(&mut self.uboot, command, within).await
    }

    /// Runs a command of the job's that may write.
    pub(super) async fn change(&mut self, command: &str, _permit: WritePermit) -> Result<()> {
        self.zeros = 0;
        let within = seconds(self.session.flasher.config.timeouts.command);
        self.uboot.run(command, within).await.map(drop).map_err(|error| trouble::console(&error))
    }

    /// Makes the device `target` the one that is read and written; gives its name.
    pub(super) async fn select(&mut self, target: &str) -> Result<String> {
        let device: BlockDevice = target.parse()?;
        if let Some(search) = device.interface.search() {
            self.ask(search, SEARCH).await?;
        }
        let found = self.ask(&device.select(), SEARCH).await?;
        if found.status != 0 {
            return Err(Error::new(Class::Board, format!("the boot loader finds no `{device}`"))
                .with("answer", last_line(&found.output))
                .help("check `targets` in the flasher's config, `--target`, and whether the medium is in its slot").caused_by(RootCause::NoMedium));
        }
        let (blocks, block) = self.geometry(device, &found.output).await?;
        let window = Window { device, start: 0, length: blocks.saturating_mul(block), block };
        self.windows.insert(device.to_string(), window);
        Ok(device.to_string())
    }

    /// How many blocks the device has, and their size, bytes; `told` is what its selection printed.
    async fn geometry(&mut self, device: BlockDevice, told: &str) -> Result<(u64, u64)> {
        let (geometry, told) = match device.interface {
            Interface::Mmc => {
                let info = self.ask("mmc info", QUICK).await?.output;
                // Only the refusal of a block that no card has names the exact number.
                let probe = format!("mmc read {:#x} {BEYOND} 1", self.areas.load);
                let refused = self.ask(&probe, QUICK).await?.output;
                (answers::mmc_blocks(&refused).map(|blocks| (blocks, 512)), info)
            }
            _ => (answers::geometry(told), told.to_owned()),
        };
        self.facts = answers::facts(&told).into_iter().collect();
        let usable = |&(blocks, block): &(u64, u64)| blocks > 0 && matches!(block, 512 | 4096);
        geometry.filter(usable).ok_or_else(|| {
            Error::new(Class::Board, format!("the boot loader does not tell the size of `{device}`"))
                .with("answer", last_line(&told))
                .help("take `via: linux` with a bundle")
        })
    }

    /// What is known of a device or partition by its name.
    pub(super) fn window(&self, name: &str) -> Result<Window> {
        self.windows
            .get(name)
            .cloned()
            .ok_or_else(|| Error::new(Class::Internal, format!("`{name}` was not looked for")))
    }

    /// Fills memory with a word of 32 bits, `length` bytes and up to three more.
    pub(super) async fn fill(&mut self, address: u64, length: u64, word: u32) -> Result<()> {
        let answer = self.compute(&format!("mw.l {address:#x} {word:#x} {:x}", length.div_ceil(4))).await?;
        must_succeed("mw", &answer)
    }
}

/// A command that works on memory alone has no reason to fail.
pub(super) fn must_succeed(command: &str, answer: &UBootReply) -> Result<()> {
    match answer.status {
        0 => Ok(()),
        status => Err(Error::new(Class::Board, format!("U-Boot's `{command}` ended with status {status}"))
            .with("answer", last_line(&answer.output))
            .help("the last console lines show what the board said")),
    }
}

/// The last line that says something, shortened.
pub(super) fn last_line(output: &str) -> String {
    let line = output.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.unwrap_or("nothing").chars().take(200).collect()
}
