//! The port through which this edge has control of an identifier checked from outside
//! (RFC 8555 section 8).
//!
//! The edge decides *that* a challenge is attempted and what its outcome means; a [`Validator`]
//! only looks at the network. It holds no account, order or authorization.

use std::fmt;
use std::net::IpAddr;

use async_trait::async_trait;
use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::DnsName;
use serde::{Deserialize, Serialize};

/// Proves, or fails to prove, that whoever asked controls a name.
#[async_trait]
pub trait Validator: Send + Sync {
    /// Makes one attempt and says what was seen.
    ///
    /// Bounded in time and memory by the implementation; dropping the future ends the attempt.
    /// It never retries: whether to try again is the caller's decision.
    async fn validate(&self, attempt: &Attempt) -> Result<Evidence, ValidationFailure>;
}

/// How control is shown.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    BorshSerialize,
    BorshDeserialize,
    Serialize,
    Deserialize,
)]
pub enum ChallengeKind {
    /// A file under `/.well-known/acme-challenge/` (RFC 8555 section 8.3).
    #[serde(rename = "http-01")]
    Http01,
    /// A TXT record at `_acme-challenge` (RFC 8555 section 8.4).
    #[serde(rename = "dns-01")]
    Dns01,
}

impl ChallengeKind {
    /// Every kind, in the order challenges are offered.
    pub const ALL: [Self; 2] = [Self::Http01, Self::Dns01];

    /// The name of the challenge type on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Http01 => "http-01",
            Self::Dns01 => "dns-01",
        }
    }

    /// Whether this kind may prove a wildcard name (RFC 8555 section 8.3 and 8.4: only DNS can).
    pub fn proves_wildcards(self) -> bool {
        match self {
            Self::Http01 => false,
            Self::Dns01 => true,
        }
    }
}

impl fmt::Display for ChallengeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// What one attempt has to show.
///
/// `Debug` shows the kind and the name only, so that an attempt can be logged.
#[derive(Clone, PartialEq, Eq)]
pub struct Attempt {
    /// How control is shown.
    pub kind: ChallengeKind,
    /// The name to prove, without a leading `*.`.
    pub name: DnsName,
    /// The challenge's token (RFC 8555 section 8.1): base64url without padding.
    pub token: String,
    /// Token, `.`, and the account key's thumbprint (RFC 8555 section 8.1).
    pub key_authorization: String,
}

impl fmt::Debug for Attempt {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Attempt")
            .field("kind", &self.kind)
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

/// What a successful attempt saw; it becomes part of the signed proof.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
pub struct Evidence {
    /// The addresses that were talked to, in order: one for each hop of http-01, none for dns-01.
    pub addresses: Vec<IpAddr>,
    /// Where it was seen: the final URL of http-01, the owner name of the TXT record of dns-01.
    pub detail: Detail,
}

/// Why an attempt did not succeed; each variant is one ACME problem type.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error, BorshSerialize, BorshDeserialize)]
pub enum ValidationFailure {
    /// The DNS gave no usable answer: `dns`.
    #[error("{0}")]
    Dns(Detail),
    /// The name's server could not be reached or did not answer properly: `connection`.
    #[error("{0}")]
    Connection(Detail),
    /// It answered, but not with what the challenge asks for: `unauthorized`.
    #[error("{0}")]
    Unauthorized(Detail),
    /// The TLS handshake failed: `tls`.
    #[error("{0}")]
    Tls(Detail),
    /// The attempt itself makes no sense, such as http-01 for a wildcard: `malformed`.
    #[error("{0}")]
    Malformed(Detail),
}

impl ValidationFailure {
    /// The last part of the problem's URN (RFC 8555 section 6.7).
    pub fn problem_type(&self) -> &'static str {
        match self {
            Self::Dns(_) => "dns",
            Self::Connection(_) => "connection",
            Self::Unauthorized(_) => "unauthorized",
            Self::Tls(_) => "tls",
            Self::Malformed(_) => "malformed",
        }
    }

    /// The sentence for the client.
    pub fn detail(&self) -> &str {
        match self {
            Self::Dns(detail)
            | Self::Connection(detail)
            | Self::Unauthorized(detail)
            | Self::Tls(detail)
            | Self::Malformed(detail) => detail.as_str(),
        }
    }
}

/// A short printable text, fit for a problem document and for the audit log.
///
/// At most [`Detail::LEN_MAX`] bytes; what is longer is cut and ends in `...`. Control characters
/// become spaces, for parts of it come from servers nobody vouches for.
#[derive(Debug, Clone, PartialEq, Eq, BorshSerialize, BorshDeserialize, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Detail(String);

impl Detail {
    /// The longest text that is kept, in bytes.
    pub const LEN_MAX: usize = 256;

    /// Keeps what fits of `text`.
    pub fn new(text: &str) -> Self {
        const ELLIPSIS: &str = "...";
        let room = if text.len() > Self::LEN_MAX {
            Self::LEN_MAX - ELLIPSIS.len()
        } else {
            Self::LEN_MAX
        };
        let mut kept = String::with_capacity(text.len().min(Self::LEN_MAX));
        for character in text.chars() {
            if kept.len() + character.len_utf8() > room {
                kept.push_str(ELLIPSIS);
                break;
            }
            kept.push(if character.is_control() { ' ' } else { character });
        }
        Self(kept)
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Detail {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for Detail {
    fn from(text: String) -> Self {
        Self::new(&text)
    }
}

impl From<&str> for Detail {
    fn from(text: &str) -> Self {
        Self::new(text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_are_bounded_and_printable() {
        let rows: [(&str, String, String); 5] = [
            ("short text stays", "no TXT record".into(), "no TXT record".into()),
            ("at the limit stays", "x".repeat(256), "x".repeat(256)),
            (
                "over the limit is cut",
                "x".repeat(257),
                format!("{}...", "x".repeat(253)),
            ),
            (
                "cut between characters",
                "\u{e9}".repeat(200),
                format!("{}...", "\u{e9}".repeat(126)),
            ),
            (
                "control characters become spaces",
                "a\r\nb\u{1b}[0m".into(),
                "a  b [0m".into(),
            ),
        ];
        for (name, text, expected) in rows {
            let detail = Detail::from(text);
            assert_eq!(detail.as_str(), expected, "{name}");
            assert!(detail.as_str().len() <= Detail::LEN_MAX, "{name}");
        }
    }

    #[test]
    fn kinds_are_named_as_on_the_wire() {
        for kind in ChallengeKind::ALL {
            let json = serde_json::to_string(&kind).unwrap();
            assert_eq!(json, format!("\"{}\"", kind.as_str()));
            assert_eq!(serde_json::from_str::<ChallengeKind>(&json).unwrap(), kind);
        }
        assert!(!ChallengeKind::Http01.proves_wildcards());
    }

    #[test]
    fn debug_of_an_attempt_shows_no_challenge() {
        let attempt = Attempt {
            kind: ChallengeKind::Http01,
            name: DnsName::parse("a.example").unwrap(),
            token: "the-token".into(),
            key_authorization: "the-token.the-thumbprint".into(),
        };
        let shown = format!("{attempt:?}");
        assert!(shown.contains("a.example"));
        assert!(!shown.contains("the-token") && !shown.contains("the-thumbprint"));
    }
}
