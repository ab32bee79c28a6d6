//! Evidence: a signature over a decision by a key of the operator's own.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{KeyAlgorithm, PublicKey, SignatureAlgorithm, sha256};

use super::grant::GrantTerms;
use super::ids::ProposalId;
use super::principal::Principal;
use super::proposal::Decision;

/// The first line of every text that is signed, so that a signature over it can mean nothing else.
const DOMAIN: &str = "portreeve approval evidence 1";

/// Octets of a public key, at most.
const KEY_MAX: usize = 2 * 1024;

/// Octets of a signature, at most.
const SIGNATURE_MAX: usize = 1024;

/// RSA moduli shorter than this sign nothing.
const RSA_BITS_MIN: u32 = 2048;

/// What an operator signs: all that makes up one decision.
#[derive(Copy, Clone, Debug)]
pub struct Statement<'a> {
    /// The proposal.
    pub proposal: ProposalId,
    /// The digest of what is proposed.
    pub digest: &'a [u8; 32],
    /// Who decides.
    pub by: &'a Principal,
    /// What.
    pub decision: Decision,
    /// What is granted with it.
    pub grant: Option<GrantTerms>,
    /// Why, as it is sent.
    pub comment: &'a str,
}

impl Statement<'_> {
    /// The text that is signed: seven lines, each ended by a line feed.
    ///
    /// ```text
    /// portreeve approval evidence 1
    /// proposal: 0192f0c4-...
    /// digest: 64 hexadecimal digits
    /// operator: operator:alice
    /// decision: approve
    /// grant: uses=1 days=7          or: grant: none
    /// comment-sha256: 64 hexadecimal digits
    /// ```
    pub fn text(&self) -> String {
        let grant = self.grant.map_or_else(
            || "none".to_owned(),
            |grant| format!("uses={} days={}", grant.uses, grant.days),
        );
        format!(
            "{DOMAIN}\nproposal: {}\ndigest: {}\noperator: {}\ndecision: {}\ngrant: {grant}\ncomment-sha256: {}\n",
            self.proposal,
            hex::encode(self.digest),
            self.by,
            self.decision.as_str(),
            hex::encode(sha256(self.comment.as_bytes())),
        )
    }
}

/// How evidence is signed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub enum EvidenceAlgorithm {
    /// ECDSA on P-256 with SHA-256, as an ECDSA-Sig-Value.
    Es256,
    /// ECDSA on P-384 with SHA-384, as an ECDSA-Sig-Value.
    Es384,
    /// RSA PKCS #1 v1.5 with SHA-256.
    Rs256,
    /// Ed25519.
    EdDsa,
}

impl EvidenceAlgorithm {
    /// Every algorithm.
    pub const ALL: [Self; 4] = [Self::Es256, Self::Es384, Self::Rs256, Self::EdDsa];

    /// The word in the API (RFC 7518 section 3.1, RFC 8037 section 3.1).
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Es256 => "ES256",
            Self::Es384 => "ES384",
            Self::Rs256 => "RS256",
            Self::EdDsa => "EdDSA",
        }
    }

    /// The one with this word.
    pub fn named(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == word)
    }

    /// The one that a key of this kind signs with; none for a kind that does not sign evidence.
    pub fn of_key(key: KeyAlgorithm) -> Option<Self> {
        match key {
            KeyAlgorithm::EcP256 => Some(Self::Es256),
            KeyAlgorithm::EcP384 => Some(Self::Es384),
            KeyAlgorithm::Rsa { bits } if bits >= RSA_BITS_MIN => Some(Self::Rs256),
            KeyAlgorithm::Ed25519 => Some(Self::EdDsa),
            KeyAlgorithm::Rsa { .. } | KeyAlgorithm::EcP521 | KeyAlgorithm::Unsupported => None,
        }
    }

    const fn signature(self) -> SignatureAlgorithm {
        match self {
            Self::Es256 => SignatureAlgorithm::EcdsaSha256,
            Self::Es384 => SignatureAlgorithm::EcdsaSha384,
            Self::Rs256 => SignatureAlgorithm::RsaPkcs1Sha256,
            Self::EdDsa => SignatureAlgorithm::Ed25519,
        }
    }
}

/// A signature over a [`Statement`], kept with the decision.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct Evidence {
    /// How it was made.
    pub algorithm: EvidenceAlgorithm,
    /// The SubjectPublicKeyInfo of the key, in DER.
    pub key: Vec<u8>,
    /// The signature.
    pub signature: Vec<u8>,
}

impl Evidence {
    /// SHA-256 of the SubjectPublicKeyInfo: what the operator's text lists.
    pub fn key_sha256(&self) -> [u8; 32] {
        sha256(&self.key)
    }

    /// Whether it is a signature over this statement by one of these keys, each named by the SHA-256 of its
    /// SubjectPublicKeyInfo.
    pub fn holds(&self, statement: &Statement<'_>, keys: &[[u8; 32]]) -> bool {
        if self.key.len() > KEY_MAX || self.signature.len() > SIGNATURE_MAX {
            return false;
        }
        if !keys.contains(&self.key_sha256()) {
            return false;
        }
        let Ok(key) = PublicKey::from_der(&self.key) else {
            return false;
        };
        EvidenceAlgorithm::of_key(key.algorithm()) == Some(self.algorithm)
            && key
                .verify(
                    self.algorithm.signature(),
                    statement.text().as_bytes(),
                    &self.signature,
                )
                .is_ok()
    }
}

#[cfg(test)]
mod tests;
