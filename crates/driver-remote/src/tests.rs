//! Devices of an exporter of ours on a real socket, with a switch that remembers and a line that echoes.

mod yaml;

use std::path::Path;
use std::time::Duration;

use driver_power_mock as _;
use driver_pyserial as _;
use exporter_grpc::{Access as Gate, Exporter, ListenAddress, Listener, Records};
use exporter_yaml::Document;
use flasher_core::tree::DriverTree;
use flasher_core::{CancellationToken, Class, Device, Kind, testing};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use crate::connection::ConnectedExporter;
use crate::{NodeKind, RemoteAccess, RemoteExporter};

const BENCH: &str = "  board:
    children:
      power: { type: power-mock, description: the rail }
      serial: { type: serial, config: { url: 'loop://' } }
  relay: { ref: board.power }
";

/// An exporter that ends when it is dropped.
pub(crate) struct Bench {
    pub(crate) address: String,
    stop: CancellationToken,
    serving: tokio::task::JoinHandle<()>,
}

impl Bench {
    pub(crate) async fn start(export: &str) -> Self {
        Self::at("127.0.0.1:0", export).await
    }

    pub(crate) async fn bench() -> Self {
        Self::start(BENCH).await
    }

    async fn at(address: &str, export: &str) -> Self {
        let yaml = format!("export:\n{export}");
        let document = Document::parse("lab.yaml", Path::new("/lab"), &yaml).unwrap();
        let exporter = Exporter::new(
            exporter_yaml::build(&document).unwrap(),
            None,
            Gate::default(),
            Records::default(),
        );
        let listener = Listener::tcp(address.parse().unwrap(), None).await.unwrap();
        let ListenAddress::Tcp(bound) = listener.address() else { panic!("no TCP") };
        let (address, stop) = (bound.to_string(), CancellationToken::new());
        let told = stop.clone();
        let serving =
            tokio::spawn(
                async move { exporter.serve(vec![listener], told, Duration::from_millis(10)).await },
            );
        Self { address, stop, serving }
    }

    /// Ends it, and starts another one in its place.
    async fn restart(&mut self) {
        self.stop.cancel();
        (&mut self.serving).await.unwrap();
        *self = Self::at(&self.address, BENCH).await;
    }

    pub(crate) async fn tree(&self) -> DriverTree {
        RemoteExporter::connect(RemoteAccess::open(&self.address)).await.unwrap().tree()
    }
}

impl Drop for Bench {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

#[tokio::test]
async fn nodes_become_devices() {
    let bench = Bench::bench().await;
    let tree = bench.tree().await;
    let kinds: Vec<_> = tree.all().into_iter().map(|(path, device)| (path, device.kind())).collect();
    let expected = [
        ("board", Kind::Group),
        ("board.power", Kind::Power),
        ("board.serial", Kind::Serial),
        ("relay", Kind::Power),
    ];
    assert_eq!(kinds, expected.map(|(path, kind)| (path.to_owned(), kind)));
    assert_eq!(tree.notes("board.power").unwrap().description.as_deref(), Some("the rail"));
    // One switch under two names is one device.
    let names: Vec<_> = tree.drivers().into_iter().map(|(path, _)| path).collect();
    assert_eq!(names, ["relay", "board.serial"]);
    let Device::Power(switch, Some(meter)) = tree.find("board.power").unwrap() else { panic!("no switch") };
    switch.on().await.unwrap();
    assert_eq!(switch.state().await.unwrap(), None, "that switch cannot tell");
    assert!(!meter.read().await.unwrap().is_empty());
    tree.probe().await.unwrap();
    tree.close().await.unwrap();
    switch.off().await.expect("it connects again");
}

#[tokio::test]
async fn the_promises_of_drivers_hold() {
    let bench = Bench::bench().await;
    let exporter = RemoteExporter::connect(RemoteAccess::open(&bench.address)).await.unwrap();
    let power = || Device::Power(exporter.power(Some("relay")).unwrap(), None);
    assert_eq!(testing::power(&power).await, [""; 0]);
    let line = exporter.serial(None).unwrap();
    let serial = || Device::Serial(line.clone());
    assert_eq!(testing::serial(&serial, true).await, [""; 0]);
}

#[tokio::test]
async fn another_exporter_in_the_same_place_is_found() {
    let mut bench = Bench::bench().await;
    let tree = bench.tree().await;
    let Device::Power(switch, _) = tree.find("relay").unwrap() else { panic!("no switch") };
    let Device::Serial(serial) = tree.find("board.serial").unwrap() else { panic!("no line") };
    switch.on().await.unwrap();
    bench.restart().await;
    switch.off().await.unwrap();
    bench.restart().await;
    let mut line = serial.open().await.unwrap();
    line.write_all(b"hello").await.unwrap();
    let mut back = [0; 5];
    line.read_exact(&mut back).await.unwrap();
    assert_eq!(&back, b"hello");
}

#[tokio::test]
async fn an_exporter_that_is_away_is_an_infrastructure_error() {
    let mut bench = Bench::bench().await;
    let exporter = RemoteExporter::connect(RemoteAccess::open(&bench.address)).await.unwrap();
    let (switch, serial) = (exporter.power(None).unwrap(), exporter.serial(None).unwrap());
    let address = bench.address.clone();
    bench.stop.cancel();
    (&mut bench.serving).await.unwrap();
    let gone = format!("no exporter answers at {address}");
    for error in [
        switch.on().await.unwrap_err(),
        switch.state().await.unwrap_err(),
        switch.probe().await.unwrap_err(),
        serial.open().await.map(drop).unwrap_err(),
    ] {
        assert_eq!((error.class(), error.to_string()), (Class::Infrastructure, gone.clone()));
        assert!(error.is_retryable() && testing::errors(&error).is_empty(), "{error:?}");
    }
}

#[tokio::test]
async fn nodes_are_chosen_by_kind_and_path() {
    let two = format!("{BENCH}  second: {{ children: {{ power: {{ type: power-mock }} }} }}\n");
    let bench = Bench::start(&two).await;
    let exporter = ConnectedExporter::open(RemoteAccess::open(&bench.address)).await.unwrap();
    let check = |kind, path: Option<&str>, expected: Result<&str, &str>| {
        let found = exporter.choose(kind, path).map(|node| node.path.clone());
        let found = found.map_err(|error| error.to_string());
        assert_eq!(found, expected.map(str::to_owned).map_err(str::to_owned), "{kind:?} {path:?}");
    };
    check(NodeKind::Serial, None, Ok("board.serial"));
    check(NodeKind::Power, Some("second.power"), Ok("second.power"));
    check(NodeKind::Power, Some("second"), Ok("second.power"));
    check(NodeKind::Power, Some("board"), Ok("board.power"));
    check(NodeKind::Power, None, Err("the exporter has several power switches, expected one"));
    check(NodeKind::Serial, Some("second"), Err("the exporter has no serial line at `second`"));
    check(NodeKind::Flasher, None, Err("the exporter has no flasher"));
    let secret =
        RemoteAccess { passphrase_file: Some("/nowhere".into()), ..RemoteAccess::open(&bench.address) };
    let error = RemoteExporter::connect(secret).await.unwrap_err();
    assert_eq!(
        (error.class(), error.to_string().as_str()),
        (Class::Config, "cannot read the passphrase file `/nowhere`")
    );
}

#[tokio::test]
async fn a_socket_of_this_machine_is_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("socket");
    let document = Document::parse("lab.yaml", Path::new("/lab"), &format!("export:\n{BENCH}")).unwrap();
    let exporter =
        Exporter::new(exporter_yaml::build(&document).unwrap(), None, Gate::default(), Records::default());
    let (listener, stop) = (Listener::unix(&path).unwrap(), CancellationToken::new());
    let told = stop.clone();
    let serving =
        tokio::spawn(async move { exporter.serve(vec![listener], told, Duration::from_millis(10)).await });
    let access = RemoteAccess::open(format!("unix:{}", path.display()));
    let exporter = RemoteExporter::connect(access).await.unwrap();
    exporter.power(None).unwrap().on().await.unwrap();
    stop.cancel();
    serving.await.unwrap();
    let missing = RemoteAccess::open(format!("unix:{}", folder.path().join("none").display()));
    let error = RemoteExporter::connect(missing).await.unwrap_err();
    assert_eq!(error.class(), Class::Infrastructure);
}
