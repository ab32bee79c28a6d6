//! Trust anchors: their text form.

use portreeve_pkix::{Certificate, KeyUsage, pem};
use portreeve_ra::{TrustAnchorSet, TrustAnchorsName};
use serde::Deserialize;

use crate::hygiene::{Blocklist, check_key};

const LABEL: &str = "CERTIFICATE";
/// What begins a block of any label.
const BEGIN: &str = "-----BEGIN ";
/// Most characters of a description.
const DESCRIPTION_MAX: usize = 1024;

/// Why a text is no set of trust anchors.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum TrustAnchorsError {
    /// Not TOML, an unknown key, a missing one or a value of another kind.
    #[error("{0}")]
    Toml(#[from] toml::de::Error),
    /// The name is not one.
    #[error(transparent)]
    Name(#[from] portreeve_ra::BadName),
    /// Too long, or more than one line.
    #[error("description: at most {DESCRIPTION_MAX} characters in one line")]
    Description,
    /// A block of PEM that is no certificate: a private key must not be here at all.
    #[error("certificates: a block {0} stands among them, and only blocks CERTIFICATE may")]
    Label(String),
    /// None, or too many.
    #[error("certificates: 1 to {max}", max = TrustAnchorSet::MAX)]
    Count,
    /// Not PEM, or not DER inside.
    #[error("certificates: number {0} cannot be read: {1}")]
    Unreadable(usize, portreeve_pkix::DecodeError),
    /// The same one twice.
    #[error("certificates: {0} is there twice")]
    Twice(String),
    /// Not the certificate of a CA.
    #[error("certificates: {0} is no CA: basicConstraints and keyUsage must let it sign certificates")]
    NotCa(String),
    /// Its key is weak or blocked.
    #[error("certificates: {0}: {1}")]
    Key(String, portreeve_ra::KeyRejection),
    /// It says that it signed itself, and did not.
    #[error("certificates: {0} is self-signed, and its signature does not verify")]
    Signature(String),
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default)]
    description: String,
    certificates: String,
}

/// Reads the trust anchors with this name.
///
/// Keys: `certificates` (1 to 32 certificates of CAs in PEM, none twice), `description`. Whether they are valid at some time
/// is not looked at.
pub fn parse_trust_anchors(name: &str, text: &str) -> Result<TrustAnchorSet, TrustAnchorsError> {
    let name = TrustAnchorsName::new(name)?;
    let Written {
        description,
        certificates,
    } = toml::from_str(text)?;
    if description.chars().count() > DESCRIPTION_MAX || description.chars().any(char::is_control) {
        return Err(TrustAnchorsError::Description);
    }
    let labels = certificates.split(BEGIN).skip(1);
    for label in labels.filter_map(|block| block.split("-----").next()) {
        if label != LABEL {
            return Err(TrustAnchorsError::Label(label.chars().take(40).collect()));
        }
    }
    let blocks =
        pem::decode_all(LABEL, &certificates).map_err(|error| TrustAnchorsError::Unreadable(1, error))?;
    if blocks.len() > TrustAnchorSet::MAX {
        return Err(TrustAnchorsError::Count);
    }
    let mut found: Vec<Certificate> = Vec::with_capacity(blocks.len());
    for (index, der) in blocks.iter().enumerate() {
        let unreadable = |error| TrustAnchorsError::Unreadable(index.saturating_add(1), error);
        let certificate = Certificate::from_der(der).map_err(unreadable)?;
        if found.iter().any(|other| other.der() == certificate.der()) {
            return Err(TrustAnchorsError::Twice(certificate.subject().to_string()));
        }
        check(&certificate)?;
        found.push(certificate);
    }
    Ok(TrustAnchorSet {
        name,
        certificates: found,
    })
}

fn check(certificate: &Certificate) -> Result<(), TrustAnchorsError> {
    let subject = || certificate.subject().to_string();
    let signs = |usage: KeyUsage| usage.contains(KeyUsage::KEY_CERT_SIGN);
    if !certificate.is_ca() || !certificate.key_usage().is_none_or(signs) {
        return Err(TrustAnchorsError::NotCa(subject()));
    }
    check_key(certificate.public_key(), &Blocklist::embedded())
        .map_err(|why| TrustAnchorsError::Key(subject(), why))?;
    let self_issued = certificate.issuer_der() == certificate.subject_der();
    if self_issued && certificate.verify_signed_by(certificate.public_key()).is_err() {
        return Err(TrustAnchorsError::Signature(subject()));
    }
    Ok(())
}

/// How an anchor is named among others: its subject and its SHA-256.
pub(crate) fn shown(certificate: &Certificate) -> String {
    let digest = hex::encode(certificate.fingerprint());
    format!("{} (SHA-256 {digest})", certificate.subject())
}

#[cfg(test)]
pub(crate) mod tests;
