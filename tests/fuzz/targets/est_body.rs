//! Bodies of EST: base64 in every layout, and the two parts of an answer.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portreeve_wire::est::{body, multipart};

const LIMIT: usize = 128 * 1024;

fuzz_target!(|input: &[u8]| {
    if let Ok(read) = body::decode(input, LIMIT) {
        let again = body::decode(body::encode(&read.der, read.style).as_bytes(), 2 * LIMIT);
        let der = again.map(|body| body.der).unwrap_or_default();
        assert_eq!(der, read.der, "written, and read");
    }
    let _ = multipart::decode("multipart/mixed; boundary=x", input);
    let _ = multipart::decode(multipart::CONTENT_TYPE, input);
});
