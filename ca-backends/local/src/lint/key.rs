//! The certified key.

use portreeve_pkix::KeyAlgorithm;

use super::{Rule, Subject, unless};

const RSA_BITS_MIN: u32 = 2048;
/// Big-endian.
const RSA_EXPONENT_MIN: [u8; 3] = [1, 0, 1];

pub(super) const RULES: &[Rule] = &[
    Rule {
        name: "key_as_ordered",
        clause: "the key of the request",
        check: as_ordered,
    },
    Rule {
        name: "key_supported",
        clause: "RFC 3279, RFC 5480, RFC 8410",
        check: supported,
    },
    Rule {
        name: "key_rsa_size",
        clause: "CA/B BR 6.1.5",
        check: rsa_size,
    },
    Rule {
        name: "key_rsa_exponent",
        clause: "CA/B BR 6.1.6",
        check: rsa_exponent,
    },
    Rule {
        name: "key_is_not_issuers",
        clause: "a CA key certifies CAs only",
        check: is_not_issuers,
    },
];

fn as_ordered(subject: &Subject<'_>) -> Result<(), String> {
    let same = subject.certificate.public_key() == &subject.specimen.contents.public_key;
    unless(same, || "public key is not the one ordered".to_owned())
}

fn supported(subject: &Subject<'_>) -> Result<(), String> {
    let supported = subject.certificate.public_key().algorithm() != KeyAlgorithm::Unsupported;
    unless(supported, || "key of an unknown kind".to_owned())
}

fn rsa_size(subject: &Subject<'_>) -> Result<(), String> {
    match subject.certificate.public_key().algorithm() {
        KeyAlgorithm::Rsa { bits } => unless(bits >= RSA_BITS_MIN && bits.is_multiple_of(8), || {
            format!("RSA key of {bits} bits")
        }),
        _ => Ok(()),
    }
}

fn rsa_exponent(subject: &Subject<'_>) -> Result<(), String> {
    let Some((_, exponent)) = subject.certificate.public_key().rsa_components() else {
        return Ok(());
    };
    let large = exponent.len() > RSA_EXPONENT_MIN.len()
        || (exponent.len() == RSA_EXPONENT_MIN.len() && exponent >= RSA_EXPONENT_MIN.as_slice());
    let odd = exponent.last().is_some_and(|last| last & 1 == 1);
    unless(large && odd, || {
        "RSA exponent is even or less than 65537".to_owned()
    })
}

fn is_not_issuers(subject: &Subject<'_>) -> Result<(), String> {
    let same = subject.certificate.public_key() == subject.specimen.issuer.certificate.public_key();
    unless(!same, || "public key is that of the CA".to_owned())
}
