//! What can go wrong in a demo: faults of the simulated board, of the image and of the set-up, each with what mends it on a real board.

/// One thing that goes wrong.
#[derive(Debug)]
pub(crate) struct Fault {
    /// What `--fault` takes.
    pub(crate) name: &'static str,
    /// What is wrong.
    pub(crate) what: &'static str,
    /// How it is mended on a real board.
    pub(crate) mended_by: &'static str,
    /// Fault knobs of the simulated board (YAML, flow style).
    knobs: &'static str,
    /// Further keys of the board's config.
    board: &'static str,
    /// Further keys of the flasher's config.
    flasher: &'static str,
    /// What is wrong with the image.
    pub(super) damage: Damage,
    /// The size of the medium, where it is another.
    pub(super) size: Option<&'static str>,
    /// A system that boots is on the medium already.
    pub(super) medium_boots: bool,
    /// The boot loader writes the image.
    pub(super) by_boot_loader: bool,
    /// How often the flash is tried again.
    pub(super) retries: u32,
}

/// What is wrong with an image.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Damage {
    None,
    /// The second half is missing.
    CutShort,
    /// One bit is another.
    OneBit,
}

/// Nothing is wrong.
const NONE: Fault = Fault {
    name: "",
    what: "",
    mended_by: "",
    knobs: "",
    board: "",
    flasher: "",
    damage: Damage::None,
    size: None,
    medium_boots: false,
    by_boot_loader: false,
    retries: 0,
};
/// The boot loader is given up sooner than on a real board.
const SOON: &str = "timeouts: { bootloader: 6, dhcp: 3, tftp: 6, shell: 6, stall: 3 }";

/// All faults, in the order in which a flash meets them.
pub(crate) const FAULTS: &[Fault] = &[
    Fault {
        name: "image-cut-short",
        what: "the download of the image broke off half-way",
        mended_by: "fetch the image again",
        damage: Damage::CutShort,
        ..NONE
    },
    Fault {
        name: "image-changed",
        what: "one bit of the image is not what it was when its digest was made",
        mended_by: "fetch the image again, and look at the disk it was kept on",
        damage: Damage::OneBit,
        ..NONE
    },
    Fault {
        name: "medium-too-small",
        what: "the medium is smaller than the image",
        mended_by: "a smaller image, or a larger medium as `--target`",
        size: Some("16MiB"),
        ..NONE
    },
    Fault {
        name: "power-stuck",
        what: "the power switch does not obey",
        mended_by: "switch by hand with `flasher power off`, and look at the switch's own page or its cable",
        knobs: "power_stuck: true",
        ..NONE
    },
    Fault {
        name: "no-autoboot-stop",
        what: "no key stops the boot loader's countdown",
        mended_by: "set `interrupt:` to the keys that this boot loader takes, or give it a longer `bootdelay`",
        knobs: "no_autoboot_stop: true",
        flasher: SOON,
        medium_boots: true,
        ..NONE
    },
    Fault {
        name: "other-prompt",
        what: "the boot loader's prompt is not the one that the board's manifest has",
        mended_by: "set the `prompt:` that the failure names",
        board: "prompt: 'sim> '",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "console-noise",
        what: "every second character of the console is another one, as with a wrong baud rate",
        mended_by: "set `baudrate:` of the serial line, and look at its ground wire",
        knobs: "garble_console: 2",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "console-losses",
        what: "the console loses a character now and then",
        mended_by: "nothing: what was lost is typed again",
        knobs: "drop_console: 6000",
        ..NONE
    },
    Fault {
        name: "no-network",
        what: "the board has no network interface",
        mended_by: "look at the board's network plug and its boot loader's drivers",
        knobs: "no_network: true",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "no-dhcp",
        what: "no DHCP server answers the board",
        mended_by: "look at the cable and the server, or set `network:` to addresses of your own",
        knobs: "dhcp_fail: true",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "no-boot-file",
        what: "the board asks a TFTP server that does not have the boot file",
        mended_by: "look which server the board asks: `tftpserverip` of its boot loader may name another",
        knobs: "tftp_missing: true",
        ..NONE
    },
    Fault {
        name: "network-losses",
        what: "one packet in twenty is lost",
        mended_by: "nothing: what was lost is sent again, and the receipt says how often",
        knobs: "tftp_loss: 5",
        ..NONE
    },
    Fault {
        name: "kernel-hangs",
        what: "the kernel says nothing after it was started",
        mended_by: "look at the bundle: its device tree and `bootargs` name the console",
        knobs: "no_login: true",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "board-resets",
        what: "the board starts anew when the kernel is started",
        mended_by: "look at the bundle's load addresses, at the board's watchdog and at its power supply",
        knobs: "reset_on_boot: true",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "password",
        what: "the system that the bundle boots wants a password",
        mended_by: "set `login:` of the board's manifest",
        board: "password: geheim",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "no-download-tool",
        what: "the system that the bundle boots has neither `wget` nor `curl`",
        mended_by: "a bundle that has one of them",
        knobs: "wget_missing: true, curl_missing: true, bash_missing: true",
        ..NONE
    },
    Fault {
        name: "no-medium",
        what: "the board has no such medium",
        mended_by: "another `--target`, or the card that is missing",
        board: "targets: [/dev/sdz], block_addresses: {}",
        ..NONE
    },
    Fault {
        name: "counterfeit",
        what: "the medium holds less than it says",
        mended_by: "another medium",
        knobs: "real_size: { bytes: 24MiB, beyond: wrap }",
        ..NONE
    },
    Fault {
        name: "write-error",
        what: "the medium refuses to be written at one place",
        mended_by: "another medium",
        knobs: "write_error: 17MiB",
        ..NONE
    },
    Fault {
        name: "medium-stuck",
        what: "writing to the medium never ends",
        mended_by: "another medium or card reader; `timeouts: { stall: … }` says how long a flash waits",
        knobs: "dd_stuck: true",
        flasher: SOON,
        ..NONE
    },
    Fault {
        name: "power-cut",
        what: "the power fails once while the image is written",
        mended_by: "nothing: the second attempt goes on from what is right",
        knobs: "cut_power_after_bytes: 8MiB",
        flasher: SOON,
        retries: 1,
        ..NONE
    },
    Fault {
        name: "bit-flip",
        what: "the medium does not keep what was written at one place",
        mended_by: "another medium",
        knobs: "flip_bit: { offset: 17825792, mask: 4 }",
        ..NONE
    },
    Fault {
        name: "read-error",
        what: "the medium cannot be read at one place",
        mended_by: "another medium",
        knobs: "read_error_at: 17MiB",
        ..NONE
    },
    Fault {
        name: "lost-writes",
        what: "the boot loader says that it wrote, and the medium did not take it",
        mended_by: "another medium, or a newer boot loader",
        knobs: "uboot: { lost_writes: true }",
        by_boot_loader: true,
        ..NONE
    },
    Fault {
        name: "stale-reads",
        what: "the boot loader reads back what was on the medium before",
        mended_by: "a boot loader whose cache can be turned off (`blkcache`), or `--via linux`",
        knobs: "uboot: { stale_reads: true }",
        by_boot_loader: true,
        ..NONE
    },
];

/// What `--fault` takes.
pub(super) fn names() -> Vec<&'static str> {
    FAULTS.iter().map(|fault| fault.name).collect()
}

/// The fault with this name.
pub(super) fn named(name: &str) -> Option<&'static Fault> {
    FAULTS.iter().find(|fault| fault.name == name)
}

/// All names, and what goes wrong.
pub(super) fn list() -> String {
    let widest = FAULTS.iter().map(|fault| fault.name.len()).max().unwrap_or(0);
    let lines = FAULTS.iter().map(|fault| format!("{:widest$}  {}\n", fault.name, fault.what));
    lines
        .chain(["\n`flasher demo --fault no-dhcp` shows how a flash without an address ends, and so on\n"
            .to_owned()])
        .collect()
}

impl Fault {
    /// Its keys of the board's config, after others.
    pub(super) fn of_board(&self) -> String {
        let knobs =
            if self.knobs.is_empty() { String::new() } else { format!("faults: {{ {} }}", self.knobs) };
        following(&[self.board, &knobs])
    }

    /// Its keys of the flasher's config, after others.
    pub(super) fn of_flasher(&self) -> String {
        following(&[self.flasher])
    }
}

fn following(keys: &[&str]) -> String {
    keys.iter().filter(|keys| !keys.is_empty()).map(|keys| format!(", {keys}")).collect()
}
