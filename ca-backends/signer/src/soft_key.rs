//! Soft keys: made and used in the child, sealed everywhere else.

use std::fmt;
use std::str::FromStr;

use aws_lc_rs::encoding::{AsDer, Pkcs8V1Der, PublicKeyX509Der};
use aws_lc_rs::error::{KeyRejected, Unspecified};
use aws_lc_rs::rand::SystemRandom;
use aws_lc_rs::rsa::KeySize;
use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1_SIGNING, ECDSA_P384_SHA384_ASN1_SIGNING, EcdsaKeyPair, EcdsaSigningAlgorithm,
    Ed25519KeyPair, KeyPair, RSA_PKCS1_SHA256, RsaKeyPair,
};
use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{DecodeError, KeyAlgorithm, PublicKey, Secret, SignatureAlgorithm};
use portreeve_ra::Purpose;
use portreeve_ra::ports::{KeyError, Sealer};

/// First octet of a sealed key.
const VERSION: u8 = 1;
const SEALED_LENGTH_MAX: usize = 16 * 1024;
/// What sealed keys are bound to besides their public key and algorithm.
const ASSOCIATED: &[u8] = b"portreeve soft key 1";
/// What a key signs when it is opened, to show that it can.
const SELF_TEST: &[u8] = b"portreeve self-test";

/// The kinds of keys a CA can have.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, BorshSerialize, BorshDeserialize)]
#[borsh(use_discriminant = true)]
#[repr(u8)]
pub enum SoftKeyAlgorithm {
    /// Elliptic curve P-256; signs with SHA-256.
    EcP256 = 1,
    /// Elliptic curve P-384; signs with SHA-384.
    EcP384 = 2,
    /// RSA of 2048 bits; signs with PKCS #1 v1.5 and SHA-256.
    Rsa2048 = 3,
    /// RSA of 3072 bits; signs with PKCS #1 v1.5 and SHA-256.
    Rsa3072 = 4,
    /// RSA of 4096 bits; signs with PKCS #1 v1.5 and SHA-256. Making one takes seconds.
    Rsa4096 = 5,
    /// Ed25519.
    Ed25519 = 6,
}

impl SoftKeyAlgorithm {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::EcP256,
        Self::EcP384,
        Self::Rsa2048,
        Self::Rsa3072,
        Self::Rsa4096,
        Self::Ed25519,
    ];

    /// The algorithm of its signatures.
    pub const fn signature_algorithm(self) -> SignatureAlgorithm {
        match self {
            Self::EcP256 => SignatureAlgorithm::EcdsaSha256,
            Self::EcP384 => SignatureAlgorithm::EcdsaSha384,
            Self::Rsa2048 | Self::Rsa3072 | Self::Rsa4096 => SignatureAlgorithm::RsaPkcs1Sha256,
            Self::Ed25519 => SignatureAlgorithm::Ed25519,
        }
    }

    /// What its public key says it is.
    pub const fn key_algorithm(self) -> KeyAlgorithm {
        match self {
            Self::EcP256 => KeyAlgorithm::EcP256,
            Self::EcP384 => KeyAlgorithm::EcP384,
            Self::Rsa2048 => KeyAlgorithm::Rsa { bits: 2048 },
            Self::Rsa3072 => KeyAlgorithm::Rsa { bits: 3072 },
            Self::Rsa4096 => KeyAlgorithm::Rsa { bits: 4096 },
            Self::Ed25519 => KeyAlgorithm::Ed25519,
        }
    }
}

impl fmt::Display for SoftKeyAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.key_algorithm().fmt(f)
    }
}

impl FromStr for SoftKeyAlgorithm {
    type Err = DecodeError;

    /// Reads `P-256`, `P-384`, `RSA-2048`, `RSA-3072`, `RSA-4096` or `Ed25519`.
    fn from_str(text: &str) -> Result<Self, DecodeError> {
        let unknown = DecodeError::new(portreeve_pkix::Flaw::Invalid("CA key algorithm"), 0);
        Self::ALL
            .into_iter()
            .find(|algorithm| algorithm.to_string() == text)
            .ok_or(unknown)
    }
}

/// The bytes are not a sealed key.
#[derive(Copy, Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("not a sealed CA key of version {VERSION}")]
pub struct BadSealedKey;

/// A key as it is stored: only the signer child can open it, its public half is readable.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SealedKey {
    form: SealedForm,
    public_key: PublicKey,
}

#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
struct SealedForm {
    version: u8,
    algorithm: SoftKeyAlgorithm,
    /// SubjectPublicKeyInfo.
    public_key: Vec<u8>,
    /// PKCS #8, sealed for purpose `ca`.
    sealed: Vec<u8>,
}

impl SealedKey {
    /// Reads the stored form.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadSealedKey> {
        if bytes.len() > SEALED_LENGTH_MAX {
            return Err(BadSealedKey);
        }
        let form: SealedForm = borsh::from_slice(bytes).map_err(|_| BadSealedKey)?;
        let public_key = PublicKey::from_der(&form.public_key).map_err(|_| BadSealedKey)?;
        if form.version != VERSION || public_key.algorithm() != form.algorithm.key_algorithm() {
            return Err(BadSealedKey);
        }
        Ok(Self { form, public_key })
    }

    /// The stored form.
    pub fn to_bytes(&self) -> Vec<u8> {
        borsh::to_vec(&self.form).unwrap_or_default()
    }

    /// What kind of key it is.
    pub const fn algorithm(&self) -> SoftKeyAlgorithm {
        self.form.algorithm
    }

    /// Its public half.
    pub const fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    fn associated(algorithm: SoftKeyAlgorithm, public_key: &[u8]) -> Vec<u8> {
        [ASSOCIATED, &[algorithm as u8], public_key].concat()
    }
}

/// A key was not made or not opened.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SoftKeyError {
    #[error(transparent)]
    Form(#[from] BadSealedKey),
    #[error("key does not open with the keyset of this installation")]
    Sealed(#[from] KeyError),
    #[error("opened key does not belong to its public key")]
    Mismatch,
    #[error("cryptographic library refuses the key")]
    Library,
}

impl From<Unspecified> for SoftKeyError {
    fn from(_: Unspecified) -> Self {
        Self::Library
    }
}

impl From<KeyRejected> for SoftKeyError {
    fn from(_: KeyRejected) -> Self {
        Self::Library
    }
}

impl From<DecodeError> for SoftKeyError {
    fn from(_: DecodeError) -> Self {
        Self::Library
    }
}

/// An open key; it exists in the signer child only.
pub(crate) struct SoftKey {
    algorithm: SoftKeyAlgorithm,
    public_key: PublicKey,
    pair: Pair,
}

enum Pair {
    Ecdsa(EcdsaKeyPair),
    Rsa(RsaKeyPair),
    Ed25519(Ed25519KeyPair),
}

impl SoftKey {
    /// Makes a key and seals it.
    pub(crate) fn generate(
        algorithm: SoftKeyAlgorithm,
        sealer: &dyn Sealer,
    ) -> Result<SealedKey, SoftKeyError> {
        let (private, public_key) = match algorithm {
            SoftKeyAlgorithm::EcP256 => generate_ecdsa(&ECDSA_P256_SHA256_ASN1_SIGNING, algorithm)?,
            SoftKeyAlgorithm::EcP384 => generate_ecdsa(&ECDSA_P384_SHA384_ASN1_SIGNING, algorithm)?,
            SoftKeyAlgorithm::Rsa2048 => generate_rsa(KeySize::Rsa2048)?,
            SoftKeyAlgorithm::Rsa3072 => generate_rsa(KeySize::Rsa3072)?,
            SoftKeyAlgorithm::Rsa4096 => generate_rsa(KeySize::Rsa4096)?,
            SoftKeyAlgorithm::Ed25519 => {
                let pair = Ed25519KeyPair::generate()?;
                let public_key = PublicKey::from_ed25519(pair.public_key().as_ref())?;
                (Secret::new(pair.to_pkcs8v1()?.as_ref().to_vec()), public_key)
            }
        };
        let associated = SealedKey::associated(algorithm, public_key.der());
        let sealed = sealer.seal(Purpose::Ca, &associated, private.expose())?;
        let form = SealedForm {
            version: VERSION,
            algorithm,
            public_key: public_key.der().to_vec(),
            sealed,
        };
        Ok(SealedKey { form, public_key })
    }

    /// Opens a sealed key and lets it sign and verify once.
    pub(crate) fn open(sealed: &SealedKey, sealer: &dyn Sealer) -> Result<Self, SoftKeyError> {
        let algorithm = sealed.algorithm();
        let associated = SealedKey::associated(algorithm, sealed.public_key.der());
        let private = sealer.open(Purpose::Ca, &associated, &sealed.form.sealed)?;
        let pair = Pair::read(algorithm, private.expose())?;
        let key = Self {
            algorithm,
            public_key: sealed.public_key.clone(),
            pair,
        };
        let signature = key.sign(SELF_TEST)?;
        let verified = key
            .public_key
            .verify(key.signature_algorithm(), SELF_TEST, &signature);
        verified.map_err(|_| SoftKeyError::Mismatch)?;
        Ok(key)
    }

    pub(crate) fn public_key(&self) -> &PublicKey {
        &self.public_key
    }

    pub(crate) const fn signature_algorithm(&self) -> SignatureAlgorithm {
        self.algorithm.signature_algorithm()
    }

    /// Whether a signature takes some millionths of a second.
    pub(crate) const fn is_quick(&self) -> bool {
        matches!(
            self.algorithm,
            SoftKeyAlgorithm::EcP256 | SoftKeyAlgorithm::Ed25519
        )
    }

    /// Signs the message; ECDSA signatures are DER.
    pub(crate) fn sign(&self, message: &[u8]) -> Result<Vec<u8>, Unspecified> {
        match &self.pair {
            Pair::Ecdsa(pair) => Ok(pair.sign(&SystemRandom::new(), message)?.as_ref().to_vec()),
            Pair::Ed25519(pair) => Ok(pair.try_sign(message)?.as_ref().to_vec()),
            Pair::Rsa(pair) => {
                let mut signature = vec![0; pair.public_modulus_len()];
                pair.sign(&RSA_PKCS1_SHA256, &SystemRandom::new(), message, &mut signature)?;
                Ok(signature)
            }
        }
    }
}

impl Pair {
    fn read(algorithm: SoftKeyAlgorithm, private: &[u8]) -> Result<Self, KeyRejected> {
        match algorithm {
            SoftKeyAlgorithm::EcP256 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P256_SHA256_ASN1_SIGNING, private).map(Self::Ecdsa)
            }
            SoftKeyAlgorithm::EcP384 => {
                EcdsaKeyPair::from_pkcs8(&ECDSA_P384_SHA384_ASN1_SIGNING, private).map(Self::Ecdsa)
            }
            SoftKeyAlgorithm::Rsa2048 | SoftKeyAlgorithm::Rsa3072 | SoftKeyAlgorithm::Rsa4096 => {
                RsaKeyPair::from_pkcs8(private).map(Self::Rsa)
            }
            SoftKeyAlgorithm::Ed25519 => Ed25519KeyPair::from_pkcs8(private).map(Self::Ed25519),
        }
    }
}

fn generate_ecdsa(
    curve: &'static EcdsaSigningAlgorithm,
    algorithm: SoftKeyAlgorithm,
) -> Result<(Secret, PublicKey), SoftKeyError> {
    let pair = EcdsaKeyPair::generate(curve)?;
    let public_key = PublicKey::from_ec_point(algorithm.key_algorithm(), pair.public_key().as_ref())?;
    Ok((Secret::new(pair.to_pkcs8v1()?.as_ref().to_vec()), public_key))
}

fn generate_rsa(size: KeySize) -> Result<(Secret, PublicKey), SoftKeyError> {
    let pair = RsaKeyPair::generate(size)?;
    let private: Pkcs8V1Der<'_> = pair.as_der()?;
    let public: PublicKeyX509Der<'_> = pair.public_key().as_der()?;
    Ok((
        Secret::new(private.as_ref().to_vec()),
        PublicKey::from_der(public.as_ref())?,
    ))
}

#[cfg(test)]
mod tests {
    use super::*;
    use portreeve_keyset::{Kek, KekSet, Keyset, WrappedKeyset};
    use portreeve_ra::ports::Random;

    struct System;

    impl Random for System {
        fn fill(&self, octets: &mut [u8]) {
            aws_lc_rs::rand::fill(octets).expect("random");
        }
    }

    fn keyset() -> Keyset {
        let keks = KekSet::shared(Kek::new(&[1; 32]).expect("kek"));
        let wrapped = WrappedKeyset::generate(&keks, &System).expect("keyset");
        wrapped.open(&keks, &[Purpose::Ca]).expect("opens")
    }

    #[test]
    fn keys_survive_sealing() {
        let keyset = keyset();
        for algorithm in SoftKeyAlgorithm::ALL {
            if algorithm == SoftKeyAlgorithm::Rsa4096 {
                continue; // seconds of search for primes; its code is that of the other sizes
            }
            let sealed = SoftKey::generate(algorithm, &keyset).expect("generated");
            let stored = SealedKey::parse(&sealed.to_bytes()).expect("parses");
            assert_eq!(stored, sealed, "{algorithm}");
            assert_eq!(
                stored.public_key().algorithm(),
                algorithm.key_algorithm(),
                "{algorithm}"
            );
            let key = SoftKey::open(&stored, &keyset).expect("opens");
            let signature = key.sign(b"message").expect("signed");
            let verified =
                stored
                    .public_key()
                    .verify(algorithm.signature_algorithm(), b"message", &signature);
            assert!(verified.is_ok(), "{algorithm}");
            assert_eq!(algorithm.to_string().parse(), Ok(algorithm));
        }
        assert!("RSA-1024".parse::<SoftKeyAlgorithm>().is_err());
    }

    #[test]
    fn what_does_not_belong_together_does_not_open() {
        let keyset = keyset();
        let one = SoftKey::generate(SoftKeyAlgorithm::EcP256, &keyset).expect("generated");
        let two = SoftKey::generate(SoftKeyAlgorithm::EcP256, &keyset).expect("generated");
        let mut swapped = one.clone();
        swapped.form.sealed = two.form.sealed.clone();
        assert!(matches!(
            SoftKey::open(&swapped, &keyset).err(),
            Some(SoftKeyError::Sealed(_))
        ));
        let foreign = super::tests::keyset();
        assert!(matches!(
            SoftKey::open(&one, &foreign).err(),
            Some(SoftKeyError::Sealed(_))
        ));
    }

    #[test]
    fn other_bytes_are_no_sealed_key() {
        let bytes = SoftKey::generate(SoftKeyAlgorithm::Ed25519, &keyset())
            .expect("generated")
            .to_bytes();
        let mut version = bytes.clone();
        version[0] = 2;
        let mut algorithm = bytes.clone();
        algorithm[1] = 1;
        let rows = [
            ("empty", Vec::new()),
            ("truncated", bytes[..bytes.len() - 1].to_vec()),
            ("trailing", [bytes.clone(), vec![0]].concat()),
            ("other version", version),
            ("algorithm that its key is not", algorithm),
            ("too large", vec![1; SEALED_LENGTH_MAX + 1]),
        ];
        for (name, bytes) in rows {
            assert_eq!(SealedKey::parse(&bytes), Err(BadSealedKey), "{name}");
        }
    }
}
