//! A file of ours into the board's memory, checked by its length; what the servers saw is put beside a failure.
//!
//! `http` is U-Boot's `wget`, `diagnosis` what to do about a load that failed, by its cause.

mod diagnosis;
mod file;
mod http;

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use board_console::{Cause, Error as Console, UBoot};
use flasher_core::flash::{LoadFacts, LoadedBy};
use flasher_core::{Class, Error, Result};

use crate::config::seconds;
use crate::job::Session;
use crate::load_ways::{LoadCost, LoadSetting};
use crate::network::TFTP_PORT;
use crate::staging;
pub(crate) use diagnosis::failed;
use file::{LoadFailure, LoadFile};

/// Timeouts of one second over a whole file after which U-Boot gives it up while there is another way, beside four for each 4 MiB: where
/// 5 % of all packets are lost, a window of 16 has fewer, and every smaller one takes longer.
const TIMEOUTS: u64 = 10;
/// The same when there is no other way.
const LAST_TIMEOUTS: u64 = 100;

/// A U-Boot begins, without any of our settings. `is_lwip` when it has U-Boot's second network stack.
pub(crate) async fn begin(session: Session<'_>, is_lwip: bool) {
    let (ways, flasher) = (&session.run.load_ways, session.flasher);
    if ways.is_new() {
        let mut identities = Vec::new();
        if let (Some(power), Some(serial)) = (&flasher.power, &flasher.serial) {
            identities.extend(power.identities().await);
            identities.extend(serial.identities().await);
        }
        let best = (flasher.config.tftp_block_size, flasher.config.tftp_window_size);
        let warning = ways.recall(identities, state_folder(session), best).await;
        warning.into_iter().for_each(|warning| session.run.warn(warning));
    }
    ways.begin(is_lwip);
}

/// Where what is remembered lies: the config's folder, or this user's.
pub(crate) fn state_folder(session: Session<'_>) -> Option<PathBuf> {
    match &session.flasher.config.state_dir {
        Some(folder) => Some(session.flasher.folder.join(folder)),
        None => flasher_core::state_folder::of_user(),
    }
}

/// How long the server may see the end of a slow load later than the board.
const SERVER_LATER: Duration = Duration::from_secs(5);

/// Loads the file `name` of the job's TFTP folder to `address`; it must have `length` bytes. Where that fails or crawls, other
/// ways are tried.
///
/// # Errors
/// When it does not arrive in any way, or not whole.
pub(crate) async fn load(
    session: Session<'_>,
    uboot: &mut UBoot,
    (address, length): (u64, u64),
    name: &str,
    server: SocketAddr,
) -> Result<()> {
    let path = format!("{}/{name}", staging::folder(&session.run.token));
    let file = LoadFile { address, length, path: &path, server };
    loop {
        let setting = session.run.load_ways.setting();
        let begun = Instant::now();
        match by(session, uboot, setting, &file).await {
            Ok(loaded) if loaded == length => {
                let cost = cost(session, setting, &file, (length, begun.elapsed())).await;
                return note(session, uboot, setting, cost).await;
            }
            Ok(loaded) => {
                let text = format!("the boot loader received {loaded} bytes of `{name}`, expected {length}");
                let seen = session.run.evidence.about(protocol(setting), &path);
                return Err(Error::new(Class::Infrastructure, text).with("server", seen));
            }
            Err(LoadFailure::Ours(error)) => return Err(error),
            Err(LoadFailure::Said(error)) => {
                if !another(session, uboot, setting, &file, &error).await? {
                    return Err(failed(&path, &error));
                }
                let next = session.run.load_ways.setting();
                if next != setting {
                    session.run.warn(format!("a load by {setting} failed; {next} is tried"));
                }
            }
        }
    }
}

async fn by(
    session: Session<'_>,
    uboot: &mut UBoot,
    setting: LoadSetting,
    file: &LoadFile<'_>,
) -> Result<u64, LoadFailure> {
    match setting {
        LoadSetting::Http => http::load(session, uboot, file).await,
        LoadSetting::Tftp { block, window } => {
            apply(session, uboot, (block, window), file.length).await.map_err(LoadFailure::Said)?;
            let within = seconds(session.flasher.config.timeouts.tftp);
            let name = named(session, file);
            uboot.tftp(file.address, &name, within).await.map_err(LoadFailure::Said)
        }
    }
}

/// What U-Boot is asked for: the server is named beside the file, which goes before whatever DHCP has set. Only its second
/// stack takes a port there.
fn named(session: Session<'_>, file: &LoadFile<'_>) -> String {
    match (session.run.load_ways.is_lwip(), file.server) {
        (_, SocketAddr::V6(_)) => file.path.to_owned(),
        (true, server) if server.port() != TFTP_PORT => {
            format!("{}:{}:{}", server.ip(), server.port(), file.path)
        }
        (_, server) => format!("{}:{}", server.ip(), file.path),
    }
}

/// Sets what U-Boot asks for in its requests. Its second stack takes none of it.
async fn apply(
    session: Session<'_>,
    uboot: &mut UBoot,
    (block, window): (u16, u16),
    length: u64,
) -> Result<(), Console> {
    let state = &session.run.load_ways;
    let timeouts = timeouts(length, state.is_last_by_tftp());
    if state.is_lwip() || !state.changes((block, window, timeouts)) {
        return Ok(());
    }
    uboot.set("tftpblocksize", &block.to_string()).await?;
    uboot.set("tftpwindowsize", &window.to_string()).await?;
    uboot.set("tftptimeoutcountmax", &timeouts.to_string()).await?;
    state.applied((block, window, timeouts));
    Ok(())
}

/// Timeouts after which U-Boot gives up a file of `length` bytes.
fn timeouts(length: u64, is_last: bool) -> u64 {
    let patience = TIMEOUTS + (length >> 22) * 4;
    if is_last { patience.max(LAST_TIMEOUTS) } else { patience }
}

/// Whether another way is taken from now on, after this failure.
async fn another(
    session: Session<'_>,
    uboot: &mut UBoot,
    setting: LoadSetting,
    file: &LoadFile<'_>,
    error: &Console,
) -> Result<bool> {
    let state = &session.run.load_ways;
    let arrived = session.run.evidence.saw(protocol(setting), file.path);
    if is_silent_network(error) && arrived {
        // Some drivers take no more frames once all their buffers were full (U-Boot's virtio-net never says that it emptied them):
        // the network is dead until the board is switched off, and the next attempt begins with another way.
        state.failed(true);
        return Ok(false);
    }
    if !may_be_the_way(error, setting) {
        return Ok(false);
    }
    if !arrived && state.try_other_stack(file.server.port()) {
        return Ok(true);
    }
    state.look_for_http(uboot).await?;
    let is_smaller_better = arrived && !matches!(error, Console::Timeout { .. });
    // Where nothing arrives, smaller blocks arrive as little.
    Ok((arrived || state.has_http()) && state.failed(is_smaller_better))
}

fn is_silent_network(error: &Console) -> bool {
    matches!(error.cause(), Some(Cause::ArpSilent | Cause::NoEthernet | Cause::LinkDown))
}

/// Whether another way may do what this one did not.
fn may_be_the_way(error: &Console, setting: LoadSetting) -> bool {
    match error {
        Console::Timeout { .. } => true,
        Console::Command { cause: None, .. } => true,
        Console::Command { cause: Some(cause), .. } => {
            matches!(cause, Cause::ServerSilent | Cause::TransferStopped | Cause::TftpRefused)
                || setting == LoadSetting::Http
        }
        Console::Unexpected { .. } => setting == LoadSetting::Http,
        _ => false,
    }
}

/// What the load of `length` bytes has cost, which took so long by our clock. The server knows it best, and is worth a wait where
/// another way may be taken.
async fn cost(
    session: Session<'_>,
    setting: LoadSetting,
    file: &LoadFile<'_>,
    (length, took): (u64, Duration),
) -> LoadCost {
    let ours = LoadCost { bytes: length, seconds: took.as_secs_f64(), resends: 0 };
    let within = if ours.crawls() { SERVER_LATER } else { Duration::ZERO };
    let theirs = session.run.evidence.settled_cost(protocol(setting), file.path, within).await;
    theirs.unwrap_or(ours)
}

/// Notes how the file came, and what that says of the way.
async fn note(session: Session<'_>, uboot: &mut UBoot, setting: LoadSetting, cost: LoadCost) -> Result<()> {
    let state = &session.run.load_ways;
    let loads = facts(setting, state.is_lwip());
    session.run.record.board(|board| board.loads = Some(loads));
    if cost.crawls() {
        state.look_for_http(uboot).await?;
    }
    state.loaded(cost);
    let next = state.setting();
    if next != setting {
        session.run.note(format!("loads by {setting} are slow; the next one comes by {next}"));
    }
    let warning = state.remember().await;
    warning.into_iter().for_each(|warning| session.run.warn(warning));
    Ok(())
}

fn facts(setting: LoadSetting, is_lwip: bool) -> LoadFacts {
    match setting {
        LoadSetting::Http => LoadFacts { by: LoadedBy::Wget, block_size: None, window_size: None },
        LoadSetting::Tftp { .. } if is_lwip => {
            LoadFacts { by: LoadedBy::Tftp, block_size: None, window_size: None }
        }
        LoadSetting::Tftp { block, window } => {
            LoadFacts { by: LoadedBy::Tftp, block_size: Some(block), window_size: Some(window) }
        }
    }
}

/// The protocol by which the servers' logs know it.
fn protocol(setting: LoadSetting) -> &'static str {
    match setting {
        LoadSetting::Tftp { .. } => "tftp",
        LoadSetting::Http => "http",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_file_is_worth_more_patience() {
        const MIB: u64 = 1 << 20;
        for (length, is_last, expected) in [
            (3000, false, 10),
            (MIB, false, 10),
            (32 * MIB, false, 42),
            (3000, true, 100),
            (400 * MIB, true, 410),
        ] {
            assert_eq!(timeouts(length, is_last), expected, "{length}");
        }
    }
}
