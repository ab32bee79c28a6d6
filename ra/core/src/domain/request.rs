//! What arrives at the RA, and what it answers.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{MacAlgorithm, PublicKey, Secret, Timestamp};
use std::sync::Arc;
use std::time::Duration;

use super::actor::Origin;
use super::channel::Channel;
use super::claim::ClaimHandle;
use super::ids::{AccountId, EndpointName, EnrollmentId, ProfileName};
use super::intent::Issuance;
use super::refusal::Refusal;
use super::secret::SecretKind;
use crate::ports::{DocumentWrite, KeyMaker, Spend};

/// What is asked for.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug, BorshSerialize, BorshDeserialize)]
pub enum Operation {
    /// A certificate for names the requester has not necessarily had before.
    Enroll,
    /// A certificate in place of an earlier one.
    Renew,
    /// A certificate and the key it is for. It has no claim: nobody but who made the key can deliver it, so that asking
    /// again makes another.
    GenerateKey,
}

impl Operation {
    /// The word in claims and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Enroll => "enroll",
            Self::Renew => "renew",
            Self::GenerateKey => "generate-key",
        }
    }
}

/// Claim and evidence of who asks. The wire proof (a signature over the message) has been checked by the edge's
/// codec against the key named here; whether that key is to be trusted is decided by `steps::admit`.
#[derive(Clone, Debug)]
pub enum Credential {
    /// The message was signed by this key, and claims to come from this account.
    Account {
        /// The account claimed.
        account: AccountId,
        /// The key the signature verified under.
        key: PublicKey,
    },
    /// The message was signed by this key and claims nothing else.
    Key(PublicKey),
    /// The message came with a secret of a registration, or a MAC made with it. Whether it is right is checked by the RA.
    Secret {
        /// What kind of secret.
        kind: SecretKind,
        /// The name by which its holder calls it.
        reference: String,
        /// What shows that the holder knows it.
        proof: SecretProof,
    },
    /// The client has the private key of the first of these certificates, which says nothing about trust.
    Certificate {
        /// As sent: its own first, then any number of issuers.
        chain: Vec<Vec<u8>>,
    },
    /// Several at once, or none. Where a certificate is renewed the certificate says who asks; everywhere else the secret
    /// does, and a certificate only where there is no secret. All of them must be right where they are looked at.
    Several(Vec<Credential>),
}

impl Credential {
    /// Credentials of one request, at most.
    pub const SEVERAL_MAX: usize = 4;

    /// These, of which there may be one, many, or none.
    pub fn of(mut these: Vec<Self>) -> Self {
        match (these.len(), these.pop()) {
            (1, Some(one)) => one,
            (_, last) => {
                these.extend(last);
                Self::Several(these)
            }
        }
    }

    /// The password of a registration, under the name that its holder gives it.
    pub fn password(name: &str, password: Secret) -> Self {
        Self::Secret {
            kind: SecretKind::EstPassword,
            reference: name.to_owned(),
            proof: SecretProof::Value(password),
        }
    }

    /// The token of a registration: what stands before its last full stop is its reference, and the whole is the secret.
    /// `None` for a text that is none.
    pub fn token(text: &str) -> Option<Self> {
        let (reference, rest) = text.rsplit_once('.')?;
        let legal = |text: &str| {
            !text.is_empty()
                && text.len() <= 128
                && text
                    .bytes()
                    .all(|octet| octet.is_ascii_alphanumeric() || octet == b'-')
        };
        (legal(reference) && legal(rest)).then(|| Self::Secret {
            kind: SecretKind::EnrollmentToken,
            reference: reference.to_owned(),
            proof: SecretProof::Value(Secret::new(text.as_bytes().to_vec())),
        })
    }
}

/// By what a client finds its request again.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Handle {
    /// What it was given or has chosen.
    Given(ClaimHandle),
    /// The same request by the same requester.
    SameRequest,
}

impl From<ClaimHandle> for Handle {
    fn from(handle: ClaimHandle) -> Self {
        Self::Given(handle)
    }
}

/// What shows that somebody knows a secret.
#[derive(Clone, Debug)]
pub enum SecretProof {
    /// The secret itself.
    Value(Secret),
    /// A MAC made with it.
    Mac {
        /// How.
        algorithm: MacAlgorithm,
        /// Over what.
        input: Vec<u8>,
        /// The MAC.
        tag: Vec<u8>,
    },
}

/// What to commit in the same transaction as the RA's own rows: an edge's documents and the nonces it spends.
#[derive(Debug, Default)]
pub struct Alongside {
    /// Documents to write.
    pub documents: Vec<DocumentWrite>,
    /// Nonces and secrets to spend.
    pub spends: Vec<Spend>,
}

/// A request for a certificate.
#[derive(Debug)]
pub struct EnrollmentRequest {
    /// Where it arrived.
    pub endpoint: EndpointName,
    /// What is asked for.
    pub operation: Operation,
    /// Who asks.
    pub credential: Credential,
    /// What the client will return with.
    pub handle: Handle,
    /// The PKCS#10 request in DER, as received.
    pub request: Vec<u8>,
    /// The channel it came through, when it was one that requests can be bound to.
    pub channel: Option<Channel>,
    /// Who makes the key, where one is asked for ([`Operation::GenerateKey`]).
    pub key_maker: Option<Arc<dyn KeyMaker>>,
    /// The profile the client names, if it does.
    pub profile_hint: Option<ProfileName>,
    /// The beginning it asks for.
    pub not_before: Option<Timestamp>,
    /// The end it asks for.
    pub not_after: Option<Timestamp>,
    /// From where.
    pub origin: Origin,
    /// What to commit in the same transaction as the first durable step.
    pub alongside: Alongside,
}

/// What a pending enrollment waits for.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Waiting {
    /// People.
    Approval,
    /// The CA.
    Issuance,
    /// An operator, because the CA cannot tell or returned something else.
    Operator,
}

/// Where an enrollment stands, as its client may know it.
#[derive(Clone, Debug)]
pub enum Disposition {
    /// The certificate is there.
    Issued(Box<Issuance>),
    /// Come back.
    Pending {
        /// The enrollment.
        enrollment: EnrollmentId,
        /// When.
        retry_after: Duration,
        /// For what it waits.
        waiting: Waiting,
    },
    /// There will be none.
    Refused(Refusal),
}
