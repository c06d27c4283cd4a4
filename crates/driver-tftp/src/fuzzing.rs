//! Entrances for fuzz targets, with what must hold for every input. Built only with `--cfg fuzzing`.

#![allow(missing_docs, clippy::missing_panics_doc, reason = "not part of what is shipped")]

use crate::options::{self, BLKSIZES, Limits};
use crate::packet::{self, Packet};

/// Parses a datagram.
pub fn packet(datagram: &[u8]) {
    match packet::parse(datagram) {
        Ok(Packet::Read(request) | Packet::Write(request)) => {
            assert!(request.file.len() < datagram.len());
            assert!(request.options.len() < datagram.len());
        }
        Ok(_) => {}
        Err(refusal) => assert!(matches!(refusal.packet()[..], [0, 5, 0, code, .., 0] if code <= 8)),
    }
}

/// Negotiates: two bytes of limit for each option, two of length, then a request.
pub fn options(input: &[u8]) {
    let Some((head, body)) = input.split_first_chunk::<6>() else { return };
    let [a, b, c, d, e, f] = *head;
    let limits = Limits {
        blksize: u16::from_be_bytes([a, b]).clamp(*BLKSIZES.start(), *BLKSIZES.end()),
        windowsize: u16::from_be_bytes([c, d]).clamp(1, 64),
    };
    let datagram = [b"\0\x01f\0octet\0", body, b"\0"].concat();
    let Ok(Packet::Read(request)) = packet::parse(&datagram) else { return };
    let length = u64::from(u16::from_be_bytes([e, f])) << (e % 48);
    let Ok(agreed) = options::negotiate(&request, length, limits) else { return };
    // Without the option a block has 512 bytes, whatever the limit.
    assert!(agreed.blksize >= 8 && agreed.blksize <= limits.blksize.max(512));
    assert!((1..=limits.windowsize).contains(&agreed.windowsize));
    assert!(
        u64::from(agreed.blksize) * u64::from(agreed.windowsize)
            <= (256 * 1024).max(u64::from(agreed.blksize))
    );
    if let Some(answer) = agreed.option_ack() {
        // At most what was asked for, with values of at most 20 digits.
        assert!(answer.starts_with(&[0, 6]) && answer.ends_with(&[0]));
        assert!(answer.len() <= datagram.len() + 21 * request.options.len());
        assert_eq!(packet::parse(&answer), Ok(Packet::OptionAck));
    }
}
