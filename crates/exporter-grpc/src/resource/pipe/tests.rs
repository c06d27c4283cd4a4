//! Data through pipes: whole, in every compression, and cut off.

use super::*;

fn content() -> Vec<u8> {
    (0..700_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect()
}

/// What a sink makes of `content`, as pieces.
fn packed(content: &[u8], encoding: Option<Encoding>) -> Vec<u8> {
    let (pipe, mut ends) = Pipe::new(encoding);
    let content = content.to_vec();
    let sender = std::thread::spawn(move || Sink::stream(pipe).copy_from(&mut content.as_slice()).map(drop));
    let mut all = Vec::new();
    while let Some(piece) = ends.outgoing.blocking_recv() {
        all.extend(piece.unwrap());
    }
    sender.join().unwrap().unwrap();
    all
}

/// What a source makes of pieces, ended properly or by the client's going away.
fn unpacked(data: &[u8], encoding: Option<Encoding>, end: bool) -> Outcome<Vec<u8>> {
    let (pipe, ends) = Pipe::new(encoding);
    let data = data.to_vec();
    let sender = std::thread::spawn(move || {
        for piece in data.chunks(65_536) {
            if ends.incoming.blocking_send(Piece::Data(Bytes::copy_from_slice(piece))).is_err() {
                return;
            }
        }
        if end {
            ends.incoming.blocking_send(Piece::End).ok();
        }
    });
    let mut all = Vec::new();
    let copied = Source::stream(pipe).copy_to(&mut all);
    sender.join().unwrap();
    copied.map(|count| {
        assert_eq!(count, all.len() as u64);
        all
    })
}

#[test]
fn data_comes_back_from_every_compression_also_in_several_members() {
    let content = content();
    for encoding in
        [None, Some(Encoding::Gzip), Some(Encoding::Xz), Some(Encoding::Bz2), Some(Encoding::Zstd)]
    {
        for content in [&content[..], &content[..1], &[]] {
            let packed = packed(content, encoding);
            assert!(encoding.is_none() || content.len() < 100 || packed.len() < content.len() / 2);
            assert!(unpacked(&packed, encoding, true).unwrap() == content, "{encoding:?}");
            let twice = [&packed[..], &packed[..]].concat();
            let expected = [content, content].concat();
            assert!(unpacked(&twice, encoding, true).unwrap() == expected, "{encoding:?} twice");
        }
    }
}

#[test]
fn a_client_that_goes_away_never_looks_like_the_end() {
    let packed = packed(&content(), Some(Encoding::Zstd));
    for (data, encoding) in [(&b"half"[..], None), (&packed[..], Some(Encoding::Zstd)), (&[], None)] {
        assert_eq!(unpacked(data, encoding, false).unwrap_err(), Failure::gone());
    }
}

#[test]
fn what_is_cut_or_broken_is_refused() {
    for encoding in [Encoding::Gzip, Encoding::Xz, Encoding::Bz2, Encoding::Zstd] {
        let packed = packed(&content(), Some(encoding));
        for wrong in [&packed[..packed.len() - 1], &packed[..packed.len() / 2], b"no compression at all"] {
            let failure = unpacked(wrong, Some(encoding), true).unwrap_err();
            assert_eq!(failure.code, tonic::Code::InvalidArgument, "{encoding:?}");
            assert!(
                failure.text.starts_with("what the client sent cannot be decompressed: "),
                "{}",
                failure.text
            );
        }
    }
}

#[test]
fn python_may_send_zlib_where_it_says_gzip() {
    let mut encoder = flate2::write::ZlibEncoder::new(Vec::new(), flate2::Compression::fast());
    encoder.write_all(b"zlib").unwrap();
    assert_eq!(unpacked(&encoder.finish().unwrap(), Some(Encoding::Gzip), true).unwrap(), b"zlib");
}

#[test]
fn an_error_reaches_both_the_call_and_the_stream() {
    struct Bad;
    impl Read for Bad {
        fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
            Err(io::Error::other("worn out"))
        }
    }
    let (pipe, mut ends) = Pipe::new(None);
    let failure = Sink::stream(pipe).copy_from(&mut Bad).unwrap_err();
    assert_eq!(failure.text, "cannot read `the file`: worn out");
    assert_eq!(ends.outgoing.blocking_recv(), Some(Err(failure)));
}
