//! Faults of the board, its console and its network.

use flasher_core::{Class, Step};

use super::case::{Boots, Case, Ends, Medium, Options};

pub(super) fn cases() -> Vec<Case> {
    [boot_loader(), network(), linux(), console(), options()].concat()
}

fn faulty(name: &str, board: &'static str, flasher: &'static str) -> Case {
    Case { board, flasher, ..Case::new(name) }
}

fn boot_loader() -> Vec<Case> {
    let stuck = faulty("power switch stuck", "power_stuck: true", "");
    let no_prompt = Case {
        board_config: "prompt: 'sim> '",
        ..faulty("wrong prompt of the boot loader", "", "timeouts: { bootloader: 6 }")
    };
    vec![
        // No retry: a board that cannot be switched off cannot be started afresh.
        stuck.fails(Class::Infrastructure, Step::Power, "stuck").not_retried(),
        faulty("power switch stuck once", "power_stuck: 1", "").helped(2),
        faulty(
            "autoboot that cannot be interrupted",
            "no_autoboot_stop: true",
            "timeouts: { bootloader: 8 }",
        )
        .fails(Class::Board, Step::Bootloader, ""),
        faulty(
            "autoboot that cannot be interrupted",
            "no_autoboot_stop: true, heals_after: 1",
            "timeouts: { bootloader: 8 }",
        )
        .helped(2),
        no_prompt.clone().fails(Class::Config, Step::Bootloader, "the boot loader's prompt is `sim>`"),
        no_prompt.fails(Class::Config, Step::Bootloader, "").not_retried(),
        faulty("board slow to start", "boot_delay_ms: 1500", ""),
    ]
}

fn network() -> Vec<Case> {
    let no_dhcp = faulty("no DHCP", "dhcp_fail: true", "timeouts: { dhcp: 3 }");
    let no_file = faulty("no file on the TFTP server", "tftp_missing: true", "");
    vec![
        no_dhcp.clone().fails(Class::Infrastructure, Step::Bootloader, "no address by DHCP"),
        no_dhcp.fails(Class::Infrastructure, Step::Bootloader, "no address by DHCP").in_vain(),
        // The boot loader asks again by itself.
        faulty("no DHCP at first", "dhcp_fail: 1", "timeouts: { dhcp: 15 }"),
        no_file.clone().fails(Class::Infrastructure, Step::Bootloader, "no such file"),
        no_file.fails(Class::Infrastructure, Step::Bootloader, "no such file").in_vain(),
        faulty("no file on the TFTP server", "tftp_missing: true, heals_after: 1", "").helped(2),
        faulty("lossy TFTP", "tftp_loss: 5", ""),
        faulty("no network", "no_network: true", "timeouts: { dhcp: 3, tftp: 6, command: 10 }").fails(
            Class::Board,
            Step::Bootloader,
            "no Ethernet device",
        ),
    ]
}

fn linux() -> Vec<Case> {
    let resets = "timeouts: { shell: 10 }";
    let password = Case {
        board_config: "password: geheim",
        ..faulty("a password nobody told us", "", "timeouts: { shell: 8 }")
    };
    vec![
        faulty("kernel that hangs", "no_login: true", "timeouts: { shell: 4 }").fails(
            Class::Board,
            Step::Shell,
            "within 4 s",
        ),
        faulty("kernel that hangs, always", "no_login: true", "timeouts: { shell: 4 }")
            .fails(Class::Board, Step::Shell, "within 4 s")
            .in_vain(),
        faulty("kernel that hangs", "no_login: true, heals_after: 1", "timeouts: { shell: 10 }").helped(2),
        faulty("reset at boot", "reset_on_boot: true", resets).fails(Class::Board, Step::Shell, "boot"),
        faulty("reset at boot once", "reset_on_boot: 1", resets).helped(2),
        password.fails(Class::Board, Step::Shell, "").not_retried(),
        faulty("no tool to fetch with", "wget_missing: true, curl_missing: true", "")
            .fails(Class::Config, Step::Shell, "neither `wget` nor `curl`")
            .not_retried(),
        faulty("no tool but wget", "curl_missing: true, bash_missing: true", ""),
        faulty("no tool but curl", "wget_missing: true, bash_missing: true", ""),
    ]
}

/// Every second character is another one.
fn unreadable(board: &'static str) -> Case {
    faulty("console that is noise", board, "timeouts: { bootloader: 8 }")
}

fn console() -> Vec<Case> {
    vec![
        faulty("kernel messages on the console", "kernel_lines: 30", ""),
        faulty("characters lost on the console", "drop_console: 6000", ""),
        faulty("characters changed on the console", "garble_console: 3000", ""),
        unreadable("garble_console: 2").fails(Class::Infrastructure, Step::Bootloader, "").in_vain(),
        unreadable("garble_console: 2, heals_after: 1").helped(2),
    ]
}

fn options() -> Vec<Case> {
    let target = |target| Options { target: Some(target), ..Options::default() };
    let expect = |pattern| Options { expect_boot: Some(pattern), ..Options::default() };
    let unheard = Case {
        options: expect("never said"),
        ..faulty("a new system that does not say what is expected", "", "timeouts: { boot_check: 3 }")
    };
    vec![
        Case { options: target("emcm"), ..Case::new("target nobody knows") }
            .fails(Class::Config, Step::Resolve, "emcm")
            .not_retried(),
        Case {
            board_config: "targets: [/dev/sdz]\n      block_addresses: {}",
            ..Case::new("target that is not on the board")
        }
        .fails(Class::Board, Step::Target, "no block device"),
        Case { options: expect("("), ..Case::new("expected text that is no pattern") }
            .fails(Class::Config, Step::Plan, "")
            .not_retried(),
        Case {
            options: expect("booted from medium"),
            ..Case::new("a new system that says what is expected")
        },
        // The medium is proven; only the system on it is not what was hoped for.
        Case {
            ends: Ends::Failed(Class::Board, Step::Finish, "did not show `never said`", 1),
            medium: Medium::New,
            boots: Boots::New,
            ..unheard
        }
        .not_retried(),
    ]
}
