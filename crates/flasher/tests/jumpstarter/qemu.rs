//! The field's own command on a real U-Boot and a real Linux: the emulated board, in namespaces of its own.

use std::fs;
use std::path::{Path, PathBuf};

use assert_cmd::cargo::cargo_bin;

use crate::flashing::pack;
use crate::lab::{Lab, noise, said};

const MIB: usize = 1024 * 1024;
const DISK: usize = 64 * MIB;
/// With curl and xz, which the field's script asks the board for.
const BUNDLE: &str = "qemu-virt-tools";

/// The folder of the board's bundle; none, with a word about it, when `cargo xtask test` has not made it.
fn bundle() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap();
    let built = std::env::var_os("FLASHER_QEMU_BUNDLES")
        .map_or_else(|| root.join("target/qemu-bundle"), PathBuf::from)
        .join(BUNDLE);
    if built.join("manifest.yaml").is_file() {
        return Some(built);
    }
    assert!(std::env::var_os("CI").is_none(), "no bundle in {}", built.display());
    println!("skipped: no bundle in {}; `cargo xtask qemu-bundle` makes it", built.display());
    None
}

/// Exporter YAML of the emulated board. The field's client wants a gateway from the board's DHCP server.
const BOARD: &str = "  board:
    type: qemu-board
    config:
      disk: { kind: virtio, file: ./disk }
      network: { tap: qtap0, address: 10.77.0.1/24, board: 10.77.0.50, dhcp: true, router: true }
  storage:
    type: flasher
    config: { flasher_bundle: ./bundle }
    children:
      serial: { ref: board.serial }
      power: { ref: board.power }
      tftp: { type: tftp, config: { root_dir: ./tftp, host: 10.77.0.1 } }
      http: { type: http, config: { root_dir: ./http, host: 10.77.0.1, port: 0 } }
";

/// The field's client asks for `dd` once, as soon as the pipeline is begun, and gives up when there is none: not yet, or
/// no more. The first process stands in for it then: the client waits for the pipeline's own last word whatever it shows.
const PIDOF: &str = "  preflash_commands:
    - 'pidof() { command pidof \"$@\" || echo 1; }'
";

/// Copies the bundle into the lab. Its prompt becomes the whole one: the field's client takes what stands before it on the
/// line for a command's output.
fn copy_bundle(bundle: &Path, lab: &Lab) {
    let manifest = fs::read_to_string(bundle.join("manifest.yaml")).unwrap();
    let changed = manifest.replace("prompt: \"#\"", "prompt: \"/root #\"");
    assert_ne!(changed, manifest, "the manifest has another prompt than this test thinks");
    let changed = changed + PIDOF;
    fs::create_dir_all(lab.path("bundle/data")).unwrap();
    fs::write(lab.path("bundle/manifest.yaml"), changed).unwrap();
    for entry in fs::read_dir(bundle.join("data")).unwrap().flatten() {
        fs::copy(entry.path(), lab.path("bundle/data").join(entry.file_name())).unwrap();
    }
}

#[test]
fn qemu_the_fields_own_command_flashes_the_emulated_board() {
    let Some(bundle) = bundle() else { return };
    let Some(lab) = Lab::with_clients(BOARD) else { return };
    let refused = lab.flasher(&["sandbox", "--", "ip", "tuntap", "add", "dev", "t0", "mode", "tap"]).output();
    let refused = refused.unwrap();
    if !refused.status.success() || !Path::new("/usr/bin/qemu-system-aarch64").exists() {
        assert!(std::env::var_os("CI").is_none(), "no sandbox, or no QEMU");
        println!("skipped: no QEMU, or no sandbox: {}", String::from_utf8_lossy(&refused.stderr));
        return;
    }
    copy_bundle(&bundle, &lab);
    let image = [noise(5 * MIB, 21), vec![0; 9 * MIB], noise(2 * MIB + 512, 22)].concat();
    fs::write(lab.path("image.img.xz"), pack("xz", &image)).unwrap();
    fs::write(lab.path("disk"), vec![0xa5; DISK]).unwrap();
    // The client asks for the servers' addresses before the board, and with it its network, is there.
    let flash = "ip address add 10.77.0.1/32 dev lo && exec \"$0\" serve -- j storage flash image.img.xz --method shell --retries 0";
    let mut flasher = lab.flasher(&["sandbox", "--", "sh", "-c", flash]);
    let output = flasher.arg(cargo_bin("flasher")).output().unwrap();
    said(&["j", "storage", "flash"], &output);
    let disk = fs::read(lab.path("disk")).unwrap();
    assert_eq!(disk.len(), DISK);
    assert!(disk[..image.len()] == image, "what is on the disk is not the image");
    assert!(disk[image.len()..].iter().all(|byte| *byte == 0xa5), "nothing else was written");
}
