//! The outputs that the manual shows, made by the program itself in one folder, one after the other.

use crate::Made;
use crate::lab::Lab;

/// A file with mistakes in it.
const MISTAKES: &str = "\
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { name: bench }
export:
  power: { type: power-gpoi }
  serial: { type: serial, config: { url: /dev/ttyUSB0, baudrate: fast } }
  storage:
    type: ti-j784s4
    children:
      serial: { ref: serial }
      power: { ref: pwoer }
";
/// A board whose serial adapter is not plugged in.
const UNPLUGGED: &str = "\
apiVersion: jumpstarter.dev/v1alpha1
kind: ExporterConfig
metadata: { name: bench }
export:
  storage:
    type: flasher
    config: { via: uboot, targets: { emmc: mmc 1 } }
    children:
      serial: { type: serial, config: { url: /dev/serial/by-id/usb-FTDI_board-if00-port0 } }
      power: { type: power-mock }
      tftp: { type: tftp, config: { port: 0, root_dir: tftp } }
      http: { type: http, config: { port: 0, root_dir: http } }
";

/// The name of each sample, and the line that is typed, in their order.
const TYPED: &[(&str, &str)] = &[
    ("flasher", "flasher"),
    ("demo", "flasher demo"),
    ("demo-fault", "flasher demo --fault counterfeit"),
    ("demo-list-faults", "flasher demo --list-faults"),
    ("init", "flasher init bench.yaml --board ti-j784s4 --serial /dev/ttyUSB0 --power power-http"),
    ("init-file", "cat bench.yaml"),
    ("check", "flasher check board.yaml"),
    ("check-mistakes", "flasher check mistakes.yaml"),
    ("doctor", "flasher --exporter board.yaml doctor"),
    ("doctor-unplugged", "flasher --exporter unplugged.yaml doctor"),
    ("plan", "flasher --exporter board.yaml plan os.img"),
    ("flash", "flasher --exporter board.yaml flash os.img --receipt receipt.json"),
    ("flash-again", "flasher --exporter board.yaml flash os.img"),
    ("identify", "flasher --exporter board.yaml identify"),
    ("verify-receipt", "flasher verify-receipt receipt.json os.img"),
    ("receipt", "head -14 receipt.json"),
    (
        "receipt-changed",
        "sed 's/mmcblk0/mmcblk1/' receipt.json > changed.json; flasher verify-receipt changed.json",
    ),
    ("report", "flasher report receipt.json"),
    ("media", "flasher media"),
    ("flash-no-dhcp", "flasher --exporter no-dhcp.yaml flash os.img --retries 0"),
    ("flash-counterfeit", "flasher --exporter counterfeit.yaml flash os.img --retries 0"),
    ("explain", "flasher explain 'no DHCP server answers'"),
    ("history", "flasher history"),
    ("bundle-check", "flasher bundle check ./sim-bundle"),
    // The ends of its jobs come in any order, which `history` would show.
    (
        "flash-several",
        "flasher --exporter lab.yaml --quiet flash os.img --all --retries 0 --receipt receipts",
    ),
];

/// Makes them all.
pub(crate) fn all() -> Vec<Made> {
    let lab = Lab::new();
    lab.write("mistakes.yaml", MISTAKES);
    lab.write("unplugged.yaml", UNPLUGGED);
    let made = TYPED
        .iter()
        .map(|(name, line)| Made { path: format!("samples/{name}.txt"), text: lab.type_in(line) });
    made.collect()
}
