//! Lays a case out in its folder: exporter YAML, bundle, medium, power switch, image.

use anyhow::Result;
use serde_json::Value;

use crate::case::{BundleFault, Case, Damage, Effect, MuxFault, PowerFault, Source, Via};
use crate::content::Contents;
use crate::exporter::{DISK, exporter, manifest};
use crate::folder::Folder;

/// What may lie in the lab's folder after a flash.
pub(crate) const EXPECTED: &[&str] = &[
    "lab.yaml",
    "image.sha256",
    "bundle",
    "medium",
    "power",
    "outlet",
    "log",
    "mux",
    "mux-log",
    "wanted",
    "image",
    "receipt.json",
    "console.log",
    "tftp",
    "http",
];

/// Writes everything that the flash needs. Without `faults` the lab is in good health.
pub(crate) fn lay_out(folder: &Folder, case: &Case, port: u16, faults: bool) -> Result<()> {
    let yaml = exporter(case, &folder.path("lab"), port, faults);
    folder.write("lab/lab.yaml", text(&yaml).as_bytes(), 0o644)?;
    folder.write("lab/power", power(case, faults).as_bytes(), 0o755)?;
    if case.via == Via::Linux {
        bundle(folder, case, faults)?;
    }
    if case.via == Via::Host {
        folder.write("lab/mux", mux(case, faults).as_bytes(), 0o755)?;
    }
    Ok(())
}

/// Puts the medium and the image there.
pub(crate) fn fill(folder: &Folder, case: &Case, contents: &Contents) -> Result<()> {
    folder.write("lab/medium", &contents.old, 0o666)?;
    folder.write("lab/outlet", b"off\n", 0o644)?;
    if case.source == Source::File && case.damage() != Some(Damage::Missing) {
        folder.write("lab/image", &contents.source, 0o644)?;
        for effect in case.effects() {
            if let Effect::Beside(name, content) = effect {
                folder.write(&format!("lab/{name}"), content.as_bytes(), 0o644)?;
            }
        }
    }
    Ok(())
}

fn text(value: &Value) -> String {
    format!("{value:#}\n")
}

fn bundle(folder: &Folder, case: &Case, faults: bool) -> Result<()> {
    std::fs::create_dir_all(folder.path("lab/bundle/data"))?;
    let wrong = case.effects().find_map(|effect| match effect {
        Effect::Bundle(fault) if faults => Some(*fault),
        _ => None,
    });
    let whole = text(&manifest());
    let manifest = match wrong {
        Some(BundleFault::ManifestCut) => whole[..whole.len() / 2].to_owned(),
        Some(BundleFault::ManifestSwapped) => text(&exporter(case, &folder.path("lab"), 0, false)),
        _ => whole,
    };
    folder.write("lab/bundle/manifest.yaml", manifest.as_bytes(), 0o644)?;
    for (name, length) in [("kernel", 90_000), ("initramfs", 60_000), ("sim.dtb", 5_000)] {
        let path = format!("lab/bundle/data/{name}");
        match wrong {
            Some(BundleFault::KernelMissing) if name == "kernel" => {}
            Some(BundleFault::KernelEmpty) if name == "kernel" => folder.write(&path, b"", 0o644)?,
            _ => folder.write(&path, &vec![7; length], 0o644)?,
        }
    }
    Ok(())
}

/// The power switch: a script that gets `on` or `off`.
fn power(case: &Case, faults: bool) -> String {
    let fault = case.effects().find_map(|effect| match effect {
        Effect::Power(fault) if faults => Some(*fault),
        _ => None,
    });
    let wrong = match fault {
        None => String::new(),
        Some(PowerFault::Refuses(times)) => format!(
            "[ \"$(grep -c . log)\" -gt {times} ] || {{ echo 'the relay does not answer' >&2; exit 1; }}\n"
        ),
        Some(PowerFault::Ignores(word)) => format!("[ \"$1\" != {word} ] || exit 0\n"),
        Some(PowerFault::Hangs) => "exec sleep 1000\n".to_owned(),
        Some(PowerFault::Late(_)) => "echo \"$1\" >wanted; exit 0\n".to_owned(),
        Some(PowerFault::Slow(milliseconds)) => {
            format!("sleep {}.{:03}\n", milliseconds / 1000, milliseconds % 1000)
        }
    };
    format!("#!/bin/sh\necho \"$1\" >>log\n{wrong}echo \"$1\" >outlet\n")
}

/// The storage mux: a script that gets `host` or `dut`. The disk's device stands in a file that is written once it is there.
fn mux(case: &Case, faults: bool) -> String {
    let fault = case.effects().find_map(|effect| match effect {
        Effect::Mux(fault) if faults => Some(*fault),
        _ => None,
    });
    let show = format!("ln -sfn \"$(cat ../device)\" {DISK}");
    let (wrong, show) = match fault {
        None => (String::new(), show),
        Some(MuxFault::Refuses(word, times)) => {
            let refused = format!("[ \"$1\" != {word} ] || [ \"$(grep -c {word} mux-log)\" -gt {times} ]");
            (format!("{refused} || {{ echo 'the mux does not answer' >&2; exit 1; }}\n"), show)
        }
        Some(MuxFault::Ignores(word)) => (format!("[ \"$1\" != {word} ] || exit 0\n"), show),
        Some(MuxFault::Late(milliseconds)) => {
            let wait = format!("sleep {}.{:03}", milliseconds / 1000, milliseconds % 1000);
            // It shows the disk only while this machine is to have it.
            let is_here = "[ \"$(tail -n 1 mux-log)\" = host ]";
            (String::new(), format!("( {wait}; {is_here} && {show} ) >/dev/null 2>&1 &"))
        }
        Some(MuxFault::ShowsFile) => (String::new(), format!("ln -sfn medium {DISK}")),
    };
    format!(
        "#!/bin/sh\necho \"$1\" >>mux-log\n{wrong}case \"$1\" in host) {show} ;; *) rm -f {DISK} ;; esac\n"
    )
}
