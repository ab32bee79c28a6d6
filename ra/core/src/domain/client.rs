//! What an endpoint asks of those who are not accounts: how they are known, what they may renew, what they are told.

use std::collections::BTreeSet;
use std::time::Duration;

use borsh::{BorshDeserialize, BorshSerialize};
use portreeve_pkix::{Certificate, Timestamp};

use super::enrollment::Enrollment;
use super::ids::{EndpointName, TrustAnchorsName};
use super::seconds;
use super::secret::SecretKind;

/// A way of being known.
#[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum CredentialKind {
    /// A name and a password of a registration, or another secret of one that is sent as it is.
    Password,
    /// A token of a registration.
    Token,
    /// A certificate whose key the client has shown to possess.
    Certificate,
}

impl CredentialKind {
    /// The way of being known by a secret of this kind.
    pub const fn of_secret(kind: SecretKind) -> Self {
        match kind {
            SecretKind::Token | SecretKind::EnrollmentToken => Self::Token,
            SecretKind::Password
            | SecretKind::AcmeEab
            | SecretKind::EstPassword
            | SecretKind::ScepChallenge
            | SecretKind::CmpSecret => Self::Password,
        }
    }
}

/// Which registration the holder of a certificate of somebody else's CA stands for.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum CertificateRegistration {
    /// The one whose name is the serialNumber of its subject, as devices have by IEEE 802.1AR.
    #[default]
    SerialNumber,
    /// The one whose name is the common name of its subject.
    CommonName,
    /// None: the profile alone limits what it gets.
    Nobody,
}

/// What becomes of credentials of different identities.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum SeveralCredentials {
    /// One takes precedence; the other is recorded.
    #[default]
    Precedence,
    /// They must be of one identity.
    Agree,
}

/// Whether a request must be linked to its channel (RFC 7030 section 3.5, RFC 9266). What is said about it must hold
/// either way.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Linking {
    /// It may be.
    #[default]
    Optional,
    /// It must be.
    Required,
}

/// Who is known at an endpoint, and as what.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct ClientRules {
    /// The ways of being known that are accepted.
    pub authentication: BTreeSet<CredentialKind>,
    /// Sets of trust anchors whose certificates let their holders enrol: those of manufacturers. Certificates of our own
    /// need none.
    pub trust: Vec<TrustAnchorsName>,
    /// On whose behalf holders of such certificates ask.
    pub registration: CertificateRegistration,
    /// What becomes of credentials of different identities.
    pub several: SeveralCredentials,
    /// Whether requests must be linked to the channel.
    pub linking: Linking,
    /// Sets of trust anchors whose certificates give the right to ask for others, when they are for that purpose
    /// (id-kp-cmcRA).
    pub ra_trust: Vec<TrustAnchorsName>,
    /// Names of registrations that have the right to ask for others. One that is known by a certificate of ours needs the
    /// purpose in it as well.
    pub ra_registrations: Vec<String>,
}

impl Default for ClientRules {
    fn default() -> Self {
        use CredentialKind::{Certificate, Password, Token};
        Self {
            authentication: BTreeSet::from([Password, Token, Certificate]),
            trust: Vec::new(),
            registration: CertificateRegistration::default(),
            several: SeveralCredentials::default(),
            linking: Linking::default(),
            ra_trust: Vec::new(),
            ra_registrations: Vec::new(),
        }
    }
}

/// When a certificate may be renewed.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default, BorshSerialize, BorshDeserialize)]
pub enum RenewalWindow {
    /// In the last third of its life.
    #[default]
    LastThird,
    /// So long before its end.
    Before(#[borsh(serialize_with = "seconds::write", deserialize_with = "seconds::read")] Duration),
    /// At any time.
    Any,
}

impl RenewalWindow {
    /// From when on a certificate may be renewed.
    pub fn opens(self, certificate: &Certificate) -> Timestamp {
        match self {
            Self::LastThird => Enrollment::claim_ends(certificate),
            Self::Before(time) => {
                let opens = certificate.not_after().saturating_sub(time);
                opens.max(certificate.not_before())
            }
            Self::Any => certificate.not_before(),
        }
    }

    /// Until when the request that a certificate was issued on leads to it again, and is not a new one.
    pub fn claim_ends(self, certificate: &Certificate) -> Timestamp {
        match self {
            Self::Before(_) => self.opens(certificate),
            Self::LastThird | Self::Any => Enrollment::claim_ends(certificate),
        }
    }
}

/// Which key a renewed certificate may have.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum RenewalKey {
    /// The same, or another.
    #[default]
    Any,
    /// Another.
    New,
    /// The same.
    Same,
}

/// Which names a renewed certificate may have.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum RenewalNames {
    /// The same.
    #[default]
    Same,
    /// Others, when the request asks for them by the attribute for it (RFC 6402 section 2.8) and the profile allows them.
    Changed,
}

/// How holders of certificates of ours renew them.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct RenewalRules {
    /// Endpoints besides this one whose certificates are renewed here.
    pub from: Vec<EndpointName>,
    /// Whether only the newest certificate is renewed. Otherwise any is, until a newer one has been used for it.
    pub newest_only: bool,
    /// When.
    pub window: RenewalWindow,
    /// With which key.
    pub key: RenewalKey,
    /// For which names.
    pub names: RenewalNames,
    /// Whether a trusted certificate of somebody else's CA may be presented for renewal, which then is a first enrolment: some
    /// clients know no other way.
    pub first: bool,
}

/// Lines of text or one, for those who are sent base64.
#[derive(Copy, Clone, PartialEq, Eq, Debug, Default)]
pub enum Lines {
    /// One.
    #[default]
    One,
    /// Of 64 characters.
    Wrapped,
    /// As the client's kind of software wants it.
    ByUserAgent,
}

/// What an endpoint offers besides certificates for keys of clients.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub struct Offer {
    /// Certificates with keys that are made here.
    pub generated_keys: bool,
    /// Whether clients are told what to ask for.
    pub template: bool,
    /// How base64 is answered to those who sent none.
    pub lines: Lines,
}

impl Default for Offer {
    fn default() -> Self {
        Self {
            generated_keys: false,
            template: true,
            lines: Lines::default(),
        }
    }
}

/// Why the certificate of a client does not let it in, or does not give what is asked for.
#[derive(Copy, Clone, PartialEq, Eq, Debug, BorshSerialize, BorshDeserialize, thiserror::Error)]
pub enum CertificateRejection {
    /// It, or one of its chain, does not decode.
    #[error("certificate cannot be read")]
    Malformed,
    /// Too many certificates, or too many octets.
    #[error("too many certificates")]
    TooLong,
    /// It leads to no CA that is trusted here.
    #[error("certificate is not of a CA that is trusted here")]
    Untrusted,
    /// It is not for this purpose.
    #[error("certificate is not for this purpose")]
    Purpose,
    /// Its time is over.
    #[error("certificate has expired")]
    Expired,
    /// Its time has not come.
    #[error("certificate is not valid yet")]
    NotYetValid,
    /// It was revoked.
    #[error("certificate was revoked")]
    Revoked,
    /// It is on hold.
    #[error("certificate is on hold")]
    Held,
    /// Its key is known to be compromised.
    #[error("key of the certificate is known to be compromised")]
    KeyCompromised,
    /// It was issued at another endpoint.
    #[error("certificate was issued elsewhere and is not renewed here")]
    Elsewhere,
    /// A newer one was used, or issued or begun where only the newest counts.
    #[error("a newer certificate has taken its place")]
    NotNewest,
    /// Nobody is known by its name.
    #[error("certificate belongs to nobody who is known here")]
    NotRegistered,
}
