//! The domain: words of the Registration Authority as types. Nothing here does I/O.

mod access;
mod account;
mod actor;
mod approval;
mod channel;
mod claim;
mod client;
mod contents;
mod endpoint;
mod enrollment;
mod event;
mod evidence;
mod grant;
mod ids;
mod incident;
mod intent;
mod key_report;
mod object;
mod operator;
mod principal;
mod proof;
mod proposal;
mod purpose;
mod record;
mod refusal;
mod registration;
mod remark;
mod request;
mod revocation;
mod right;
mod role;
mod seconds;
mod secret;
mod template;
mod trust;
mod verdict;
mod waiting;

pub use access::AccessEvent;
pub use account::{Account, AccountBinding, AccountEvent, AccountStatus};
pub use actor::{Actor, Origin, Requester, network};
pub use approval::{
    ApprovalPolicy, ApprovalTerms, Approvers, DecisionRejection, EvidenceRule, Exclusion, Step,
};
pub use channel::{BindingRejection, Channel, ChannelVersion};
pub use claim::{Claim, ClaimHandle, ClaimKey};
pub use client::{
    CertificateRegistration, CertificateRejection, ClientRules, CredentialKind, Lines, Linking, Offer,
    RenewalKey, RenewalNames, RenewalRules, RenewalWindow, SeveralCredentials,
};
pub use contents::{CertificateContents, Publication, ValidityPeriod};
pub use endpoint::{Endpoint, ExternalAccounts, NameAuthority, RateLimit, RateLimits};
pub use enrollment::{
    Application, Asked, Command, Enrollment, EnrollmentEvent, EnrollmentState, ErasedWith, NotPossible,
    Renewal, RequestedRevocation, RequestedStatus, Resolution, RevocationRight, Shown, StatusChange,
    Submission,
};
pub use event::{Event, EventKind};
pub use evidence::{Evidence, EvidenceAlgorithm, Statement};
pub use grant::{GrantEvent, GrantSubject, GrantTerms, Grants};
pub use ids::{
    AccountId, ApprovalPolicyName, BackendName, BadName, EndpointName, EnrollmentId, NodeId, OperatorName,
    ProfileName, ProposalId, RegistrationId, RoleName, SecretId, StreamId, StreamKind, TaskId, TeamName,
    TrustAnchorsName,
};
pub use incident::{Incident, IncidentEvent, IncidentKind, RequestRefused};
pub use intent::{Intent, IntentBody, Issuance};
pub use key_report::{KeyReportEvent, key_report_stream};
pub use object::{Assent, Deed, ObjectEvent, ObjectHistory, ObjectKind, ObjectVersion, Release, Revision};
pub use operator::{CertificateMatch, Operator, Team};
pub use principal::Principal;
pub use proof::{ProofEvent, ProvenIdentifier, proof_stream};
pub use proposal::{
    Ballot, Decision, Electorate, Proposal, ProposalEvent, ProposalState, ProposalSubject, Ruling,
    certificates_digest, object_digest,
};
pub use purpose::{KeyId, Purpose};
pub use record::{
    Circumstances, Digest, Header, MAX_EVENTS, MAX_PAYLOAD, Place, Record, RecordError, StoredRecord,
    Unsigned,
};
pub use refusal::{KeyRejection, NameRejection, Refusal};
pub use registration::{
    ALLOWED_NAMES_MAX, AllowedName, AllowedNames, BadAllowedName, CERTIFICATES_MAX, KnownRegistration,
    OverLimit, REGISTRATION_NAME_MAX, Registration, RegistrationError, RegistrationEvent, RegistrationState,
};
pub use remark::Remark;
pub use request::{
    Alongside, Credential, Disposition, EnrollmentRequest, Handle, Operation, SecretProof, Waiting,
};
pub use revocation::{RevocationReason, RevocationRequest, RevocationTarget};
pub use right::{On, OperatorRole, Reach, Right, Standing, TeamReach, UnknownRight};
pub use role::{Role, Roles, UnknownRole};
pub use secret::{
    KnownSecret, Secret, SecretCheck, SecretEvent, SecretKind, SecretOwner, SecretState, USES_MAX,
};
pub use template::{RequestTemplate, TemplateAttribute, TemplateKey, TemplateName};
pub use trust::TrustAnchorSet;
pub use verdict::{Agreement, Facts, Finding, Outcome, Verdict};
pub use waiting::{ProposedRegistration, WaitingRegistration, WaitingSecret, secret_digest};
