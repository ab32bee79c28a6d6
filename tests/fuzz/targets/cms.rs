//! CMS messages: certs-only, signed and encrypted, in BER and DER.
#![no_main]

use libfuzzer_sys::fuzz_target;
use portreeve_pkix::{Secret, ber, der};
use portreeve_wire::cms::{self, EnvelopedData, SignedData, certs_only};

const LIMITS: der::Limits = der::Limits {
    bytes: cms::MESSAGE_BYTES_MAX,
    depth: 32,
    elements: 65_536,
};

fuzz_target!(|input: &[u8]| {
    if let Ok(definite) = ber::to_definite(input, LIMITS) {
        let limits = der::Limits {
            bytes: usize::MAX,
            ..LIMITS
        };
        assert_eq!(
            der::prescan(&definite, limits),
            Ok(()),
            "what is rewritten is DER"
        );
        let again = ber::to_definite(&definite, limits).expect("DER");
        assert_eq!(again, definite, "DER stays as it is");
    }
    if let Ok(certificates) = certs_only::decode(input) {
        assert!(certificates.len() <= cms::CERTIFICATES_MAX);
        let all: Vec<&[u8]> = certificates.iter().map(|c| c.der()).collect();
        let again = certs_only::decode(&certs_only::encode(&all)).expect("written, and read");
        assert_eq!(again.len(), certificates.len());
    }
    if let Ok(signed) = SignedData::from_ber(input) {
        for signer in signed.signers() {
            for certificate in signed.certificates() {
                let _ = signer.id().names(certificate);
                let _ = signed.verify(signer, certificate.public_key());
            }
        }
    }
    let _ = SignedData::from_bare_ber(input);
    if let Ok(message) = EnvelopedData::from_ber(input) {
        let key = Secret::new(vec![7; 32]);
        for recipient in message.recipients() {
            let _ = message.open(cms::unwrap_shared(recipient, &key));
        }
        let _ = message.open(Ok(key.clone()));
    }
    let _ = cms::key_package::decode(&Secret::new(input.to_vec()));
});
