//! The script under every shell of this machine, against real files and a real HTTP server.

use std::io::BufRead;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};
use std::sync::mpsc;

use disk_image::Digest;
use flasher_core::flash::CacheBypass;

use super::{Answer, SCRIPT, ScriptError, answer, answers};

mod fetching;
mod writing;

/// Shells the script must run under; those this machine lacks are named and left out.
fn shells() -> Vec<Vec<&'static str>> {
    let all = [vec!["dash"], vec!["bash"], vec!["busybox", "ash"]];
    all.into_iter().filter(|shell| is_there(shell[0])).collect()
}

fn is_there(tool: &str) -> bool {
    let there = Command::new("sh")
        .args(["-c", "command -v \"$1\" >/dev/null", "sh", tool])
        .status()
        .unwrap()
        .success();
    if !there {
        println!("skipped: no `{tool}` on this machine");
    }
    there
}

/// The lines of a request up to the empty one; a connection that is closed has none.
fn header(reader: &mut impl BufRead) -> Vec<String> {
    let lines = std::iter::from_fn(|| {
        let mut line = String::new();
        reader.read_line(&mut line).ok().map(|_| line.trim().to_ascii_lowercase())
    });
    lines.take_while(|line| !line.is_empty()).collect()
}

/// Serves `body` to every request; declares `declared` bytes and then closes.
fn serve(body: Vec<u8>, declared: usize) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            header(&mut std::io::BufReader::new(&stream));
            let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {declared}\r\nConnection: close\r\n\r\n");
            let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&body));
        }
    });
    address
}

fn run(shell: &[&str], folder: &Path, arguments: &[&str]) -> (Output, Vec<Answer>) {
    run_with(shell, folder, arguments, &[], &[])
}

/// The same on a board without `missing` tools and with `fakes`, each a name and a script.
fn run_with(
    shell: &[&str],
    folder: &Path,
    arguments: &[&str],
    missing: &[&str],
    fakes: &[(&str, &str)],
) -> (Output, Vec<Answer>) {
    let script = folder.join("guest.sh");
    std::fs::write(&script, SCRIPT).unwrap();
    let tools = tools(shell, missing);
    fakes.iter().for_each(|(name, text)| program(&tools.path().join(name), text));
    let output = Command::new(tools.path().join("sh"))
        .arg(&script)
        .args(arguments)
        .env("TMPDIR", folder)
        .env("PATH", tools.path())
        .output()
        .unwrap();
    let answers = answers(&String::from_utf8_lossy(&output.stdout));
    (output, answers)
}

/// A folder with `shell` as `sh`, since the script runs itself again, and the tools of a board.
fn tools(shell: &[&str], missing: &[&str]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let find = |name: &str| {
        let found = Command::new("sh").args(["-c", "command -v \"$1\"", "sh", name]).output().unwrap();
        String::from_utf8(found.stdout).unwrap().trim().to_owned()
    };
    let script = format!("#!/bin/sh\nexec {} {} \"$@\"\n", find(shell[0]), shell[1..].join(" "));
    program(&folder.path().join("sh"), &script);
    let names = [
        "bash",
        "blkdiscard",
        "blockdev",
        "bzip2",
        "cat",
        "curl",
        "cut",
        "dd",
        "grep",
        "gzip",
        "mktemp",
        "rm",
        "sha256sum",
        "tr",
        "wget",
        "xz",
        "zcat",
        "zstd",
    ];
    for name in names.into_iter().filter(|name| !missing.contains(name) && !find(name).is_empty()) {
        std::os::unix::fs::symlink(find(name), folder.path().join(name)).unwrap();
    }
    if shell[0] == "busybox" && !missing.contains(&"nc") {
        std::os::unix::fs::symlink(find("busybox"), folder.path().join("nc")).unwrap();
    }
    folder
}

fn program(path: &Path, text: &str) {
    std::fs::write(path, text).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o755)).unwrap();
}

fn write(shell: &[&str], medium: &Path, stream: &[u8]) -> (Output, Vec<Answer>) {
    write_declared(shell, medium, stream, stream.len())
}

fn write_declared(shell: &[&str], medium: &Path, stream: &[u8], declared: usize) -> (Output, Vec<Answer>) {
    let url = format!("http://{}/frames", serve(stream.to_vec(), declared));
    run(shell, medium.parent().unwrap(), &["write", medium.to_str().unwrap(), "/nowhere", "identity", &url])
}

/// How far the script said that it had written, and its other answers.
fn apart(answers: Vec<Answer>) -> (Vec<u64>, Vec<Answer>) {
    let (told, others): (Vec<Answer>, _) = answers.into_iter().partition(|it| matches!(it, Answer::At(_)));
    (told.iter().map(|it| if let Answer::At(at) = it { *at } else { 0 }).collect(), others)
}

#[test]
fn frames_are_written_where_they_belong_under_every_shell() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let medium = home.path().join("medium");
        std::fs::write(&medium, vec![0xff; 300_000]).unwrap();
        let mut stream = b"fill 512 0 2\nflush 0 0 0\ndata 65536 1 2\n".to_vec();
        let data: Vec<u8> = (0..131_072_u32).map(|at| (at * 7 + 10) as u8).collect();
        stream.extend_from_slice(&data);
        stream.extend_from_slice(b"data 1 200001 3\nabcend 0 0 0\n");
        let (output, answers) = write(&shell, &medium, &stream);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        let (told, answers) = apart(answers);
        assert_eq!((told[0], answers), (196_608, vec![Answer::Written]), "{shell:?}");
        assert!(told.iter().all(|at| [196_608, 200_004].contains(at)), "{shell:?}: {told:?}");
        let mut expected = vec![0xff; 300_000];
        expected[..1024].fill(0);
        expected[65536..196_608].copy_from_slice(&data);
        expected[200_001..200_004].copy_from_slice(b"abc");
        assert!(std::fs::read(&medium).unwrap() == expected, "{shell:?}: the medium holds something else");
    }
}

#[test]
fn a_stream_that_ends_early_is_never_taken_for_a_whole_one() {
    let cases: &[(&str, &[u8])] = &[
        ("before the first frame", b""),
        ("inside a line", b"data 65536 0"),
        ("inside data", b"data 1 0 100\nonly this"),
        ("between frames", b"data 1 0 3\nabc"),
        ("a frame nobody knows", b"date 1 0 3\nabcend 0 0 0\n"),
    ];
    for shell in shells() {
        for (case, stream) in cases {
            let home = tempfile::tempdir().unwrap();
            let medium = home.path().join("medium");
            std::fs::write(&medium, [0; 1000]).unwrap();
            let (output, answers) = write(&shell, &medium, stream);
            assert!(!output.status.success(), "{shell:?} {case}");
            assert!(!answers.contains(&Answer::Written), "{shell:?} {case}");
            let (_, answers) = apart(answers);
            assert!(matches!(answers[0], Answer::Error(..)), "{shell:?} {case}: {answers:?}");
        }
    }
}

#[test]
fn a_connection_that_is_cut_is_an_error_of_the_download() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let medium = home.path().join("medium");
        std::fs::write(&medium, [0; 1000]).unwrap();
        let (output, answers) = write_declared(&shell, &medium, b"data 1 0 100\nonly this", 200);
        assert!(!output.status.success() && !answers.contains(&Answer::Written), "{shell:?}: {answers:?}");
    }
}

#[test]
fn a_full_medium_is_an_error_of_writing() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let url = format!("http://{}/frames", serve(b"data 1 0 3\nabcend 0 0 0\n".to_vec(), 24));
        let (output, answers) =
            run(&shell, home.path(), &["write", "/dev/full", "/nowhere", "identity", &url]);
        assert!(!output.status.success());
        let Some(Answer::Error(what, complaint)) = answers.first() else { panic!("{shell:?}: {answers:?}") };
        assert_eq!(*what, ScriptError::Write, "{shell:?}");
        assert!(complaint.contains("No space left on device"), "{shell:?}: {complaint}");
    }
}

#[test]
fn ranges_are_read_back_with_their_digests() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let (medium, caches) = (home.path().join("medium"), home.path().join("drop_caches"));
        let content: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
        std::fs::write(&medium, &content).unwrap();
        std::fs::write(&caches, "").unwrap();
        let url = format!(
            "http://{}/ranges",
            serve(b"0 65536 0 1\n7 65536 1 2 512 384 6 1 199680 320\n".to_vec(), 47)
        );
        let arguments = ["verify", medium.to_str().unwrap(), caches.to_str().unwrap(), &url];
        let (output, answers) = run(&shell, home.path(), &arguments);
        assert!(output.status.success(), "{shell:?}: {output:?}");
        let expected = [
            Answer::Caches(CacheBypass::Dropped),
            Answer::Range(0, Digest::of(&content[..65536])),
            Answer::Range(7, Digest::of(&content[65536..])),
            Answer::Verified,
        ];
        assert_eq!(answers, expected, "{shell:?}");
        assert_eq!(std::fs::read_to_string(&caches).unwrap().trim(), "3");
        let left: Vec<_> =
            std::fs::read_dir(home.path()).unwrap().flatten().map(|entry| entry.file_name()).collect();
        assert_eq!(left.len(), 3, "{shell:?} left something behind: {left:?}");
    }
}

/// Gives `list` to every GET; takes each PUT and tells its body, answering with `status`.
fn exchange(list: &'static str, status: &'static str) -> (SocketAddr, mpsc::Receiver<Vec<u8>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (bodies, taken) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            if let Some(body) = serve_one(&stream, list, status) {
                let _ = bodies.send(body);
            }
        }
    });
    (address, taken)
}

fn serve_one(mut stream: &TcpStream, list: &str, status: &str) -> Option<Vec<u8>> {
    let mut reader = std::io::BufReader::new(stream);
    let header = header(&mut reader);
    if header[0].starts_with("get") {
        let answer =
            format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{list}", list.len());
        let _ = stream.write_all(answer.as_bytes());
        return None;
    }
    let length = header.iter().find_map(|line| line.strip_prefix("content-length: ")?.trim().parse().ok());
    let mut body = Vec::new();
    match length {
        Some(length) => reader.take(length).read_to_end(&mut body).unwrap(),
        None => chunks(&mut reader, &mut body),
    };
    let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nConnection: close\r\n\r\n").as_bytes());
    Some(body)
}

/// Reads a chunked body (RFC 9112 section 7.1).
fn chunks(reader: &mut impl BufRead, body: &mut Vec<u8>) -> usize {
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        let length = usize::from_str_radix(line.trim(), 16).unwrap();
        let mut chunk = vec![0; length + 2];
        reader.read_exact(&mut chunk).unwrap();
        body.extend_from_slice(&chunk[..length]);
        if length == 0 {
            return body.len();
        }
    }
}

const LIST: &str = "0 65536 0 1\n1 65536 2 1 512 384 6 1 199680 320\n";

#[test]
fn ranges_are_sent_as_one_body_by_whatever_tool_can() {
    for shell in shells() {
        for missing in [&[][..], &["nc"], &["nc", "bash"]] {
            let home = tempfile::tempdir().unwrap();
            let (medium, caches) = (home.path().join("medium"), home.path().join("drop_caches"));
            let content: Vec<u8> = (0..200_000_u32).map(|at| (at % 251) as u8).collect();
            std::fs::write(&medium, &content).unwrap();
            std::fs::write(&caches, "").unwrap();
            let (server, bodies) = exchange(LIST, "200 OK");
            let url = format!("http://{server}/list");
            let to = format!("http://{server}/up/load");
            let length = (65536 + 200_000 - 131_072).to_string();
            let arguments = ["send", medium.to_str().unwrap(), caches.to_str().unwrap(), &url, &to, &length];
            let (output, answers) = run_with(&shell, home.path(), &arguments, missing, &[]);
            assert!(output.status.success(), "{shell:?} without {missing:?}: {output:?}");
            assert_eq!(
                answers,
                [Answer::Caches(CacheBypass::Dropped), Answer::Sent],
                "{shell:?} {missing:?}"
            );
            let body = bodies.recv().unwrap();
            assert!(body == [&content[..65536], &content[131_072..]].concat(), "{shell:?} {missing:?}");
            let left = std::fs::read_dir(home.path()).unwrap().count();
            assert_eq!(left, 3, "{shell:?} {missing:?} left something behind");
        }
    }
}

#[test]
fn what_is_not_sent_whole_is_never_called_sent() {
    let cases: &[(&str, &str, &str, &[&str])] = &[
        ("refused", LIST, "413 Payload Too Large", &[]),
        ("refused, without a connection of our own", LIST, "400 Bad Request", &["nc", "bash"]),
        ("no tool", LIST, "200 OK", &["nc", "bash", "curl"]),
        ("unreadable", "0 65536 0 1\n1 x 0 1\n", "200 OK", &[]),
        (
            "unreadable, without a connection of our own",
            "0 65536 0 1\n1 x 0 1\n",
            "400 Bad Request",
            &["nc", "bash"],
        ),
    ];
    for shell in shells() {
        for (case, list, status, missing) in cases {
            let home = tempfile::tempdir().unwrap();
            let (medium, caches) = (home.path().join("medium"), home.path().join("drop_caches"));
            std::fs::write(&medium, vec![7; 200_000]).unwrap();
            std::fs::write(&caches, "").unwrap();
            let (server, _bodies) = exchange(list, status);
            let (url, to) = (format!("http://{server}/list"), format!("http://{server}/upload"));
            let arguments = ["send", medium.to_str().unwrap(), caches.to_str().unwrap(), &url, &to, "65536"];
            let (_, answers) = run_with(&shell, home.path(), &arguments, missing, &[]);
            assert!(!answers.contains(&Answer::Sent), "{shell:?} {case}: {answers:?}");
            let complaint = answers.iter().any(|answer| matches!(answer, Answer::Error(..)));
            assert!(complaint, "{shell:?} {case}: {answers:?}");
        }
    }
}

#[test]
fn the_script_writes_what_is_fetched() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let medium = home.path().join("medium");
        std::fs::write(&medium, [0; 10]).unwrap();
        let url = format!("http://{}/frames", serve(b"data 1 3 3\nabcend 0 0 0\n".to_vec(), 24));
        let arguments = ["write", medium.to_str().unwrap(), "/nowhere", "identity", &url];
        let (_, answers) = run_with(&shell, home.path(), &arguments, &["nc", "bash"], &[]);
        assert_eq!(apart(answers), (vec![], vec![Answer::Written]), "{shell:?}");
        assert_eq!(std::fs::read(&medium).unwrap(), b"\0\0\0abc\0\0\0\0", "{shell:?}");
    }
}

#[test]
fn the_pace_of_a_digest_is_told() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let (_, answers) = run(&shell, home.path(), &["pace", "1"]);
        assert!(matches!(answers[..], [Answer::Pace(..1000)]), "{shell:?}: {answers:?}");
    }
}

#[test]
fn a_medium_that_cannot_be_read_has_no_digest() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let caches = home.path().join("drop_caches");
        std::fs::write(&caches, "").unwrap();
        let url = format!("http://{}/ranges", serve(b"0 65536 0 1\n".to_vec(), 12));
        let arguments = ["verify", "/proc/self/mem", caches.to_str().unwrap(), &url];
        let (_, answers) = run(&shell, home.path(), &arguments);
        assert!(matches!(answers.get(1), Some(Answer::Unreadable(0, _))), "{shell:?}: {answers:?}");
    }
}

#[test]
fn only_whole_answers_count() {
    let digest = Digest::of(b"x");
    let cases = [
        (format!("flasher: range 3 {digest}"), Some(Answer::Range(3, digest))),
        (format!("[    1.2] usb: new deviceflasher: range 3 {digest}"), Some(Answer::Range(3, digest))),
        ("flasher: range 3 abc".to_owned(), None),
        (format!("flasher: range 3 {}[  1.0] usb", &digest.to_string()[..40]), None),
        (
            "flasher: range 3 error Input/output error".to_owned(),
            Some(Answer::Unreadable(3, "Input/output error".to_owned())),
        ),
        ("flasher: writtenx".to_owned(), None),
        ("written".to_owned(), None),
    ];
    for (line, expected) in cases {
        assert_eq!(answer(&line), expected, "{line}");
    }
}

#[test]
fn a_kernel_message_in_a_line_that_decides() {
    let code = |found: &[Answer]| match found {
        [Answer::Error(error, _), ..] => error.to_string(),
        [one] => format!("{one:?}"),
        other => panic!("{other:?}"),
    };
    let all = ["written", "sent", "verified", "caches dropped", "zeros zeroout", "pace 12", "trial 7 19"];
    for words in all.into_iter().chain(["error write dd: Input/output error", "error cut 5 of 9"]) {
        let line = format!("flasher: {words}\n");
        let expected = code(&answers(&line));
        let twice = line.repeat(2);
        for at in 0..twice.len() {
            let (before, behind) = twice.split_at(at);
            let torn = format!("{before}[    4.046476] usb 1-1: new device\n{behind}");
            assert_eq!(code(&answers(&torn)), expected, "{torn}");
        }
    }
    // The script says each of them twice.
    for word in ["written", "sent", "\"verified", "\"caches", "\"zeros", "\"pace", "\"trial", "\"error $*"] {
        let once = format!("say {word}");
        assert!(!SCRIPT.contains(&once), "{once}");
    }
}

#[test]
fn a_page_cache_that_stays_in_the_way_is_no_proof() {
    for shell in shells() {
        let home = tempfile::tempdir().unwrap();
        let medium = home.path().join("medium");
        std::fs::write(&medium, [7; 70_000]).unwrap();
        // No cache can be dropped here, and a file is no device whose buffers could be flushed.
        let arguments =
            ["verify", medium.to_str().unwrap(), "/nowhere/drop_caches", "http://127.0.0.1:1/ranges"];
        let (output, answers) = run(&shell, home.path(), &arguments);
        assert!(!output.status.success(), "{shell:?}");
        assert!(matches!(&answers[..], [Answer::Error(ScriptError::Caches, _)]), "{shell:?}: {answers:?}");
    }
}

#[test]
fn every_error_code_of_the_script_is_known() {
    let after = |begin| SCRIPT.split(begin).skip(1).filter_map(|rest| rest.split([' ', '"']).next());
    let all = after("die \"").chain(after("decide \"error "));
    // What `die` itself says is what it was given.
    let codes: Vec<&str> = all.filter(|code| *code != "$*").collect();
    assert!(codes.len() >= ScriptError::CODES.len(), "{codes:?}");
    for code in codes {
        let error = ScriptError::of(code);
        assert!(!matches!(error, ScriptError::Unknown(_)), "{code}");
        assert_eq!(error.to_string(), code);
    }
    for (code, _) in ScriptError::CODES {
        assert!(
            SCRIPT.contains(&format!("\"{code} ")) || SCRIPT.contains(&format!("error {code} ")),
            "{code}"
        );
    }
    let mangled = answer("flasher: error wr#te dd: failed");
    assert_eq!(
        mangled,
        Some(Answer::Error(ScriptError::Unknown("wr#te".to_owned()), "dd: failed".to_owned()))
    );
}
