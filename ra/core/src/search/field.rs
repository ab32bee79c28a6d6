//! What can be asked for, and how.

use super::expression::Operator;
use crate::domain::{EnrollmentState, RevocationReason};

/// What is searched.
#[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
pub enum Among {
    /// What was issued.
    Certificates,
    /// What is or was asked for.
    Requests,
}

/// What the values of a field are.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Kind {
    /// A name in a certificate: compared without regard to upper and lower case.
    Name,
    /// A word of the installation: equal means every letter, a part is found without regard to case.
    Word,
    /// A word that is compared as a whole.
    Label,
    /// One of a closed list.
    Choice,
    /// A serial number in hex.
    Serial,
    /// A SHA-256 in hex.
    Digest,
    /// A moment.
    Time,
}

impl Kind {
    /// The operators that make sense.
    pub(super) const fn operators(self) -> &'static [Operator] {
        use Operator::{AtLeast, AtMost, Contains, Equal, In, Less, More, Unequal};
        match self {
            Self::Name | Self::Word => &[Equal, Unequal, Contains, In],
            Self::Label | Self::Choice | Self::Serial | Self::Digest => &[Equal, Unequal, In],
            Self::Time => &[Less, AtMost, More, AtLeast, Equal, Unequal],
        }
    }
}

/// Where a certificate stands, as a search knows it.
#[derive(Copy, Clone, PartialEq, Eq, Debug)]
pub enum Status {
    /// Neither revoked nor over.
    Valid,
    /// Over, and not revoked before.
    Expired,
    /// Revoked for good.
    Revoked,
    /// On hold.
    Held,
}

impl Status {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::Valid, Self::Expired, Self::Revoked, Self::Held];

    /// The word in queries and answers.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Valid => "valid",
            Self::Expired => "expired",
            Self::Revoked => "revoked",
            Self::Held => "held",
        }
    }

    /// The status with this word.
    pub fn from_word(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == word)
    }
}

macro_rules! fields {
    ($($(#[$doc:meta])* $name:ident = $word:literal $(| $other:literal)?, $kind:ident, $among:expr;)*) => {
        /// A field of the language.
        #[derive(Copy, Clone, PartialEq, Eq, Hash, Debug)]
        pub enum Field { $($(#[$doc])* $name),* }

        impl Field {
            /// Every field.
            pub const ALL: &'static [Self] = &[$(Self::$name),*];

            /// The word in queries.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $word),* } }

            /// What its values are.
            pub const fn kind(self) -> Kind { match self { $(Self::$name => Kind::$kind),* } }

            const fn places(self) -> &'static [Among] { match self { $(Self::$name => $among),* } }

            /// The field with this word, or with its other one.
            pub(super) fn from_word(word: &str) -> Option<Self> {
                match word { $($word $(| $other)? => Some(Self::$name),)* _ => None }
            }
        }
    };
}

const CERTIFICATES: &[Among] = &[Among::Certificates];
const REQUESTS: &[Among] = &[Among::Requests];
const BOTH: &[Among] = &[Among::Certificates, Among::Requests];

fields! {
    /// A common name of the subject.
    CommonName = "cn", Name, BOTH;
    /// A subject alternative name of any form.
    AlternativeName = "san", Name, BOTH;
    /// The serial number.
    Serial = "serial", Serial, CERTIFICATES;
    /// SHA-256 of the certificate.
    Fingerprint = "fingerprint", Digest, CERTIFICATES;
    /// SHA-256 of the SubjectPublicKeyInfo.
    Spki = "spki", Digest, BOTH;
    /// The profile.
    Profile = "profile", Word, BOTH;
    /// The endpoint, as `acme/default`.
    Endpoint = "endpoint", Word, BOTH;
    /// The protocol: the first part of the endpoint.
    Protocol = "protocol", Label, BOTH;
    /// The CA.
    Backend = "backend" | "issuer", Word, BOTH;
    /// The name of the registration it was asked for through.
    Registration = "registration" | "end_entity", Word, BOTH;
    /// The team that owned the registration when it was asked.
    Team = "team", Word, BOTH;
    /// Who asked, as `account:…`.
    Requester = "requester", Word, BOTH;
    /// The kind of key, as `RSA-2048` or `P-256`.
    Key = "key", Word, BOTH;
    /// Where the certificate stands.
    Status = "status", Choice, CERTIFICATES;
    /// Where the request stands.
    State = "state", Choice, REQUESTS;
    /// Why it was revoked.
    Reason = "reason", Choice, CERTIFICATES;
    /// When it was issued.
    Issued = "issued", Time, CERTIFICATES;
    /// When it ends.
    Expires = "expires", Time, CERTIFICATES;
    /// Since when it is revoked.
    Revoked = "revoked", Time, CERTIFICATES;
    /// When the request arrived.
    Received = "received", Time, REQUESTS;
    /// When it last changed.
    Changed = "changed", Time, REQUESTS;
}

impl Field {
    /// Whether it exists there.
    pub fn is_of(self, among: Among) -> bool {
        self.places().contains(&among)
    }

    /// The words a closed list has.
    pub(super) fn choices(self) -> Vec<&'static str> {
        match self {
            Self::Status => Status::ALL.map(Status::as_str).to_vec(),
            Self::State => EnrollmentState::ALL.map(EnrollmentState::as_str).to_vec(),
            Self::Reason => RevocationReason::ALL.map(RevocationReason::as_str).to_vec(),
            _ => Vec::new(),
        }
    }

    /// The words of every field that exists there.
    pub(super) fn words(among: Among) -> String {
        let here = Self::ALL.iter().filter(|field| field.is_of(among));
        here.map(|field| field.as_str()).collect::<Vec<_>>().join(", ")
    }
}
