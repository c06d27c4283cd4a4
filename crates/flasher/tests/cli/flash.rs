//! Jobs that begin, and jobs that cannot.

use super::*;

#[test]
fn receipts_of_flashes_that_cannot_begin() {
    let lab = Lab::new();
    let receipt = lab.path("receipt.json");
    std::fs::write(&receipt, "{\"verdict\": \"proven\"}").unwrap();
    let flash =
        ["flash", "https://user:s3cret@host/os.img?sig=s3cret", "--receipt", receipt.to_str().unwrap()];
    let ran = lab.run(&flash);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    let text = std::fs::read_to_string(&receipt).unwrap();
    let kept: flasher_core::Receipt = serde_json::from_str(&text).unwrap();
    assert_eq!((kept.verdict, kept.exit_code()), (flasher_core::Verdict::Failed, 2));
    assert!(!text.contains("s3cret"), "{text}");
    let ran = lab.run(&[&["--json"], &flash[..]].concat());
    let last = events(&ran).pop().unwrap();
    assert_eq!((ran.code, &last["event"]), (2, &Value::from("receipt")));
}

#[test]
fn unwritable_receipts_stop_the_job() {
    let lab = Lab::new();
    for place in [lab.path("gone/receipt.json"), lab.folder.path().to_path_buf()] {
        let ran = lab.run(&["flash", "os.img", "--receipt", place.to_str().unwrap()]);
        assert_eq!(ran.code, 2, "{}", ran.err);
        assert!(ran.err.contains("--receipt FILE"), "{}", ran.err);
    }
}

#[test]
fn the_demo_proves_a_flash_and_leaves_only_its_receipt() {
    let lab = Lab::new();
    let receipt = lab.path("receipt.json");
    let temp = lab.path("temp");
    std::fs::create_dir(&temp).unwrap();
    // Started by root, the simulated board runs as another user, who must get through.
    let everyone = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(lab.folder.path(), everyone).unwrap();
    let mut demo = flasher();
    demo.args(["--json", "demo", "--receipt", receipt.to_str().unwrap()]).env("TMPDIR", &temp);
    let ran = Ran::from(demo.output().unwrap());
    assert_eq!(ran.code, 0, "{}{}", ran.out, ran.err);
    let events = events(&ran);
    let compared = events.last().unwrap();
    let kept: flasher_core::Receipt = serde_json::from_slice(&std::fs::read(&receipt).unwrap()).unwrap();
    assert_eq!((kept.verdict, kept.failure), (flasher_core::Verdict::Proven, None));
    assert_eq!(compared["event"], "compared");
    assert_eq!(compared["medium_sha256"].as_str(), kept.image.decoded_sha256.as_deref());
    assert_eq!(std::fs::read_dir(&temp).unwrap().count(), 0);
}

#[test]
fn a_flash_that_is_interrupted_says_so_and_keeps_its_receipt() {
    let lab = Lab::new();
    let bundle = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples/sim-bundle");
    let yaml = format!(
        "{HEAD}export:\n  board: {{ type: sim-board, config: {{ medium: medium.img, bootdelay: 60 }} }}\n  \
         storage:\n    type: flasher\n    config: {{ flasher_bundle: {bundle:?}, power_off_seconds: 60 }}\n    children:\n      \
         serial: {{ ref: board.serial }}\n      power: {{ ref: board.power }}\n      \
         tftp: {{ type: tftp, config: {{ port: 0, root_dir: tftp }} }}\n      \
         http: {{ type: http, config: {{ port: 0, root_dir: http }} }}\n"
    );
    std::fs::write(lab.path("lab.yaml"), yaml).unwrap();
    std::fs::write(lab.path("os.img"), vec![0; 1 << 20]).unwrap();
    let text = |name: &str| lab.path(name).to_str().unwrap().to_owned();
    let mut child = flasher()
        .args([
            "--exporter",
            &text("lab.yaml"),
            "--json",
            "flash",
            &text("os.img"),
            "--receipt",
            &text("receipt.json"),
        ])
        .stdout(Stdio::piped())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines().map(Result::unwrap);
    // Power stays off for a minute: this is the moment to change one's mind.
    assert!(lines.any(|line| line.contains("step-begun") && line.contains("power")));
    for device in ["board.power", "storage.power"] {
        for action in [&["off"][..], &["on"], &["cycle", "--wait", "0"]] {
            let ran = lab.run(&[&["power", "--device", device], action].concat());
            assert_eq!((ran.code, ran.out.as_str()), (4, ""));
            let owner = format!("the board is in use: `flash {}`, process {} of", text("os.img"), child.id());
            assert!(ran.err.contains(&owner) && ran.err.contains("`--force`"), "{}", ran.err);
        }
    }
    assert_eq!(lab.run(&["power", "--device", "board.power", "--force", "off"]).code, 0);
    let killed = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert!(lines.any(|line| line.contains("stopping in good order")));
    lines.for_each(drop);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    assert_eq!(
        lab.run(&["power", "--device", "board.power", "off"]).out,
        "power off, as the switch reports\n"
    );
    let kept: flasher_core::Receipt =
        serde_json::from_slice(&std::fs::read(lab.path("receipt.json")).unwrap()).unwrap();
    assert_eq!(kept.class(), Some(flasher_core::Class::Interrupted));
}
