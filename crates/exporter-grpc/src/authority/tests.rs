//! The scrubber against header blocks of every shape, whole and in pieces.

use proptest::prelude::*;

use super::*;

/// A connection's beginning with one HEADERS frame around `block`.
fn connection(flags: u8, before: &[u8], block: &[u8], after: &[u8]) -> Vec<u8> {
    let mut bytes = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_vec();
    bytes.extend(frame(4, 0, &[0; 6])); // SETTINGS
    bytes.extend(frame(HEADERS, flags, &[before, block, after].concat()));
    bytes
}

fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    [&length[1..], &[kind, flags, 0, 0, 0, 1], payload].concat()
}

/// A literal with its name and value in plain bytes, added to the table.
fn literal(name: &[u8], value: &[u8]) -> Vec<u8> {
    let length = |text: &[u8]| u8::try_from(text.len()).unwrap();
    [&[0x40, length(name)], name, &[length(value)], value].concat()
}

fn scrubbed(bytes: &[u8], pieces: usize) -> Vec<u8> {
    let (mut bytes, mut scrubber) = (bytes.to_vec(), Scrubber::default());
    bytes.chunks_mut(pieces).for_each(|piece| scrubber.scrub(piece));
    bytes
}

/// What `block` becomes, the same in pieces of any size.
fn check(flags: u8, before: &[u8], block: &[u8], after: &[u8], expected: &[u8]) {
    let (bytes, wanted) =
        (connection(flags, before, block, after), connection(flags, before, expected, after));
    for pieces in [1, 2, 3, 7, 4096] {
        assert_eq!(scrubbed(&bytes, pieces), wanted, "in pieces of {pieces}");
    }
}

#[test]
fn the_path_of_a_socket_becomes_a_name_of_the_same_length() {
    let sent = literal(b":authority", b"run%2Fdemo%2Fs");
    let read = literal(b":authority", b"run-2Fdemo-2Fs");
    check(4, &[], &sent, &[], &read);
}

#[test]
fn authority_by_static_index() {
    for first in [0x41, 0x01, 0x11] {
        check(4, &[], &[&[first, 5], &b"a%2Fb"[..]].concat(), &[], &[&[first, 5], &b"a-2Fb"[..]].concat());
    }
}

#[test]
fn padding_and_priority_are_stepped_over() {
    let (sent, read) = (literal(b":authority", b"a%2F"), literal(b":authority", b"a-2F"));
    check(4 | PADDED, &[3], &sent, b"%%%", &read);
    check(4 | PRIORITY, b"%%%%%", &sent, &[], &read);
    check(4 | PADDED | PRIORITY, &[&[2], &b"%%%%%"[..]].concat(), &sent, b"%%", &read);
}

#[test]
fn other_fields_and_readable_names_stay_as_they_are() {
    let block = [
        vec![0x83, 0x86, 0x3f, 0xe1, 0x1f], // two indexed fields, a new size of the table
        literal(b":path", b"/a%2Fb"),
        literal(b":authorit", b"%"),
        literal(b":authority_", b"%"),
        literal(b":authority", b"[::1]:8082"),
        vec![0x40, 0x80 | 7, 1, 2, 3, 4, 5, 6, 7, 1, b'%'], // a Huffman-coded name
        vec![0x41, 0x80 | 2, b'%', b'%'],                   // a Huffman-coded value
        vec![0x7f, 0x01, 1, b'%'],                          // a name by its index in the dynamic table
        vec![0x40, 0, 0],                                   // nothing named nothing
        literal(b"request", b"%"),
    ];
    check(4, &[], &block.concat(), &[], &block.concat());
}

#[test]
fn header_blocks_go_on_in_continuations() {
    let path = "tmp%2F".repeat(60);
    let mut block = vec![0x41, 0x7f];
    let rest = path.len() - 0x7f;
    block.extend([u8::try_from(rest & 0x7f).unwrap() | 0x80, u8::try_from(rest >> 7).unwrap()]);
    block.extend(path.as_bytes());
    let split = |block: &[u8]| {
        let mut bytes = connection(0, &[], &block[..100], &[]);
        bytes.extend(frame(CONTINUATION, 0, &block[100..200]));
        bytes.extend(frame(CONTINUATION, 4, &block[200..]));
        bytes.extend(frame(0, 0, b"%%"));
        bytes
    };
    let wanted: Vec<u8> = block.iter().map(|byte| if *byte == b'%' { b'-' } else { *byte }).collect();
    assert_eq!(scrubbed(&split(&block), 13), split(&wanted));
}

proptest! {
    #[test]
    fn no_bytes_make_it_panic_or_depend_on_how_they_are_cut(bytes: Vec<u8>, pieces in 1_usize..40, from_frames: bool) {
        let bytes = if from_frames { connection(4, &[], &bytes, &bytes) } else { bytes };
        let (whole, cut) = (scrubbed(&bytes, bytes.len().max(1)), scrubbed(&bytes, pieces));
        prop_assert_eq!(&whole, &cut);
        prop_assert_eq!(whole.len(), bytes.len());
    }
}
