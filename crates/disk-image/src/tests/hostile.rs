//! Whatever follows a magic, decoding ends: with an image or with an error, never in a panic or for ever.

use proptest::prelude::*;

use super::*;
use crate::Blame;

/// The beginning of each format that is parsed here, with a header that gets as far as possible.
fn beginnings() -> Vec<Vec<u8>> {
    let mut tar = tar::Header::new_gnu();
    tar.set_size(1000);
    tar.set_path("os.img").unwrap();
    tar.set_cksum();
    let mut extended = tar::Header::new_ustar();
    extended.set_entry_type(tar::EntryType::XHeader);
    extended.set_size(300);
    extended.set_cksum();
    let lz4 = encode(Format::Lz4, b"");
    vec![
        b"\x3a\xff\x26\xed\x01\0\0\0\x1c\0\x0c\0\0\x10\0\0".to_vec(),
        b"PK\x03\x04\x14\0\0\0\0\0\0\0\0\0".to_vec(),
        b"PK\x03\x04\x14\0\x08\0\x08\0\0\0\0\0".to_vec(),
        tar.as_bytes().to_vec(),
        extended.as_bytes().to_vec(),
        lz4[..7].to_vec(),
        b"\x28\xb5\x2f\xfd".to_vec(),
        b"\xfd7zXZ\0\0\x04\xe6\xd6\xb4\x46".to_vec(),
    ]
}

/// Bytes as headers have them: small numbers, large ones, marks, noise.
fn filling() -> impl Strategy<Value = Vec<u8>> {
    let extent = prop_oneof![
        any::<u32>().prop_map(|word| word.to_le_bytes().to_vec()),
        (0u32..300).prop_map(|word| word.to_le_bytes().to_vec()),
        proptest::sample::select(vec![
            &b"PK\x01\x02"[..],
            b"PK\x05\x06",
            b"PK\x03\x04",
            b"\xc1\xca\0\0",
            b"\xc2\xca\0\0",
            b"\xc3\xca\0\0",
            b"30 size=99999999999999999999\n",
            b"\0\0\0\0"
        ])
        .prop_map(<[u8]>::to_vec),
        proptest::collection::vec(any::<u8>(), 0..600),
    ];
    proptest::collection::vec(extent, 0..40).prop_map(|extents| extents.concat())
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 256, ..ProptestConfig::default() })]

    #[test]
    fn hostile_bytes_end_in_an_image_or_an_error(
        begin in proptest::sample::select(beginnings()),
        rest in filling(),
    ) {
        let stored = [begin, rest].concat();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        if let Err(error) = runtime.block_on(decode_start(&stored)) {
            prop_assert_eq!(blame_of(&error), Blame::SOURCE, "{}", error);
        }
    }
}

/// Decodes up to 64 MiB: a few bytes may well stand for an image of terabytes.
async fn decode_start(stored: &[u8]) -> Result<(), Error> {
    let file = file_of(stored);
    let mut decoding = Image::open(path_of(file.path()), SourceOptions::default()).await?.decode();
    while let Some(extent) = within(decoding.next()).await? {
        if extent.offset() > 64 << 20 {
            break;
        }
    }
    Ok(())
}
