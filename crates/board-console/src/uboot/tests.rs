//! The U-Boot dialogue against scripted boards.

mod strangers;

use std::collections::HashMap;
use std::time::Duration;

use crate::testing::{Peer, SOON, Typed, line, split_marker};
use crate::{Autoboot, CatchOptions, Cause, Console, Error, UBoot, catch};

const BANNER: &str = "\r\n\r\nU-Boot 2023.01 (Oct 01 2025 - 00:06:28 +0000)\r\n\r\nDRAM:  1 GiB\r\n";

/// How a scripted board behaves at its prompt.
#[derive(Clone, Default)]
struct Board {
    /// What commands print; one that ends with `!` gets no marker and no prompt after it.
    answers: HashMap<&'static str, (&'static str, i32)>,
    variables: HashMap<String, String>,
    /// Characters to lose until the sender has slowed down (they come one by one).
    lose: usize,
}

impl Board {
    fn answering(answers: &[(&'static str, &'static str, i32)]) -> Self {
        let answers = answers.iter().map(|(command, text, status)| (*command, (*text, *status))).collect();
        Self { answers, ..Self::default() }
    }

    /// Waits at the prompt and serves what is typed, until the console is gone.
    async fn serve(mut self, mut peer: Peer) -> Self {
        peer.print("=> ").await;
        loop {
            let lose = &mut self.lose;
            let mut count = 0;
            let typed = peer.edit_line(|letter| {
                count += 1;
                let lost = *lose > 0 && count == 5;
                *lose -= usize::from(lost);
                if lost { String::new() } else { letter.to_string() }
            });
            match typed.await {
                None => return self,
                Some(Typed::Interrupt) => peer.print("<INTERRUPT>\r\n=> ").await,
                Some(Typed::Line(line)) => self.answer(&mut peer, &line).await,
            }
        }
    }

    async fn answer(&mut self, peer: &mut Peer, line: &str) {
        assert!(line.len() <= 511, "U-Boot would cut this line: {line}");
        let (command, marker) = split_marker(line);
        let (text, status) = self.result(&command);
        match text.strip_suffix('!') {
            Some(text) => return peer.print(text).await,
            None => peer.print(&text).await,
        }
        if let Some(marker) = marker {
            peer.print(&format!("{}\r\n", marker.replace("$?", &status.to_string()))).await;
        }
        peer.print("=> ").await;
    }

    fn result(&mut self, command: &str) -> (String, i32) {
        if let Some((text, status)) = self.answers.get(command) {
            return ((*text).to_owned(), *status);
        }
        if command == "printenv" {
            let listed = self.variables.iter().map(|(name, value)| (name, value.replace('\\', "\\\\")));
            return (listed.map(|(name, value)| format!("{name}={value}\r\n")).collect(), 0);
        }
        if let Some(name) = command.strip_prefix("printenv ") {
            return match self.variables.get(name) {
                // As the print buffer of a real one does.
                Some(value) => (format!("{name}={value}\r\n").chars().take(532).collect(), 0),
                None => (format!("## Error: \"{name}\" not defined\r\n"), 1),
            };
        }
        if let Some(assignment) = command.strip_prefix("setenv ") {
            let (name, value) = assignment.split_once(' ').unwrap_or((assignment, ""));
            let value = self.expand(value);
            self.variables.insert(name.to_owned(), value);
        }
        (String::new(), 0)
    }

    /// Quotes as far as these tests need them: one pair around everything, `${x}` inside double ones.
    fn expand(&self, value: &str) -> String {
        if let Some(inner) = value.strip_prefix('"') {
            let names =
                inner.trim_end_matches('"').split("${").skip(1).map(|name| name.trim_end_matches('}'));
            return names.map(|name| self.variables[name].as_str()).collect();
        }
        value.trim_matches('\'').to_owned()
    }
}

async fn caught(console: Console) -> UBoot {
    let options = CatchOptions { within: SOON, ..CatchOptions::default() };
    catch(console, &options).await.map_err(|(_, error)| error).expect("a prompt")
}

async fn uboot(board: Board) -> (UBoot, tokio::task::JoinHandle<Board>) {
    let (console, peer) = line();
    let board = tokio::spawn(board.serve(peer));
    (caught(console).await, board)
}

/// Plays `script` to a console that wants to catch U-Boot, and gives the error.
async fn missed(script: &'static str) -> String {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        peer.print(script).await;
        while peer.byte().await.is_some() {}
    });
    let options = CatchOptions { within: Duration::from_secs(3), ..CatchOptions::default() };
    catch(console, &options).await.expect_err("no prompt").1.to_string()
}

#[tokio::test(start_paused = true)]
async fn an_idle_prompt_is_found() {
    let (mut uboot, _board) = uboot(Board::answering(&[("version", "U-Boot 2023.01\r\n", 0)])).await;
    assert_eq!(uboot.run("version", SOON).await.expect("version"), "U-Boot 2023.01");
}

#[tokio::test(start_paused = true)]
async fn the_countdown_is_stopped() {
    for countdown in ["Hit any key to stop autoboot:  2 ", "Press SPACE to abort autoboot in 2 seconds"] {
        let (console, mut peer) = line();
        tokio::spawn(async move {
            peer.print(BANNER).await;
            peer.print(countdown).await;
            peer.byte().await;
            peer.print("\x08\x08\x08 0 \r\n").await;
            Board::answering(&[("echo hi", "hi\r\n", 0)]).serve(peer).await
        });
        let mut uboot = caught(console).await;
        assert_eq!(uboot.run("echo hi", SOON).await.expect(countdown), "hi");
    }
}

#[tokio::test(start_paused = true)]
async fn the_end_of_autoboot_is_told() {
    for (printed, ended) in [
        ("", Autoboot::NoCountdown),
        ("U-Boot 2023.01 (x)\r\n\r\n", Autoboot::NoCountdown),
        ("Hit any key to stop autoboot:  2 \x08\x08\x08 0 \r\n", Autoboot::Stopped),
        ("Press SPACE to abort autoboot in 2 seconds\r\n", Autoboot::Stopped),
        (
            "Hit any key to stop autoboot:  0 \r\nCard did not respond to voltage select!\r\n",
            Autoboot::RanOut,
        ),
        (
            "Press SPACE to abort autoboot in 2 seconds\r\n** No partition table - mmc 0 **\r\n",
            Autoboot::RanOut,
        ),
    ] {
        let (console, mut peer) = line();
        tokio::spawn(async move {
            peer.print(printed).await;
            Board::answering(&[]).serve(peer).await
        });
        assert_eq!(caught(console).await.autoboot(), ended, "{printed}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_board_that_cannot_be_caught_is_explained() {
    insta::assert_snapshot!(missed("\r\nU-Boot 2023.01 (Oct 01 2025)\r\nStarting kernel ...\r\n").await, @r"
    autoboot cannot be interrupted: U-Boot started and booted without a countdown (bootdelay 0 or -2, or its countdown is silent); set bootdelay to 1 or more, or hold the board in its boot menu; last console lines:
      | U-Boot 2023.01 (Oct 01 2025)
      | Starting kernel ...
    ");
    insta::assert_snapshot!(missed("Hit any key to stop autoboot: 0\r\nStarting kernel ...\r\n").await, @r"
    U-Boot was missed, `Starting kernel` was seen: its countdown `Hit any key to stop autoboot: 0` went on although `interrupt` was typed; last console lines:
      | Hit any key to stop autoboot: 0
      | Starting kernel ...
    ");
    insta::assert_snapshot!(missed("board login: ").await, @r"
    U-Boot was missed, `login:` was seen: the board was already past its boot loader; last console lines:
      | board login:
    ");
    insta::assert_snapshot!(missed("").await, @"no U-Boot prompt within 3 s; the console was silent");
}

#[tokio::test(start_paused = true)]
async fn the_console_comes_back_when_the_board_is_missed() {
    let (console, mut peer) = line();
    peer.print("Linux version 6.1\r\n").await;
    let (mut console, error) = catch(console, &CatchOptions::default()).await.expect_err("missed");
    assert!(matches!(error, Error::Missed { .. }), "{error}");
    peer.print("more").await;
    let more = console.expect(&[crate::Pattern::text("more")], SOON).await;
    assert!(more.is_ok());
}

#[tokio::test(start_paused = true)]
async fn output_may_hold_prompts_and_version_lines() {
    let text = "a => b\r\n=> \r\nU-Boot 2023.01 (x)\r\nend\r\n";
    let (mut uboot, _board) = uboot(Board::answering(&[("show", text, 0)])).await;
    assert_eq!(uboot.run("show", SOON).await.expect("show"), "a => b\n=> \nU-Boot 2023.01 (x)\nend");
}

#[tokio::test(start_paused = true)]
async fn a_status_and_an_error_text_are_errors() {
    let answers = [
        ("false", "", 1, None),
        (
            "tftpboot 0x1 a",
            "TFTP error: 'File not found' (1)\r\nNot retrying...\r\n",
            1,
            Some(Cause::FileNotFound),
        ),
        ("liar", "Wrong Ramdisk Image Format\r\n", 0, Some(Cause::BadRamdisk)),
        ("endless", "T T T\r\nRetry count exceeded; starting again\r\n!", -1, Some(Cause::ServerSilent)),
        ("arp", "\r\nARP Retry count exceeded; starting again\r\n!", -1, Some(Cause::ArpSilent)),
    ];
    let commands: Vec<_> =
        answers.iter().map(|(command, text, status, _)| (*command, *text, *status)).collect();
    let (mut uboot, _board) = uboot(Board::answering(&commands)).await;
    for (command, _, expected, cause) in answers {
        let error = uboot.run(command, SOON * 10).await.expect_err(command);
        assert_eq!(error.cause(), cause, "{command}");
        let Error::Command { status, .. } = error else { panic!("{command}: {error}") };
        assert_eq!(status, (expected >= 0).then_some(expected), "{command}");
        assert_eq!(uboot.run("true", SOON).await.expect("the next command"), "");
    }
}

#[tokio::test(start_paused = true)]
async fn late_commands_are_interrupted() {
    let (mut uboot, _board) =
        uboot(Board::answering(&[("hang", "busy!", 0), ("echo on", "on\r\n", 0)])).await;
    let error = uboot.run("hang", Duration::from_secs(3)).await.expect_err("a timeout");
    assert!(error.to_string().starts_with("no end of `hang` within 3 s; last console lines:"), "{error}");
    assert_eq!(uboot.run("echo on", SOON).await.expect("on"), "on");
}

#[tokio::test(start_paused = true)]
async fn incomplete_commands_end_at_once() {
    let (mut uboot, _board) =
        uboot(Board::answering(&[("if", "> !", 0), ("fi", "syntax error\r\n=> !", 0)])).await;
    for command in ["if", "fi"] {
        let error = uboot.run(command, SOON * 1000).await.expect_err(command);
        assert!(matches!(error, Error::Command { status: None, .. }), "{error}");
        assert!(uboot.run("true", SOON).await.is_ok());
    }
}

#[tokio::test(start_paused = true)]
async fn a_reset_during_a_command_is_told() {
    let (mut uboot, _board) =
        uboot(Board::answering(&[("go", "\r\nU-Boot SPL 2023.01 (x)\r\nTrying to boot from MMC1\r\n!", 0)]))
            .await;
    let error = uboot.run("go", SOON).await.expect_err("a reset");
    assert!(matches!(error, Error::Reset { .. }), "{error}");
    assert_eq!(error.cause(), Some(Cause::BootLoaderAgain));
}

#[tokio::test(start_paused = true)]
async fn lost_characters_and_pacing() {
    let (console, peer) = line();
    let board = tokio::spawn(Board::answering(&[("echo whole", "whole\r\n", 0)]).serve(peer));
    let mut uboot = caught(console).await;
    assert_eq!(uboot.run("echo whole", SOON).await.expect("whole"), "whole");
    assert_eq!(uboot.console.pacing(), Duration::ZERO);
    drop(uboot);
    board.await.expect("board");

    let (console, mut peer) = line();
    tokio::spawn(async move {
        // The first line typed after the proof loses a character.
        let mut board = Board::answering(&[("echo whole", "whole\r\n", 0)]);
        peer.print("=> ").await;
        let mut lose = true;
        loop {
            let mut line = String::new();
            let typed = peer.edit_line(|letter| {
                line.push(letter);
                let lost = lose && line == "echo whol";
                lose &= !lost;
                if lost { String::new() } else { letter.to_string() }
            });
            match typed.await {
                None => return,
                Some(Typed::Interrupt) => peer.print("<INTERRUPT>\r\n=> ").await,
                Some(Typed::Line(line)) => board.answer(&mut peer, &line).await,
            }
        }
    });
    let mut uboot = caught(console).await;
    assert_eq!(uboot.run("echo whole", SOON).await.expect("whole"), "whole");
    assert!(uboot.console.pacing() > Duration::ZERO);
}

#[tokio::test(start_paused = true)]
async fn a_line_that_never_arrives_whole_is_an_error() {
    let (console, mut peer) = line();
    tokio::spawn(async move {
        let mut board = Board::default();
        peer.print("=> ").await;
        loop {
            match peer
                .edit_line(|letter| if letter == 'q' { String::new() } else { letter.to_string() })
                .await
            {
                None => return,
                Some(Typed::Interrupt) => peer.print("<INTERRUPT>\r\n=> ").await,
                Some(Typed::Line(line)) => board.answer(&mut peer, &line).await,
            }
        }
    });
    let mut uboot = caught(console).await;
    // The markers are random letters; a `q` among them garbles the proof too, which is tried again.
    let error = uboot.run("qqq", SOON).await.expect_err("garbled");
    assert!(matches!(error, Error::Garbled { tries: 3, .. } | Error::Timeout { .. }), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_value_longer_than_a_line_is_built_up() {
    let (mut uboot, _board) = uboot(Board::default()).await;
    let value = "console=ttyS0,115200 root=/dev/mmcblk0p2 ".repeat(20).trim_end().to_owned();
    assert!(value.len() > 600);
    uboot.set("bootargs", &value).await.expect("set");
    assert_eq!(uboot.get("bootargs").await.expect("get"), Some(value));
    assert_eq!(uboot.get("nosuch").await.expect("get"), None);
    let error = uboot.set("bootargs", &"it's ".repeat(200)).await.expect_err("a quote");
    assert!(error.to_string().ends_with("must not contain a single quote there"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn what_a_line_cannot_carry_is_refused() {
    let (mut uboot, _board) = uboot(Board::default()).await;
    let error = uboot.run(&"x".repeat(600), SOON).await.expect_err("too long");
    assert!(matches!(error, Error::LineTooLong { length: 600, .. }), "{error}");
    for command in ["two\nlines", "a\tb", "", " "] {
        let error = uboot.run(command, SOON).await.expect_err(command);
        assert!(matches!(error, Error::Invalid { .. }), "{error}");
    }
    assert!(matches!(uboot.set("a b", "c").await, Err(Error::Invalid { .. })));
}

#[tokio::test(start_paused = true)]
async fn a_boot_command_longer_than_a_line_runs_from_a_variable() {
    let (uboot, board) = uboot(Board::default()).await;
    let command = "unlz4 0x900000d4 0x80000000 0x8000000; ".repeat(20).trim_end().to_owned();
    drop(uboot.boot(&command).await.expect("started"));
    assert_eq!(board.await.expect("board").variables["long_boot_command"], command);
}

#[tokio::test(start_paused = true)]
async fn dhcp_gives_the_lease_and_a_gateway_is_optional() {
    let mut board =
        Board::answering(&[("dhcp", "BOOTP broadcast 1\r\nDHCP client bound to address 10.0.2.15\r\n", 0)]);
    board.variables.insert("ipaddr".into(), "10.0.2.15".into());
    board.variables.insert("netmask".into(), "255.255.255.0".into());
    let (mut uboot, board) = uboot(board).await;
    let lease = uboot.dhcp(SOON).await.expect("a lease");
    assert_eq!(lease.address.to_string(), "10.0.2.15");
    assert_eq!(lease.netmask.map(|mask| mask.to_string()).as_deref(), Some("255.255.255.0"));
    assert_eq!(lease.gateway, None);
    drop(uboot);
    assert_eq!(board.await.expect("board").variables["autoload"], "no");
}

#[tokio::test(start_paused = true)]
async fn dhcp_without_a_server_fails_with_its_cause() {
    let (mut uboot, _board) = uboot(Board::answering(&[(
        "dhcp",
        "BOOTP broadcast 1\r\n\r\nRetry time exceeded; starting again\r\n!",
        0,
    )]))
    .await;
    let error = uboot.dhcp(SOON * 10).await.expect_err("no server");
    assert_eq!(error.cause(), Some(Cause::DhcpSilent), "{error}");
}

#[tokio::test(start_paused = true)]
async fn tftp_gives_the_size_and_believes_nothing_else() {
    let good =
        "Load address: 0x82000000\r\nLoading: #####\r\ndone\r\nBytes transferred = 100000 (186a0 hex)\r\n";
    let answers =
        [("tftpboot 0x82000000 kernel", good, 0), ("tftpboot 0x82000000 odd", "Loading: ##\r\n", 0)];
    let (mut uboot, _board) = uboot(Board::answering(&answers)).await;
    assert_eq!(uboot.tftp(0x8200_0000, "kernel", SOON).await.expect("size"), 100_000);
    let error = uboot.tftp(0x8200_0000, "odd", SOON).await.expect_err("no size");
    insta::assert_snapshot!(error, @"`tftpboot 0x82000000 odd` printed `Loading: ##`, expected `Bytes transferred = N`");
}

#[tokio::test(start_paused = true)]
async fn a_medium_is_shared_until_it_is_taken_back() {
    let offered = "UMS: LUN 0, dev mmc 1, hwpart 0, sector 0x0, count 0x1d5a000\r\n!";
    let answers = [("ums 0 mmc 1", offered, 0), ("version", "U-Boot 2023.01\r\n", 0)];
    let (mut uboot, _board) = uboot(Board::answering(&answers)).await;
    uboot.share("0 mmc 1", SOON).await.expect("shared");
    uboot.take_back().await.expect("taken back");
    assert_eq!(uboot.run("version", SOON).await.expect("version"), "U-Boot 2023.01");
}

#[tokio::test(start_paused = true)]
async fn a_medium_that_is_not_shared_says_why() {
    let no_controller = "Couldn't init USB controller.\r\n";
    for (answer, expected) in [
        (no_controller, "`ums 0 mmc 1` failed; it printed:\n  | Couldn't init USB controller."),
        (
            "\r\n\r\nU-Boot 2023.01 (Oct 01 2025 - 00:06:28 +0000)\r\n!",
            "the board reset during `ums 0 mmc 1`",
        ),
        ("!", "no `UMS: LUN ` of `ums 0 mmc 1` within"),
    ] {
        let (mut uboot, _board) = uboot(Board::answering(&[("ums 0 mmc 1", answer, 0)])).await;
        let error = uboot.share("0 mmc 1", SOON).await.expect_err(expected);
        assert!(error.to_string().contains(expected), "{error}");
    }
    let (mut uboot, _board) = uboot(Board::default()).await;
    let error = uboot.share("0 mmc\n1", SOON).await.expect_err("a line end");
    assert!(matches!(error, Error::Invalid { .. }), "{error:?}");
}
