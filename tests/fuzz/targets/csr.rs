//! A certification request: everything the RA reads from it.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portreeve_pkix::{CertificationRequest, DistinguishedName, PublicKey};
use portreeve_wire::cms::KeyWrap;
use portreeve_wire::est::{KeyProtection, Preferences};

fuzz_target!(|input: &[u8]| {
    let _ = PublicKey::from_der(input);
    if let Ok(name) = DistinguishedName::from_der(input) {
        let _ = name.to_string();
    }
    let Ok(request) = CertificationRequest::from_der(input) else {
        return;
    };
    assert_eq!(
        request.der(),
        input,
        "the received bytes are kept, and all of them"
    );
    let _ = request.verify_possession();
    let _ = request.challenge_password();
    if let Some(change) = request.change_subject_name() {
        assert!(change.subject.is_some() || change.names.is_some());
        let _ = change.to_der();
    }
    let _ = (
        request.decrypt_key_identifier(),
        request.asymmetric_decrypt_key_identifier(),
        request.smime_capabilities(),
    );
    let _ = KeyProtection::asked_by(&request);
    let preferences = Preferences::of(&request);
    let _ = preferences.content_cipher();
    let _ = (preferences.key_transport(), preferences.key_agreement());
    let _ = preferences.allows_wrap(KeyWrap::Aes128);
    let _ = request.signature_algorithm();
    let _ = request.subject().to_string();
    for name in request.names() {
        let _ = (name.to_string(), name.to_der(), name.identifier());
    }
    let again = CertificationRequest::from_der(request.der()).expect("read once, read again");
    assert_eq!(again.digest(), request.digest());
});
