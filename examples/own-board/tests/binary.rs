//! The binary with the boards of our own, run as a user runs it: it lists them, and flashes both on the simulated board.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

const MEDIUM: usize = 4 << 20;

fn flasher(arguments: &[&str], folder: &Path) -> Output {
    Command::new(env!("CARGO_BIN_EXE_own-board")).args(arguments).current_dir(folder).output().unwrap()
}

#[test]
fn the_boards_of_our_own_stand_beside_those_of_the_project() {
    let output = flasher(&["boards"], Path::new("."));
    let text = String::from_utf8(output.stdout).unwrap();
    for board in ["own-one", "own-two", "ti-j784s4", "sim"] {
        assert!(text.lines().any(|line| line.split_whitespace().next() == Some(board)), "{board}:\n{text}");
    }
    let output = flasher(&["boards", "own-two"], Path::new("."));
    let text = String::from_utf8(output.stdout).unwrap();
    assert!(text.contains("own-flasher") && text.contains("/dev/mmcblk1"), "{text}");
}

#[test]
fn each_own_board_is_flashed() {
    // Switched on for the flash; the Own Two once more before.
    for (board, switched_on) in [("own-one", 1), ("own-two", 2)] {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path();
        fs::set_permissions(place, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
        fs::create_dir_all(place.join("bundle/data")).unwrap();
        fs::write(place.join("bundle/data/flasher.itb"), vec![1; 20_000]).unwrap();
        let manifest = Path::new(env!("CARGO_MANIFEST_DIR")).join("boards").join(format!("{board}.yaml"));
        fs::copy(manifest, place.join("bundle/manifest.yaml")).unwrap();
        fs::write(place.join("medium"), vec![0xa5; MEDIUM]).unwrap();
        let mut image: Vec<u8> = (0..300_000u32).map(|number| (number / 7) as u8).collect();
        image[446..510].fill(0); // an empty partition table: anything unknown is refused
        image[510..512].copy_from_slice(&[0x55, 0xaa]);
        fs::write(place.join("image"), &image).unwrap();
        fs::write(place.join("exporter.yaml"), exporter(board)).unwrap();

        let output =
            flasher(&["--exporter", "exporter.yaml", "flash", "image", "--transcript", "console"], place);
        assert!(output.status.success(), "{board}: {output:?}");
        assert!(fs::read(place.join("medium")).unwrap()[..image.len()] == image[..], "{board}");
        let console = fs::read_to_string(place.join("console")).unwrap();
        assert_eq!(console.matches("U-Boot 2023.01-sim").count(), switched_on, "{board}: {console}");
    }
}

fn exporter(board: &str) -> String {
    format!(
        "export:
  board:
    type: sim-board
    config: {{ medium: ./medium, size: {MEDIUM}, bootdelay: 1 }}
  storage:
    type: {board}
    config: {{ flasher_bundle: ./bundle, power_off_seconds: 0.1 }}
    children:
      serial: {{ ref: board.serial }}
      power: {{ ref: board.power }}
      tftp: {{ type: tftp, config: {{ port: 0, root_dir: ./tftp }} }}
      http: {{ type: http, config: {{ port: 0, root_dir: ./http }} }}
"
    )
}
