//! The Registration Authority: six verbs, and the reading that edges and operators need.

mod again;
mod approve;
mod begin;
mod bind;
mod caller;
mod certified;
mod deadline;
mod define;
mod drive;
mod effect;
mod electorate;
mod enroll;
mod erase;
mod grants;
mod guard;
mod holder;
mod holdings;
mod incidents;
mod issue_secret;
mod judge;
mod limits;
mod outlook;
mod propose;
mod recount;
mod register;
mod resolve;
mod revoke;
mod rows;
mod search;
mod settle;
mod standing;
mod status;
mod submitted;
mod waiting;
mod wish;
mod work;

use portreeve_pkix::Timestamp;
use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::AtomicUsize;

use crate::accounts::{Accounts, commit_error, from};
use crate::domain::{
    Alongside, BackendName, Enrollment, EnrollmentId, NodeId, Proposal, ProposalId, RateLimit, Refusal,
    Roles, StreamId, StreamKind,
};
use crate::error::{Error, InternalError};
use crate::ledger::Ledger;
use crate::objects::Objects;
use crate::operators::Ways;
use crate::ports::{
    Admission, CaBackend, Clock, Cursor, Documents, EventSigner, HeadMemory, Metrics, Page, Policy, Random,
    RateLimiter, Sealer, Spawn, Store, Tasks, Wakeups,
};
use crate::proofs::Proofs;
use crate::registrations::Registrations;
use crate::secrets::Secrets;
use crate::steps::paths::KnownPaths;
use crate::steps::{Verified, verify};

pub use approve::{COMMENT_CHARS_MAX, DecisionRequest, Vote};
pub use bind::{EVIDENCE_MAX, ExternalAccount};
pub use certified::Meant;
pub use define::{Foreseen, Registered};
pub use electorate::Constituency;
pub use erase::{Erased, Erasure};
pub use grants::GrantStanding;
pub(crate) use guard::{Excluded, Extent};
pub use incidents::IncidentStanding;
pub use issue_secret::NewRegistrationSecret;
pub use propose::REVOCATION_POLICY;
pub use register::{ListedRegistration, RegistrationSearch};
pub use search::{Search, SearchError, Selection};
pub use status::{KnownCertificate, StatusOutcome, StatusRequest};

/// What a Registration Authority is made of.
#[derive(Clone)]
pub struct Parts {
    /// The truth.
    pub store: Arc<dyn Store>,
    /// Background work.
    pub tasks: Arc<dyn Tasks>,
    /// Reads what the RA keeps as documents.
    pub documents: Arc<dyn Documents>,
    /// Judgement.
    pub policy: Arc<dyn Policy>,
    /// Signs and verifies records.
    pub signer: Arc<dyn EventSigner>,
    /// Seals and opens secrets that protocols make MACs with.
    pub sealer: Arc<dyn Sealer>,
    /// What this node has seen of the configuration.
    pub heads: Arc<dyn HeadMemory>,
    /// Who signs certificates.
    pub backends: BTreeMap<BackendName, Arc<dyn CaBackend>>,
    /// Time.
    pub clock: Arc<dyn Clock>,
    /// Chance.
    pub random: Arc<dyn Random>,
    /// Lets work go on without its client.
    pub spawn: Arc<dyn Spawn>,
    /// Hints.
    pub wakeups: Arc<dyn Wakeups>,
    /// Limits.
    pub limiter: Arc<dyn RateLimiter>,
    /// Counters.
    pub metrics: Arc<dyn Metrics>,
    /// This node.
    pub node: NodeId,
    /// What this node does. What its roles do not let it say, it has no key for.
    pub roles: Roles,
    /// How operators sign in: who has no such way counts for nothing that people must agree to.
    pub ways: Ways,
}

/// The Registration Authority. Verbs: `enroll`, `resume`, `confirm` and `revoke` for edges; `approve` and `reject`
/// for operators. Background work is brought forward by `work`.
pub struct RegistrationAuthority {
    pub(crate) parts: Parts,
    pub(crate) ledger: Arc<Ledger>,
    accounts: Accounts,
    proofs: Proofs,
    objects: Objects,
    registrations: Registrations,
    secrets: Secrets,
    paths: Arc<KnownPaths>,
    habits: outlook::Habits,
    in_flight: AtomicUsize,
    putting_back: AtomicUsize,
}

impl RegistrationAuthority {
    /// A Registration Authority of these parts.
    pub fn new(parts: Parts) -> Arc<Self> {
        let ledger = Arc::new(Ledger::new(
            Arc::clone(&parts.store),
            (Arc::clone(&parts.signer), Arc::clone(&parts.heads)),
            (Arc::clone(&parts.clock), Arc::clone(&parts.random)),
            (Arc::clone(&parts.metrics), parts.node, parts.roles.voice()),
        ));
        Arc::new(Self {
            accounts: Accounts::new(Arc::clone(&ledger)),
            proofs: Proofs::new(Arc::clone(&ledger)),
            objects: Objects::new(Arc::clone(&ledger)),
            registrations: Registrations::new(Arc::clone(&ledger)),
            secrets: Secrets::new(
                Arc::clone(&ledger),
                (Arc::clone(&parts.sealer), Arc::clone(&parts.limiter)),
            ),
            paths: Arc::default(),
            habits: outlook::Habits::default(),
            in_flight: AtomicUsize::new(0),
            putting_back: AtomicUsize::new(0),
            ledger,
            parts,
        })
    }

    /// Accounts.
    pub const fn accounts(&self) -> &Accounts {
        &self.accounts
    }

    /// Proven identifiers.
    pub const fn proofs(&self) -> &Proofs {
        &self.proofs
    }

    /// Versioned objects.
    pub const fn objects(&self) -> &Objects {
        &self.objects
    }

    /// End entities known beforehand.
    pub const fn registrations(&self) -> &Registrations {
        &self.registrations
    }

    /// Passwords, tokens, challenges, references and external account keys.
    pub const fn secrets(&self) -> &Secrets {
        &self.secrets
    }

    /// Judgement, for reading published objects.
    pub fn policy(&self) -> &Arc<dyn Policy> {
        &self.parts.policy
    }

    /// The store, for lists.
    pub fn store(&self) -> &Arc<dyn Store> {
        &self.parts.store
    }

    /// The backend with this name.
    pub fn backend(&self, name: &BackendName) -> Option<&Arc<dyn CaBackend>> {
        self.parts.backends.get(name)
    }

    /// This node.
    pub const fn node(&self) -> NodeId {
        self.parts.node
    }

    /// The time.
    pub fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    /// Commits documents and spends of an edge, and nothing else.
    pub async fn keep(&self, alongside: Alongside) -> Result<(), Error> {
        let subject = StreamId::enrollment(EnrollmentId::from_bytes([0; 16]));
        self.parts
            .store
            .commit(from(alongside))
            .await
            .map_err(|error| commit_error(error, subject))
    }

    /// Counts one more of what `key` names, for edges, before they do what is costly. Refused while there were too many.
    pub async fn count(&self, key: &str, limit: RateLimit) -> Result<(), Refusal> {
        match self.parts.limiter.admit(key, limit, 1).await {
            Admission::Admitted => Ok(()),
            Admission::RetryAfter(wait) => Err(Refusal::RateLimited(wait)),
        }
    }

    /// An enrollment, as its verified events tell.
    pub async fn enrollment(&self, id: EnrollmentId) -> Result<Option<Enrollment>, Error> {
        Ok(self.load_enrollment(id).await?.map(Verified::into_value))
    }

    /// A proposal, as its verified events tell.
    pub async fn proposal(&self, id: ProposalId) -> Result<Option<Proposal>, Error> {
        Ok(self.load_proposal(id).await?.map(Verified::into_value))
    }

    /// Proposals of every kind, the newest first. One that does not verify is not among them; it is an incident.
    pub async fn proposals(&self, after: Option<&Cursor>, limit: u32) -> Result<Page<Proposal>, Error> {
        let page = self
            .parts
            .store
            .streams(StreamKind::Proposal, after, limit)
            .await?;
        let histories = self.ledger.each(&page.items).await?;
        let items = histories.into_iter().flatten().filter_map(verify::proposal);
        Ok(Page {
            items: items.map(Verified::into_value).collect(),
            next: page.next,
        })
    }

    async fn load_enrollment(&self, id: EnrollmentId) -> Result<Option<Verified<Enrollment>>, Error> {
        Ok(verify::enrollment(
            self.ledger.history(StreamId::enrollment(id)).await?,
        ))
    }

    async fn load_proposal(&self, id: ProposalId) -> Result<Option<Verified<Proposal>>, Error> {
        Ok(verify::proposal(
            self.ledger.history(StreamId::proposal(id)).await?,
        ))
    }

    fn backend_of(&self, name: &BackendName) -> Result<&Arc<dyn CaBackend>, Error> {
        self.backend(name)
            .ok_or_else(|| InternalError::NoBackend(name.to_string()).into())
    }
}
