//! Boards that talk for ever, in every way that noise has, against every operation: each ends in time, with a typed error.

use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::time::{Instant, sleep, timeout};

use crate::testing::{Peer, SOON, Typed, line, split_marker};
use crate::{CatchOptions, Console, Error, LoginOptions, Pattern, Shell, UBoot, catch, login};

/// What the other end sends for ever.
#[derive(Clone, Copy, Debug)]
struct Noise {
    name: &'static str,
    bytes: &'static [u8],
    pause: Duration,
    /// What we send comes back too, twice.
    echoes: bool,
    /// What we send is taken at all.
    reads: bool,
}

const fn every(milliseconds: u64, name: &'static str, bytes: &'static [u8]) -> Noise {
    Noise { name, bytes, pause: Duration::from_millis(milliseconds), echoes: false, reads: true }
}

const NOISES: &[Noise] = &[
    every(100, "0xff", b"\xff"),
    every(50, "text that ends in CR", b"eth0: link is not ready\r"),
    every(50, "text that ends in LF", b"eth0: link is not ready\n"),
    every(1000, "a lone C", b"C"),
    every(150, "a lone C, often", b"C"),
    every(20, "a line without an end", &[b'x'; 256]),
    every(100, "U-Boot's prompt", b"\r\n=> "),
    every(350, "U-Boot's prompt, slowly", b"=> "),
    every(100, "a shell's prompt", b"\r\n/ # "),
    every(350, "a shell's prompt, slowly", b"# "),
    every(400, "the prompt for more", b"\r\n> "),
    every(2500, "login prompts", b"\r\nboard login: "),
    every(2500, "password prompts", b"\r\nPassword: "),
    every(30, "XON and XOFF", b"\x11\x13"),
    every(50, "NULs", b"\0\0"),
    every(50, "escape sequences without an end", b"\x1b[1"),
    every(50, "window titles without an end", b"\x1b]0;x"),
    every(50, "blanks", b"  \t"),
    every(10, "line ends", b"\r\n"),
    every(700, "markers that are not ours", b"abcdefghijklmnop0\r\n=> "),
    Noise { echoes: true, ..every(200, "our own echo", b"") },
    Noise { echoes: true, ..every(100, "our own echo and 0xff", b"\xff") },
    Noise { echoes: true, ..every(400, "our own echo and prompts", b"\r\n=> # ") },
    Noise { reads: false, ..every(100, "0xff, and nothing is taken", b"\xff") },
    Noise { reads: false, ..every(3_600_000, "nothing, and nothing is taken", b"") },
    every(3_600_000, "nothing", b""),
];

impl Noise {
    async fn play(self, mut peer: Peer) {
        let mut heard = [0; 4096];
        let mut last = Vec::new();
        loop {
            let next = async {
                match self.reads {
                    true => peer.stream.read(&mut heard).await,
                    false => std::future::pending().await,
                }
            };
            match timeout(self.pause, next).await {
                Ok(Ok(0) | Err(_)) => return,
                Ok(Ok(length)) if self.echoes => last = heard[..length].repeat(2),
                Ok(Ok(_)) => continue,
                Err(_) => {}
            }
            let sent = [self.bytes, if self.echoes { &last[..] } else { b"" }].concat();
            // Not for ever: a console that does not read is not what is tried here.
            if let Ok(Err(_)) = timeout(SOON, peer.stream.write_all(&sent)).await {
                return;
            }
        }
    }
}

/// A board that works as one at U-Boot's prompt until it has been proven, and then makes noise.
async fn at_prompt(noise: Noise) -> UBoot {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        peer.print("=> ").await;
        loop {
            match peer.edit_line(|letter| letter.to_string()).await {
                Some(Typed::Interrupt) => peer.print("<INTERRUPT>\r\n=> ").await,
                Some(Typed::Line(line)) => {
                    let marker = split_marker(&line).1.unwrap_or_default();
                    peer.print(&format!("{marker}\r\n=> ")).await;
                    return noise.play(peer).await;
                }
                None => return,
            }
        }
    });
    let options = CatchOptions { within: SOON, ..CatchOptions::default() };
    catch(console, &options).await.map_err(|(_, error)| error).expect(noise.name)
}

/// A board with a shell that has been proven and made quiet, and then makes noise.
async fn at_shell(noise: Noise) -> Shell {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        peer.print("# ").await;
        for _ in 0..2 {
            let Some(Typed::Line(line)) = peer.edit_line(|letter| letter.to_string()).await else { return };
            let (_, words) = line.rsplit_once("\\n' ").unwrap_or_default();
            peer.print(&format!("{}\r\n# ", words.replace(' ', ""))).await;
        }
        noise.play(peer).await;
    });
    let options = LoginOptions { within: SOON, ..LoginOptions::default() };
    login(console, &options).await.map_err(|(_, error)| error).expect(noise.name)
}

fn with(noise: Noise) -> Console {
    let (console, peer) = line();
    tokio::spawn(noise.play(peer));
    console
}

/// What an operation may be given, and what it may take beyond that.
const GIVEN: Duration = Duration::from_secs(7);
const TYPED: Duration = Duration::from_secs(100);

/// Ends in time, and with an error that says what happened; `may_succeed` where the noise can be taken for an answer.
async fn check<T>(
    noise: Noise,
    operation: &str,
    within: Duration,
    outcome: impl Future<Output = Result<T, Error>>,
    may_succeed: bool,
) {
    let begun = Instant::now();
    let name = format!("{operation} against {}", noise.name);
    let outcome = timeout(within * 10, outcome).await.unwrap_or_else(|_| panic!("{name} does not end"));
    assert!(begun.elapsed() <= within, "{name} took {:?}, allowed are {within:?}", begun.elapsed());
    match outcome {
        Ok(_) => assert!(may_succeed, "{name} succeeded"),
        Err(error) => assert!(
            matches!(
                error,
                Error::Timeout { .. }
                    | Error::Garbled { .. }
                    | Error::Unreadable { .. }
                    | Error::Command { .. }
                    | Error::Stalled { .. }
                    | Error::Login { .. }
                    | Error::Boot { .. }
            ),
            "{name}: {error}"
        ),
    }
}

#[tokio::test(start_paused = true)]
async fn reaching_a_prompt_ends_whatever_the_board_sends() {
    let never = [Pattern::text("never seen")];
    for &noise in NOISES {
        check(noise, "expect", GIVEN, with(noise).expect(&never, GIVEN - SLACK), false).await;
        let options = CatchOptions { within: GIVEN, ..CatchOptions::default() };
        let caught = async { catch(with(noise), &options).await.map_err(|(_, error)| error) };
        check(noise, "catch", GIVEN + Duration::from_secs(6), caught, false).await;
        for password in [None, Some("secret".to_owned())] {
            let options = LoginOptions { within: GIVEN, password, ..LoginOptions::default() };
            let entered = async { login(with(noise), &options).await.map_err(|(_, error)| error) };
            check(noise, "login", GIVEN + Duration::from_secs(16), entered, false).await;
        }
    }
}

/// Timers go by the millisecond.
const SLACK: Duration = Duration::from_millis(10);

#[tokio::test(start_paused = true)]
async fn a_command_of_u_boot_ends_whatever_the_board_sends() {
    let allowed = GIVEN + TYPED;
    let quick = Duration::from_secs(10) + TYPED;
    let long = "console=ttyS0,115200 ".repeat(40);
    for &noise in NOISES {
        check(noise, "run", allowed, at_prompt(noise).await.run("version", GIVEN), false).await;
        check(noise, "set", quick, at_prompt(noise).await.set("name", "value"), false).await;
        check(noise, "set, long", quick, at_prompt(noise).await.set("bootargs", long.trim()), false).await;
        check(noise, "get", quick, at_prompt(noise).await.get("name"), false).await;
        check(noise, "dhcp", quick + allowed, at_prompt(noise).await.dhcp(GIVEN), false).await;
        check(noise, "tftp", allowed, at_prompt(noise).await.tftp(0x8000_0000, "kernel", GIVEN), false).await;
        // Its echo is all that `boot` waits for, and a console that does not echo may be one that works.
        let boot = at_prompt(noise).await.boot("bootm");
        check(noise, "boot", TYPED, boot, true).await;
        check(noise, "boot, long", quick + TYPED, at_prompt(noise).await.boot(&long), false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_command_of_a_shell_ends_whatever_the_board_sends() {
    let long = "true; ".repeat(200);
    for &noise in NOISES {
        check(noise, "run", GIVEN + TYPED, at_shell(noise).await.run("true", GIVEN), false).await;
        check(noise, "check", GIVEN + TYPED, at_shell(noise).await.check("true", GIVEN), false).await;
        let stall = Some(Duration::from_secs(3));
        check(noise, "watch", GIVEN + TYPED, at_shell(noise).await.watch("true", GIVEN, stall), false).await;
        check(noise, "run, long", GIVEN + TYPED * 4, at_shell(noise).await.run(&long, GIVEN), false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_second_operation_after_noise_ends_as_well() {
    for &noise in NOISES {
        let mut uboot = at_prompt(noise).await;
        for _ in 0..3 {
            check(noise, "run again", GIVEN + TYPED, uboot.run("version", GIVEN), false).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn sending_ends_when_nothing_is_taken() {
    for &noise in NOISES.iter().filter(|noise| !noise.reads) {
        let mut console = with(noise);
        let much = vec![b'x'; 1024 * 1024];
        check(noise, "send", Duration::from_secs(6), console.send(&much), false).await;
    }
}

#[tokio::test(start_paused = true)]
async fn a_prompt_is_found_and_a_command_runs_beside_messages() {
    for noise in [&b"\xff"[..], b"eth0: link is not ready\r", b"C"] {
        let (console, peer) = line();
        let (mut reader, writer) = tokio::io::split(peer.stream);
        let writer = std::sync::Arc::new(tokio::sync::Mutex::new(writer));
        let loud = writer.clone();
        tokio::spawn(async move {
            loop {
                sleep(Duration::from_millis(100)).await;
                if loud.lock().await.write_all(noise).await.is_err() {
                    return;
                }
            }
        });
        tokio::spawn(async move {
            let (mut typed, mut byte) = (String::new(), [0]);
            while let Ok(1) = reader.read(&mut byte).await {
                let answer = match byte[0] {
                    3 => "<INTERRUPT>\r\n=> ".to_owned(),
                    b'\n' => {
                        let marker = split_marker(&std::mem::take(&mut typed)).1.unwrap_or_default();
                        format!("\r\n{}\r\n=> ", marker.replace("$?", "0"))
                    }
                    byte => {
                        typed.push(char::from(byte));
                        char::from(byte).to_string()
                    }
                };
                let _ = writer.lock().await.write_all(answer.as_bytes()).await;
            }
        });
        let options = CatchOptions { within: SOON * 3, ..CatchOptions::default() };
        let mut uboot = catch(console, &options).await.map_err(|(_, error)| error).expect("a prompt");
        for _ in 0..20 {
            uboot.run("true", SOON).await.unwrap_or_else(|error| panic!("{noise:?}: {error}"));
        }
    }
}
