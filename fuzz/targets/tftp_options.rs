//! Any options of a request, against any limits: what is agreed on stays within them, and the answer can be sent.
#![no_main]

libfuzzer_sys::fuzz_target!(|input: &[u8]| driver_tftp::fuzzing::options(input));
