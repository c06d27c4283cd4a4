//! A wrapper that changes nothing reaches every method of every trait; what is changed is used, also by what calls it.

mod recorder;

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use futures_util::FutureExt;

use self::recorder::{Bare, Recorder};
use super::*;
use crate::driver::*;
use crate::event::Quiet;
use crate::flash::FlashJob;
use crate::identify::IdentifyJob;
use crate::{Device, Kind, Wiring};

/// The traits of all devices and their methods as `Trait::method`, read from the source: the list cannot go out of date. Only a
/// node that refuses to be used (`driver/other.rs`) is never wrapped.
fn written() -> BTreeSet<String> {
    let mut methods = BTreeSet::new();
    let mut inside = None;
    let sources = [include_str!("../driver.rs"), include_str!("../driver/flasher.rs")];
    for line in sources.into_iter().flat_map(str::lines) {
        if let Some(rest) = line.strip_prefix("pub trait ") {
            inside = rest.split([':', ' ', '<']).next().filter(|_| !line.ends_with("{}"));
        } else if line == "}" {
            inside = None;
        }
        let method = line.strip_prefix("    async fn ").or_else(|| line.strip_prefix("    fn "));
        if let (Some(name), Some(method)) = (inside, method) {
            methods.insert(format!("{name}::{}", method.split(['(', '<']).next().unwrap()));
        }
    }
    methods
}

/// Polls a call once: those of the recorder record and are done, or wait for ever.
fn call<T>(future: impl Future<Output = T>) {
    drop(future.now_or_never());
}

/// Calls every method of every trait.
fn call_all<D>(device: &D)
where
    D: PowerDriver + PowerMeter + SerialDriver + ContentServer + BootConsole + Flasher,
{
    call(Driver::probe(device));
    call(Driver::examine(device));
    call(Driver::check_files(device));
    call(Driver::identities(device));
    call(Driver::close(device));
    call(PowerDriver::on(device));
    call(PowerDriver::off(device));
    call(PowerDriver::state(device));
    PowerDriver::is_virtual(device);
    PowerDriver::is_by_hand(device);
    call(PowerDriver::cycle(device, Duration::ZERO));
    call(PowerMeter::read(device));
    call(SerialDriver::open(device));
    call(SerialDriver::watch(device));
    call(SerialDriver::port(device));
    call(SerialDriver::set_lines(device, ControlLines::default()));
    call(FileServer::start(device, TransferLog::default()));
    call(FileServer::stop(device));
    FileServer::address(device);
    FileServer::fixed_address(device);
    FileServer::root(device);
    FileServer::removes_created(device);
    ContentServer::publish(device, "file", Content::bytes("")).unwrap();
    FileServer::accept(device, "file", Upload::new(0, || None)).unwrap();
    FileServer::withdraw(device, "file");
    BootConsole::prompt(device);
    BootConsole::interrupt(device);
    call_flasher(device);
}

fn call_flasher(device: &dyn Flasher) {
    call(device.plan(FlashJob::new("image")));
    call(device.flash(FlashJob::new("image"), Arc::new(Quiet)));
    call(device.dump(recorder::dump_job(), Arc::new(Quiet)));
    call(device.identify(IdentifyJob::default(), Arc::new(Quiet)));
    device.defaults();
    call(device.rehearse());
    call(device.route());
    let bundle = device.required_bundle().unwrap();
    call(bundle.describe());
    call(bundle.use_variant(Some("a".to_owned())));
    call(bundle.lock_bundle());
    call(bundle.set_up(None));
    call(bundle.manifest());
}

#[test]
fn every_method_is_forwarded() {
    let recorder = Arc::new(Recorder::default());
    call_all(&Wrapped(Bare(Arc::clone(&recorder))));
    let (reached, written) = (recorder.reached(), written());
    let lost: Vec<&String> = written.iter().filter(|method| !reached.contains(*method)).collect();
    assert_eq!(lost, [""; 0], "forward these in `wrapper/` and call them here");
    assert_eq!(reached, written);
}

#[test]
fn the_answers_are_those_of_the_device() {
    let device = Wrapped(Bare(Arc::new(Recorder::default())));
    assert_eq!(Driver::identities(&device).now_or_never().unwrap(), ["recorder"]);
    assert_eq!(PowerDriver::state(&device).now_or_never().unwrap().unwrap(), Some(true));
    assert!(PowerDriver::is_virtual(&device) && PowerDriver::is_by_hand(&device));
    assert!(!FileServer::removes_created(&device));
    assert!(SerialDriver::set_lines(&device, ControlLines::default()).now_or_never().unwrap().unwrap());
    assert_eq!(BootConsole::prompt(&device), "recorder>");
}

/// Refuses to be probed and never gets to the device's `off`.
#[derive(Debug)]
struct Changed<D: ?Sized>(Arc<D>);

macro_rules! changed {
    ($($device:ident: $wrapper:ident),*) => {$(
        #[async_trait]
        impl Wrapper for Changed<dyn $device> {
            type Device = dyn $device;
            fn wrapped(&self) -> &Self::Device {
                self.0.as_ref()
            }
            async fn probe(&self) -> Result<()> {
                Err(crate::Error::infrastructure("changed"))
            }
        }
    )*};
}
changed!(PowerDriver: PowerWrapper, SerialDriver: SerialWrapper, FileServer: FileServerWrapper, ContentServer: ContentServerWrapper, BootConsole: BootConsoleWrapper);

#[async_trait]
impl PowerWrapper for Changed<dyn PowerDriver> {
    async fn cycle(&self, wait: Duration) -> Result<()> {
        self.wrapped().cycle(wait).await
    }
}
impl SerialWrapper for Changed<dyn SerialDriver> {}
impl FileServerWrapper for Changed<dyn FileServer> {}
impl FileServerWrapper for Changed<dyn ContentServer> {}
impl ContentServerWrapper for Changed<dyn ContentServer> {}
impl BootConsoleWrapper for Changed<dyn BootConsole> {}

/// A wiring with a recorder as each sort of child.
fn wiring(recorder: &Arc<Recorder>) -> Wiring {
    let children = [
        ("power", Device::Power(recorder.clone(), Some(recorder.clone()))),
        ("serial", Device::Serial(recorder.clone())),
        ("tftp", Device::FileServer(recorder.clone())),
        ("http", Device::ContentServer(recorder.clone())),
        ("uboot", Device::BootConsole(recorder.clone())),
    ];
    Wiring::new("board", "", children.map(|(role, device)| (role.to_owned(), device)).into())
}

#[tokio::test]
async fn children_are_wrapped_in_place() {
    let recorder = Arc::new(Recorder::default());
    let mut wiring = wiring(&recorder);
    wiring.wrap_power("power", Changed).unwrap();
    wiring.wrap_serial("serial", Changed).unwrap();
    wiring.wrap_file_server("tftp", Changed).unwrap();
    wiring.wrap_content_server("http", Changed).unwrap();
    wiring.wrap_boot_console("uboot", Changed).unwrap();
    let children: BTreeMap<String, Device> = wiring.into_children();
    let Device::Power(_, Some(meter)) = &children["power"] else { panic!("the meter is lost") };
    meter.read().await.unwrap();
    for (role, kind) in [
        ("power", Kind::Power),
        ("serial", Kind::Serial),
        ("tftp", Kind::FileServer),
        ("http", Kind::ContentServer),
        ("uboot", Kind::BootConsole),
    ] {
        assert_eq!(children[role].kind(), kind);
        let driver = children[role].driver().unwrap();
        assert_eq!(driver.probe().await.unwrap_err().to_string(), "changed", "{role}");
        assert_eq!(driver.examine().await.unwrap_err().to_string(), "changed", "{role}");
        assert_eq!(driver.identities().await, ["recorder"], "{role}");
    }
}

#[test]
fn a_child_of_another_kind_is_refused() {
    let mut wiring = wiring(&Arc::default());
    let error = wiring.wrap_power("serial", Changed).unwrap_err();
    assert_eq!(error.to_string(), "the child `serial` must be of kind power, found serial");
    let error = wiring.wrap_serial("modem", Changed).unwrap_err();
    assert_eq!(error.to_string(), "the child `modem` of kind serial is missing");
    assert!(wiring.serial("serial").is_ok());
}
