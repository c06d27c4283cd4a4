//! Any bytes of a router stream, and frames of any type, cut anywhere: nobody hears more or less than was sent.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| exporter_grpc::fuzzing::frames(input));
