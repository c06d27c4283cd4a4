//! Any call and metadata of a stream: arguments that fit their method's table, or a refusal that blames the caller.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| exporter_grpc::fuzzing::call(input));
