//! The payloads of ACME requests, as every operation reads them.
#![no_main]

use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| portreeve_acme::fuzzing::payload(input));
