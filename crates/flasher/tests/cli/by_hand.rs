//! Power, meter and console by hand.

use super::*;

#[test]
fn a_meter_is_read() {
    let lab = Lab::new();
    let ran = lab.run(&["power", "read"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "0.000 V  0.000 A  0.000 W\n5.000 V  2.000 A  10.000 W\n"));
    let readings = events(&lab.run(&["--json", "power", "read"]));
    assert_eq!(readings[1], serde_json::json!({ "event": "reading", "voltage": 5.0, "current": 2.0 }));
}

#[test]
fn a_meter_is_read_as_often_as_asked() {
    let lab = Lab::new();
    let ran = lab.run(&["power", "read", "-n", "3", "-i", "0.01"]);
    assert_eq!((ran.code, ran.out.lines().count()), (0, 6), "{}", ran.out);
    let readings = events(&lab.run(&["--json", "power", "read", "--count", "2", "--interval", "0"]));
    assert!(readings.len() == 4 && readings.iter().all(|it| it["event"] == "reading"), "{readings:?}");
    let ran = lab.run(&["power", "read", "-i", "soon"]);
    assert!(ran.code == 2 && ran.err.contains("soon"), "{}", ran.err);
    let ran = Lab::with("export:\n  relay: { type: power-command, config: { on: 'true', off: 'true' } }\n")
        .run(&["power", "read"]);
    assert_eq!(ran.code, 2);
    assert!(ran.err.contains("power with a meter"), "{}", ran.err);
}

#[test]
fn power_is_asked_for_and_cycled_by_a_switch_that_knows() {
    let lab = Lab::new();
    let ran = lab.run(&["power", "status"]);
    assert_eq!((ran.code, ran.out.as_str()), (0, "power unknown: the switch cannot tell\n"));
    let file = lab.path("relay");
    let yaml = format!(
        "{HEAD}export:\n  relay:\n    type: power-command\n    config:\n      shell: true\n      on: \"echo on >> {0}\"\n      \
         off: \"echo off >> {0}\"\n      status: \"tail -n 1 {0}\"\n",
        file.display()
    );
    std::fs::write(lab.path("lab.yaml"), yaml).unwrap();
    std::fs::write(&file, "off\n").unwrap();
    assert_eq!(lab.run(&["power", "status"]).out, "power off, as the switch reports\n");
    assert_eq!(lab.run(&["power", "cycle", "--wait", "0.1"]).out, "power on, as the switch reports\n");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), "off\noff\non\n");
    let status = events(&lab.run(&["--json", "power", "status"]));
    assert_eq!(status, [serde_json::json!({ "event": "power", "on": true, "confirmed": true })]);
}

#[test]
fn power_is_switched_and_a_path_that_is_no_switch_is_refused() {
    let lab = Lab::new();
    assert_eq!(
        lab.run(&["power", "--device", "board.power", "cycle", "--wait", "0"]).out,
        "power on, not confirmed\n"
    );
    assert_eq!(lab.run(&["power", "off"]).out, "power off, not confirmed\n");
    let ran = lab.run(&["power", "--device", "board.serial", "on"]);
    assert_eq!((ran.code, ran.out.as_str()), (2, ""));
    assert!(ran.err.contains("`board.serial` is of kind serial, expected power"), "{}", ran.err);
}

#[test]
fn a_pipe_as_console_with_power_cycle() {
    let lab = Lab::with(
        "export:\n  board: { type: sim-board, config: { medium: medium.img, size: 1MiB, bootdelay: 5 } }\n",
    );
    let mut command = flasher();
    command.args(["--exporter", lab.path("lab.yaml").to_str().unwrap(), "console", "--power-cycle"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"version\n").unwrap();
    let ran: Ran = child.wait_with_output().unwrap().into();
    assert!(ran.code == 0 && ran.out.contains("U-Boot 2023.01-sim"), "{} {}{}", ran.code, ran.out, ran.err);
}

#[test]
fn leaving_during_a_power_cycle() {
    let lab = Lab::with(
        "export:\n  board:\n    children:\n      power:\n        type: power-command\n        \
         config: { on: [sh, -c, \"echo on >>switched\"], off: [sh, -c, \"echo off >>switched\"] }\n      \
         serial: { type: serial, config: { url: \"loop://\" } }\n",
    );
    let mut command = flasher();
    command.current_dir(lab.folder.path()).args(["--exporter", "lab.yaml", "console", "--power-cycle"]);
    let mut child = command.stdin(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let switched = || std::fs::read_to_string(lab.path("switched")).unwrap_or_default();
    let begun = std::time::Instant::now();
    while switched() != "off\n" {
        assert!(begun.elapsed().as_secs() < 30 && child.try_wait().unwrap().is_none(), "never switched off");
        std::thread::park_timeout(std::time::Duration::from_millis(10));
    }
    let told = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().unwrap();
    assert!(told.success());
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, switched().as_str()), (130, "off\non\n"), "{}", ran.err);
}

#[test]
fn a_console_takes_its_input_from_a_pipe_and_ends_with_it() {
    let lab = Lab::new();
    let yaml = lab.path("lab.yaml");
    let mut command = flasher();
    command.args(["--exporter", yaml.to_str().unwrap(), "console"]);
    let mut child =
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(b"printenv\r\n").unwrap();
    let ran = Ran::from(child.wait_with_output().unwrap());
    assert_eq!((ran.code, ran.out.as_str(), ran.err.as_str()), (0, "printenv\r\n", ""));
}

#[test]
fn a_wrong_escape_is_refused_with_the_forms() {
    for (key, why) in [("x", ""), ("ctrl-m", "keyboards send the same for Enter; ")] {
        let ran = Lab::new().run(&["console", "--escape", key]);
        let forms =
            "expected `ctrl-` and a letter or one of `]`, `\\`, `^`, `_` (as in `ctrl-a`), `~.`, or `none`";
        let said = ran.err.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(ran.code == 2 && said.contains(&format!("{why}{forms}")), "{key}: {} {said}", ran.code);
    }
}

#[test]
fn several_may_watch_a_line_and_one_may_type() {
    let folder = tempfile::tempdir().unwrap();
    let echo = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let lab = Lab::with(&format!(
        "export:\n  serial: {{ type: serial, config: {{ url: 'socket://{}' }} }}\n",
        echo.local_addr().unwrap()
    ));
    let yaml = lab.path("lab.yaml");
    let console = |args: &[&str]| {
        let mut command = flasher();
        command.args(["--exporter", yaml.to_str().unwrap(), "console"]).args(args);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap()
    };
    let mut watcher = console(&["--watch"]);
    let mut told = BufReader::new(watcher.stderr.take().unwrap()).lines().map(Result::unwrap);
    let name = format!("`socket://{}`", echo.local_addr().unwrap());
    let waits = format!("waiting for a flash or a `console` without `--watch` that opens {name}");
    assert_eq!(told.next().unwrap(), format!("watching {name}; power: unknown; ^C leaves"));
    assert_eq!(told.next().unwrap(), waits);
    let log = folder.path().join("console.log");
    let mut owner = console(&["--log", log.to_str().unwrap(), "--timestamps"]);
    let (mut board, _) = echo.accept().unwrap();
    board.write_all(b"U-Boot 2023.01\n").unwrap();
    let mut heard = BufReader::new(owner.stdout.take().unwrap());
    let mut line = String::new();
    heard.read_line(&mut line).unwrap();
    assert!(line.starts_with("20") && line.ends_with("Z U-Boot 2023.01\n"), "{line}");
    assert_eq!(told.next().unwrap(), format!("{name} is open"));
    let mut watched = BufReader::new(watcher.stdout.take().unwrap());
    let (stop, stopped) = std::sync::mpsc::channel::<()>();
    let talking = std::thread::spawn(move || {
        while stopped.recv_timeout(std::time::Duration::from_millis(20)).is_err() {
            board.write_all(b"=> \n").unwrap();
        }
        board
    });
    // Who watched from the beginning may have heard the first line too.
    line.clear();
    watched.read_line(&mut line).unwrap();
    if line == "U-Boot 2023.01\n" {
        line.clear();
        watched.read_line(&mut line).unwrap();
    }
    assert_eq!(line, "=> \n");
    stop.send(()).unwrap();
    drop(talking.join().unwrap());
    // The board hung up: an error for the owner, and who watches waits for the next.
    assert_eq!(owner.wait().unwrap().code(), Some(4));
    assert_eq!(told.next().unwrap(), waits);
    let killed = Command::new("kill").args(["-INT", &watcher.id().to_string()]).status().unwrap();
    assert!(killed.success());
    assert_eq!(watcher.wait().unwrap().code(), Some(130));
    assert!(std::fs::read_to_string(&log).unwrap().contains("Z < U-Boot 2023.01\n"));
}
