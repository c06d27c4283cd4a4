//! Entrances for fuzz targets, with what must hold for every input. Built only with `--cfg fuzzing`, and for its own tests.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::missing_panics_doc,
    clippy::unwrap_used,
    clippy::panic,
    reason = "not part of what is shipped"
)]

use std::collections::VecDeque;
use std::convert::Infallible;
use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use futures_util::FutureExt;
use hyper::body::{Body, Frame};
use prost::Message;
use tonic::codec::BufferSettings;
use tonic::metadata::{MetadataMap, MetadataValue};
use tonic::{Code, Status, Streaming};

use crate::authority::Scrubber;
use crate::capability::{TABLES, check};
use crate::failure::CallFailure;
use crate::order::JobOrder;
use crate::proto::{DriverCallRequest, StreamRequest};
use crate::router::{FrameRead, next, stream_request_meta};
use crate::value;

/// Longest text of a failure on the wire, bytes.
const LONGEST: usize = 2048 + '…'.len_utf8();

/// Bytes of a router stream as they come from a client, cut anywhere, and frames that are certainly some. Whatever
/// comes, the stream ends, no reader gets more than was sent, and data before the end of its direction is heard whole.
pub fn frames(input: &[u8]) {
    let Some((&mode, rest)) = input.split_first() else { return };
    let piece = usize::from(mode >> 1) + 1;
    if mode & 1 == 0 {
        let (heard, _) = hear(rest, piece);
        assert!(heard.len() <= rest.len());
        return;
    }
    let (bytes, expected) = well_formed(rest);
    assert_eq!(hear(&bytes, piece), (expected, FrameRead::End));
}

/// Everything that is heard of a stream, and how it ends.
fn hear(bytes: &[u8], piece: usize) -> (Vec<u8>, FrameRead) {
    let body = Pieces(bytes.chunks(piece).map(Bytes::copy_from_slice).collect());
    let decoder = tonic_prost::ProstDecoder::<StreamRequest>::new(BufferSettings::default());
    let mut stream = Streaming::new_request(decoder, body, None, None);
    let mut heard = Vec::new();
    loop {
        // Everything is there, so nothing waits.
        match next(&mut stream).now_or_never().unwrap() {
            FrameRead::Data(data) => heard.extend_from_slice(&data),
            end => return (heard, end),
        }
    }
}

/// Frames of a type, a length and that many bytes each; and what of it is data before the end.
fn well_formed(mut rest: &[u8]) -> (Vec<u8>, Vec<u8>) {
    let (mut bytes, mut expected, mut ended) = (Vec::new(), Vec::new(), false);
    while let Some((&[kind, length], more)) = rest.split_first_chunk::<2>() {
        let (payload, more) = more.split_at(more.len().min(usize::from(length)));
        rest = more;
        // Known types, and unknown ones of either sign.
        let frame_type = i32::from(kind.cast_signed() / 4);
        ended |= frame_type == 7;
        if frame_type == 0 && !ended {
            expected.extend_from_slice(payload);
        }
        let frame = StreamRequest { payload: Bytes::copy_from_slice(payload), frame_type }.encode_to_vec();
        bytes.push(0);
        bytes.extend(u32::try_from(frame.len()).unwrap().to_be_bytes());
        bytes.extend(frame);
    }
    (bytes, expected)
}

/// A body in pieces.
struct Pieces(VecDeque<Bytes>);

impl Body for Pieces {
    type Data = Bytes;
    type Error = Infallible;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Infallible>>> {
        Poll::Ready(self.0.pop_front().map(|piece| Ok(Frame::data(piece))))
    }
}

/// A call: one byte chooses a method of all tables, the rest is the message with its arguments. Also its texts as the
/// metadata of a stream and as the order of a job. What is refused is refused with a bounded text that blames the caller.
pub fn call(input: &[u8]) {
    let Some((&choice, message)) = input.split_first() else { return };
    if let Ok(text) = MetadataValue::try_from(message) {
        metadata(text);
    }
    let Ok(request) = DriverCallRequest::decode(message) else { return };
    let methods: Vec<_> = TABLES.iter().copied().flatten().collect();
    let method = methods[usize::from(choice) % methods.len()];
    match check(method, &request.args) {
        Ok(_) => assert!(request.args.len() <= method.params.len()),
        Err(failure) => assert_blamed(failure),
    }
    for text in request.args.iter().filter_map(value::as_text) {
        if let Err(failure) = JobOrder::parse(text) {
            assert_blamed(CallFailure::argument(failure));
        }
    }
}

fn metadata(text: MetadataValue<tonic::metadata::Ascii>) {
    let mut metadata = MetadataMap::new();
    metadata.insert("request", text);
    if let Err(failure) = stream_request_meta(&metadata) {
        assert_blamed(failure);
    }
}

fn assert_blamed(failure: CallFailure) {
    assert_eq!(failure.code, Code::InvalidArgument, "{failure:?}");
    let status = Status::from(failure);
    assert!(!status.message().is_empty() && status.message().len() <= LONGEST);
}

/// Bytes of a connection, cut anywhere: they keep their number, lose only what h2 would refuse, and it does not matter how
/// they are cut. One byte says how, another whether they begin as a connection does.
pub fn authority(input: &[u8]) {
    let Some((&[piece, begins], rest)) = input.split_first_chunk::<2>() else { return };
    let preface: &[u8] = if begins & 1 == 0 { b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" } else { b"" };
    let sent = [preface, rest].concat();
    let (mut whole, mut cut) = (sent.clone(), sent.clone());
    Scrubber::default().scrub(&mut whole);
    let mut scrubber = Scrubber::default();
    cut.chunks_mut(usize::from(piece) + 1).for_each(|piece| scrubber.scrub(piece));
    assert_eq!(whole, cut);
    assert!(sent.iter().zip(&whole).all(|(before, after)| before == after || *after == b'-'));
    // What has been made readable stays as it is.
    let mut again = whole.clone();
    Scrubber::default().scrub(&mut again);
    assert_eq!(again, whole);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_before_and_after_the_end_and_of_unknown_types() {
        // Type times four, length, payload: data, a ping, an unknown type, one below zero, nothing, data, the end, data.
        let frames =
            [&[0, 2][..], b"ab", &[24, 1], b"x", &[100, 1], b"y", &[0xff, 0, 0xfc, 1], b"z", &[0, 0]];
        let sent = [&frames.concat()[..], &[0, 1], b"c", &[28, 0, 0, 1], b"d"].concat();
        let (bytes, expected) = well_formed(&sent);
        assert_eq!(expected, b"abc");
        for piece in [1, 2, 3, 7, 4096] {
            assert_eq!(hear(&bytes, piece), (expected.clone(), FrameRead::End), "in pieces of {piece}");
        }
        // Cut in the middle of a frame: broken, never an end. Right behind a frame's length tonic sees an end.
        for length in (1..5).chain(6..9) {
            assert_eq!(
                hear(&bytes[..length], 4096),
                (Vec::new(), FrameRead::Broken),
                "the first {length} bytes"
            );
        }
        // The end of the stream without a frame that says so is an end as well; four gigabytes announced are not.
        assert_eq!(hear(&bytes[..9], 4096), (b"ab".to_vec(), FrameRead::End));
        assert_eq!(hear(&[0, 0xff, 0xff, 0xff, 0xff, 0], 4096), (Vec::new(), FrameRead::Broken));
    }

    #[test]
    fn the_entrances_take_what_a_fuzzer_begins_with() {
        let call_of = |args: Vec<prost_types::Value>| {
            DriverCallRequest { uuid: "x".to_owned(), method: "open".to_owned(), args }.encode_to_vec()
        };
        let args = vec![value::text("{}"), value::number(2.5), value::list([value::flag(true)])];
        for choice in 0..=255 {
            for message in [call_of(Vec::new()), call_of(args.clone()), br#"{"kind":"driver"}"#.to_vec()] {
                call(&[&[choice][..], &message].concat());
            }
        }
        for input in [&[][..], &[0], &[1], b"\x00\x01some bytes", b"\x01\x00\x04abcd\x1c\x00"] {
            [frames, call, authority].iter().for_each(|entrance| entrance(input));
        }
    }
}
