//! Images that the board fetches and unpacks by itself.

use std::io::Write;
use std::process::{Command, Stdio};

use super::super::Answer;

use super::{ScriptError, is_there, run, serve, shells};

/// What a tool makes of `content`; `cat` leaves it alone.
fn pack(tool: &str, content: &[u8]) -> Vec<u8> {
    if tool == "cat" {
        return content.to_vec();
    }
    let mut child =
        Command::new(tool).arg("-c").stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut inlet, content) = (child.stdin.take().unwrap(), content.to_vec());
    let writing = std::thread::spawn(move || inlet.write_all(&content));
    let output = child.wait_with_output().unwrap();
    writing.join().unwrap().unwrap();
    output.stdout
}

#[test]
fn all_but_the_first_block_is_written() {
    let folder = tempfile::tempdir().unwrap();
    let medium = folder.path().join("medium");
    for (format, tool) in
        [("raw", "cat"), ("gzip", "gzip"), ("xz", "xz"), ("zstd", "zstd"), ("bzip2", "bzip2")]
    {
        if !is_there(tool) {
            continue;
        }
        for length in [100, 65_536, 65_537, (9 << 20) + 5] {
            let content: Vec<u8> = (0..length).map(|at| (at % 253) as u8).collect();
            let packed = pack(tool, &content);
            let url = format!("http://{}/os", serve(packed.clone(), packed.len()));
            for shell in shells() {
                std::fs::write(&medium, vec![0xa5; 10 << 20]).unwrap();
                let (output, answers) =
                    run(&shell, folder.path(), &["direct", medium.to_str().unwrap(), format, &url]);
                assert_eq!(answers.last(), Some(&Answer::Written), "{shell:?} {format}: {output:?}");
                let mut expected = vec![0xa5; 10 << 20];
                let first = length.min(65_536);
                expected[first..length].copy_from_slice(&content[first..]);
                assert!(std::fs::read(&medium).unwrap() == expected, "{shell:?} {format} {length}");
            }
        }
    }
}

#[test]
fn incomplete_or_corrupt_images_are_reported() {
    let folder = tempfile::tempdir().unwrap();
    let medium = folder.path().join("medium");
    let content = vec![7; 300_000];
    let cut = pack("gzip", &content);
    let half = cut.len() / 2;
    for (format, body, declared, expected) in [
        ("raw", content.clone(), 400_000, ScriptError::Fetch),
        ("gzip", cut[..half].to_vec(), half, ScriptError::Unpack),
        ("gzip", content.clone(), content.len(), ScriptError::Unpack),
        ("lzop", content.clone(), content.len(), ScriptError::NoUnpacker),
    ] {
        let url = format!("http://{}/os", serve(body, declared));
        for shell in shells() {
            std::fs::write(&medium, vec![0xa5; 1 << 20]).unwrap();
            let (output, answers) =
                run(&shell, folder.path(), &["direct", medium.to_str().unwrap(), format, &url]);
            let told =
                answers.iter().any(|answer| matches!(answer, Answer::Error(what, _) if *what == expected));
            assert!(told, "{shell:?} {format}: {answers:?} {output:?}");
        }
    }
}
