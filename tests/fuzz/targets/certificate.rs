//! A certificate from outside, and the values of its extensions on their own.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portreeve_pkix::{Certificate, decode};

fuzz_target!(|input: &[u8]| {
    extension_values(input);
    let Ok(certificate) = Certificate::from_der(input) else {
        return;
    };
    assert_eq!(
        certificate.der(),
        input,
        "the received bytes are kept, and all of them"
    );
    assert_eq!(
        certificate.tbs_der().len().min(input.len()),
        certificate.tbs_der().len()
    );
    let _ = (
        certificate.is_ca(),
        certificate.path_len(),
        certificate.key_usage(),
    );
    let _ = (certificate.subject_key_id(), certificate.authority_key_id());
    let _ = (
        certificate.extended_key_usage(),
        certificate.signature_algorithm(),
    );
    let _ = (
        certificate.subject().to_string(),
        certificate.issuer().to_string(),
        certificate.serial().to_string(),
    );
    let _ = certificate.verify_signed_by(certificate.public_key());
    for extension in certificate.extensions() {
        extension_values(&extension.value);
    }
});

fn extension_values(value: &[u8]) {
    let _ = decode::key_usage(value);
    let _ = decode::extended_key_usage(value);
    let _ = decode::basic_constraints(value);
    let _ = decode::subject_key_identifier(value);
    let _ = decode::authority_key_identifier(value);
    let _ = decode::certificate_policies(value);
    let _ = decode::crl_distribution_points(value);
    let _ = decode::authority_info_access(value);
    let _ = decode::crl_number(value);
    let _ = decode::reason_code(value);
}
