//! Reading and verifying a JWS.

use portreeve_pkix::{PublicKey, Secret, SignatureAlgorithm};
use serde_json::{Map, Value};

use super::algorithm::Algorithm;
use super::base64url;
use super::error::JoseError;
use super::jwk::Jwk;
use super::strict_json;

/// Largest accepted body: a request of 64 KiB in base64url, and its envelope.
pub const BODY_BYTES_MAX: usize = 128 * 1024;

/// Most values of the envelope, which has three members and its own.
const ENVELOPE_VALUES_MAX: usize = 16;
/// Most values of the protected header, the key in it included.
const HEADER_VALUES_MAX: usize = 64;

/// A JWS in the flattened JSON form, read and not verified.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jws {
    header: ProtectedHeader,
    payload: Vec<u8>,
    /// The protected header and payload as received, with a dot between them.
    signing_input: Vec<u8>,
    signature: Vec<u8>,
}

/// The members of the protected header that ACME uses (RFC 8555 section 6.2); others are ignored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ProtectedHeader {
    /// How it is signed.
    pub alg: Algorithm,
    /// The URL the request is for.
    pub url: Option<String>,
    /// The anti-replay nonce.
    pub nonce: Option<String>,
    /// The account URL or key identifier. Never together with `jwk`.
    pub kid: Option<String>,
    /// The key that signed.
    pub jwk: Option<Jwk>,
}

impl Jws {
    /// Reads the body of a request.
    ///
    /// Refused are the general and compact forms, unprotected headers, `crit` and `b64`, `jwk` together with `kid`,
    /// MACs, and everything that has no single reading.
    pub fn parse(body: &[u8]) -> Result<Self, JoseError> {
        let jws = Self::parse_any(body)?;
        match jws.header.alg.mac() {
            Some(_) => Err(unsupported(jws.header.alg)),
            None => Ok(jws),
        }
    }

    /// Reads an external account binding, which is authenticated by a MAC (RFC 8555 section 7.3.4).
    pub fn parse_mac(body: &[u8]) -> Result<Self, JoseError> {
        let jws = Self::parse_any(body)?;
        match jws.header.alg.mac() {
            Some(_) => Ok(jws),
            None => Err(unsupported(jws.header.alg)),
        }
    }

    /// The protected header.
    pub fn header(&self) -> &ProtectedHeader {
        &self.header
    }

    /// The payload; empty in a POST-as-GET.
    pub fn payload(&self) -> &[u8] {
        &self.payload
    }

    /// What was signed: the protected header and payload as received, with a dot between them.
    pub fn signing_input(&self) -> &[u8] {
        &self.signing_input
    }

    /// The signature or MAC.
    pub fn signature(&self) -> &[u8] {
        &self.signature
    }

    /// Checks the signature with the key, over the bytes received.
    pub fn verify(&self, key: &PublicKey) -> Result<(), JoseError> {
        let algorithm = self.header.alg;
        if algorithm.mac().is_some() {
            return Err(unsupported(algorithm));
        }
        if !algorithm.fits(key.algorithm()) {
            return Err(JoseError::AlgorithmMismatch);
        }
        let (message, signature) = (&self.signing_input, &self.signature);
        let verified = match algorithm {
            Algorithm::EdDsa => key.verify(SignatureAlgorithm::Ed25519, message, signature),
            Algorithm::Rs256 => key.verify(SignatureAlgorithm::RsaPkcs1Sha256, message, signature),
            Algorithm::Es256 | Algorithm::Es384 | Algorithm::Es512 => key.verify_fixed(message, signature),
            Algorithm::Hs256 | Algorithm::Hs384 | Algorithm::Hs512 => return Err(unsupported(algorithm)),
        };
        verified.map_err(|_| JoseError::BadSignature)
    }

    /// Checks the MAC with the shared secret, in constant time.
    pub fn verify_mac(&self, secret: &Secret) -> Result<(), JoseError> {
        let algorithm = self.header.alg.mac().ok_or(JoseError::AlgorithmMismatch)?;
        algorithm
            .verify(secret, &self.signing_input, &self.signature)
            .map_err(|_| JoseError::BadSignature)
    }

    fn parse_any(body: &[u8]) -> Result<Self, JoseError> {
        if body.len() > BODY_BYTES_MAX {
            return Err(JoseError::TooLarge {
                limit: BODY_BYTES_MAX,
            });
        }
        let members = strict_json::parse_object_within(body, ENVELOPE_VALUES_MAX)?;
        if members.contains_key("signatures") {
            return Err(JoseError::Malformed("general JSON form, or several signatures"));
        }
        if members.contains_key("header") {
            return Err(JoseError::Malformed("unprotected header"));
        }
        let protected = required(&members, "protected", "protected header missing or no string")?;
        let payload = required(&members, "payload", "payload missing or no string")?;
        let signature = required(&members, "signature", "signature missing or no string")?;
        let not_base64url = JoseError::Malformed("not canonical base64url");
        let decode = |text| base64url::decode(text).ok_or_else(|| not_base64url.clone());
        Ok(Self {
            header: ProtectedHeader::parse(&decode(protected)?)?,
            payload: decode(payload)?,
            signature: decode(signature)?,
            signing_input: [protected, ".", payload].concat().into_bytes(),
        })
    }
}

impl ProtectedHeader {
    fn parse(bytes: &[u8]) -> Result<Self, JoseError> {
        let members = strict_json::parse_object_within(bytes, HEADER_VALUES_MAX)?;
        if members.contains_key("crit") || members.contains_key("b64") {
            return Err(JoseError::Malformed(
                "critical header parameters are not supported",
            ));
        }
        let alg = required(&members, "alg", "alg missing or no string")?;
        let header = Self {
            alg: Algorithm::from_name(alg)?,
            url: optional(&members, "url", "url is no string")?,
            nonce: optional(&members, "nonce", "nonce is no string")?,
            kid: optional(&members, "kid", "kid is no string")?,
            jwk: members.get("jwk").map(Jwk::parse).transpose()?,
        };
        if header.kid.is_some() && header.jwk.is_some() {
            return Err(JoseError::Malformed("both jwk and kid"));
        }
        Ok(header)
    }
}

fn unsupported(algorithm: Algorithm) -> JoseError {
    JoseError::UnsupportedAlgorithm(algorithm.name().to_owned())
}

fn required<'a>(
    members: &'a Map<String, Value>,
    name: &str,
    otherwise: &'static str,
) -> Result<&'a str, JoseError> {
    members
        .get(name)
        .and_then(Value::as_str)
        .ok_or(JoseError::Malformed(otherwise))
}

fn optional(
    members: &Map<String, Value>,
    name: &str,
    otherwise: &'static str,
) -> Result<Option<String>, JoseError> {
    match members.get(name) {
        None => Ok(None),
        Some(Value::String(text)) => Ok(Some(text.clone())),
        Some(_) => Err(JoseError::Malformed(otherwise)),
    }
}

#[cfg(test)]
mod tests;
