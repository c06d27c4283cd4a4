//! Examples in the help of each command.

use clap::Command;

/// Commands with lines that can be typed as they are.
const EXAMPLES: &[(&str, &[&str])] = &[
    (
        "demo",
        &["flasher demo", "flasher demo --fault no-dhcp", "flasher demo --board qemu --receipt receipt.json"],
    ),
    (
        "init",
        &[
            "flasher init",
            "flasher init board.yaml --board ti-j784s4 --serial /dev/ttyUSB0 --power power-http",
            "flasher init board.yaml --board uboot --serial /dev/ttyUSB0 --power power-mock",
        ],
    ),
    ("replay", &["flasher replay", "flasher replay recording.jsonl"]),
    (
        "flash",
        &[
            "flasher --exporter board.yaml flash image.img.xz --receipt receipt.json",
            "flasher --exporter board.yaml flash -t boot:boot.img -t root:root.img.zst",
            "flasher --exporter board.yaml --log flash.log flash image.img.xz --expect-boot login:",
            "flasher --remote lab:18083 --remote-passphrase-file secret flash image.img.xz",
            "flasher --lease board=rcar-s4 flash image.img.xz",
            "flasher --exporter lab.yaml flash image.img.xz --all --receipt receipts",
        ],
    ),
    (
        "dump",
        &[
            "flasher --exporter board.yaml dump medium.img.zst",
            "flasher --exporter board.yaml dump root.img --partition root",
            "flasher --remote lab:18083 dump medium.img.zst",
        ],
    ),
    (
        "identify",
        &[
            "flasher --exporter board.yaml identify",
            "flasher --exporter board.yaml identify --image image.img.xz",
        ],
    ),
    (
        "plan",
        &["flasher --exporter board.yaml plan image.img.xz", "flasher --remote lab:18083 plan image.img.xz"],
    ),
    ("check", &["flasher check board.yaml"]),
    ("drivers", &["flasher drivers", "flasher drivers power-command"]),
    ("boards", &["flasher boards", "flasher boards ti-j784s4"]),
    ("bundle check", &["flasher bundle check ./bundle"]),
    ("bundle pull", &["flasher bundle pull quay.io/acme/bundle:v1"]),
    ("bundle push", &["flasher bundle push ./bundle registry.lab:5000/acme/bundle:v2"]),
    ("bundle lock", &["flasher bundle lock board.yaml"]),
    ("bundle gc", &["flasher bundle gc"]),
    ("power on", &["flasher --exporter board.yaml power on"]),
    ("power off", &["flasher --exporter bench.yaml power off --device left.power --device right.power"]),
    (
        "power cycle",
        &["flasher --exporter board.yaml power cycle --wait 5", "flasher --remote lab:18083 power cycle"],
    ),
    ("power status", &["flasher --exporter bench.yaml power status --device left.power"]),
    ("power read", &["flasher --exporter board.yaml power read --count 10 --interval 0.5"]),
    (
        "console",
        &[
            "flasher --exporter board.yaml console --power-cycle",
            "flasher --exporter board.yaml console --watch --timestamps --log board.log",
            "flasher --remote lab:18083 console",
        ],
    ),
    (
        "serve",
        &[
            "flasher --exporter board.yaml serve -- j power on",
            "flasher --exporter board.yaml serve --web",
            "flasher --exporter board.yaml serve --listen :18083 --passphrase-file secret --cert cert.pem --key key.pem",
        ],
    ),
    ("shell-env", &["flasher shell-env lab:18083 --passphrase-file secret -- j power on"]),
    ("attach", &["flasher attach", "flasher --remote lab:18083 attach --receipt receipt.json"]),
    ("cancel", &["flasher cancel", "flasher --remote lab:18083 cancel"]),
    ("files", &["flasher files ./boot --tftp 0.0.0.0:69 --http off"]),
    ("history", &["flasher history --failed --since 7d", "flasher history --board rack-3"]),
    ("history show", &["flasher history show 42"]),
    ("history images", &["flasher history images"]),
    ("history boards", &["flasher history boards"]),
    ("media", &["flasher media"]),
    ("doctor", &["flasher --exporter board.yaml doctor"]),
    ("sandbox", &["flasher sandbox -- flasher --exporter qemu-board.yaml flash image.img.xz"]),
    (
        "report",
        &[
            "flasher report receipt.json",
            "flasher report receipt.json --html report.html --junit junit.xml",
            "flasher report 41 42 --html report.html",
            "flasher report receipt.json --attest receipt.intoto.jsonl --key key.pem",
        ],
    ),
    ("verify-receipt", &["flasher verify-receipt receipt.json image.img.xz"]),
    (
        "explain",
        &["flasher explain bootloader", "flasher explain 5", "flasher explain 'no DHCP server answers'"],
    ),
    ("schema", &["flasher schema events"]),
    ("man", &["flasher man ./man"]),
    ("completions", &["flasher completions bash"]),
];

/// The command called `path` with its examples in its help.
pub(super) fn shown(path: &str, command: Command) -> Command {
    let lines: String = of(path).iter().map(|line| format!("\n  {line}")).collect();
    if lines.is_empty() { command } else { command.after_help(format!("Examples:{lines}")) }
}

fn of(path: &str) -> &'static [&'static str] {
    EXAMPLES.iter().find(|(name, _)| *name == path).map_or(&[], |(_, lines)| lines)
}

#[cfg(test)]
mod tests {
    use clap::FromArgMatches as _;

    use super::*;
    use crate::args::global::tests::leaves;
    use crate::args::{Args, command, effect, given, path, refuse_idle};

    #[test]
    fn every_command_has_examples() {
        let all = leaves(&command(), "");
        for path in &all {
            assert!(!of(path).is_empty(), "`{path}` has no example");
        }
        for (name, lines) in EXAMPLES {
            assert!(all.iter().any(|path| path == name), "`{name}` is no command");
            for line in *lines {
                let matches = command()
                    .try_get_matches_from(line.split(' '))
                    .unwrap_or_else(|error| panic!("{line}: {error}"));
                assert_eq!(&path(&matches), name, "{line}");
                refuse_idle(&matches).unwrap_or_else(|error| panic!("{line}: {error}"));
                let args = Args::from_arg_matches(&matches).unwrap();
                let args = Args { given: given::given(&command(), &matches), ..args };
                effect::check(&args).unwrap_or_else(|error| panic!("{line}: {error}"));
            }
        }
    }
}
