//! Any bytes of an HTTP/2 connection: the shim keeps their number, whatever they are and however they are cut.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| exporter_grpc::fuzzing::authority(input));
