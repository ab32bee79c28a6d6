//! Every event there is, and its stable number.

use borsh::{BorshDeserialize, BorshSerialize};

use super::access::AccessEvent;
use super::account::AccountEvent;
use super::enrollment::EnrollmentEvent;
use super::grant::GrantEvent;
use super::incident::{IncidentEvent, RequestRefused};
use super::key_report::KeyReportEvent;
use super::object::ObjectEvent;
use super::proof::ProofEvent;
use super::proposal::ProposalEvent;
use super::registration::RegistrationEvent;
use super::secret::SecretEvent;

/// One thing that happened. Encoded with borsh inside a record's payload; variants are only ever added at the end.
#[derive(Clone, Debug, PartialEq, Eq, BorshSerialize, BorshDeserialize)]
pub enum Event {
    /// About an enrollment.
    Enrollment(EnrollmentEvent),
    /// About a proposal.
    Proposal(ProposalEvent),
    /// About an account.
    Account(AccountEvent),
    /// About a proven identifier.
    Proof(ProofEvent),
    /// About a versioned object.
    Object(ObjectEvent),
    /// About an incident.
    Incident(IncidentEvent),
    /// A request that policy refused.
    Refusal(RequestRefused),
    /// About a key.
    KeyReport(KeyReportEvent),
    /// About a registration.
    Registration(RegistrationEvent),
    /// About a secret.
    Secret(SecretEvent),
    /// About who may do what.
    Access(AccessEvent),
    /// About what was granted beforehand.
    Grant(GrantEvent),
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $number:literal, $text:literal;)*) => {
        /// What happened, as a stable number: it stays readable when a payload has been erased.
        #[derive(Copy, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
        pub enum EventKind { $($(#[$doc])* $name),* }

        impl EventKind {
            /// The number in the signed header.
            pub const fn number(self) -> u16 { match self { $(Self::$name => $number),* } }
            /// The kind with this number.
            pub const fn from_number(number: u16) -> Option<Self> {
                match number { $($number => Some(Self::$name),)* _ => None }
            }
            /// The dotted name for people: `enrollment.issued`.
            pub const fn as_str(self) -> &'static str { match self { $(Self::$name => $text),* } }
        }
    };
}

kinds! {
    /// A request arrived and was recorded.
    EnrollmentReceived = 0x0101, "enrollment.received";
    /// It waits for people.
    EnrollmentReferred = 0x0102, "enrollment.referred";
    /// It may be issued.
    EnrollmentApproved = 0x0103, "enrollment.approved";
    /// The intent stands; a signature may follow.
    EnrollmentIssuing = 0x0104, "enrollment.issuing";
    /// The backend deferred, or asked for a checkpoint.
    EnrollmentProgressed = 0x0105, "enrollment.progressed";
    /// The certificate exists and was accepted.
    EnrollmentIssued = 0x0106, "enrollment.issued";
    /// The client confirmed it.
    EnrollmentConfirmed = 0x0107, "enrollment.confirmed";
    /// People or the CA said no.
    EnrollmentRefused = 0x0108, "enrollment.refused";
    /// It could not be done.
    EnrollmentFailed = 0x0109, "enrollment.failed";
    /// Nobody decided in time.
    EnrollmentExpired = 0x010a, "enrollment.expired";
    /// The backend cannot tell whether it issued.
    EnrollmentInDoubt = 0x010b, "enrollment.in_doubt";
    /// The certificate failed the acceptance checks.
    EnrollmentQuarantined = 0x010c, "enrollment.quarantined";
    /// The certificate was revoked.
    EnrollmentRevoked = 0x010d, "enrollment.revoked";
    /// An operator decided on one in doubt or in quarantine.
    EnrollmentResolved = 0x010e, "enrollment.resolved";
    /// An edge handed it to the workers.
    EnrollmentSubmitted = 0x010f, "enrollment.submitted";
    /// An edge asks the workers to revoke its certificate.
    EnrollmentRevocationRequested = 0x0110, "enrollment.revocation_requested";
    /// When it is issued, an older certificate of the same registration is revoked.
    EnrollmentSupersedes = 0x0111, "enrollment.supersedes";
    /// An operator had its records erased.
    EnrollmentErased = 0x0130, "enrollment.erased";
    /// A certificate on hold is good again.
    EnrollmentReleased = 0x0118, "enrollment.released";
    /// An operator asks the workers to revoke, hold or release its certificate.
    EnrollmentStatusRequested = 0x0119, "enrollment.status_requested";
    /// People are asked.
    ProposalOpened = 0x0201, "proposal.opened";
    /// Somebody decided.
    ProposalDecided = 0x0202, "proposal.decided";
    /// An approval no longer counts.
    ProposalDiscounted = 0x0203, "proposal.discounted";
    /// An operator asks people.
    ProposalRaised = 0x0204, "proposal.raised";
    /// It was erased with its request.
    ProposalErased = 0x0205, "proposal.erased";
    /// An account was opened.
    AccountOpened = 0x0301, "account.opened";
    /// Its key changed.
    AccountKeyChanged = 0x0302, "account.key_changed";
    /// Its contacts changed.
    AccountContactsChanged = 0x0303, "account.contacts_changed";
    /// Terms were agreed to.
    AccountAgreed = 0x0304, "account.agreed";
    /// It was deactivated, for good.
    AccountDeactivated = 0x0305, "account.deactivated";
    /// It was bound to a registration.
    AccountBound = 0x0306, "account.bound";
    /// Control over an identifier was shown.
    IdentifierProven = 0x0401, "identifier.proven";
    /// The proof no longer counts.
    IdentifierWithdrawn = 0x0402, "identifier.withdrawn";
    /// A version of an object is in force.
    ObjectPublished = 0x0501, "object.published";
    /// The object is no longer in force.
    ObjectRetired = 0x0502, "object.retired";
    /// A version of an object exists, and is not in force.
    ObjectDrafted = 0x0503, "object.drafted";
    /// A version that was drafted is in force.
    ObjectReleased = 0x0504, "object.released";
    /// Somebody agreed to a version in force.
    ObjectConfirmed = 0x0505, "object.confirmed";
    /// People are asked whether a draft may be in force.
    ObjectProposed = 0x0506, "object.proposed";
    /// Something is wrong that a person must look at.
    IncidentRaised = 0x0601, "incident.raised";
    /// A person has looked at it.
    IncidentClosed = 0x0602, "incident.closed";
    /// Policy refused a request.
    RequestRefused = 0x0701, "request.refused";
    /// A key was reported as compromised.
    KeyCompromised = 0x0801, "key.compromised";
    /// A registration is so from now on.
    RegistrationDefined = 0x0901, "registration.defined";
    /// Another person agreed to it.
    RegistrationConfirmed = 0x0902, "registration.confirmed";
    /// It is suspended.
    RegistrationSuspended = 0x0903, "registration.suspended";
    /// It is no longer suspended.
    RegistrationResumed = 0x0904, "registration.resumed";
    /// It is over.
    RegistrationEnded = 0x0905, "registration.ended";
    /// People are asked whether it may be so.
    RegistrationProposed = 0x0906, "registration.proposed";
    /// It is as was proposed from now on.
    RegistrationReleased = 0x0907, "registration.released";
    /// It was erased with its last request.
    RegistrationErased = 0x0908, "registration.erased";
    /// A secret was made.
    SecretIssued = 0x0a01, "secret.issued";
    /// It was revoked.
    SecretRevoked = 0x0a02, "secret.revoked";
    /// It was used.
    SecretUsed = 0x0a03, "secret.used";
    /// It was locked after wrong attempts.
    SecretLocked = 0x0a04, "secret.locked";
    /// A secret was made, and is good once people have agreed.
    SecretProposed = 0x0a05, "secret.proposed";
    /// It is good from now on.
    SecretReleased = 0x0a06, "secret.released";
    /// Somebody said no to it.
    SecretDenied = 0x0a07, "secret.denied";
    /// An operator lacked a right.
    OperatorRefused = 0x0d01, "operator.refused";
    /// A name is locked for a while after wrong passwords.
    SignInLocked = 0x0d02, "sign_in.locked";
    /// A one-time credential was made on the host.
    OperatorBootstrapped = 0x0d03, "operator.bootstrapped";
    /// A decision of an operator was refused.
    OperatorTurnedAway = 0x0d04, "operator.turned_away";
    /// People granted something beforehand.
    GrantGiven = 0x0b01, "grant.given";
    /// A grant was used.
    GrantSpent = 0x0b02, "grant.spent";
    /// A grant is void.
    GrantWithdrawn = 0x0b03, "grant.withdrawn";
}

impl BorshSerialize for EventKind {
    fn serialize<W: borsh::io::Write>(&self, writer: &mut W) -> borsh::io::Result<()> {
        self.number().serialize(writer)
    }
}

impl BorshDeserialize for EventKind {
    fn deserialize_reader<R: borsh::io::Read>(reader: &mut R) -> borsh::io::Result<Self> {
        Self::from_number(u16::deserialize_reader(reader)?)
            .ok_or_else(|| borsh::io::Error::new(borsh::io::ErrorKind::InvalidData, "unknown event kind"))
    }
}

impl Event {
    /// The kind of this event.
    pub const fn kind(&self) -> EventKind {
        match self {
            Self::Enrollment(event) => event.kind(),
            Self::Proposal(event) => event.kind(),
            Self::Account(event) => event.kind(),
            Self::Proof(event) => event.kind(),
            Self::Object(event) => event.kind(),
            Self::Incident(event) => event.kind(),
            Self::Refusal(_) => EventKind::RequestRefused,
            Self::KeyReport(event) => event.kind(),
            Self::Registration(event) => event.kind(),
            Self::Secret(event) => event.kind(),
            Self::Access(event) => event.kind(),
            Self::Grant(event) => event.kind(),
        }
    }
}
