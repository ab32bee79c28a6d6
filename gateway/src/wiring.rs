//! Puts the parts of a gateway together.

use std::sync::Arc;

use portreeve_acme::validator::Validator;
use portreeve_audit::{SealWatch, Sealer};
use portreeve_policies::Policies;
use portreeve_queue::TokioSpawn;
use portreeve_ra::operators::Ways;
use portreeve_ra::ports::{Store, Wakeups};
use portreeve_ra::{Parts, RegistrationAuthority, Role};
use portreeve_status::{CrlPublisher, PublisherParts, Shelf, StatusEdge};
use portreeve_validation::NetworkValidator;

use crate::audit;
use crate::backends::Backends;
use crate::config::{Config, ConfigError};
use crate::doctor::Inside;
use crate::edges::{Acme, EdgeError, Edges, EndpointCas, Est, OwnOrigin, Published};
use crate::health::Health;
use crate::installation::Installation;
use crate::intake::Intake;
use crate::listener::tls::CurrentCertificate;
use crate::management::Management;
use crate::own_certificate::{self, OwnCertificateError};
use crate::queue::Queue;
use crate::telemetry::GatewayMetrics;

/// What every part of a node shares.
#[derive(Clone)]
pub struct Shared {
    /// Store, keys and signer.
    pub installation: Installation,
    /// The store as the RA sees it.
    pub store: Arc<dyn Store>,
    /// Tasks and duties as this node takes them.
    pub intake: Arc<Intake>,
    /// Hints, limits and other nodes.
    pub queue: Queue,
    /// Hints.
    pub wakeups: Arc<dyn Wakeups>,
    /// Judgement.
    pub policies: Arc<Policies>,
    /// Counters.
    pub metrics: Arc<GatewayMetrics>,
    /// Work that goes on without its client.
    pub spawn: TokioSpawn,
    /// How operators sign in.
    pub ways: Ways,
}

impl Shared {
    /// Over an open installation, for a command that ends soon.
    pub fn new(installation: Installation) -> Self {
        let queue = Queue::alone(&installation);
        Self::with(installation, queue)
    }

    /// Over an open installation, with what carries hints.
    pub fn with(installation: Installation, queue: Queue) -> Self {
        let store = Arc::clone(&installation.store.store);
        #[cfg(feature = "failpoints")]
        let store: Arc<dyn Store> = Arc::new(crate::failpoints::FailingStore(store));
        let intake = Intake::new(&installation.store, Arc::clone(&installation.clock));
        Self {
            installation,
            store,
            intake: Arc::new(intake),
            wakeups: Arc::clone(&queue.wakeups),
            queue,
            policies: Arc::default(),
            metrics: Arc::default(),
            spawn: TokioSpawn::new(),
            ways: Ways::All,
        }
    }

    /// The same where operators sign in so.
    #[must_use]
    pub fn signing_in(self, ways: Ways) -> Self {
        Self { ways, ..self }
    }

    /// The same where these listeners serve EST and ask for no client certificate.
    #[must_use]
    pub fn not_asking(self, listeners: Vec<String>) -> Self {
        let policies = Policies::default().not_asking(listeners);
        Self {
            policies: Arc::new(policies),
            ..self
        }
    }

    /// A Registration Authority with these backends; without any it still reads and publishes objects.
    pub fn authority(&self, backends: Backends) -> Arc<RegistrationAuthority> {
        let installation = &self.installation;
        RegistrationAuthority::new(Parts {
            store: Arc::clone(&self.store),
            tasks: Arc::clone(&self.intake) as _,
            documents: Arc::clone(&installation.store.documents),
            sealer: Arc::clone(&installation.keyset) as _,
            policy: Arc::clone(&self.policies) as _,
            signer: Arc::clone(&installation.keyset) as _,
            heads: Arc::clone(&installation.heads) as _,
            backends,
            clock: Arc::clone(&installation.clock),
            random: Arc::clone(&installation.random),
            spawn: Arc::new(self.spawn.clone()),
            wakeups: Arc::clone(&self.wakeups),
            limiter: Arc::clone(&self.queue.limiter),
            metrics: Arc::clone(&self.metrics) as _,
            node: installation.node,
            roles: installation.roles,
            ways: self.ways,
        })
    }
}

/// A node with its Registration Authority, not yet listening.
pub struct Node {
    /// What every part shares.
    pub shared: Shared,
    /// Decides.
    pub ra: Arc<RegistrationAuthority>,
    /// The protocols.
    pub edges: Edges,
    /// Signs CRLs, on status nodes.
    pub publisher: Option<Arc<CrlPublisher>>,
    /// Seals the audit log, on workers.
    pub sealer: Option<Arc<Sealer>>,
    /// Whether all is well.
    pub health: Arc<Health>,
    /// Looks at what only somebody with the keys can see.
    pub inside: Inside,
}

/// Why a node cannot be put together.
#[derive(Debug, thiserror::Error)]
pub enum WiringError {
    /// Validation.
    #[error("acme.validation: {0}")]
    Validator(#[from] portreeve_validation::SetupError),
    /// The edges.
    #[error(transparent)]
    Edge(#[from] EdgeError),
    /// The names of the gateway.
    #[error(transparent)]
    Names(#[from] OwnCertificateError),
    /// The audit log.
    #[error(transparent)]
    Config(#[from] ConfigError),
}

impl Node {
    /// Puts a node together.
    pub async fn new(
        shared: Shared,
        config: &Config,
        backends: Backends,
        (validator, certificate): (Option<Arc<dyn Validator>>, Arc<CurrentCertificate>),
    ) -> Result<Self, WiringError> {
        let validator = match validator {
            Some(validator) => validator,
            None => Arc::new(NetworkValidator::new(config.acme.validation.clone())?),
        };
        let ra = shared.authority(backends.clone());
        let installation = &shared.installation;
        let roles = installation.roles;
        // Lists are looked after by those who sign and serve them: nobody else knows whether they are overdue.
        let shelf = Arc::new(match roles.has(Role::Status) {
            true => Shelf::new(&backends),
            false => Shelf::default(),
        });
        let health = Health::new(
            (Arc::clone(&shared.store), installation.store.clone()),
            backends.values().cloned().collect(),
            (Arc::clone(&installation.clock), installation.signer.clone()),
            (shared.queue.clone(), Arc::clone(&shared.intake)),
        );
        let (sealer, watch) = audit::sealer((installation, Arc::clone(&shared.intake) as _), config, &ra)?;
        // A node that cannot seal is not asked how far sealing went.
        let watch = roles.has(Role::Worker).then_some(watch);
        let health = health.with_lists(Arc::clone(&shelf)).with_roles(roles);
        let health = Arc::new(health.with_audit(watch.clone()));
        let inside = Inside {
            installation: installation.clone(),
            tls_names: own_certificate::names(config)?,
            ra: Arc::clone(&ra),
            queue: shared.queue.clone(),
        };
        let publisher = CrlPublisher::new(PublisherParts {
            store: Arc::clone(&shared.store),
            documents: Arc::clone(&installation.store.documents),
            leases: Arc::clone(&shared.intake) as _,
            wakeups: Arc::clone(&shared.wakeups),
            alarm: Arc::clone(&ra) as _,
            releases: Arc::clone(&ra) as _,
            clock: Arc::clone(&installation.clock),
            backends,
            node: installation.node,
            shelf: Arc::clone(&shelf),
            config: config.status.clone(),
        });
        let management = management(&shared, (Arc::clone(&health), Arc::clone(&shelf)), watch);
        let (acme, est) = if roles.has(Role::Edge) {
            let over = || (Arc::clone(&ra), Arc::clone(&shared.policies));
            let acme = acme(&shared, config, (Arc::clone(&ra), validator));
            let est = Est {
                ra: Arc::clone(&ra),
                authorities: Arc::new(EndpointCas {
                    ra: Arc::clone(&ra),
                    sections: config.backend.clone(),
                    data_dir: config.data_dir().to_owned(),
                    documents: Arc::clone(&shared.installation.store.documents),
                }),
                key_origin: Arc::new(OwnOrigin(certificate)),
                config: config.est.clone(),
            };
            let acme = Published::new(&acme, over()).await?;
            let est = Published::new(&est, over()).await?;
            (Some(Arc::new(acme)), Some(Arc::new(est)))
        } else {
            (None, None)
        };
        let edges = Edges {
            acme,
            est,
            status: roles.has(Role::Status).then(|| {
                let clock = Arc::clone(&installation.clock);
                Arc::new(StatusEdge::new(shelf, clock, config.status.clone()))
            }),
            management: Arc::new(management),
            admin: None,
        };
        Ok(Self {
            shared,
            ra,
            edges,
            publisher: roles.has(Role::Status).then(|| Arc::new(publisher)),
            sealer: roles.has(Role::Worker).then(|| Arc::new(sealer)),
            health,
            inside,
        })
    }
}

fn acme(
    shared: &Shared,
    config: &Config,
    (ra, validator): (Arc<RegistrationAuthority>, Arc<dyn Validator>),
) -> Acme {
    let installation = &shared.installation;
    let mut knobs = config.acme.edge.clone();
    knobs.external_url.clone_from(&config.server.external_url);
    Acme {
        ra,
        documents: Arc::clone(&installation.store.documents),
        sealer: Arc::clone(&installation.keyset) as _,
        validator,
        policies: Arc::clone(&shared.policies),
        random: Arc::clone(&installation.random),
        clock: Arc::clone(&installation.clock),
        spawn: Arc::new(shared.spawn.clone()),
        config: knobs,
    }
}

fn management(
    shared: &Shared,
    (health, shelf): (Arc<Health>, Arc<Shelf>),
    audit: Option<Arc<SealWatch>>,
) -> Management {
    let installation = &shared.installation;
    Management {
        health,
        metrics: Arc::clone(&shared.metrics),
        store: installation.store.clone(),
        shelf,
        audit,
        clock: Arc::clone(&installation.clock),
        signer: installation.signer.clone(),
        queue: shared.queue.clone(),
    }
}
