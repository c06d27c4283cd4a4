//! Who may depend on whom among the crates of the workspace.

use crate::finding::Finding;
use xtask_support::workspace::Package;

/// What a crate is in the house.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Room {
    /// What every crate may need: `flasher-base`, and `strict-yaml` and `console-record` on it.
    Base,
    /// `flasher-core`: traits, registry, errors.
    Core,
    /// Plain libraries that know neither core nor drivers.
    Library,
    /// What a job saw: `failure-diagnosis` names the root cause, `job-recording` plays it again.
    Recording,
    /// A driver or a virtual board: it registers itself with core.
    Plugin,
    /// `exporter-yaml`, which makes driver trees of files.
    ExporterYaml,
    /// `ledger`, which keeps receipts.
    Ledger,
    /// `report`, which shows them.
    Report,
    /// `flasher-bundles`, where everything meets.
    Bundles,
    /// `exporter-wire`, what both sides of the wire share.
    Wire,
    /// `exporter-grpc`, which serves on the wire.
    Exporter,
    /// `exporter-controller`, which puts the exporter under the controller of a lab.
    Controller,
    /// `exporter-web`, the page of an exporter.
    Web,
    /// `driver-remote`, the client of the wire: a driver, and what `--remote` goes through.
    Remote,
    /// `flasher`, the command line.
    CommandLine,
    /// `xtask` and its packages.
    Chores,
    /// `flasher-tests`.
    Stories,
    /// `own-board`: boards of a user, outside our tree.
    Outsider,
}

/// The kind of a crate, from its name; `None` for a name that no kind has.
pub(super) fn room(name: &str) -> Option<Room> {
    Some(match name {
        "flasher-base" | "strict-yaml" | "console-record" => Room::Base,
        "flasher-core" => Room::Core,
        "exporter-yaml" => Room::ExporterYaml,
        "ledger" => Room::Ledger,
        "report" => Room::Report,
        "job-recording" | "failure-diagnosis" => Room::Recording,
        "board-console" | "disk-image" | "bundle-store" | "server-kit" | "line-share" | "lab-command" => {
            Room::Library
        }
        "board-sim" | "board-qemu" => Room::Plugin,
        "flasher-bundles" => Room::Bundles,
        "exporter-grpc" => Room::Exporter,
        "exporter-controller" => Room::Controller,
        "exporter-web" => Room::Web,
        "exporter-wire" => Room::Wire,
        "driver-remote" => Room::Remote,
        "flasher" => Room::CommandLine,
        "xtask" | "xtask-bench" | "xtask-guests" | "xtask-soak" | "xtask-support" | "xtask-tidy" => {
            Room::Chores
        }
        "flasher-tests" => Room::Stories,
        "own-board" => Room::Outsider,
        _ if name.starts_with("driver-") => Room::Plugin,
        _ => return None,
    })
}

/// Every edge that crosses a wall, and every crate without a room.
pub(super) fn check(packages: &[Package]) -> Vec<Finding> {
    packages.iter().flat_map(|it| check_package(it, packages)).collect()
}

fn check_package(package: &Package, all: &[Package]) -> Vec<Finding> {
    let Some(from) = room(&package.name) else {
        let text = format!("`{}` has no room in the house: add it to xtask/tidy/src/edges.rs", package.name);
        return vec![Finding::new(package.manifest(), text)];
    };
    let ours = |name: &str| all.iter().any(|it| it.name == name);
    let dependencies = package.dependencies.iter().filter(|it| !it.for_tests_only && ours(&it.name));
    dependencies
        .filter(|it| room(&it.name).is_some_and(|to| !may_name(from, to)))
        .map(|it| {
            let text = format!("`{}` depends on `{}`: {}", package.name, it.name, rule(from));
            Finding::new(package.manifest(), text)
        })
        .chain(foreign(package, from))
        .collect()
}

fn may_name(from: Room, to: Room) -> bool {
    use Room::{
        Base, Bundles, Chores, CommandLine, Controller, Core, Exporter, ExporterYaml, Ledger, Library,
        Outsider, Plugin, Recording, Remote, Report, Stories, Web, Wire,
    };
    match from {
        Chores => to == Chores,
        _ if to == Base => true,
        Base | Core | Library => false,
        ExporterYaml | Ledger | Recording | Report | Wire => to == Core,
        Plugin => matches!(to, Core | Library | Recording),
        Exporter => matches!(to, Core | Ledger | Library | Wire),
        Controller => matches!(to, Core | Exporter | ExporterYaml | Wire),
        Web => matches!(to, Core | Exporter | Ledger | Library | Report | Wire),
        Remote => matches!(to, Core | Library | Wire),
        Bundles => matches!(to, Core | Library | Plugin | Remote),
        CommandLine => {
            matches!(
                to,
                Core | Ledger
                    | Library
                    | Bundles
                    | Controller
                    | Exporter
                    | ExporterYaml
                    | Recording
                    | Remote
                    | Report
                    | Web
                    | Wire
            )
        }
        Stories | Outsider => !matches!(to, Chores | Stories | Outsider),
    }
}

fn rule(from: Room) -> &'static str {
    match from {
        Room::Base => "the base depends on no other crate of ours",
        Room::Core => "the contract depends on no crate of ours but the base",
        Room::Library => "a library depends on no crate of ours but the base",
        Room::Ledger => "the ledger depends on flasher-core and the base",
        Room::Recording => "recordings depend on flasher-core and the base",
        Room::Report => "reports depend on flasher-core and the base",
        Room::ExporterYaml => "reading exporter YAML depends on flasher-core and the base",
        Room::Chores => "chores depend on no crate that ships, so that they run on a broken tree",
        Room::Plugin => {
            "a driver depends on flasher-core and libraries; it gets its partners as children, by their traits"
        }
        Room::Wire => "the wire depends on flasher-core and the base",
        Room::Exporter | Room::Remote => {
            "both sides of the wire depend on flasher-core, libraries and exporter-wire; the exporter also on the ledger"
        }
        Room::Controller => {
            "the exporter under a controller depends on flasher-core, exporter-grpc, exporter-yaml and exporter-wire"
        }
        Room::Web => {
            "the page of an exporter depends on flasher-core, exporter-grpc, exporter-wire, the ledger and reports"
        }
        Room::Bundles => "flasher-bundles depends on flasher-core, libraries, drivers and virtual boards",
        Room::CommandLine => "the command line reaches drivers through flasher-bundles",
        Room::Stories | Room::Outsider => "stories and examples depend on crates that ship",
    }
}

/// Crates of others that only both sides of the wire may know.
fn foreign(package: &Package, from: Room) -> Vec<Finding> {
    let wire = ["tonic", "prost"];
    let known = matches!(from, Room::Wire | Room::Exporter | Room::Controller | Room::Remote | Room::Stories);
    let named =
        package.dependencies.iter().filter(|it| !it.for_tests_only && wire.contains(&it.name.as_str()));
    named
        .filter(|_| !known)
        .map(|it| {
            let text = format!(
                "`{}` depends on `{}`: only exporter-wire, exporter-grpc, exporter-controller and driver-remote know the wire",
                package.name, it.name
            );
            Finding::new(package.manifest(), text)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use xtask_support::workspace::Dependency;

    fn package(name: &str, dependencies: &[(&str, bool)]) -> Package {
        let dependencies = dependencies
            .iter()
            .map(|&(name, for_tests_only)| Dependency { name: name.to_owned(), for_tests_only })
            .collect();
        Package { name: name.to_owned(), folder: format!("crates/{name}"), dependencies }
    }

    /// Whether a normal dependency of `from` on `to` is accepted.
    fn accepted(from: &str, to: &str) -> bool {
        check(&[package(from, &[(to, false)]), package(to, &[])]).is_empty()
    }

    #[test]
    fn edges_of_the_house_are_accepted() {
        let edges = [
            ("driver-tftp", "flasher-core"),
            ("driver-flasher", "board-console"),
            ("board-sim", "flasher-core"),
            ("flasher-bundles", "driver-tftp"),
            ("flasher-bundles", "board-qemu"),
            ("flasher", "exporter-grpc"),
            ("flasher", "bundle-store"),
            ("exporter-grpc", "flasher-core"),
            ("exporter-grpc", "exporter-wire"),
            ("driver-remote", "exporter-wire"),
            ("flasher", "driver-remote"),
            ("flasher-bundles", "driver-remote"),
            ("exporter-wire", "flasher-core"),
            ("flasher-core", "flasher-base"),
            ("bundle-store", "strict-yaml"),
            ("strict-yaml", "flasher-base"),
            ("exporter-yaml", "flasher-core"),
            ("exporter-yaml", "strict-yaml"),
            ("flasher", "exporter-yaml"),
            ("flasher-tests", "driver-tftp"),
            ("xtask-bench", "xtask-support"),
        ];
        for (from, to) in edges {
            assert!(accepted(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn edges_through_a_wall_are_reported() {
        let edges = [
            ("flasher-core", "disk-image"),
            ("disk-image", "flasher-core"),
            ("flasher-base", "flasher-core"),
            ("strict-yaml", "bundle-store"),
            ("flasher-core", "exporter-yaml"),
            ("driver-tftp", "exporter-yaml"),
            ("exporter-grpc", "exporter-yaml"),
            ("exporter-yaml", "bundle-store"),
            ("xtask", "flasher-base"),
            ("board-console", "disk-image"),
            ("driver-flasher", "driver-tftp"),
            ("board-sim", "driver-power-mock"),
            ("driver-tftp", "flasher-bundles"),
            ("flasher", "driver-tftp"),
            ("exporter-grpc", "driver-tftp"),
            ("exporter-grpc", "driver-remote"),
            ("driver-remote", "exporter-grpc"),
            ("driver-tftp", "exporter-wire"),
            ("flasher-bundles", "exporter-grpc"),
            ("driver-http", "exporter-grpc"),
            ("xtask", "flasher-core"),
            ("xtask-bench", "disk-image"),
            ("xtask-soak", "flasher-core"),
            ("flasher", "xtask-support"),
        ];
        for (from, to) in edges {
            assert!(!accepted(from, to), "{from} -> {to}");
        }
    }

    #[test]
    fn a_test_may_name_anything() {
        let all = [package("driver-flasher", &[("driver-tftp", true)]), package("driver-tftp", &[])];
        assert_eq!(check(&all), []);
    }

    #[test]
    fn a_crate_without_a_room_is_reported() {
        let findings = check(&[package("attic", &[])]);
        assert_eq!(
            findings[0].to_string(),
            "crates/attic/Cargo.toml: `attic` has no room in the house: add it to xtask/tidy/src/edges.rs"
        );
    }

    #[test]
    fn the_wire_belongs_to_the_exporter() {
        assert_eq!(check(&[package("exporter-grpc", &[("tonic", false)])]), []);
        let findings = check(&[package("flasher", &[("tonic", false)])]);
        assert_eq!(
            findings[0].to_string(),
            "crates/flasher/Cargo.toml: `flasher` depends on `tonic`: only exporter-wire, exporter-grpc, exporter-controller and driver-remote know the wire"
        );
    }
}
