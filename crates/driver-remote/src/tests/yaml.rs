//! `type: remote` in an exporter YAML.

use std::path::Path;

use exporter_yaml::Document;
use flasher_core::tree::DriverTree;
use flasher_core::{Class, Device, Kind, testing};

use super::Bench;

fn tree(export: &str) -> Result<DriverTree, String> {
    let yaml = format!("export:\n{export}");
    let document =
        Document::parse("lab.yaml", Path::new("/lab"), &yaml).map_err(|found| format!("{found:?}"))?;
    exporter_yaml::build(&document).map_err(|found| format!("{found:?}"))
}

#[tokio::test]
async fn nodes_of_another_exporter() {
    let bench = Bench::bench().await;
    let address = &bench.address;
    for (config, expected) in [
        (
            String::new(),
            &[("lab", Kind::Group), ("lab.power", Kind::Power), ("lab.serial", Kind::Serial)][..],
        ),
        (
            ", device: board".to_owned(),
            &[("lab", Kind::Group), ("lab.power", Kind::Power), ("lab.serial", Kind::Serial)],
        ),
        (", device: relay, kind: power".to_owned(), &[("lab", Kind::Power)]),
        (", device: board.serial, kind: serial".to_owned(), &[("lab", Kind::Serial)]),
    ] {
        let tree = tree(&format!("  lab: {{ type: remote, config: {{ address: '{address}'{config} }} }}\n"))
            .unwrap();
        let kinds: Vec<_> = tree.all().into_iter().map(|(path, device)| (path, device.kind())).collect();
        assert_eq!(
            kinds,
            expected.iter().map(|(path, kind)| ((*path).to_owned(), *kind)).collect::<Vec<_>>()
        );
        tree.probe().await.unwrap();
        for (_, device) in tree.all() {
            match device {
                Device::Power(..) => {
                    assert_eq!(testing::power(&|| device.clone()).await, [""; 0], "{config}");
                }
                Device::Serial(_) => {
                    assert_eq!(testing::serial(&|| device.clone(), true).await, [""; 0], "{config}");
                }
                _ => {}
            }
        }
        tree.close().await.unwrap();
    }
}

#[tokio::test]
async fn what_is_wrong_is_said_when_it_is_seen() {
    let bench = Bench::bench().await;
    let node = |config: &str| format!("  lab: {{ type: remote, config: {{ {config} }} }}\n");
    for address in ["lab", "lab:x", ":1", "http://lab:1", "me@lab:1", "unix:socket", "lab:1/x", ""] {
        let problem = tree(&node(&format!("address: '{address}'"))).unwrap_err();
        assert!(problem.contains("is no address of an exporter"), "{address}: {problem}");
    }
    for address in ["lab:18083", "[::1]:18083", "192.0.2.1:1", "unix:/run/exporter"] {
        assert!(tree(&node(&format!("address: '{address}'"))).is_ok(), "{address}");
    }
    let bound = &bench.address;
    for (config, class, problem) in [
        (
            "address: '127.0.0.1:1', kind: power".to_owned(),
            Class::Infrastructure,
            "no exporter answers at 127.0.0.1:1",
        ),
        (
            format!("address: '{bound}', device: nowhere, kind: power"),
            Class::Config,
            "the exporter has no power switch at `nowhere`",
        ),
        (
            format!("address: '{bound}', passphrase_file: no, kind: serial"),
            Class::Config,
            "cannot read the passphrase file `/lab/no`",
        ),
    ] {
        let tree = tree(&node(&config)).unwrap();
        let error = tree.probe().await.unwrap_err();
        assert_eq!((error.class(), error.to_string().as_str()), (class, problem));
        let files = tree.find("lab").unwrap().driver().unwrap().check_files().await;
        assert_eq!(files.is_err(), config.contains("passphrase_file"), "{config}");
    }
}
