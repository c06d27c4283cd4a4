//! `flasher serve` beside Jumpstarter's own exporter 0.9.0, both asked by the same unmodified client in the same run.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::measure::{self, median};
use xtask_support::jumpstarter;
use xtask_support::workspace::Workspace;

/// Starts of each exporter that are timed.
const STARTS: usize = 5;

/// A row: what it is, its key, and whether more is better.
const ROWS: &[(&str, &str, bool)] = &[
    ("start to first report, ms", "first_report_ms", false),
    ("memory when idle, MiB (PSS)", "pss_mib", false),
    ("memory after 256 MiB each way, MiB (PSS)", "pss_after_mib", false),
    ("driver calls a second, one at a time", "calls_per_s", true),
    ("driver call, median, ms", "p50_ms", false),
    ("driver call, 99th percentile, ms", "p99_ms", false),
    ("exporter CPU of a call, ms", "cpu_ms_per_call", false),
    ("the client's own CPU of a call, ms", "client_ms_per_call", false),
    ("calls a second from h2load, one at a time", "load1_per_s", true),
    ("of those, 99th percentile, ms", "load1_p99_ms", false),
    ("of those, exporter CPU of a call, ms", "load1_cpu_ms", false),
    ("calls a second from h2load, 8 clients", "load8_per_s", true),
    ("of those, 99th percentile, ms", "load8_p99_ms", false),
    ("upload of 256 MiB, MiB/s", "upload_mib_per_s", true),
    ("exporter CPU of an upload, s/GB", "upload_cpu_s_per_gb", false),
    ("the client's own CPU of an upload, s/GB", "upload_client_s_per_gb", false),
    ("download of 256 MiB, MiB/s", "download_mib_per_s", true),
    ("exporter CPU of a download, s/GB", "download_cpu_s_per_gb", false),
    ("the client's own CPU of a download, s/GB", "download_client_s_per_gb", false),
];

pub(crate) fn run() -> Result<()> {
    let root = Workspace::load()?.root;
    let flasher = measure::flasher(&root)?;
    let bin = jumpstarter::folder(&root)?.join("bin");
    let lab = std::env::temp_dir().join(format!("flasher-bench-{}", std::process::id()));
    fs::create_dir_all(&lab)?;
    let outcome = measured(&Lab { root, bin, lab: lab.clone() }, &flasher);
    fs::remove_dir_all(&lab)?;
    outcome
}

struct Lab {
    root: PathBuf,
    bin: PathBuf,
    lab: PathBuf,
}

fn measured(lab: &Lab, flasher: &Path) -> Result<()> {
    lab.write_yaml()?;
    let ours = |port: u16| {
        let mut command = Command::new(flasher);
        command.arg("--exporter").arg(lab.lab.join("lab.yaml")).args([
            "serve",
            "--listen",
            &format!("127.0.0.1:{port}"),
        ]);
        command
    };
    let theirs = |port: u16| {
        let mut command = Command::new(lab.bin.join("jmp"));
        command.args(["run", "--exporter-config"]).arg(lab.lab.join("lab.yaml"));
        command.args(["--tls-grpc-listener", &format!("127.0.0.1:{port}"), "--tls-grpc-insecure"]);
        command
    };
    let (ours, theirs) = (lab.measure(&ours)?, lab.measure(&theirs)?);
    println!("\n| | flasher serve | jumpstarter 0.9.0 | times better |\n|---|---|---|---|");
    let missing = |key: &str| key.starts_with("load") && ours[key].is_null();
    for (what, key, more_is_better) in ROWS.iter().filter(|(_, key, _)| !missing(key)) {
        let (own, other) = (number(&ours, key)?, number(&theirs, key)?);
        let ratio = if *more_is_better { own / other } else { other / own };
        println!("| {what} | {own:.2} | {other:.2} | {ratio:.1} |");
    }
    Ok(())
}

fn number(found: &Value, key: &str) -> Result<f64> {
    found[key].as_f64().with_context(|| format!("`{key}` was not measured"))
}

impl Lab {
    /// What both exporters serve: no hardware, their own servers never started.
    fn write_yaml(&self) -> Result<()> {
        let folder = self.lab.display();
        let yaml = format!(
            "apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: {{ namespace: bench, name: bench }}
export:
  storage:
    type: jumpstarter_driver_flashers.driver.BaseFlasher
    config: {{ flasher_bundle: none/none:none, cache_dir: {folder}/cache, tftp_dir: {folder}/tftp, http_dir: {folder}/http }}
    children:
      serial: {{ type: jumpstarter_driver_pyserial.driver.PySerial, config: {{ url: 'loop://' }} }}
      power: {{ type: jumpstarter_driver_power.driver.MockPower }}
"
        );
        Ok(fs::write(self.lab.join("lab.yaml"), yaml)?)
    }

    /// Everything about one exporter.
    fn measure(&self, command: &dyn Fn(u16) -> Command) -> Result<Value> {
        let mut starts = Vec::new();
        for _ in 0..STARTS {
            let (exporter, _, start) = self.start(command)?;
            starts.push(start * 1e3);
            drop(exporter);
        }
        let (exporter, port, _) = self.start(command)?;
        let mut script = self.python("bench.py");
        script.env("JUMPSTARTER_HOST", format!("127.0.0.1:{port}")).env("JMP_GRPC_INSECURE", "1");
        script.env("JMP_DRIVERS_ALLOW", "UNSAFE").env("EXPORTER_PID", exporter.0.id().to_string());
        let (_, said) = measure::output(&mut script)?;
        let mut found: Value = serde_json::from_str(said.lines().last().unwrap_or_default())?;
        found["first_report_ms"] = median(starts).into();
        Ok(found)
    }

    /// Starts an exporter; gives its port and the seconds to its first report.
    fn start(&self, command: &dyn Fn(u16) -> Command) -> Result<(Exporter, u16, f64)> {
        let port = TcpListener::bind(("127.0.0.1", 0))?.local_addr()?.port();
        let mut waiter = self.python("first_report.py");
        waiter.arg(format!("127.0.0.1:{port}")).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut waiter = waiter.spawn()?;
        let mut lines = BufReader::new(waiter.stdout.take().context("no output")?).lines();
        lines.next().context("the waiting client did not start")??;
        let begun = SystemTime::now().duration_since(UNIX_EPOCH)?.as_secs_f64();
        let exporter = Exporter(command(port).stdout(Stdio::null()).stderr(Stdio::null()).spawn()?);
        waiter.stdin.take().context("no input")?.write_all(b"\n")?;
        let Some(came) = lines.next() else { bail!("the exporter gave no report: {:?}", command(port)) };
        let came: f64 = came?.parse()?;
        waiter.wait()?;
        Ok((exporter, port, came - begun))
    }

    fn python(&self, script: &str) -> Command {
        let mut command = Command::new(self.bin.join("python"));
        command.arg(self.root.join("tests/python").join(script)).env("PYTHONDONTWRITEBYTECODE", "1");
        command
    }
}

/// An exporter that is ended when dropped.
struct Exporter(Child);

impl Drop for Exporter {
    fn drop(&mut self) {
        let told = Command::new("kill").args(["-s", "TERM", &self.0.id().to_string()]).status();
        if !told.is_ok_and(|status| status.success()) {
            self.0.kill().ok(); // it may have ended by itself
        }
        self.0.wait().ok(); // the same
    }
}
