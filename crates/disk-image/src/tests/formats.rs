//! Each format: whole, in several members, cut anywhere, damaged anywhere, followed by something else.

use pretty_assertions::assert_eq;

use super::*;
use crate::Blame;

#[tokio::test]
async fn images_of_the_real_tools_decode_to_what_they_were() {
    let disk = disk();
    for (tool, format) in [
        (&["gzip", "-c"][..], Format::Gzip),
        (&["xz", "-c", "-1"], Format::Xz),
        (&["xz", "-c", "-1", "-T2", "--block-size=300000"], Format::Xz),
        (&["xz", "-c", "-1", "--check=sha256"], Format::Xz),
        (&["xz", "-c", "-1", "--check=none"], Format::Xz),
        (&["zstd", "-c"], Format::Zstd),
        (&["zstd", "-c", "--long=27"], Format::Zstd),
        (&["zstd", "-c", "--no-check"], Format::Zstd),
        (&["bzip2", "-c"], Format::Bzip2),
        (&["lz4", "-c"], Format::Lz4),
        (&["lz4", "-c", "-9", "-BD", "-B4", "-BX", "--content-size"], Format::Lz4),
        (&["lz4", "-c", "-BI", "-B7", "--no-frame-crc"], Format::Lz4),
    ] {
        let Some(stored) = through(tool, &disk) else { continue };
        let decoded = decode_bytes(&stored).await.unwrap_or_else(|e| panic!("{tool:?}: {e}"));
        assert_eq!(decoded.format, format, "{tool:?}");
        assert!(decoded.bytes() == disk, "{tool:?} gives the image back");
        assert_eq!(decoded.summary.decoded_sha256, Digest::of(&disk), "{tool:?}");
        assert_eq!(decoded.summary.source_sha256, Digest::of(&stored), "{tool:?}");
        assert_eq!(decoded.summary.source_length, stored.len() as u64, "{tool:?}");
    }
}

#[tokio::test]
async fn several_members_in_one_file_are_one_image() {
    let skippable = [b"\x5a\x2a\x4d\x18\x05\0\0\0".to_vec(), b"hello".to_vec()].concat();
    let encoded = |format| ["one ", "", "two ", "three"].map(|text| encode(format, text.as_bytes()));
    for (format, between) in [
        (Format::Gzip, vec![]),
        (Format::Bzip2, vec![]),
        (Format::Xz, vec![]),
        (Format::Xz, vec![0; 4]),
        (Format::Xz, vec![0; 300_000]),
        (Format::Zstd, vec![]),
        (Format::Zstd, skippable),
        (Format::Lz4, vec![]),
    ] {
        let stored: Vec<u8> =
            encoded(format).iter().flat_map(|member| [&member[..], &between].concat()).collect();
        let decoded = decode_bytes(&stored).await.unwrap_or_else(|e| panic!("{format}: {e}"));
        assert_eq!(decoded.bytes(), b"one two three", "{format}");
        assert_eq!(decoded.summary.source_sha256, Digest::of(&stored), "{format}");
    }
}

#[tokio::test]
async fn a_zstd_file_may_begin_with_a_skippable_frame() {
    let stored = [b"\x50\x2a\x4d\x18\x04\0\0\0size".to_vec(), encode(Format::Zstd, b"image")].concat();
    assert_eq!(decode_bytes(&stored).await.unwrap().bytes(), b"image");
}

#[tokio::test]
async fn a_source_cut_anywhere_is_truncated() {
    for format in COMPRESSED {
        let one = encode(format, &noise(40));
        let two = [one.clone(), one.clone()].concat();
        for length in (2..two.len()).filter(|length| *length != one.len()) {
            check_truncated(format, &two, length).await;
        }
    }
}

#[tokio::test]
async fn a_large_source_cut_in_its_data_or_its_trailer_is_truncated() {
    for format in COMPRESSED {
        let stored = encode(format, &noise(900_000));
        for missing in [1, 2, 4, 8, 9, 12, 100, 600_000] {
            check_truncated(format, &stored, stored.len() - missing).await;
        }
    }
}

async fn check_truncated(format: Format, stored: &[u8], length: usize) {
    let error = decode_bytes(&stored[..length]).await.expect_err("truncated");
    assert_eq!(blame_of(&error), Blame::SOURCE);
    match error {
        Error::Truncated { format: found, offset, .. } => {
            assert_eq!((found, offset), (format, length as u64));
        }
        other => panic!("{format} cut at {length} of {}: {other}", stored.len()),
    }
}

#[tokio::test]
async fn what_follows_the_end_is_an_error_at_its_offset() {
    for format in COMPRESSED {
        let stored = encode(format, b"image");
        for behind in [&b"garbage"[..], b"g", b"\x01\0\0\0", &noise(300_000)] {
            let error = decode_bytes(&[&stored, behind].concat()).await.expect_err("garbage");
            let Error::Garbage { offset, .. } = error else { panic!("{format}: {error}") };
            assert_eq!(offset, stored.len() as u64, "{format}");
        }
    }
}

#[tokio::test]
async fn zeros_behind_the_end_are_padding_in_xz_only() {
    for format in COMPRESSED {
        let stored = encode(format, b"image");
        for (zeros, fine) in [(4, format == Format::Xz), (3, false), (5, false)] {
            let result = decode_bytes(&[&stored[..], &vec![0; zeros]].concat()).await;
            assert_eq!(result.is_ok(), fine, "{format} with {zeros} zeros: {result:?}");
        }
    }
}

#[tokio::test]
async fn members_of_another_format_do_not_continue_an_image() {
    let stored = [encode(Format::Gzip, b"one"), encode(Format::Xz, b"two")].concat();
    assert!(matches!(decode_bytes(&stored).await, Err(Error::Garbage { format: Format::Gzip, .. })));
}

#[tokio::test]
async fn a_flipped_bit_never_yields_another_image() {
    let image = b"some text, some text, some other text".repeat(3);
    for format in COMPRESSED {
        let stored = encode(format, &image);
        for at in magic_length(format)..stored.len() {
            for bit in [0, 3, 7] {
                let mut damaged = stored.clone();
                damaged[at] ^= 1 << bit;
                check_harmless(format, &damaged, &image, at).await;
            }
        }
    }
}

/// Header fields that say nothing about the data (time, name) may change; the image may not.
async fn check_harmless(format: Format, damaged: &[u8], image: &[u8], at: usize) {
    match decode_bytes(damaged).await {
        Ok(decoded) => assert!(decoded.bytes() == image, "{format}: flip at byte {at} went unnoticed"),
        Err(error) => assert_eq!(blame_of(&error), Blame::SOURCE, "{format}: {error}"),
    }
}

/// Bytes without which the file is another format, for bzip2 with the mark of the first block.
fn magic_length(format: Format) -> usize {
    match format {
        Format::Gzip => 3,
        Format::Xz => 6,
        Format::Bzip2 => 10,
        _ => 4,
    }
}

#[tokio::test]
async fn a_flipped_bit_in_the_data_is_named_near_its_offset() {
    for format in COMPRESSED {
        let mut stored = encode(format, &noise(3_000_000));
        stored[1_500_000] ^= 0x10;
        let error = decode_bytes(&stored).await.expect_err("corrupt");
        let Error::Corrupt { offset, .. } = error else { panic!("{format}: {error}") };
        assert!(offset > 1_000_000, "{format}: {offset}"); // found where a checksum is, which may be the end
        assert!(error.to_string().contains("is corrupt near byte"), "{error}");
    }
}

#[tokio::test]
async fn nothing_in_a_wrapping_is_no_image() {
    for format in COMPRESSED {
        let error = decode_bytes(&encode(format, b"")).await.expect_err("no image");
        assert!(matches!(error, Error::EmptyImage { .. }), "{format}: {error}");
    }
}

#[tokio::test]
async fn data_that_demand_too_much_memory_are_refused() {
    // Frame header of RFC 8878: no content size, window of 2^28 (0x90) or 2^27 (0x88) bytes, one raw block `A`.
    let window = |descriptor| [0x28, 0xb5, 0x2f, 0xfd, 0, descriptor, 0x09, 0, 0, b'A'];
    assert_eq!(decode_bytes(&window(0x88)).await.unwrap().bytes(), b"A");
    let error = decode_bytes(&window(0x90)).await.expect_err("too large a window");
    assert!(matches!(error, Error::Memory { format: Format::Zstd, limit: 128, .. }), "{error}");

    let error = decode_bytes(&xz_with_dictionary(400 << 20)).await.expect_err("too large a dictionary");
    assert!(matches!(error, Error::Memory { format: Format::Xz, limit: 256, .. }), "{error}");
    assert_eq!(decode_bytes(&xz_with_dictionary(64 << 20)).await.unwrap().bytes(), b"image");
}

fn xz_with_dictionary(bytes: u32) -> Vec<u8> {
    use liblzma::stream::{Check, Filters, LzmaOptions, MatchFinder, Stream};
    let mut options = LzmaOptions::new_preset(0).unwrap();
    options.dict_size(bytes).match_finder(MatchFinder::HashChain3);
    let stream = Stream::new_stream_encoder(Filters::new().lzma2(&options), Check::Crc32).unwrap();
    let mut encoder = liblzma::write::XzEncoder::new_stream(Vec::new(), stream);
    encoder.write_all(b"image").unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn what_must_not_be_written_is_refused_within_a_wrapping_too() {
    for format in COMPRESSED {
        let file = file_of(&encode(format, b"QFI\xfb\0\0\0\x03 and more"));
        let options = SourceOptions { expected: Expected::Partition, ..SourceOptions::default() };
        let error = Image::open(path_of(file.path()), options).await.expect_err("a qcow2 disk");
        assert!(matches!(error, Error::Unsupported { found: "a qcow2 disk", .. }), "{error}");
    }
}

#[tokio::test]
async fn the_decoded_length_is_told_only_when_it_is_sure() {
    let disk = disk();
    let whole = Some(disk.len() as u64);
    let [gzip, xz, plain, bzip2, lz4] = COMPRESSED.map(|format| encode(format, &disk));
    let sized = zstd::bulk::compress(&disk, 1).unwrap();
    let skippable = b"\x50\x2a\x4d\x18\x04\0\0\0size".to_vec();
    let twice = |stored: &[u8]| [stored, stored].concat();
    for (case, stored, told) in [
        ("raw", disk.clone(), whole),
        ("gz", gzip, None),
        ("bz2", bzip2, None),
        ("lz4", lz4, None),
        ("xz", xz.clone(), whole),
        ("xz twice", twice(&xz), whole.map(|length| length * 2)),
        ("xz padded", [&xz[..], &[0; 8], &xz, &[0; 4]].concat(), whole.map(|length| length * 2)),
        ("xz cut", xz[..xz.len() - 8].to_vec(), None),
        ("zstd without size", plain.clone(), None),
        ("zstd with size", sized.clone(), whole),
        ("zstd twice", twice(&sized), whole.map(|length| length * 2)),
        ("zstd with a skippable frame", [&skippable[..], &sized].concat(), whole),
        ("zstd, the second without size", [&sized[..], &plain].concat(), None),
        ("zstd cut", sized[..sized.len() - 1].to_vec(), None),
    ] {
        let file = file_of(&stored);
        let image = Image::open(path_of(file.path()), SourceOptions::default()).await.unwrap();
        assert_eq!(image.decoded_length(), told, "{case}");
        assert_eq!(image.source_length(), Some(stored.len() as u64), "{case}");
        if let (Some(told), Ok(decoded)) = (told, drain(&image).await) {
            assert_eq!(decoded.summary.decoded_length, told, "{case}");
        }
    }
}
