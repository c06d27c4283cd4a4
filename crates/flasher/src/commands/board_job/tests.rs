//! What the command does around a flasher: variant, probe, receipt, closing. The flasher itself is a fake.

use std::path::PathBuf;

use flasher_core::flash::PowerState;
use flasher_core::python::PythonChoice;
use flasher_core::{
    Description, Device, Driver, DriverType, FlasherBundle, Plan, Verdict, Wiring, async_trait,
};
use schemars::JsonSchema;
use serde::Deserialize;

use super::*;
use crate::log::Chatter;

/// A flasher that ends as its config says, and leaves a file for every call.
#[derive(Debug)]
struct Fake {
    config: Config,
    folder: PathBuf,
}

/// How it ends.
#[derive(Debug, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
struct Config {
    /// Whether its hardware is there.
    #[serde(default)]
    unplugged: bool,
    /// Whether it works without a bundle.
    #[serde(default)]
    without_bundle: bool,
    /// The class of the failure; proven without.
    class: Option<Class>,
}

impl Fake {
    fn called(&self, what: &str) {
        std::fs::write(self.folder.join(what), "").unwrap();
    }
}

#[async_trait]
impl Driver for Fake {
    async fn probe(&self) -> Result<()> {
        if self.config.unplugged { Err(Error::infrastructure("nothing is plugged in")) } else { Ok(()) }
    }

    async fn close(&self) -> Result<()> {
        self.called("closed");
        Ok(())
    }
}

#[async_trait]
impl Flasher for Fake {
    async fn plan(&self, _job: FlashJob) -> Result<Plan> {
        Err(Error::config("a fake plans nothing"))
    }

    fn defaults(&self) -> flasher_core::Defaults {
        flasher_core::Defaults::default()
    }

    fn flasher_bundle(&self) -> Option<&dyn FlasherBundle> {
        (!self.config.without_bundle).then_some(self)
    }

    async fn flash(&self, job: FlashJob, _progress: Arc<dyn Progress>) -> Receipt {
        self.called("flashed");
        let failure = self.config.class.map(|class| Cause::new(Step::Write, &Error::new(class, "as told")));
        let verdict = if failure.is_some() { Verdict::Failed } else { Verdict::Proven };
        let blank =
            early(&Error::config("not this one"), (job.image, JobKind::Flash), job.site, Begun::now());
        Receipt { verdict, failure, attempts: 1, ..blank }.sealed()
    }

    async fn dump(&self, job: flasher_core::DumpJob, _progress: Arc<dyn Progress>) -> Receipt {
        early(
            &Error::config("a fake dumps nothing"),
            (job.sink.label(), JobKind::Dump),
            job.site,
            Begun::now(),
        )
    }

    async fn identify(&self, job: IdentifyJob, _progress: Arc<dyn Progress>) -> Receipt {
        early(
            &Error::config("a fake has no medium"),
            (String::new(), JobKind::Identify),
            job.site,
            Begun::now(),
        )
    }
}

#[async_trait]
impl FlasherBundle for Fake {
    async fn describe(&self) -> Result<Description> {
        Err(Error::config("a fake boots nothing"))
    }

    async fn use_variant(&self, variant: Option<String>) -> Result<()> {
        match variant.as_deref() {
            None | Some("good") => Ok(()),
            Some(other) => Err(Error::config(format!("no variant `{other}`"))),
        }
    }

    async fn set_up(&self, _bundle: Option<String>) -> Result<Vec<PathBuf>> {
        Err(Error::config("a fake has no bundle"))
    }

    async fn manifest(&self) -> Result<String> {
        Err(Error::config("a fake has no bundle"))
    }
}

impl DriverType for Fake {
    const NAME: &'static str = "fake-flasher";
    const SUMMARY: &'static str = "ends as it is told";
    const EXAMPLE: &'static str = "type: fake-flasher\n";
    type Config = Config;

    fn build(config: Config, wiring: Wiring) -> Result<Device> {
        Ok(Device::Flasher(Arc::new(Self { config, folder: wiring.file("") })))
    }
}

flasher_core::register_driver!(Fake);

/// Flashes with a fake of this config; gives the exit code, the kept receipt, and what was called.
async fn flash(config: &str, variant: Option<&str>) -> (u8, Receipt, Vec<&'static str>) {
    let folder = tempfile::tempdir().unwrap();
    let (yaml, kept) = (folder.path().join("lab.yaml"), folder.path().join("receipt.json"));
    let head = "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: { name: lab }\n";
    std::fs::write(&yaml, format!("{head}export:\n  it: {{ type: fake-flasher, config: {config} }}\n"))
        .unwrap();
    let request = Request {
        job: Work::Flash(Box::new(FlashJob::new("os.img"))),
        python: Some(PythonChoice::Off),
        device: None,
        variant: variant.map(str::to_owned),
        receipt: Some(kept.clone()),
        ledger: LedgerArgs { no_ledger: true },
        signals: Signals::install().unwrap(),
        within: None,
    };
    let (receipt, code) = execute(request, Some(&yaml), &Screen::new(false, Chatter::Normal)).await.unwrap();
    let stored: Receipt = serde_json::from_slice(&std::fs::read(kept).unwrap()).unwrap();
    assert_eq!(stored, receipt);
    let calls = ["flashed", "closed"].into_iter().filter(|call| folder.path().join(call).exists());
    (code, receipt, calls.collect())
}

#[tokio::test]
async fn a_proven_flash_exits_with_0() {
    let (code, receipt, calls) = flash("{}", Some("good")).await;
    assert_eq!((code, receipt.verdict, calls), (0, Verdict::Proven, vec!["flashed", "closed"]));
}

#[tokio::test]
async fn a_failed_flash_exits_with_the_code_of_its_class() {
    for (class, expected) in [("source", 3), ("board", 5), ("medium", 6), ("interrupted", 130)] {
        let (code, receipt, calls) = flash(&format!("{{ class: {class} }}"), None).await;
        assert_eq!((code, receipt.verdict, calls), (expected, Verdict::Failed, vec!["flashed", "closed"]));
    }
}

#[tokio::test]
async fn nothing_is_flashed_without_hardware_or_with_a_wrong_variant() {
    for (config, variant, expected, cause) in [
        ("{ unplugged: true }", None, 4, "nothing is plugged in"),
        ("{}", Some("bad"), 2, "no variant `bad`"),
        (
            "{ without_bundle: true }",
            Some("good"),
            2,
            "this flasher works without a bundle: it has no variants, boot files or manifest",
        ),
    ] {
        let (code, receipt, calls) = flash(config, variant).await;
        assert_eq!((code, calls), (expected, vec!["closed"]));
        let failure = receipt.failure.unwrap();
        assert_eq!((failure.step, failure.cause.as_str()), (Step::Resolve, cause));
    }
}

#[tokio::test]
async fn a_stopped_job_touches_no_board() {
    let job = FlashJob::new("os.img");
    job.stop.cancel();
    let tree =
        exporter_yaml::build(&exporter_yaml::Document::parse("t", Path::new(""), EMPTY).unwrap()).unwrap();
    let screen = Screen::new(false, Chatter::Normal);
    let python = Some(PythonChoice::Off);
    let on = FlasherNode { tree: &tree, python: &python, device: None, variant: None };
    let receipt =
        transact(on, Work::Flash(Box::new(job)), Arc::new(flasher_core::Quiet), Begun::now(), &screen).await;
    assert_eq!((receipt.class(), receipt.power), (Some(Class::Interrupted), PowerState::Untouched));
}

const EMPTY: &str = "apiVersion: jumpstarter.dev/v1alpha1\nkind: ExporterConfig\nmetadata: { name: t }\nexport: { it: { type: fake-flasher } }\n";

#[tokio::test]
async fn a_flasher_without_a_bundle_is_checked_and_flashes() {
    let (code, receipt, calls) = flash("{ without_bundle: true }", None).await;
    assert_eq!((code, receipt.verdict, calls), (0, Verdict::Proven, vec!["flashed", "closed"]));
    let folder = tempfile::tempdir().unwrap();
    let yaml = folder.path().join("lab.yaml");
    std::fs::write(&yaml, EMPTY.replace("fake-flasher", "fake-flasher, config: { without_bundle: true }"))
        .unwrap();
    let screen = Screen::new(false, Chatter::Quiet);
    assert_eq!(
        crate::commands::check::run(Some(yaml.clone()), &Some(PythonChoice::Off), &screen).await.unwrap(),
        0
    );
    let tree = exporter_yaml::load(&yaml).unwrap();
    let found = crate::commands::doctor::node(&tree, &tree.find("it").unwrap()).await.unwrap();
    assert!(matches!(found, crate::commands::doctor::Found::Ready(text) if text == "flasher, ready"));
}
