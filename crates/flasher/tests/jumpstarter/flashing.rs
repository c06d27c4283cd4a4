//! An image on the simulated board from the field's own command, its medium looked at from outside.

use std::fs;
use std::io::Write;
use std::process::{Command, Stdio};

use crate::lab::{Lab, free_port, furnish, noise, sim_board};

/// `content`, packed by a real tool of this machine.
pub(crate) fn pack(tool: &str, content: &[u8]) -> Vec<u8> {
    let mut child =
        Command::new(tool).args(["-c", "-1"]).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut stdin, content) = (child.stdin.take().unwrap(), content.to_vec());
    let feeder = std::thread::spawn(move || stdin.write_all(&content));
    let output = child.wait_with_output().unwrap();
    feeder.join().unwrap().unwrap();
    assert!(output.status.success(), "{tool}");
    output.stdout
}

#[test]
fn the_fields_own_command_flashes_the_simulated_board() {
    let Some(lab) = Lab::with_clients(&sim_board(free_port(), "")) else { return };
    let mut image = noise(3_000_000, 7);
    image.extend(vec![0; 4_000_000]);
    image.extend(noise(1_000_123, 8));
    furnish(&lab);
    fs::write(lab.path("image.img.xz"), pack("xz", &image)).unwrap();
    lab.serve(&["j", "storage", "flash", "image.img.xz", "--method", "shell"]);
    let medium = fs::read(lab.path("medium")).unwrap();
    assert!(medium[..image.len()] == image, "what is on the medium is not the image");
    assert!(medium[image.len()..].iter().all(|byte| *byte == 0xa5), "nothing else was written");
    // What the client put there goes when the exporter ends.
    for folder in ["http", "tftp"] {
        assert_eq!(fs::read_dir(lab.path(folder)).unwrap().count(), 0, "{folder}");
    }
}
