//! Zeros in the cheapest way that holds, and streams that travel packed.

use std::io::Write;
use std::path::Path;

use flasher_core::flash::ZerosBy;

use super::super::Answer;

use super::{apart, run_with, serve, shells};

/// A `blkdiscard` that notes how it is called and can do what `able` says: `z`, `d` (mere discards), or both.
fn fake(home: &Path, able: &str) -> String {
    format!(
        "#!/bin/sh
echo \"$*\" >>{0}/calls
how=d
while [ $# -gt 1 ]; do
    case $1 in -z) how=z ;; -o) offset=$2; shift ;; -l) length=$2; shift ;; esac
    shift
done
case {able} in *$how*) ;; *) echo \"blkdiscard: invalid option\" >&2; exit 1 ;; esac
exec dd if=/dev/zero of=\"$1\" bs=512 seek=$((offset / 512)) count=$((length / 512)) conv=notrunc
",
        home.display()
    )
}

/// One way of making zeros: what the board can do, what it promises, the frame, and how it ends.
struct Case {
    able: Option<&'static str>,
    promise: &'static str,
    frame: &'static str,
    made: Option<ZerosBy>,
    calls: &'static str,
}

#[test]
fn zeros_are_made_in_the_cheapest_safe_way() {
    let zero = "zero 512 2 4 1024 2048";
    let case =
        Case { able: Some("zd"), promise: "0", frame: zero, made: Some(ZerosBy::Zeroout), calls: "-z" };
    let cases = [
        Case { promise: "1", made: Some(ZerosBy::Discard), calls: "", ..case },
        Case { promise: "", ..case },
        Case { able: Some("d"), made: Some(ZerosBy::Written), calls: "-z", ..case },
        Case { able: Some("d"), promise: "1", made: Some(ZerosBy::Discard), calls: "", ..case },
        Case { able: Some("z"), promise: "1", made: Some(ZerosBy::Written), calls: "", ..case },
        Case { able: None, made: Some(ZerosBy::Written), calls: "none", ..case },
        Case { frame: "fill 512 2 4", made: None, calls: "none", ..case },
        case,
    ];
    // Busybox' own shell takes its own tools before those of the search path.
    for shell in shells().iter().filter(|shell| shell[0] != "busybox") {
        cases.iter().for_each(|case| check(shell, case));
    }
}

fn check(shell: &[&str], case: &Case) {
    let home = tempfile::tempdir().unwrap();
    let (medium, promise) = (home.path().join("medium"), home.path().join("promise"));
    std::fs::write(&medium, vec![0xff; 8192]).unwrap();
    std::fs::write(&promise, case.promise).unwrap();
    let stream = format!("{}\nend 0 0 0\n", case.frame);
    let url = format!("http://{}/frames", serve(stream.clone().into_bytes(), stream.len()));
    let arguments = ["write", medium.to_str().unwrap(), promise.to_str().unwrap(), "identity", &url];
    let fake = case.able.map(|able| fake(home.path(), able));
    let fakes: Vec<(&str, &str)> = fake.iter().map(|text| ("blkdiscard", text.as_str())).collect();
    let (output, answers) = run_with(shell, home.path(), &arguments, &["blkdiscard"], &fakes);
    let told = format!("{shell:?} {:?} promising `{}`: {output:?}", case.able, case.promise);
    let zeros = case.made.map(Answer::Zeros);
    let (at, answers) = apart(answers);
    assert!(at.is_empty(), "{told}");
    assert_eq!(answers, zeros.into_iter().chain([Answer::Written]).collect::<Vec<_>>(), "{told}");
    let bytes = std::fs::read(&medium).unwrap();
    assert!(bytes[1024..3072].iter().all(|byte| *byte == 0), "{told}");
    assert!(bytes[..1024].iter().chain(&bytes[3072..]).all(|byte| *byte == 0xff), "{told}");
    let calls = std::fs::read_to_string(home.path().join("calls")).unwrap_or_default();
    let first = calls.lines().next().map_or("none", |call| if call.contains("-z") { "-z" } else { "" });
    assert_eq!(first, case.calls, "{told}");
}

/// `bytes` as they travel.
fn packed(wire: &str, bytes: &[u8]) -> Vec<u8> {
    match wire {
        "gzip" => {
            let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
            encoder.write_all(bytes).and_then(|()| encoder.finish()).unwrap()
        }
        "zstd" => zstd::bulk::compress(bytes, 1).unwrap(),
        _ => bytes.to_vec(),
    }
}

/// What travels in the tests below: data that does not fit into one pipe.
fn stream() -> Vec<u8> {
    let data: Vec<u8> = (0..262_144_u32).map(|at| (at * 7 + at / 251) as u8).collect();
    [&b"data 65536 1 4\n"[..], &data, b"end 0 0 0\n"].concat()
}

#[test]
fn a_packed_stream_is_written_like_a_plain_one() {
    for shell in shells() {
        for wire in ["identity", "gzip", "zstd"] {
            for missing in [&[][..], &["nc", "bash"], &["zcat"]] {
                let home = tempfile::tempdir().unwrap();
                let medium = home.path().join("medium");
                std::fs::write(&medium, vec![0xff; 400_000]).unwrap();
                let sent = packed(wire, &stream());
                let length = sent.len();
                let url = format!("http://{}/frames", serve(sent, length));
                let arguments = ["write", medium.to_str().unwrap(), "/nowhere", wire, &url];
                let (output, answers) = run_with(&shell, home.path(), &arguments, missing, &[]);
                let told = format!("{shell:?} {wire} without {missing:?}: {output:?}");
                assert_eq!(apart(answers), (vec![327_680], vec![Answer::Written]), "{told}");
                let expected = [&[0xff; 65536][..], &stream()[15..15 + 262_144], &[0xff; 72_320]].concat();
                assert!(std::fs::read(&medium).unwrap() == expected, "{told}");
            }
        }
    }
}

#[test]
fn bad_packed_streams_are_never_written() {
    for shell in shells() {
        for wire in ["gzip", "zstd"] {
            let whole = packed(wire, &stream());
            let mut spoilt = whole.clone();
            spoilt[20..60].fill(0x55);
            let cases: [(&str, &[u8], &[&str]); 3] = [
                ("cut", &whole[..whole.len() / 2], &[]),
                ("spoilt", &spoilt, &[]),
                ("without the tool", &whole, &["zcat", "gzip", "zstd"]),
            ];
            for (case, sent, missing) in cases {
                // Busybox' shell has a gzip of its own.
                if shell[0] == "busybox" && wire == "gzip" && !missing.is_empty() {
                    continue;
                }
                let home = tempfile::tempdir().unwrap();
                let medium = home.path().join("medium");
                std::fs::write(&medium, vec![0xff; 400_000]).unwrap();
                let url = format!("http://{}/frames", serve(sent.to_vec(), sent.len()));
                let arguments = ["write", medium.to_str().unwrap(), "/nowhere", wire, &url];
                let (output, answers) = run_with(&shell, home.path(), &arguments, missing, &[]);
                let complains = answers.iter().any(|answer| matches!(answer, Answer::Error(..)));
                let told = format!("{shell:?} {wire} {case}: {output:?}");
                assert!(complains && !answers.contains(&Answer::Written), "{told}");
            }
        }
    }
}

#[test]
fn a_trial_tells_its_time_and_how_much_came_out() {
    for shell in shells() {
        let sample = vec![7; 3 * 65536];
        for wire in ["identity", "gzip", "zstd"] {
            for (sent, blocks) in [(packed(wire, &sample), 3), (b"no such thing".to_vec(), 0)] {
                let home = tempfile::tempdir().unwrap();
                let length = sent.len();
                let url = format!("http://{}/sample", serve(sent, length));
                let (output, answers) = run_with(&shell, home.path(), &["trial", wire, &url], &[], &[]);
                let fits = |answer: &Answer| matches!(answer, Answer::Trial(0..1000, n) if *n == blocks);
                assert!(answers.iter().any(fits), "{shell:?} {wire} {blocks}: {output:?}");
            }
        }
    }
}

#[test]
fn a_trial_without_its_tool_fetches_nothing() {
    for shell in shells() {
        let server = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        server.set_nonblocking(true).unwrap();
        let home = tempfile::tempdir().unwrap();
        let url = format!("http://{}/sample", server.local_addr().unwrap());
        let (output, answers) =
            run_with(&shell, home.path(), &["trial", "zstd", &url], &["zstd", "unzstd", "zstdcat"], &[]);
        assert!(answers.contains(&Answer::Trial(0, 0)), "{shell:?}: {output:?}");
        assert!(output.status.success(), "{shell:?}: {output:?}");
        assert!(server.accept().is_err(), "{shell:?}: it asked for the sample");
    }
}
