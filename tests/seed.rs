//! The cases this project began with: a flasher from YAML, its children, its bundle, its variants.

use std::any::Any;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::Arc;

use bundle_store::Access;
use driver_flasher::BaseFlasher;
use flasher_core::tree::DriverTree;
use flasher_core::{Flasher, TransferLog};

use crate::lab::has;
use crate::registries::docker::DockerRegistry;

const KERNEL: usize = 1024;
const INITRAMFS: usize = 2048;
const DTB: usize = 3072;

/// A folder with the test board's bundle and an exporter YAML for it; the bundle may be in a registry instead.
struct Place {
    folder: tempfile::TempDir,
    bundle: String,
    _registry: Option<DockerRegistry>,
}

impl Place {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let place = Self { folder, bundle: "./bundle".to_owned(), _registry: None };
        let data = place.path("bundle/data");
        fs::create_dir_all(data.join("dtbs")).unwrap();
        fs::write(data.join("kernel"), [0; KERNEL]).unwrap();
        fs::write(data.join("initramfs"), [0; INITRAMFS]).unwrap();
        fs::write(data.join("dtbs/test-dtb.dtb"), [0; DTB]).unwrap();
        fs::write(data.join("dtbs/alternate.dtb"), [1; DTB]).unwrap();
        fs::write(
            place.path("bundle/manifest.yaml"),
            flasher_core::registry::board("test").unwrap().manifest,
        )
        .unwrap();
        place
    }

    /// The bundle in a folder, and once more in a registry, where this machine has one.
    async fn both() -> Vec<Self> {
        let mut places = vec![Self::new()];
        if let Some(registry) = DockerRegistry::start() {
            let mut place = Self::new();
            place.bundle = registry.name("jumpstarter-dev/jumpstarter-flasher-test:latest");
            let reference = place.bundle.parse().unwrap();
            bundle_store::push(&place.path("bundle"), &reference, &Access::default()).await.unwrap();
            fs::remove_dir_all(place.path("bundle")).unwrap();
            place._registry = Some(registry);
            places.push(place);
        }
        places
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn load(&self, children: &str) -> Result<DriverTree, String> {
        let yaml = format!(
            "export:
  storage:
    type: jumpstarter_driver_flashers.driver.BaseFlasher
    config:
      flasher_bundle: {}
      cache_dir: ./cache
      tftp_dir: ./tftp
      http_dir: ./http
    children:
{children}",
            self.bundle
        );
        fs::write(self.path("exporter.yaml"), yaml).unwrap();
        exporter_yaml::load(&self.path("exporter.yaml")).map_err(|findings| findings.to_string())
    }

    fn complete(&self) -> DriverTree {
        let children = "
      serial: { type: jumpstarter_driver_pyserial.driver.PySerial, config: { url: 'loop://' } }
      power: { type: jumpstarter_driver_power.driver.MockPower }
      tftp: { type: jumpstarter_driver_tftp.driver.Tftp, config: { root_dir: ./tftp, host: 127.0.0.1, port: 0 } }
      http: { type: jumpstarter_driver_http.driver.HttpServer, config: { root_dir: ./http, host: 127.0.0.1, port: 0 } }
";
        self.load(children).unwrap()
    }
}

fn base(tree: &DriverTree) -> Arc<BaseFlasher> {
    let flasher: Arc<dyn Flasher> = tree.flasher(None).unwrap();
    let any: Arc<dyn Any + Send + Sync> = flasher;
    any.downcast().unwrap()
}

#[test]
fn flasher_without_serial() {
    let report = Place::new().load("      power: { type: power-mock }\n").unwrap_err();
    assert!(
        report.contains("the child `serial` of kind serial is missing (the board's console)"),
        "{report}"
    );
    assert!(report.contains("give it below `children:`"), "{report}");
}

#[test]
fn flasher_without_power() {
    let report =
        Place::new().load("      serial: { type: serial, config: { url: 'loop://' } }\n").unwrap_err();
    assert!(report.contains("the child `power` of kind power is missing (switches the board)"), "{report}");
    assert!(report.contains("`power: { ref: path.to.node }`"), "{report}");
}

#[tokio::test]
async fn a_complete_flasher_from_yaml() {
    for place in Place::both().await {
        let tree = place.complete();
        let description = tree.flasher(None).unwrap().required_bundle().unwrap().describe().await.unwrap();
        assert_eq!(description.board, "test");
        assert_eq!(description.default_target, "usd");
        assert_eq!(description.kernel.file, "data/kernel");
        assert_eq!(description.kernel.address, "0x82000000");
        assert_eq!(description.initram.unwrap().address, "0x83000000");
        assert_eq!(description.dtb.unwrap().address, "0x84000000");
    }
}

#[tokio::test]
async fn children_that_are_left_out_are_made() {
    for place in Place::both().await {
        let tree = place
            .load(
                "      serial: { type: serial, config: { url: 'loop://' } }\n      power: { type: power-mock }\n",
            )
            .unwrap();
        let staged = base(&tree).stage().await.unwrap();
        assert_eq!(staged[0], place.path("tftp/kernel"));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn set_up_serves_the_boot_files() {
    for place in Place::both().await {
        let tree = place.complete();
        base(&tree).stage().await.unwrap();
        let files =
            [("kernel", vec![0; KERNEL]), ("initramfs", vec![0; INITRAMFS]), ("test-dtb.dtb", vec![0; DTB])];
        for (name, content) in &files {
            assert_eq!(fs::read(place.path("tftp").join(name)).unwrap(), *content, "{name}");
        }
        let flasher_core::Device::FileServer(tftp) = tree.find("storage.tftp").unwrap() else {
            panic!("no file server")
        };
        let address = tftp.start(TransferLog::default()).await.unwrap();
        for (name, content) in files {
            if has("curl") {
                let url = format!("tftp://{address}/{name}");
                let output = tokio::task::spawn_blocking(move || {
                    Command::new("curl").args(["-sS", "-m", "20", &url]).output()
                });
                let output = output.await.unwrap().unwrap();
                assert!(output.status.success(), "{name}: {output:?}");
                assert_eq!(output.stdout, content, "{name}");
            }
        }
        tree.close().await.unwrap();
    }
}

#[tokio::test]
async fn variants_are_switched_and_switched_back() {
    for place in Place::both().await {
        let flasher = place.complete().flasher(None).unwrap();
        let cases = [
            (None, Some("data/dtbs/test-dtb.dtb"), "booti 0x82000000 - 0x84000000"),
            (Some("alternate"), Some("data/dtbs/alternate.dtb"), "booti 0x82000000 - 0x84000000"),
            (Some("othercmd"), None, "bootm"),
            (Some("test-dtb"), Some("data/dtbs/test-dtb.dtb"), "booti 0x82000000 - 0x84000000"),
        ];
        for (variant, dtb, bootcmd) in cases {
            if let Some(variant) = variant {
                flasher.required_bundle().unwrap().use_variant(Some(variant.to_owned())).await.unwrap();
            }
            let description = flasher.required_bundle().unwrap().describe().await.unwrap();
            assert_eq!(description.dtb.map(|dtb| dtb.file).as_deref(), dtb, "{variant:?}");
            assert_eq!(description.bootcmd, bootcmd, "{variant:?}");
        }
    }
}

#[tokio::test]
async fn an_unknown_variant_is_refused_with_the_known_ones() {
    for place in Place::both().await {
        let flasher = place.complete().flasher(None).unwrap();
        let text = format!(
            "{:?}",
            flasher.required_bundle().unwrap().use_variant(Some("noexists".to_owned())).await.unwrap_err()
        );
        for known in ["noexists", "test-dtb", "alternate", "othercmd"] {
            assert!(text.contains(known), "{text}");
        }
        let still = flasher.required_bundle().unwrap().describe().await.unwrap().variant;
        assert_eq!(still.as_deref(), Some("test-dtb"), "a refused variant changes nothing");
    }
}

#[test]
fn a_yaml_written_for_jumpstarter_loads_unchanged() {
    let place = Place::new();
    let text =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("data/jumpstarter.yaml")).unwrap();
    fs::write(place.path("exporter.yaml"), text).unwrap();
    let tree =
        exporter_yaml::load(&place.path("exporter.yaml")).unwrap_or_else(|findings| panic!("{findings}"));
    let names: Vec<String> = tree.devices().keys().cloned().collect();
    assert_eq!(names, ["power", "serial", "storage"]);
}
