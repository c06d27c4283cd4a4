//! Whatever comes but SIGKILL, at whatever moment: the board is off, the receipt is there, and nothing is left.

#![allow(clippy::unwrap_used, clippy::panic, clippy::disallowed_methods, reason = "a test may")]

mod bench;
mod chance;

use std::sync::atomic::{AtomicUsize, Ordering};

use bench::{Bench, Ended, Kill};
use chance::Chance;
use flasher_core::flash::PowerState;
use flasher_core::{Class, Verdict};
use rustix::process::Signal;

/// Moments at which a job is stopped.
const POINTS: usize = 200;
/// Jobs at once.
const LANES: usize = 6;

#[test]
fn stopping_at_two_hundred_moments() {
    let next = AtomicUsize::new(0);
    let stopped = AtomicUsize::new(0);
    std::thread::scope(|scope| {
        for _ in 0..LANES {
            scope.spawn(|| {
                let bench = Bench::new();
                loop {
                    let point = next.fetch_add(1, Ordering::Relaxed);
                    if point >= POINTS {
                        break;
                    }
                    let kill = Kill::at_random(&mut Chance::new(point as u64));
                    let ended = bench.run(&kill);
                    check(&bench, &kill, &ended);
                    stopped.fetch_add(usize::from(ended.code == Some(130)), Ordering::Relaxed);
                }
            });
        }
    });
    // A trial where nothing was stopped would prove nothing.
    let stopped = stopped.into_inner();
    assert!(stopped > POINTS / 2, "only {stopped} jobs of {POINTS} were stopped");
}

fn check(bench: &Bench, kill: &Kill, ended: &Ended) {
    let about = || format!("{kill:?}\n{ended:#?}\n{}", ended.errors);
    assert_eq!(bench.outlet(), "off", "the board is left on: {}", about());
    assert_eq!(bench.leftovers(), [""; 0], "{}", about());
    let Some(code) = ended.code else {
        // It died before it had begun, which only an early signal may do.
        assert!(ended.told.is_empty() && !bench.was_switched(), "it was killed: {}", about());
        return;
    };
    let receipt = ended.receipt.as_ref().unwrap_or_else(|| panic!("no receipt: {}", about()));
    let proven = receipt.verdict == Verdict::Proven;
    assert_eq!(i32::from(receipt.exit_code()), code, "{}", about());
    assert!(proven || receipt.class() == Some(Class::Interrupted), "{}", about());
    assert_eq!(proven, code == 0, "{}", about());
    assert!(matches!(receipt.power, PowerState::Off | PowerState::Untouched), "{}", about());
    assert_eq!(receipt.power == PowerState::Untouched, !bench.was_switched(), "{}", about());
}

#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let bench = Bench::new();
    let kill = Kill::once(r#"begun","step":"write""#, Signal::HUP, false);
    let ended = bench.run_below("trap '' HUP", &kill);
    assert_eq!((ended.code, ended.sent), (Some(0), 1), "{ended:#?}");
    assert_eq!(bench.outlet(), "off");
}

#[test]
fn what_sigkill_leaves_is_gone_after_the_next_job() {
    let bench = Bench::new();
    for (told, dump) in [
        (r#"begun","step":"services""#, false),
        (r#"begun","step":"bootloader""#, false),
        (r#"begun","step":"write""#, false),
        (r#"advanced","step":"read""#, true),
    ] {
        let ended = bench.run(&Kill::once(told, Signal::KILL, dump));
        assert_eq!(ended.code, None, "{told}: {}", ended.errors);
        assert_ne!(bench.leftovers(), [""; 0], "{told}: nothing to clean");
        let ended = bench.run(&Kill::never());
        assert_eq!(ended.code, Some(0), "{told}: {}", ended.errors);
        assert_eq!((bench.outlet().as_str(), bench.leftovers()), ("off", vec![]), "{told}");
    }
}

#[test]
fn a_board_that_sigkill_left_on_is_named() {
    let bench = Bench::new();
    let kill = Kill::once(r#"begun","step":"write""#, Signal::KILL, false);
    let left_on = "a job was killed and may have left the board on: `flash image`, process ";
    let [doctor, status] = [&["doctor"][..], &["power", "status", "--device", "power"]];
    for args in [doctor, status] {
        assert!(!bench.say(args).contains("killed"), "{args:?}");
    }
    // Switched off by hand, nothing is said any more.
    assert_eq!(bench.run(&kill).code, None);
    assert_eq!(bench.outlet(), "on");
    for args in [doctor, status] {
        let said = bench.say(args);
        assert!(
            said.contains(left_on) && said.contains("`flasher power off --device power` switches it off"),
            "{args:?}: {said}"
        );
    }
    bench.say(&["power", "off", "--device", "power"]);
    for args in [doctor, status] {
        assert!(!bench.say(args).contains("killed"), "{args:?}");
    }
    // The next job says it as well, and after it nothing is said.
    assert_eq!(bench.run(&kill).code, None);
    let ended = bench.run(&Kill::never());
    assert_eq!(ended.code, Some(0), "{ended:#?}");
    assert!(ended.told.contains("the last job on this board was killed"), "{}", ended.told);
    assert!(!bench.say(doctor).contains("killed"));
}
