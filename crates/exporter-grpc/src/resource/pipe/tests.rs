//! Data through pipes: whole, in every compression, and cut off.

use super::*;

/// Worker threads and tests have one around them.
fn runtime() -> &'static tokio::runtime::Runtime {
    static RUNTIME: std::sync::LazyLock<tokio::runtime::Runtime> = std::sync::LazyLock::new(|| {
        tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_time().build().unwrap()
    });
    &RUNTIME
}

fn content() -> Vec<u8> {
    (0..700_000_u32).flat_map(|number| (number / 7).to_le_bytes()).collect()
}

/// What a sink makes of `content`, as pieces.
fn packed(content: &[u8], encoding: Option<Encoding>) -> Vec<u8> {
    let (pipe, mut ends) = Pipe::new(encoding);
    let content = content.to_vec();
    let work = move || Sink::stream(pipe).copy_from(&mut content.as_slice()).map(drop);
    let sender = runtime().spawn_blocking(work);
    let mut all = Vec::new();
    while let Some(piece) = ends.outgoing.blocking_recv() {
        all.extend(piece.unwrap());
    }
    runtime().block_on(sender).unwrap().unwrap();
    all
}

/// What a source makes of pieces, ended properly or by the client's going away.
fn unpacked(data: &[u8], encoding: Option<Encoding>, end: bool) -> CallResult<Vec<u8>> {
    let (pipe, ends) = Pipe::new(encoding);
    let data = data.to_vec();
    let sender = std::thread::spawn(move || {
        for piece in data.chunks(65_536) {
            if ends.incoming.blocking_send(StreamItem::Data(Bytes::copy_from_slice(piece))).is_err() {
                return;
            }
        }
        if end {
            ends.incoming.blocking_send(StreamItem::End).ok();
        }
    });
    let mut all = Vec::new();
    let _within = runtime().enter();
    let copied = DataSource::stream(pipe).copy_to(&mut all);
    sender.join().unwrap();
    copied.map(|count| {
        assert_eq!(count, all.len() as u64);
        all
    })
}

#[test]
fn every_compression_round_trips() {
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
        assert_eq!(unpacked(data, encoding, false).unwrap_err(), CallFailure::gone());
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
    let _within = runtime().enter();
    let failure = Sink::stream(pipe).copy_from(&mut Bad).unwrap_err();
    assert_eq!(failure.text, "cannot read `the file`: worn out");
    assert_eq!(ends.outgoing.blocking_recv(), Some(Err(failure)));
}

/// Copies to or from a pipe that no client serves, until it counts as stuck; gives the failure.
async fn stuck(work: impl FnOnce() -> CallResult<()> + Send + 'static) -> CallFailure {
    let work = tokio::task::spawn_blocking(work);
    // Nothing else makes time go by here: a worker thread is busy.
    while !work.is_finished() {
        tokio::time::advance(std::time::Duration::from_secs(1)).await;
        tokio::task::yield_now().await;
    }
    work.await.unwrap().unwrap_err()
}

#[tokio::test(start_paused = true)]
async fn who_moves_next_to_nothing_does_not_keep_a_worker() {
    let text = "less than 256 KiB moved in 64 s, so the transfer was ended";
    for encoding in [None, Some(Encoding::Zstd)] {
        let (pipe, _ends) = Pipe::new(encoding);
        let failure = stuck(move || DataSource::stream(pipe).copy_to(&mut Vec::new()).map(drop)).await;
        assert_eq!(
            (failure.code, failure.text.as_str()),
            (tonic::Code::DeadlineExceeded, text),
            "{encoding:?}"
        );
        let (pipe, mut ends) = Pipe::new(encoding);
        let content: Vec<u8> =
            (0..4_000_000_u32).map(|number| (number.wrapping_mul(2_654_435_761) >> 24) as u8).collect();
        let failure = stuck(move || Sink::stream(pipe).copy_from(&mut content.as_slice()).map(drop)).await;
        assert_eq!(
            (failure.code, failure.text.as_str()),
            (tonic::Code::DeadlineExceeded, text),
            "{encoding:?}"
        );
        // What was cut never looks like the end of the file.
        let mut last = None;
        while let Some(piece) = ends.outgoing.recv().await {
            last = Some(piece);
        }
        assert_eq!(last, Some(Err(failure)));
    }
}
