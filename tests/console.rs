//! What a board prints is equally safe, with equal lines and times of one clock, in everything that keeps or shows it.

use std::io::Write as _;
use std::net::TcpListener;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::{Duration, SystemTime};

use board_console::{Console, Pattern, Transcript};
use flasher_core::{Device, clock, safe};

/// What a hostile or noisy board prints, and the lines of it.
const HOSTILE: [(&[u8], &str); 8] = [
    (b"\x1b[2J\x1b[1;31mproven\x1b[0m", "proven"),
    (b"\x1b]0;owned\x07title", "title"),
    (b"Hit any key: 3\x08\x08\x082", "Hit any key: 32"),
    ("\u{9b}2Jone \u{202e}two\u{2066}\u{feff}\u{2028}three".as_bytes(), "2Jone twothree"),
    (b"\x9bnoise\xff\x00", "\u{fffd}noise\u{fffd}"),
    (b"a\tb\x7f\x0b\x0c", "a b"),
    ("gr\u{fc}n \u{1f600}".as_bytes(), "gr\u{fc}n \u{1f600}"),
    (b"end", "end"),
];

/// The lines of the board in a file of records, and their times.
fn entries(text: &str) -> Vec<(i64, String)> {
    let received = text.lines().filter_map(|line| line.split_once(" < "));
    received.map(|(time, text)| (clock::parse(time).unwrap(), text.to_owned())).collect()
}

/// What is in the file `path` once `text` is at its end.
async fn written(path: &Path, text: &str) -> String {
    for _ in 0..1000 {
        let found = std::fs::read_to_string(path).unwrap_or_default();
        if found.ends_with(text) {
            return found;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("no `{text}`: {:?}", std::fs::read_to_string(path))
}

/// The console of a board behind `listener`, by a driver that records it too.
async fn opened(listener: &TcpListener, record: &Path, transcript: &Transcript) -> Console {
    let yaml = format!(
        "export:\n  console:\n    type: pyserial\n    config:\n      url: 'socket://{}'\n      record: {{ file: {} }}\n",
        listener.local_addr().unwrap(),
        record.display()
    );
    let document = exporter_yaml::Document::parse("lab.yaml", Path::new(""), &yaml).unwrap();
    let tree = exporter_yaml::build(&document).unwrap_or_else(|findings| panic!("{findings}"));
    let Device::Serial(serial) = tree.find("console").unwrap().clone() else { panic!("no serial line") };
    Console::new(Box::new(serial.open().await.unwrap()), transcript.clone())
}

#[tokio::test(flavor = "multi_thread")]
async fn hostile_bytes_come_out_equally_safe_everywhere() {
    let folder = tempfile::tempdir().unwrap();
    let (record, file) = (folder.path().join("record.log"), folder.path().join("transcript.log"));
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let transcript = Transcript::to_file(&file).unwrap();
    let events = Arc::new(Mutex::new(Vec::new()));
    let heard = Arc::clone(&events);
    transcript.on_line(move |entry| heard.lock().unwrap().push(entry.to_string()));

    let begun = SystemTime::now();
    let mut console = opened(&listener, &record, &transcript).await;
    let (mut board, _) = listener.accept().unwrap();
    for (raw, _) in HOSTILE {
        // A character or a sequence may be cut by the reads.
        for half in raw.chunks(raw.len().div_ceil(2)) {
            board.write_all(half).unwrap();
            board.flush().unwrap();
        }
        board.write_all(b"\r\n").unwrap();
    }
    console.expect(&[Pattern::text("end\r\n")], Duration::from_secs(60)).await.unwrap();
    transcript.flush().await.unwrap();
    let ended = SystemTime::now();

    let expected: Vec<String> = HOSTILE.iter().map(|(_, shown)| (*shown).to_owned()).collect();
    let recorded = entries(&written(&record, " < end\n").await);
    let transcribed = entries(&std::fs::read_to_string(&file).unwrap());
    let lines = |entries: &[(i64, String)]| entries.iter().map(|it| it.1.clone()).collect::<Vec<_>>();
    assert_eq!(lines(&recorded), expected, "the record of the line");
    assert_eq!(lines(&transcribed), expected, "the transcript of the job");
    assert_eq!(entries(&transcript.render()), transcribed, "what is kept in memory");
    assert_eq!(transcript.tail(HOSTILE.len()), expected, "the last lines of an error");
    assert_eq!(
        entries(&events.lock().unwrap().join("\n")),
        transcribed,
        "what the events of a job are made of"
    );
    for line in &expected {
        // The screen and JSON have nothing left to replace.
        assert_eq!((safe::line(line), safe::json(line)), (line.clone(), line.clone()));
    }
    let span = |entries: &[(i64, String)]| entries.iter().map(|it| it.0).collect::<Vec<_>>();
    for times in [span(&recorded), span(&transcribed)] {
        let edges = [begun, ended].map(|at| clock::parse(&clock::milliseconds(at)).unwrap());
        assert!(times.is_sorted() && edges[0] <= times[0] && times[times.len() - 1] <= edges[1], "{times:?}");
    }
}
