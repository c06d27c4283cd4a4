//! A board whose medium a storage mux gives to this machine, for the clients that Jumpstarter has for such muxes.

use std::fs;
use std::process::Command;

use crate::lab::{Lab, MEDIUM, noise};

/// A loop device over the lab's medium; detached when dropped.
struct LoopDevice(String);

impl LoopDevice {
    /// None, with a word about it, where this machine gives none. In CI it must.
    fn new(lab: &Lab) -> Option<Self> {
        let output = Command::new("losetup").args(["--find", "--show"]).arg(lab.path("medium")).output();
        match output {
            Ok(output) if output.status.success() => {
                Some(Self(String::from_utf8(output.stdout).unwrap().trim().to_owned()))
            }
            other => {
                assert!(std::env::var_os("CI").is_none(), "no loop device: {other:?}");
                println!("skipped: this machine gives no loop device (`losetup`, as root)");
                None
            }
        }
    }
}

impl Drop for LoopDevice {
    fn drop(&mut self) {
        Command::new("losetup").arg("--detach").arg(&self.0).status().ok();
    }
}

#[test]
fn an_image_goes_through_the_mux_and_comes_back() {
    let Some(lab) = Lab::with_clients("") else { return };
    fs::write(lab.path("medium"), vec![0xa5; MEDIUM]).unwrap();
    let Some(disk) = LoopDevice::new(&lab) else { return };
    let mut image = noise(3_000_000, 7);
    image.extend(vec![0; 4_000_000]);
    image.extend(noise(1_000_123, 8));
    fs::write(lab.path("image"), &image).unwrap();
    let order = |name: &str, script: &str| format!("{name}: [sh, -c, 'echo {name} >>orders; {script}']");
    let (host, dut, off) = (
        order("host", &format!("ln -sfn {} sd", disk.0)),
        order("dut", "rm -f sd"),
        order("off", "rm -f sd"),
    );
    let text = format!(
        "apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: {{ namespace: test, name: lab }}
export:
  storage:
    type: flasher
    config: {{ via: host, targets: {{ sd: {}/sd }}, host: {{ appear_seconds: 5 }} }}
    children:
      mux: {{ type: storage-mux, config: {{ {host}, {dut}, {off} }} }}
",
        lab.path("").display().to_string().trim_end_matches('/')
    );
    fs::write(lab.path("lab.yaml"), text).unwrap();
    assert!(lab.script("mux.py").contains("done"));
    assert_eq!(lab.uploads(), 0, "what was sent is gone");
    // The field's own command, too.
    fs::write(lab.path("medium"), vec![0xa5; MEDIUM]).unwrap();
    lab.serve(&["j", "storage", "flash", "image"]);
    let medium = fs::read(lab.path("medium")).unwrap();
    assert!(medium[..image.len()] == image, "what is on the medium is not the image");
    assert!(medium[image.len()..].iter().all(|byte| *byte == 0xa5), "nothing else was written");
}
