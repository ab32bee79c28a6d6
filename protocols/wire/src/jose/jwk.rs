//! Public keys as JSON (RFC 7517, RFC 7518 section 6, RFC 8037 section 2).

use portreeve_pkix::{KeyAlgorithm, PublicKey, sha256};
use serde_json::{Map, Value, json};

use super::base64url;
use super::error::{JoseError, JwkFlaw};

const UNCOMPRESSED_POINT: u8 = 4;
const ED25519_KEY_LENGTH: usize = 32;
/// Members that carry private parts of any key type.
const PRIVATE_MEMBERS: [&str; 8] = ["d", "p", "q", "dp", "dq", "qi", "oth", "k"];

/// A public JSON Web Key of a supported type.
///
/// Only the members that make the key are kept; two keys are equal when those are. That the numbers make a usable key
/// is shown by [`Jwk::public_key`].
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Jwk(Members);

#[derive(Clone, Debug, PartialEq, Eq)]
enum Members {
    Ec { curve: Curve, x: Vec<u8>, y: Vec<u8> },
    Ed25519 { x: Vec<u8> },
    Rsa { modulus: Vec<u8>, exponent: Vec<u8> },
}

#[derive(Copy, Clone, Debug, PartialEq, Eq)]
enum Curve {
    P256,
    P384,
    P521,
}

impl Jwk {
    /// Reads a key. Members that do not belong to the key type are ignored; private parts and `oct` keys are refused.
    pub fn parse(value: &Value) -> Result<Self, JoseError> {
        parse_members(value).map(Self).map_err(JoseError::BadPublicKey)
    }

    /// The key itself; checks what the encoding cannot show, such as that a point lies on its curve.
    pub fn public_key(&self) -> Result<PublicKey, JoseError> {
        let key = match &self.0 {
            Members::Ec { curve, x, y } => {
                let point = [&[UNCOMPRESSED_POINT][..], x, y].concat();
                PublicKey::from_ec_point(curve.key_algorithm(), &point)
            }
            Members::Ed25519 { x } => PublicKey::from_ed25519(x),
            Members::Rsa { modulus, exponent } => PublicKey::from_rsa(modulus, exponent),
        };
        key.map_err(|error| JoseError::BadPublicKey(error.into()))
    }

    /// The JSON form of a key; refused for key types that have none here.
    pub fn from_public_key(key: &PublicKey) -> Result<Self, JoseError> {
        let unsupported = JoseError::BadPublicKey(JwkFlaw::Unsupported);
        if let Some((modulus, exponent)) = key.rsa_components() {
            return Ok(Self(Members::Rsa {
                modulus: modulus.to_vec(),
                exponent: exponent.to_vec(),
            }));
        }
        if key.algorithm() == KeyAlgorithm::Ed25519 {
            return Ok(Self(Members::Ed25519 {
                x: key.key_octets().to_vec(),
            }));
        }
        let curve = Curve::ALL
            .into_iter()
            .find(|curve| curve.key_algorithm() == key.algorithm());
        match (curve, key.ec_coordinates()) {
            (Some(curve), Some((x, y))) => Ok(Self(Members::Ec {
                curve,
                x: x.to_vec(),
                y: y.to_vec(),
            })),
            _ => Err(unsupported),
        }
    }

    /// SHA-256 of the canonical JSON form (RFC 7638 section 3).
    pub fn thumbprint(&self) -> [u8; 32] {
        // `to_json` names the members in order and the writer adds no white space: exactly the canonical form.
        sha256(self.to_json().to_string().as_bytes())
    }

    /// The required members, and no others.
    pub fn to_json(&self) -> Value {
        match &self.0 {
            Members::Ec { curve, x, y } => json!({
                "crv": curve.name(), "kty": "EC", "x": base64url::encode(x), "y": base64url::encode(y),
            }),
            Members::Ed25519 { x } => json!({"crv": "Ed25519", "kty": "OKP", "x": base64url::encode(x)}),
            Members::Rsa { modulus, exponent } => json!({
                "e": base64url::encode(exponent), "kty": "RSA", "n": base64url::encode(modulus),
            }),
        }
    }
}

impl Curve {
    const ALL: [Self; 3] = [Self::P256, Self::P384, Self::P521];

    const fn name(self) -> &'static str {
        match self {
            Self::P256 => "P-256",
            Self::P384 => "P-384",
            Self::P521 => "P-521",
        }
    }

    const fn key_algorithm(self) -> KeyAlgorithm {
        match self {
            Self::P256 => KeyAlgorithm::EcP256,
            Self::P384 => KeyAlgorithm::EcP384,
            Self::P521 => KeyAlgorithm::EcP521,
        }
    }

    const fn coordinate_length(self) -> usize {
        match self {
            Self::P256 => 32,
            Self::P384 => 48,
            Self::P521 => 66,
        }
    }
}

fn parse_members(value: &Value) -> Result<Members, JwkFlaw> {
    let members = value.as_object().ok_or(JwkFlaw::NotAnObject)?;
    let key_type = text(members, "kty")?;
    if key_type == "oct" {
        return Err(JwkFlaw::Unsupported);
    }
    if PRIVATE_MEMBERS.iter().any(|name| members.contains_key(*name)) {
        return Err(JwkFlaw::Private);
    }
    match key_type {
        "EC" => {
            let name = text(members, "crv")?;
            let curve = Curve::ALL.into_iter().find(|curve| curve.name() == name);
            let curve = curve.ok_or(JwkFlaw::Unsupported)?;
            let length = curve.coordinate_length();
            Ok(Members::Ec {
                curve,
                x: octets(members, "x", length)?,
                y: octets(members, "y", length)?,
            })
        }
        "OKP" if text(members, "crv")? == "Ed25519" => Ok(Members::Ed25519 {
            x: octets(members, "x", ED25519_KEY_LENGTH)?,
        }),
        "RSA" => Ok(Members::Rsa {
            modulus: unsigned(members, "n")?,
            exponent: unsigned(members, "e")?,
        }),
        _ => Err(JwkFlaw::Unsupported),
    }
}

fn text<'a>(members: &'a Map<String, Value>, name: &'static str) -> Result<&'a str, JwkFlaw> {
    members
        .get(name)
        .and_then(Value::as_str)
        .ok_or(JwkFlaw::Member(name))
}

/// Coordinates have the full length of the field (RFC 7518 section 6.2.1.2).
fn octets(members: &Map<String, Value>, name: &'static str, length: usize) -> Result<Vec<u8>, JwkFlaw> {
    let decoded = base64url::decode(text(members, name)?);
    decoded
        .filter(|octets| octets.len() == length)
        .ok_or(JwkFlaw::Encoding(name))
}

/// Numbers have no leading zeros (RFC 7518 section 2, Base64urlUInt), so that one key has one thumbprint.
fn unsigned(members: &Map<String, Value>, name: &'static str) -> Result<Vec<u8>, JwkFlaw> {
    let decoded = base64url::decode(text(members, name)?);
    decoded
        .filter(|octets| octets.first().is_some_and(|first| *first != 0))
        .ok_or(JwkFlaw::Encoding(name))
}

#[cfg(test)]
mod tests;
