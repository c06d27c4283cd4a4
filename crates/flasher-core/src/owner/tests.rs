//! Two jobs on one board, in every way a board can be named; and lock files that others made.

use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;

use super::lock::Place;
use super::*;
use crate::{Class, Event, async_trait};

fn locks(names: &[&str]) -> Vec<(String, String)> {
    names.iter().map(|name| ((*name).to_owned(), format!("board.{name}"))).collect()
}

fn owner(job: &str) -> String {
    format!("the board is in use: `{job}`, process {} of user `", std::process::id())
}

#[test]
fn who_comes_second_is_refused_and_told_who_holds_the_board() {
    let (one, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let place = Place::at(&[one.path(), other.path()]);
    let held = place.hold(&locks(&["power", "serial"]), "flash \u{1b}[2J`os.img`").unwrap();
    for wanted in [&["power"][..], &["serial"], &["medium", "serial"]] {
        // A user who shares only one of the folders meets it as well.
        for place in [&place, &Place::at(&[other.path()])] {
            let error = place.hold(&locks(wanted), "dump").unwrap_err();
            assert_eq!((error.class(), error.is_retryable()), (Class::Infrastructure, false), "{wanted:?}");
            assert!(error.to_string().starts_with(&owner("flash [2Jos.img")), "{wanted:?}: {error}");
            assert_eq!(error.next_step(), Some("wait for it to end, or stop it"));
            place.refuse_if_held(&locks(wanted)).unwrap_err();
        }
    }
    let elsewhere = place.hold(&locks(&["medium"]), "dump").unwrap();
    drop(held);
    place.refuse_if_held(&locks(&["power", "serial"])).unwrap();
    drop(place.hold(&locks(&["power"]), "dump").unwrap());
    drop(elsewhere);
    assert_eq!(fs::read_dir(one.path()).unwrap().count(), 0, "a lock file is left");
}

/// What SIGKILL leaves: the locks are gone with the process, its files are not.
fn kill(place: &Place, names: &[&str], job: &str) {
    for lock in std::mem::ManuallyDrop::new(place.hold(&locks(names), job).unwrap()).files() {
        rustix::fs::flock(lock, rustix::fs::FlockOperation::Unlock).unwrap();
    }
}

#[test]
fn a_killed_job_is_named_until_the_board_is_off() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::at(&[folder.path()]);
    let (all, power) = (locks(&["power", "serial"]), locks(&["power"]));
    let job = |found: Option<KilledJob>| found.map(|it| it.job);
    assert_eq!(job(place.killed_job(&all).unwrap()), None);
    kill(&place, &["power", "serial"], "flash \u{1b}[2Jos.img");
    let named = Some("flash [2Jos.img".to_owned());
    assert_eq!(job(place.killed_job(&power).unwrap()), named);
    // Looking forgets nothing; a job that ends by itself does, in what it had.
    let held = place.hold(&power, "dump").unwrap();
    let warning = "the last job on this board was killed and may have left its medium partly written: `flash [2Jos.img`";
    assert!(matches!(held.warning(), Some(Event::Warning { message }) if message.starts_with(warning)));
    assert_eq!(job(place.killed_job(&power).unwrap()), None, "somebody has it");
    place.forget_killed_job(&power).unwrap();
    place.refuse_if_held(&power).unwrap_err();
    drop(held);
    assert_eq!(job(place.killed_job(&power).unwrap()), None);
    assert_eq!(job(place.killed_job(&all).unwrap()), named);
    // A job that cannot have the whole board forgets nothing either.
    let other = place.hold(&locks(&["zoom"]), "console").unwrap();
    place.hold(&locks(&["serial", "zoom"]), "flash").unwrap_err();
    drop(other);
    assert_eq!(job(place.killed_job(&all).unwrap()), named);
    place.forget_killed_job(&all).unwrap();
    assert_eq!(job(place.killed_job(&all).unwrap()), None);
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0, "a lock file is left");
}

#[test]
fn of_many_who_want_a_board_at_once_one_gets_it() {
    let folder = tempfile::tempdir().unwrap();
    for round in 0..20 {
        let place = || Place::at(&[folder.path()]);
        let begin = std::sync::Barrier::new(8);
        let held: Vec<_> = std::thread::scope(|scope| {
            let all: Vec<_> = (0..8)
                .map(|_| {
                    scope.spawn(|| {
                        begin.wait();
                        place().hold(&locks(&["a", "b", "c"]), "flash")
                    })
                })
                .collect();
            all.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(held.iter().filter(|it| it.is_ok()).count(), 1, "round {round}: {held:?}");
    }
}

#[test]
fn who_only_looks_refuses_nobody() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::at(&[folder.path()]);
    let over = std::sync::atomic::AtomicBool::new(false);
    std::thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(std::sync::atomic::Ordering::Relaxed) {
                // Held or not: it is the other one that must not be refused.
                let _ = place.refuse_if_held(&locks(&["a"]));
            }
        });
        let held: Vec<_> = (0..200).map(|_| place.hold(&locks(&["a"]), "flash").map(drop)).collect();
        over.store(true, std::sync::atomic::Ordering::Relaxed);
        held.into_iter().for_each(Result::unwrap);
    });
}

/// Puts something at a path.
type Make<'a> = &'a dyn Fn(&Path);

#[test]
fn hostile_lock_files_are_no_way_round_and_no_way_in() {
    let folder = tempfile::tempdir().unwrap();
    let (path, target) = (folder.path().join("flasher-board-a"), folder.path().join("target"));
    fs::write(&target, "precious").unwrap();
    let place = Place::at(&[folder.path()]);
    let make: [(&str, Make<'_>); 3] = [
        ("a link", &|path| symlink(&target, path).unwrap()),
        ("a folder", &|path| fs::create_dir(path).unwrap()),
        ("a FIFO", &|path| {
            let mode = rustix::fs::Mode::from_raw_mode(0o666);
            rustix::fs::mknodat(rustix::fs::CWD, path, rustix::fs::FileType::Fifo, mode, 0).unwrap();
        }),
    ];
    for (what, make) in make {
        make(&path);
        for error in [
            place.hold(&locks(&["a"]), "flash").unwrap_err(),
            place.refuse_if_held(&locks(&["a"])).unwrap_err(),
        ] {
            let said = format!("the board's lock `{}` of user `", path.display());
            assert!(error.to_string().starts_with(&said), "{what}: {error}");
            assert!(error.next_step().unwrap().contains("sudo rm -d"), "{what}");
        }
        fs::remove_file(&path).or_else(|_| fs::remove_dir(&path)).unwrap();
    }
    assert_eq!(fs::read_to_string(&target).unwrap(), "precious");
    for said in ["", "nonsense", "{\"process\":\"x\"}", "[1,2]", "{\"job\":\"\\u202e\\u001b\"}"] {
        fs::write(&path, said.repeat(3)).unwrap();
        let lock = fs::File::open(&path).unwrap();
        rustix::fs::flock(&lock, rustix::fs::FlockOperation::LockExclusive).unwrap();
        let error = place.hold(&locks(&["a"]), "flash").unwrap_err().to_string();
        assert!(error.starts_with("the board is in use"), "{said}: {error}");
        assert!(!error.contains(['\u{202e}', '\u{1b}']), "{said}: {error:?}");
    }
}

#[test]
fn without_a_place_for_locks_no_job_begins() {
    let place = Place::at(&[Path::new("/no/such/folder"), Path::new("/proc")]);
    let error = place.hold(&locks(&["a"]), "flash").unwrap_err();
    assert_eq!(error.to_string(), "no lock can be kept in `/no/such/folder` or `/proc`");
    place.refuse_if_held(&locks(&["a"])).unwrap();
}

#[test]
fn every_user_may_lock_what_another_has_made() {
    let folder = tempfile::tempdir().unwrap();
    let place = Place::at(&[folder.path()]);
    let held = place.hold(&locks(&["a"]), "flash").unwrap();
    let mode = fs::metadata(folder.path().join("flasher-board-a")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o666);
    drop(held);
}

#[tokio::test]
async fn names_of_one_host_meet() {
    assert_eq!(hosts("127.0.0.1", 7).await, ["127.0.0.1:7"]);
    assert!(hosts("LOCALHOST", 7).await.contains(&"127.0.0.1:7".to_owned()));
    assert_eq!(hosts("No-Such-Host.invalid", 7).await, ["no-such-host.invalid:7"]);
    assert_eq!(hosts("::ffff:10.0.0.1", 7).await, ["10.0.0.1:7"]);
}

#[test]
fn a_name_is_the_same_in_every_build() {
    assert_eq!(stable_name("tty 136:3"), "f6b803a2529e5dae900053098df4525b");
}

#[derive(Debug)]
struct Switch;

#[async_trait]
impl Driver for Switch {
    async fn identities(&self) -> Vec<String> {
        vec![format!("test {}", std::process::id())]
    }
}

#[tokio::test]
async fn a_board_is_held_through_its_identities() {
    let board = Board { parts: vec![("power".to_owned(), Arc::new(Switch))] };
    let alike = Board { parts: vec![("elsewhere.outlet".to_owned(), Arc::new(Switch))] };
    let held = board.hold("flash").await.unwrap();
    let error = alike.hold("dump").await.unwrap_err();
    assert_eq!(error.context(), [("node", "elsewhere.outlet".to_owned())]);
    alike.refuse_if_held().await.unwrap_err();
    drop(held);
    alike.refuse_if_held().await.unwrap();
}
