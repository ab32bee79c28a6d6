//! Refusals are data: one closed list, mapped by each protocol in one exhaustive `match`.

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::Timestamp;
use std::time::Duration;

use super::approval::DecisionRejection;
use super::channel::BindingRejection;
use super::client::CertificateRejection;
use super::ids::AccountId;
use super::seconds;

/// Why a key is not certified or not accepted as an account key.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum KeyRejection {
    /// Not an algorithm the profile lists.
    #[error("key algorithm {0} is not allowed")]
    Algorithm(String),
    /// RSA modulus too short, too long or not a multiple of 8 bits.
    #[error("RSA modulus of {0} bits is not allowed")]
    RsaSize(u32),
    /// RSA exponent other than 65537.
    #[error("RSA exponent must be 65537")]
    RsaExponent,
    /// RSA modulus with a small factor.
    #[error("RSA modulus has a small factor")]
    RsaSmallFactor,
    /// RSA modulus with the fingerprint of CVE-2017-15361.
    #[error("RSA key was made by a faulty generator (ROCA, CVE-2017-15361)")]
    RsaRoca,
    /// RSA primes close to each other.
    #[error("RSA primes are too close to each other (Fermat)")]
    RsaClosePrimes,
    /// The key is on a blocklist, or was reported as compromised.
    #[error("key is known to be compromised")]
    Blocked,
    /// The encoding or the point is not valid.
    #[error("not a valid public key")]
    Invalid,
}

/// Why one name is refused.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize)]
pub struct NameRejection {
    /// The name as asked for, at most 253 characters.
    pub name: String,
    /// Why, in words for the client.
    pub reason: String,
}

/// Why a request is refused. Every variant may be shown to the client that asked.
#[derive(Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum Refusal {
    /// No such endpoint.
    #[error("no such endpoint")]
    UnknownEndpoint,
    /// The endpoint does not offer this profile.
    #[error("profile {0} is not offered here")]
    UnknownProfile(String),
    /// No such account.
    #[error("no such account")]
    AccountUnknown,
    /// The account was deactivated.
    #[error("account is deactivated")]
    AccountDeactivated,
    /// The account's key is in use by another account.
    #[error("key is in use by another account")]
    KeyInUse(AccountId),
    /// The credential does not verify, or does not give the right asked for. Says nothing about what exists.
    #[error("not authorized")]
    NotAuthorized,
    /// The handle already leads to another request that has not ended.
    #[error("another request is under way under the same handle")]
    ClaimConflict,
    /// The same one-time value was used before.
    #[error("one-time value was used before")]
    AlreadySpent,
    /// No enrollment is known under this handle.
    #[error("no such request")]
    UnknownRequest,
    /// The request is not what its format says.
    #[error("request is malformed: {0}")]
    Malformed(String),
    /// Possession of the key is shown with an algorithm that proves nothing.
    #[error("request is signed with a weak algorithm")]
    PossessionWeak,
    /// Possession of the key is not shown.
    #[error("request is not signed by its own key")]
    PossessionNotProven,
    /// The key is refused.
    #[error("{0}")]
    Key(KeyRejection),
    /// Names are refused, each with its reason.
    #[error("names are not allowed")]
    Names(Vec<NameRejection>),
    /// Names were not proven by this requester.
    #[error("names are not proven")]
    NamesUnproven(Vec<NameRejection>),
    /// The subject is refused.
    #[error("subject is not allowed: {0}")]
    Subject(String),
    /// The validity asked for is refused.
    #[error("validity is not allowed: {0}")]
    Validity(String),
    /// A requested extension is refused.
    #[error("extension is not allowed: {0}")]
    Extension(String),
    /// A condition of the profile is not met.
    #[error("a condition is not met: {0}")]
    Condition(String),
    /// People said no.
    #[error("request was denied")]
    Denied,
    /// Nobody decided in time.
    #[error("request expired before it was decided")]
    Expired,
    /// The CA said no.
    #[error("the CA refused the request")]
    CaRejected,
    /// It could not be issued.
    #[error("the certificate could not be issued")]
    NotIssued,
    /// Too many requests.
    #[error("too many requests")]
    RateLimited(#[borsh(serialize_with = "seconds::write", deserialize_with = "seconds::read")] Duration),
    /// No such certificate of ours.
    #[error("no such certificate")]
    UnknownCertificate,
    /// It is revoked already.
    #[error("certificate is revoked already")]
    AlreadyRevoked,
    /// This reason cannot be given.
    #[error("revocation reason is not allowed")]
    RevocationReason,
    /// It is not on hold.
    #[error("certificate is not on hold")]
    NotHeld,
    /// Its CA cannot do that.
    #[error("the CA cannot revoke in this way")]
    CannotRevoke,
    /// The proposal is decided already.
    #[error("proposal is decided already")]
    AlreadyDecided,
    /// The digest the decision names is not that of the proposal.
    #[error("proposal has changed: digest does not match")]
    DigestMismatch,
    /// A decision of somebody who operates does not count.
    #[error("{0}")]
    Decision(DecisionRejection),
    /// The registration on whose behalf it is asked is suspended or over, is not for this endpoint, or its key was
    /// revoked.
    #[error("nothing is issued for this registration here")]
    RegistrationClosed,
    /// The registration has as many certificates as it may have.
    #[error("the registration has as many certificates as it may have")]
    LimitReached,
    /// The endpoint serves only accounts that are bound to a registration.
    #[error("an account must be bound to an external account here")]
    BindingRequired,
    /// The endpoint binds no accounts.
    #[error("accounts are not bound to external accounts here")]
    BindingNotOffered,
    /// Something of this name exists already.
    #[error("the name is taken")]
    NameTaken,
    /// What is to be changed has changed since it was read.
    #[error("it has changed since it was read")]
    Stale,
    /// Nothing was shown that says who asks.
    #[error("who asks must be shown")]
    CredentialMissing,
    /// What was shown is right, and its kind is not accepted here.
    #[error("this way to show who asks is not accepted here")]
    CredentialNotAccepted,
    /// Several credentials were shown, of different identities, where they must be of one.
    #[error("credentials are of different identities")]
    CredentialsDisagree,
    /// A certificate must be shown: that which is to be renewed.
    #[error("the certificate to be renewed must be shown")]
    CertificateRequired,
    /// The client's certificate does not let it in.
    #[error("{0}")]
    ClientCertificate(CertificateRejection),
    /// The endpoint does not do this.
    #[error("this is not offered here")]
    NotOffered,
    /// Subject or names are not those of the requester's certificate.
    #[error("subject and alternative names must be those of the certificate")]
    NotItsNames,
    /// The certificate is renewed later.
    #[error("the certificate is renewed from {0} on")]
    RenewalTooEarly(Timestamp),
    /// A renewed certificate must have another key.
    #[error("a renewed certificate must have a new key")]
    RenewalKeySame,
    /// A renewed certificate must have the same key.
    #[error("a renewed certificate must have the same key")]
    RenewalKeyOther,
    /// What the request says about its channel does not hold.
    #[error("{0}")]
    ChannelBinding(BindingRejection),
}

impl From<DecisionRejection> for Refusal {
    fn from(rejection: DecisionRejection) -> Self {
        Self::Decision(rejection)
    }
}

impl From<CertificateRejection> for Refusal {
    fn from(rejection: CertificateRejection) -> Self {
        Self::ClientCertificate(rejection)
    }
}

impl Refusal {
    /// A stable word for logs, metrics and the operator API.
    pub const fn code(&self) -> &'static str {
        match self {
            Self::UnknownEndpoint => "unknown_endpoint",
            Self::UnknownProfile(_) => "unknown_profile",
            Self::AccountUnknown => "account_unknown",
            Self::AccountDeactivated => "account_deactivated",
            Self::KeyInUse(_) => "key_in_use",
            Self::NotAuthorized => "not_authorized",
            Self::ClaimConflict => "claim_conflict",
            Self::AlreadySpent => "already_spent",
            Self::UnknownRequest => "unknown_request",
            Self::Malformed(_) => "malformed",
            Self::PossessionWeak => "possession_weak",
            Self::PossessionNotProven => "possession_not_proven",
            Self::Key(_) => "key_rejected",
            Self::Names(_) => "names_rejected",
            Self::NamesUnproven(_) => "names_unproven",
            Self::Subject(_) => "subject_rejected",
            Self::Validity(_) => "validity_rejected",
            Self::Extension(_) => "extension_rejected",
            Self::Condition(_) => "condition_not_met",
            Self::Denied => "denied",
            Self::Expired => "expired",
            Self::CaRejected => "ca_rejected",
            Self::NotIssued => "not_issued",
            Self::RateLimited(_) => "rate_limited",
            Self::UnknownCertificate => "unknown_certificate",
            Self::AlreadyRevoked => "already_revoked",
            Self::RevocationReason => "revocation_reason",
            Self::NotHeld => "not_held",
            Self::CannotRevoke => "cannot_revoke",
            Self::AlreadyDecided => "already_decided",
            Self::DigestMismatch => "digest_mismatch",
            Self::Decision(rejection) => rejection.code(),
            Self::RegistrationClosed => "registration_closed",
            Self::LimitReached => "limit_reached",
            Self::BindingRequired => "binding_required",
            Self::BindingNotOffered => "binding_not_offered",
            Self::NameTaken => "name_taken",
            Self::Stale => "stale",
            Self::CredentialMissing => "credential_missing",
            Self::CredentialNotAccepted => "credential_not_accepted",
            Self::CredentialsDisagree => "credentials_disagree",
            Self::CertificateRequired => "certificate_required",
            Self::ClientCertificate(_) => "client_certificate",
            Self::NotOffered => "not_offered",
            Self::NotItsNames => "not_its_names",
            Self::RenewalTooEarly(_) => "renewal_too_early",
            Self::RenewalKeySame => "renewal_key_same",
            Self::RenewalKeyOther => "renewal_key_other",
            Self::ChannelBinding(_) => "channel_binding",
        }
    }
}
