//! Any datagram a TFTP server may be sent: parsed without a panic, and what it makes of a request is bounded by it.
#![no_main]

libfuzzer_sys::fuzz_target!(|datagram: &[u8]| driver_tftp::fuzzing::packet(datagram));
