//! A medium becomes a disk of this machine: it is waited for, looked at, and opened by us alone.

use std::collections::BTreeMap;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use flasher_core::{Class, Error, Event, Result, RootCause};
use tokio::sync::OwnedMutexGuard;
use tokio::time::Instant;

use super::HostMedium;
use super::disk::Disk;
use super::in_use::must_be_unused;
use super::signatures::must_be_expected;
use super::sysfs::{self, HostDisk, refused};
use super::window::Window;
use crate::blocking::blocking;
use crate::config::{HostOptions, seconds};
use crate::device_name::DeviceName;
use crate::job::{SeenMedium, Session};

/// How often is looked whether a disk is there.
const LOOK: Duration = Duration::from_millis(200);
/// How long the disk of an attempt before may take to be closed.
const CLOSING: Duration = Duration::from_secs(60);
/// How often a wait says how it stands.
const PACE: Duration = Duration::from_secs(1);
/// How long a disk that has just appeared may be busy: the kernel and udev look at it.
const BUSY: Duration = Duration::from_secs(5);

/// Waits for the medium `target`, and opens it. The mux has given it to this machine before.
///
/// # Errors
/// When it does not appear, or is not one to be written.
pub(crate) async fn enter<'a>(session: Session<'a>, target: &str) -> Result<HostMedium<'a>> {
    let name: DeviceName = target.parse()?;
    let open = turn(session).await?;
    let about = appear(session, &name).await?;
    must_be_in_bounds(&about, &session.flasher.config.host)?;
    let disk = Arc::new(claim(&about, open).await?);
    let (looked, wanted, may_hold) =
        (Arc::clone(&disk), about.clone(), session.flasher.config.host.may_hold.clone());
    blocking(move || must_be_expected(&looked, &wanted, &may_hold)).await?;
    let facts = facts(&about, &name);
    let node = about.node.display().to_string();
    session.run.must_be_same_medium(SeenMedium { node, size: about.size, facts: about.facts.clone() })?;
    let whole = Window { start: 0, length: about.size };
    let windows = BTreeMap::from([(about.node.display().to_string(), whole)]);
    Ok(HostMedium { session, name, about, disk, facts, windows })
}

/// What the receipt says of it: what the kernel knows, and how it was found.
fn facts(about: &HostDisk, name: &DeviceName) -> BTreeMap<String, String> {
    let found = [("found as", Some(name.to_string())), ("diskseq", about.diskseq.map(|it| it.to_string()))];
    let found = found.into_iter().filter_map(|(key, value)| Some((key.to_owned(), value?)));
    about.facts.clone().into_iter().chain(found).collect()
}

async fn appear(session: Session<'_>, name: &DeviceName) -> Result<HostDisk> {
    let within = seconds(session.flasher.config.host.appear_seconds);
    let (begun, mut reported) = (Instant::now(), Instant::now());
    loop {
        let wanted = name.clone();
        let found = blocking(move || sysfs::find(&wanted)).await?;
        match found {
            Some(disk) if disk.size > 0 => return Ok(disk),
            found if begun.elapsed() >= within => {
                return Err(absent(name, within, found, giver(session)));
            }
            _ => tokio::time::sleep(LOOK).await,
        }
        if reported.elapsed() >= PACE {
            reported = Instant::now();
            session.run.report(Event::Waiting {
                step: session.run.record.step_now(),
                what: format!("the medium `{name}` of this machine"),
                heard: 0,
                left: within.saturating_sub(begun.elapsed()).as_secs_f64(),
            });
        }
    }
}

/// Who gave the medium to this machine.
#[derive(Clone, Copy)]
enum Giver {
    Mux,
    BootLoader,
    Person,
}

fn giver(session: Session<'_>) -> Giver {
    match (&session.flasher.mux, &session.flasher.config.host.ums) {
        (Some(_), _) => Giver::Mux,
        (None, Some(_)) => Giver::BootLoader,
        (None, None) => Giver::Person,
    }
}

/// The failure of a medium that does not appear; `found` is its reader without a card.
fn absent(name: &DeviceName, within: Duration, found: Option<HostDisk>, giver: Giver) -> Error {
    let given = match giver {
        Giver::Mux => "the storage mux gave the medium to this machine, but ",
        Giver::BootLoader => "the boot loader offers the medium as a USB disk, but ",
        Giver::Person => "",
    };
    let within = within.as_secs_f64();
    let text = match found {
        None => format!("{given}no disk `{name}` appeared within {within} s"),
        Some(disk) => format!("{given}`{name}` ({}) had no medium within {within} s", disk.node.display()),
    };
    let help = match giver {
        Giver::Mux => {
            "is the card in the mux, and is it this mux's reader? `lsblk -o NAME,SERIAL,SIZE` shows the disks there are"
        }
        Giver::BootLoader => {
            "is the board's USB port for gadgets (OTG) cabled to this machine? `lsblk -o NAME,SERIAL,SIZE` shows the disks there are"
        }
        Giver::Person => "is it plugged in? `lsblk -o NAME,SERIAL,SIZE` shows the disks there are",
    };
    Error::new(Class::Infrastructure, text).help(help).caused_by(RootCause::NoDisk)
}

fn must_be_in_bounds(about: &HostDisk, options: &HostOptions) -> Result<()> {
    let (node, size) = (about.node.display(), about.size);
    let (least, most) = (options.min_size.map(|it| it.0), options.max_size.map(|it| it.0));
    if least.is_some_and(|least| size < least) || most.is_some_and(|most| size > most) {
        let shown = |bound: Option<u64>, otherwise: &str| {
            bound.map_or_else(|| otherwise.to_owned(), |it| it.to_string())
        };
        let text = format!(
            "`{node}` has {size} bytes, expected {} to {}",
            shown(least, "0"),
            shown(most, "any number")
        );
        return Err(refused(RootCause::OtherDisk, text).help("is it the board's medium? `host: { min_size, max_size }` of the flasher's config say which sizes are"));
    }
    if about.is_read_only {
        return Err(refused(RootCause::WriteProtected, format!("`{node}` is write-protected")).help(
            "look at the switch on the card or its adapter; a card that has worn out protects itself",
        ));
    }
    Ok(())
}

/// Opens the disk for us alone, once nothing else looks at it.
async fn claim(about: &HostDisk, open: OwnedMutexGuard<()>) -> Result<Disk> {
    let (open, deadline) = (Arc::new(open), Instant::now() + BUSY);
    loop {
        let (wanted, open) = (about.clone(), Arc::clone(&open));
        let opened = blocking(move || {
            must_be_unused(&wanted)?;
            Ok(Disk::open(&wanted, open))
        });
        match opened.await? {
            Ok(disk) => return Ok(disk),
            Err(error) if is_busy(&error) && Instant::now() < deadline => tokio::time::sleep(LOOK).await,
            Err(error) => return Err(not_opened(&about.node.display().to_string(), &error)),
        }
    }
}

fn is_busy(error: &io::Error) -> bool {
    error.kind() == io::ErrorKind::ResourceBusy
}

fn not_opened(node: &str, reason: &io::Error) -> Error {
    let help = match reason.kind() {
        io::ErrorKind::ResourceBusy => {
            "is it mounted elsewhere (a container, a desktop)? `lsof` and `dmsetup ls` help to find out"
        }
        io::ErrorKind::PermissionDenied => "run as root, or give this user the device by a udev rule",
        _ => "the kernel's log (`dmesg`) says more",
    };
    let text = match is_busy(reason) {
        true => format!("another program or the kernel uses `{node}`"),
        false => format!("`{node}` cannot be opened: {reason}"),
    };
    let error = Error::new(Class::Infrastructure, text).help(help);
    if is_busy(reason) { error.caused_by(RootCause::MediumInUse) } else { error }
}

/// Waits until the disk of an attempt before is closed, and keeps others from opening one.
async fn turn(session: Session<'_>) -> Result<OwnedMutexGuard<()>> {
    let turn = Arc::clone(&session.flasher.medium_open).lock_owned();
    tokio::time::timeout(CLOSING, turn).await.map_err(|_| {
        let text = format!("the disk of the attempt before was not let go of within {} s", CLOSING.as_secs());
        Error::infrastructure(text)
            .caused_by(RootCause::MediumHangs)
            .help("the kernel's log (`dmesg`) says what it waits for")
    })
}

#[cfg(test)]
mod tests {
    use flasher_core::virtual_board::Size;

    use super::*;

    #[test]
    fn media_that_do_not_appear_or_fit() {
        let name: DeviceName = "/dev/disk/by-path/usb-1".parse().unwrap();
        let within = Duration::from_secs(30);
        let reader = HostDisk {
            name: "sdb".to_owned(),
            node: "/dev/sdb".into(),
            number: (8, 16),
            size: 0,
            sector: 512,
            is_read_only: false,
            diskseq: None,
            facts: BTreeMap::new(),
        };
        let given = "the storage mux gave the medium to this machine, but";
        for (found, giver, expected) in [
            (None, Giver::Mux, format!("{given} no disk `/dev/disk/by-path/usb-1` appeared within 30 s")),
            (
                None,
                Giver::BootLoader,
                "the boot loader offers the medium as a USB disk, but no disk `/dev/disk/by-path/usb-1` appeared within 30 s".to_owned(),
            ),
            (None, Giver::Person, "no disk `/dev/disk/by-path/usb-1` appeared within 30 s".to_owned()),
            (
                Some(reader.clone()),
                Giver::Mux,
                format!("{given} `/dev/disk/by-path/usb-1` (/dev/sdb) had no medium within 30 s"),
            ),
        ] {
            let error = absent(&name, within, found, giver);
            assert_eq!((error.class(), error.to_string()), (Class::Infrastructure, expected));
        }
        let bounds =
            HostOptions { min_size: Some(Size(100)), max_size: Some(Size(200)), ..HostOptions::default() };
        let check = |size, is_read_only, expected: Option<&str>| {
            let disk = HostDisk { size, is_read_only, ..reader.clone() };
            let outcome = must_be_in_bounds(&disk, &bounds).err().map(|error| error.to_string());
            assert_eq!(outcome.as_deref(), expected);
        };
        check(100, false, None);
        check(99, false, Some("`/dev/sdb` has 99 bytes, expected 100 to 200"));
        check(201, false, Some("`/dev/sdb` has 201 bytes, expected 100 to 200"));
        check(150, true, Some("`/dev/sdb` is write-protected"));
    }

    #[test]
    fn disks_that_cannot_be_opened() {
        let of = |kind: io::ErrorKind| not_opened("/dev/sdb", &kind.into()).to_string();
        assert_eq!(of(io::ErrorKind::ResourceBusy), "another program or the kernel uses `/dev/sdb`");
        assert_eq!(of(io::ErrorKind::PermissionDenied), "`/dev/sdb` cannot be opened: permission denied");
    }
}
