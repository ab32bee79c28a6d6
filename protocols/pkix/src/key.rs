//! Public keys.

use std::fmt;
use std::hash::{Hash, Hasher};
use std::ops::Range;
use std::str::FromStr;
use std::sync::Arc;

use aws_lc_rs::signature as lc;
use borsh::{BorshDeserialize, BorshSerialize};

use crate::der::{self, Reader, Tlv, tag};
use crate::digest::sha256;
use crate::error::{DecodeError, Flaw, invalid_record};
use crate::oid::Oid;
use crate::signature::{BadSignature, SignatureAlgorithm};
use crate::text::serde_as_text;

/// Largest RSA modulus in bits; verification cost grows with its cube.
pub const RSA_BITS_MAX: u32 = 8192;
const RSA_EXPONENT_OCTETS_MAX: usize = 8;
/// Largest SubjectPublicKeyInfo: room for post-quantum keys that are only carried.
const SPKI_BYTES_MAX: usize = 8 * 1024;
const ED25519_KEY_LENGTH: usize = 32;
const UNCOMPRESSED_POINT: u8 = 4;

/// What kind of key it is, as far as it can be used here.
#[derive(Copy, Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, BorshSerialize, BorshDeserialize)]
pub enum KeyAlgorithm {
    /// RSA with a modulus of so many bits.
    Rsa {
        /// Length of the modulus.
        bits: u32,
    },
    /// Elliptic curve P-256.
    EcP256,
    /// Elliptic curve P-384.
    EcP384,
    /// Elliptic curve P-521.
    EcP521,
    /// Ed25519.
    Ed25519,
    /// Any other key: it can be named and refused, not used.
    Unsupported,
}

impl KeyAlgorithm {
    /// The identifier and octets per coordinate of the curve.
    fn curve(self) -> Option<(Oid, usize)> {
        match self {
            Self::EcP256 => Some((Oid::CURVE_P256, 32)),
            Self::EcP384 => Some((Oid::CURVE_P384, 48)),
            Self::EcP521 => Some((Oid::CURVE_P521, 66)),
            Self::Rsa { .. } | Self::Ed25519 | Self::Unsupported => None,
        }
    }
}

impl KeyAlgorithm {
    /// The identifier of its curve (RFC 5480 section 2.1.1.1), if it is one of the supported elliptic curves.
    pub fn curve_oid(self) -> Option<Oid> {
        self.curve().map(|(oid, _)| oid)
    }
}

impl fmt::Display for KeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa { bits } => write!(f, "RSA-{bits}"),
            Self::EcP256 => f.write_str("P-256"),
            Self::EcP384 => f.write_str("P-384"),
            Self::EcP521 => f.write_str("P-521"),
            Self::Ed25519 => f.write_str("Ed25519"),
            Self::Unsupported => f.write_str("unsupported"),
        }
    }
}

impl FromStr for KeyAlgorithm {
    type Err = DecodeError;

    /// Reads the written form of a usable algorithm, such as `RSA-2048` or `P-256`.
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let usable = [Self::EcP256, Self::EcP384, Self::EcP521, Self::Ed25519];
        let rsa = text
            .strip_prefix("RSA-")
            .and_then(|bits| bits.parse().ok())
            .map(|bits| Self::Rsa { bits });
        rsa.into_iter()
            .chain(usable)
            .find(|algorithm| algorithm.to_string() == text)
            .ok_or_else(|| Flaw::Invalid("key algorithm").at(0))
    }
}

serde_as_text!(KeyAlgorithm);

/// A public key: its SubjectPublicKeyInfo as received, and what it is.
///
/// Equal when the encodings are equal. Cheap to clone.
#[derive(Clone)]
pub struct PublicKey(Arc<Parsed>);

struct Parsed {
    der: Vec<u8>,
    algorithm: KeyAlgorithm,
    /// The key octets inside the BIT STRING.
    bits: Range<usize>,
    /// Modulus and exponent of an RSA key, without leading zeros.
    rsa: Option<(Range<usize>, Range<usize>)>,
}

impl PublicKey {
    /// Reads a SubjectPublicKeyInfo without trailing bytes.
    ///
    /// Keys of an unknown algorithm, curve or point form parse and are [`KeyAlgorithm::Unsupported`]. Refused are
    /// RSA moduli above 8192 bits, and points that are not on their curve ([`Flaw::PointNotOnCurve`]).
    pub fn from_der(input: &[u8]) -> Result<Self, DecodeError> {
        if input.len() > SPKI_BYTES_MAX {
            return Err(Flaw::TooLarge("public key").at(0));
        }
        let mut outer = Reader::new(input);
        let mut fields = outer.sequence("public key")?;
        outer.finish("public key")?;
        let algorithm_element = fields.expect(tag::SEQUENCE, "key algorithm")?;
        let bits_element = fields.expect(tag::BIT_STRING, "key bits")?;
        fields.finish("public key")?;
        let Some((0, key)) = bits_element.content.split_first() else {
            return Err(bits_element.refuse(Flaw::Invalid("key bits")));
        };
        let start = bits_element.content_offset() + 1;
        let bits = start..start + key.len();
        let kind = read_algorithm(&algorithm_element)?;
        let (algorithm, rsa) = classify(kind, key).map_err(|error| error.shifted(start))?;
        let rsa = rsa.map(|(modulus, exponent)| (shift(modulus, start), shift(exponent, start)));
        Ok(Self(Arc::new(Parsed {
            der: input.to_vec(),
            algorithm,
            bits,
            rsa,
        })))
    }

    /// From an uncompressed point of a supported curve (`04 || X || Y`).
    pub fn from_ec_point(curve: KeyAlgorithm, point: &[u8]) -> Result<Self, DecodeError> {
        let (curve_oid, _) = curve.curve().ok_or_else(|| Flaw::Invalid("curve").at(0))?;
        let key = Self::from_parts(&[Oid::EC_PUBLIC_KEY.to_der(), curve_oid.to_der()], point)?;
        if key.algorithm() == curve {
            Ok(key)
        } else {
            Err(Flaw::Invalid("curve point").at(0))
        }
    }

    /// From modulus and public exponent, big-endian.
    pub fn from_rsa(modulus: &[u8], exponent: &[u8]) -> Result<Self, DecodeError> {
        let components = [der::unsigned_integer(modulus), der::unsigned_integer(exponent)];
        Self::from_parts(
            &[Oid::RSA_ENCRYPTION.to_der(), der::null()],
            &der::sequence(&components),
        )
    }

    /// From the 32 octets of an Ed25519 key.
    pub fn from_ed25519(key: &[u8]) -> Result<Self, DecodeError> {
        Self::from_parts(&[Oid::ED25519.to_der()], key)
    }

    fn from_parts(algorithm: &[Vec<u8>], key: &[u8]) -> Result<Self, DecodeError> {
        Self::from_der(&der::sequence(&[der::sequence(algorithm), der::bit_string(key)]))
    }

    /// The SubjectPublicKeyInfo as received.
    pub fn der(&self) -> &[u8] {
        &self.0.der
    }

    /// What kind of key it is.
    pub fn algorithm(&self) -> KeyAlgorithm {
        self.0.algorithm
    }

    /// SHA-256 of the SubjectPublicKeyInfo.
    pub fn fingerprint(&self) -> [u8; 32] {
        sha256(self.der())
    }

    /// The leftmost 160 bits of SHA-256 of the key octets (RFC 7093 section 2, method 1).
    pub fn key_identifier(&self) -> [u8; 20] {
        let mut out = [0; 20];
        for (slot, byte) in out.iter_mut().zip(sha256(self.key_octets())) {
            *slot = byte;
        }
        out
    }

    /// The octets of the subjectPublicKey BIT STRING: a point, an RSAPublicKey, or 32 octets of Ed25519.
    pub fn key_octets(&self) -> &[u8] {
        self.slice(&self.0.bits)
    }

    /// Modulus and public exponent of an RSA key, big-endian without leading zeros.
    pub fn rsa_components(&self) -> Option<(&[u8], &[u8])> {
        let (modulus, exponent) = self.0.rsa.as_ref()?;
        Some((self.slice(modulus), self.slice(exponent)))
    }

    /// The coordinates of an elliptic-curve key, each of the full length of the field.
    pub fn ec_coordinates(&self) -> Option<(&[u8], &[u8])> {
        let (_, length) = self.algorithm().curve()?;
        self.key_octets().get(1..)?.split_at_checked(length)
    }

    /// Checks a signature over the message; ECDSA signatures are DER.
    pub fn verify(
        &self,
        algorithm: SignatureAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let verification = verification_algorithm(self.algorithm(), algorithm).ok_or(BadSignature)?;
        self.verify_with(verification, message, signature)
    }

    /// Checks an ECDSA signature in the fixed form `r || s`, with the hash that belongs to the curve
    /// (RFC 7518 section 3.4).
    pub fn verify_fixed(&self, message: &[u8], signature: &[u8]) -> Result<(), BadSignature> {
        let verification: &'static dyn lc::VerificationAlgorithm = match self.algorithm() {
            KeyAlgorithm::EcP256 => &lc::ECDSA_P256_SHA256_FIXED,
            KeyAlgorithm::EcP384 => &lc::ECDSA_P384_SHA384_FIXED,
            KeyAlgorithm::EcP521 => &lc::ECDSA_P521_SHA512_FIXED,
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::Ed25519 | KeyAlgorithm::Unsupported => {
                return Err(BadSignature);
            }
        };
        self.verify_with(verification, message, signature)
    }

    fn verify_with(
        &self,
        algorithm: &'static dyn lc::VerificationAlgorithm,
        message: &[u8],
        signature: &[u8],
    ) -> Result<(), BadSignature> {
        let key = lc::UnparsedPublicKey::new(algorithm, self.key_octets());
        key.verify(message, signature).map_err(|_| BadSignature)
    }

    fn slice(&self, range: &Range<usize>) -> &[u8] {
        self.0.der.get(range.clone()).unwrap_or_default()
    }
}

impl PartialEq for PublicKey {
    fn eq(&self, other: &Self) -> bool {
        self.der() == other.der()
    }
}

impl Eq for PublicKey {}

impl Hash for PublicKey {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.der().hash(state);
    }
}

impl fmt::Debug for PublicKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "PublicKey({} {})",
            self.algorithm(),
            hex::encode(self.fingerprint())
        )
    }
}

impl BorshSerialize for PublicKey {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        BorshSerialize::serialize(self.der(), writer)
    }
}

impl BorshDeserialize for PublicKey {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::from_der(&Vec::<u8>::deserialize_reader(reader)?).map_err(invalid_record)
    }
}

/// What the AlgorithmIdentifier announces.
enum Kind {
    Rsa,
    Curve(KeyAlgorithm),
    Ed25519,
    Unknown,
}

fn read_algorithm(element: &Tlv<'_>) -> Result<Kind, DecodeError> {
    let mut fields = element.reader();
    let oid = fields.oid("key algorithm identifier")?;
    let parameters = if fields.is_empty() {
        None
    } else {
        Some(fields.any()?)
    };
    fields.finish("key algorithm")?;
    let no_parameters = parameters.is_none_or(|p| p.tag == tag::NULL && p.content.is_empty());
    if oid == Oid::RSA_ENCRYPTION && no_parameters {
        return Ok(Kind::Rsa);
    }
    if oid == Oid::ED25519 && parameters.is_none() {
        return Ok(Kind::Ed25519);
    }
    let Some(curve) = parameters.filter(|p| p.tag == tag::OID && oid == Oid::EC_PUBLIC_KEY) else {
        return Ok(Kind::Unknown);
    };
    let curves = [KeyAlgorithm::EcP256, KeyAlgorithm::EcP384, KeyAlgorithm::EcP521];
    let named = curves.into_iter().find(|known| {
        known
            .curve()
            .is_some_and(|(curve_oid, _)| curve_oid.der_content() == curve.content)
    });
    Ok(named.map_or(Kind::Unknown, Kind::Curve))
}

type RsaRanges = Option<(Range<usize>, Range<usize>)>;

fn classify(kind: Kind, key: &[u8]) -> Result<(KeyAlgorithm, RsaRanges), DecodeError> {
    match kind {
        Kind::Unknown => Ok((KeyAlgorithm::Unsupported, None)),
        Kind::Ed25519 if key.len() == ED25519_KEY_LENGTH => Ok((KeyAlgorithm::Ed25519, None)),
        Kind::Ed25519 => Err(Flaw::Invalid("Ed25519 key").at(0)),
        Kind::Curve(curve) => Ok((check_point(curve, key)?, None)),
        Kind::Rsa => read_rsa(key),
    }
}

/// Uncompressed points must be on the curve; compressed ones are left unsupported.
fn check_point(curve: KeyAlgorithm, point: &[u8]) -> Result<KeyAlgorithm, DecodeError> {
    let invalid = Flaw::Invalid("curve point").at(0);
    let Some((_, coordinate_length)) = curve.curve() else {
        return Err(invalid);
    };
    match (point.first(), point.len()) {
        (Some(&UNCOMPRESSED_POINT), length) if length == 1 + 2 * coordinate_length => {}
        (Some(2 | 3), length) if length == 1 + coordinate_length => return Ok(KeyAlgorithm::Unsupported),
        _ => return Err(invalid),
    }
    let algorithm = verification_algorithm(curve, SignatureAlgorithm::EcdsaSha256).ok_or(invalid)?;
    match lc::ParsedPublicKey::new(algorithm, point) {
        Ok(_) => Ok(curve),
        Err(_) => Err(Flaw::PointNotOnCurve.at(0)),
    }
}

fn read_rsa(key: &[u8]) -> Result<(KeyAlgorithm, RsaRanges), DecodeError> {
    let mut outer = Reader::new(key);
    let mut fields = outer.sequence("RSA key")?;
    outer.finish("RSA key")?;
    let modulus = positive_integer(&fields.expect(tag::INTEGER, "RSA modulus")?)?;
    let exponent = positive_integer(&fields.expect(tag::INTEGER, "RSA exponent")?)?;
    fields.finish("RSA key")?;
    let first = key.get(modulus.start).copied().unwrap_or_default();
    let bits = u32::try_from(modulus.len() * 8)
        .unwrap_or(u32::MAX)
        .saturating_sub(first.leading_zeros());
    if bits > RSA_BITS_MAX {
        return Err(Flaw::TooLarge("RSA modulus").at(modulus.start));
    }
    if exponent.len() > RSA_EXPONENT_OCTETS_MAX {
        return Err(Flaw::TooLarge("RSA exponent").at(exponent.start));
    }
    Ok((KeyAlgorithm::Rsa { bits }, Some((modulus, exponent))))
}

/// Where the octets of a positive, minimally encoded INTEGER lie, without the leading zero.
fn positive_integer(element: &Tlv<'_>) -> Result<Range<usize>, DecodeError> {
    let start = element.content_offset();
    let end = start + element.content.len();
    match element.content {
        [0, next, ..] if next & 0x80 != 0 => Ok(start + 1..end),
        [first, ..] if *first != 0 && first & 0x80 == 0 => Ok(start..end),
        _ => Err(element.refuse(Flaw::Invalid("positive integer"))),
    }
}

fn shift(range: Range<usize>, by: usize) -> Range<usize> {
    range.start + by..range.end + by
}

/// RSA keys below 2048 bits can be verified with, so that a request is refused for its key and not for its signature.
fn verification_algorithm(
    key: KeyAlgorithm,
    signature: SignatureAlgorithm,
) -> Option<&'static dyn lc::VerificationAlgorithm> {
    use KeyAlgorithm as Key;
    use SignatureAlgorithm as Sig;
    Some(match (key, signature) {
        (Key::Rsa { bits: ..2048 }, Sig::RsaPkcs1Sha256) => {
            &lc::RSA_PKCS1_1024_8192_SHA256_FOR_LEGACY_USE_ONLY
        }
        (Key::Rsa { bits: ..2048 }, Sig::RsaPkcs1Sha512) => {
            &lc::RSA_PKCS1_1024_8192_SHA512_FOR_LEGACY_USE_ONLY
        }
        (Key::Rsa { .. }, Sig::RsaPkcs1Sha256) => &lc::RSA_PKCS1_2048_8192_SHA256,
        (Key::Rsa { .. }, Sig::RsaPkcs1Sha384) => &lc::RSA_PKCS1_2048_8192_SHA384,
        (Key::Rsa { .. }, Sig::RsaPkcs1Sha512) => &lc::RSA_PKCS1_2048_8192_SHA512,
        (Key::EcP256, Sig::EcdsaSha256) => &lc::ECDSA_P256_SHA256_ASN1,
        (Key::EcP256, Sig::EcdsaSha384) => &lc::ECDSA_P256_SHA384_ASN1,
        (Key::EcP256, Sig::EcdsaSha512) => &lc::ECDSA_P256_SHA512_ASN1,
        (Key::EcP384, Sig::EcdsaSha256) => &lc::ECDSA_P384_SHA256_ASN1,
        (Key::EcP384, Sig::EcdsaSha384) => &lc::ECDSA_P384_SHA384_ASN1,
        (Key::EcP384, Sig::EcdsaSha512) => &lc::ECDSA_P384_SHA512_ASN1,
        (Key::EcP521, Sig::EcdsaSha256) => &lc::ECDSA_P521_SHA256_ASN1,
        (Key::EcP521, Sig::EcdsaSha384) => &lc::ECDSA_P521_SHA384_ASN1,
        (Key::EcP521, Sig::EcdsaSha512) => &lc::ECDSA_P521_SHA512_ASN1,
        (Key::Ed25519, Sig::Ed25519) => &lc::ED25519,
        _ => return None,
    })
}
