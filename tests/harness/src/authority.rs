//! A Registration Authority in this process: real store, keyset, policies and queue, any CA backend.

mod account;

pub use account::TestAccount;
use portreeve_keyset::{Kek, KekSet, WrappedKeyset};
use portreeve_pkix::sha256;
use portreeve_policies::{Blocklist, Policies};
use portreeve_queue::{FileHeads, LocalRateLimiter, LocalWakeups, SystemClock, SystemRandom, TokioSpawn};
use portreeve_ra::authority::Vote;
use portreeve_ra::objects::Publisher;
use portreeve_ra::operators::Ways;
use portreeve_ra::ports::{CaBackend, Clock, Documents, Metrics, Random, Store, Tasks, Wakeups};
use portreeve_ra::{
    Actor, BackendName, EndpointName, EnrollmentRequest, NodeId, ObjectKind, OperatorName, Origin, Parts,
    Principal, Purpose, Refusal, RegistrationAuthority, Role, Roles,
};
use portreeve_store::{Database, MadeBy, Options, PendingMigrations, SqliteStore};
use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use tempfile::TempDir;

/// Counts nothing.
pub struct NoMetrics;

impl Metrics for NoMetrics {
    fn issued(&self, _: &str, _: &str, _: Duration) {}
    fn refused(&self, _: &str, _: &Refusal) {}
    fn revoked(&self) {}
    fn incident(&self, _: &'static str) {}
}

/// A Registration Authority in a temporary directory.
pub struct TestAuthority {
    /// The authority.
    pub ra: Arc<RegistrationAuthority>,
    /// Its store.
    pub store: Arc<SqliteStore>,
    /// Its directory.
    pub directory: TempDir,
}

/// The endpoint every test uses.
pub fn endpoint() -> EndpointName {
    EndpointName::new("acme/default").expect("name")
}

/// The name of the backend under test.
pub fn backend_name() -> BackendName {
    BackendName::new("scripted").expect("name")
}

/// A clock and a source of chance.
pub fn clock() -> Arc<dyn Clock> {
    Arc::new(SystemClock)
}

impl TestAuthority {
    /// An authority with this backend and this text appended to its endpoint. A client waits for 20 s, unless the text
    /// says otherwise.
    pub async fn start(backend: Arc<dyn CaBackend>, endpoint_text: &str) -> Self {
        let directory = TempDir::new().expect("directory");
        Self::start_in(directory, backend, endpoint_text).await
    }

    /// The same over a directory that may have been used before.
    pub async fn start_in(directory: TempDir, backend: Arc<dyn CaBackend>, endpoint_text: &str) -> Self {
        let store = open_store(directory.path()).await;
        let wakeups = Arc::new(LocalWakeups::new());
        let backends = BTreeMap::from([(backend.name().clone(), backend)]);
        let ra = node((&store, directory.path()), backends, wakeups, (1, Roles::ALL));
        let this = Self { ra, store, directory };
        this.publish(endpoint_text).await;
        this
    }

    /// Another node over the same store, with this number and these wake-ups.
    pub fn node(
        &self,
        backend: Arc<dyn CaBackend>,
        wakeups: Arc<dyn Wakeups>,
        number: u8,
    ) -> Arc<RegistrationAuthority> {
        let backends = BTreeMap::from([(backend.name().clone(), backend)]);
        node(
            (&self.store, self.directory.path()),
            backends,
            wakeups,
            (number, Roles::ALL),
        )
    }

    /// A node over the same store with these roles: it has the keys of their purposes and no others.
    pub fn node_with(
        &self,
        roles: Roles,
        backend: Option<Arc<dyn CaBackend>>,
        wakeups: Arc<dyn Wakeups>,
        number: u8,
    ) -> Arc<RegistrationAuthority> {
        let backends = backend.map(|backend| (backend.name().clone(), backend));
        let backends = backends.into_iter().collect();
        node(
            (&self.store, self.directory.path()),
            backends,
            wakeups,
            (number, roles),
        )
    }

    /// Another node that sees the store through this; its tasks are those of the store.
    pub fn node_through(
        &self,
        store: Arc<dyn Store>,
        backend: Arc<dyn CaBackend>,
        number: u8,
    ) -> Arc<RegistrationAuthority> {
        let backends = BTreeMap::from([(backend.name().clone(), backend)]);
        over(
            (
                store,
                (Arc::clone(&self.store) as _, Arc::clone(&self.store) as _),
                self.directory.path(),
            ),
            backends,
            Arc::new(LocalWakeups::new()),
            (number, Roles::ALL),
        )
    }

    /// Another node over the same store, whose clock this is.
    pub fn node_at(
        &self,
        clock: Arc<dyn Clock>,
        backend: Arc<dyn CaBackend>,
        number: u8,
    ) -> Arc<RegistrationAuthority> {
        let backends = BTreeMap::from([(backend.name().clone(), backend)]);
        let store = (
            Arc::clone(&self.store) as _,
            (Arc::clone(&self.store) as _, Arc::clone(&self.store) as _),
            self.directory.path(),
        );
        let parts = parts(
            store,
            backends,
            Arc::new(LocalWakeups::new()),
            (number, Roles::ALL),
        );
        RegistrationAuthority::new(Parts { clock, ..parts })
    }

    async fn publish(&self, endpoint_text: &str) {
        let by = Publisher {
            actor: Actor::Operator(operator("test")),
            origin: Origin::node(self.ra.node()),
            reason: "test".to_owned(),
        };
        if endpoint_text.contains("approval") {
            self.publish_approvers().await;
        }
        let (_, profile) = portreeve_policies::shipped()
            .iter()
            .find(|(name, _)| *name == "dev")
            .expect("shipped");
        // So long that what is issued at all is issued within it, on a busy machine too.
        let wait = match endpoint_text.contains("inline_wait") {
            true => "",
            false => "inline_wait = \"20s\"\n",
        };
        let body = format!(
            "profiles = [\"dev\"]\nbackend = \"scripted\"\n{wait}retry_after = \"1s\"\n{endpoint_text}\n"
        );
        let objects = self.ra.objects();
        objects
            .publish(ObjectKind::Profile, "dev", (*profile).to_owned(), by.clone())
            .await
            .expect("profile");
        objects
            .publish(ObjectKind::Endpoint, endpoint().as_str(), body, by)
            .await
            .expect("endpoint");
    }

    /// Approval policies `one`, `two`, `brief` (one approval within a second) and `fleeting` (issuance within a second),
    /// and the operators alice, bob, carol and dave, who may approve. The installation itself wrote all of them.
    async fn publish_approvers(&self) {
        let policies = [
            ("one", "age_max = \"7d\"\n[[step]]\nanyone = true\n"),
            ("two", "age_max = \"7d\"\n[[step]]\nanyone = true\nmin = 2\n"),
            ("brief", "age_max = \"1s\"\n[[step]]\nanyone = true\n"),
            (
                "fleeting",
                "age_max = \"7d\"\nissue_within = \"1s\"\n[[step]]\nanyone = true\n",
            ),
        ];
        for (name, text) in policies {
            self.put(ObjectKind::ApprovalPolicy, name, text).await;
        }
        let roles = portreeve_policies::shipped_roles();
        let (_, approver) = roles.iter().find(|(name, _)| *name == "approver").expect("role");
        self.put(ObjectKind::Role, "approver", approver).await;
        for name in ["alice", "bob", "carol", "dave"] {
            self.put(ObjectKind::Operator, name, "roles = [\"approver\"]")
                .await;
        }
    }

    /// Publishes an object in the name of the installation.
    pub async fn put(&self, kind: ObjectKind, name: &str, text: &str) {
        let by = Publisher {
            actor: Actor::Node,
            origin: Origin::node(self.ra.node()),
            reason: "test".to_owned(),
        };
        let published = self.ra.objects().publish(kind, name, text.to_owned(), by).await;
        published.expect("published");
    }

    /// Where tests come from.
    pub fn origin(&self) -> Origin {
        Origin::node(self.ra.node())
    }

    /// What an operator decides with who may do what their object says now.
    pub async fn vote(&self, name: &str) -> Vote {
        let standing = self.ra.standing(&operator(name)).await.expect("standing");
        Vote {
            standing: standing.expect("an operator"),
            digest: None,
            comment: "looked at".to_owned(),
            evidence: None,
            grant: None,
            origin: Origin::node(self.ra.node()),
        }
    }

    /// Opens an account that has proven these names.
    pub async fn account(&self, names: &[&str]) -> TestAccount {
        let account = TestAccount::open(&self.ra, &endpoint(), None).await;
        account.prove(&self.ra, names).await;
        account
    }

    /// A request of this account for one name.
    pub fn request(&self, account: &TestAccount, handle: &str, csr: Vec<u8>) -> EnrollmentRequest {
        account.order(&self.ra, &endpoint(), (handle, csr))
    }

    /// Works until this condition holds; panics when it never does.
    pub async fn work_until<F, Fut>(&self, what: &str, mut holds: F)
    where
        F: FnMut() -> Fut,
        Fut: Future<Output = bool>,
    {
        let deadline = std::time::Instant::now() + crate::pace::PATIENCE;
        while !holds().await {
            assert!(std::time::Instant::now() < deadline, "never happened: {what}");
            self.ra.work().await.expect("work");
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    }
}

fn node(
    (store, directory): (&Arc<SqliteStore>, &Path),
    backends: BTreeMap<BackendName, Arc<dyn CaBackend>>,
    wakeups: Arc<dyn Wakeups>,
    of: (u8, Roles),
) -> Arc<RegistrationAuthority> {
    let kept = (Arc::clone(store) as _, Arc::clone(store) as _);
    over((Arc::clone(store) as _, kept, directory), backends, wakeups, of)
}

type Kept = (Arc<dyn Tasks>, Arc<dyn Documents>);

fn over(
    store: (Arc<dyn Store>, Kept, &Path),
    backends: BTreeMap<BackendName, Arc<dyn CaBackend>>,
    wakeups: Arc<dyn Wakeups>,
    of: (u8, Roles),
) -> Arc<RegistrationAuthority> {
    RegistrationAuthority::new(parts(store, backends, wakeups, of))
}

fn parts(
    (store, (tasks, documents), directory): (Arc<dyn Store>, Kept, &Path),
    backends: BTreeMap<BackendName, Arc<dyn CaBackend>>,
    wakeups: Arc<dyn Wakeups>,
    (number, roles): (u8, Roles),
) -> Parts {
    let mut purposes: Vec<Purpose> = roles.iter().map(Role::purpose).collect();
    let seals_for_edges = roles.has(Role::Console) && !purposes.contains(&Purpose::Edge);
    if seals_for_edges {
        purposes.push(Purpose::Edge);
    }
    let keyset = opened(directory, &purposes);
    let keyset = Arc::new(if seals_for_edges {
        keyset.without_voice(Purpose::Edge)
    } else {
        keyset
    });
    Parts {
        store,
        tasks,
        documents,
        sealer: Arc::clone(&keyset) as _,
        policy: Arc::new(Policies::new(Arc::new(Blocklist::embedded()))),
        signer: keyset,
        heads: FileHeads::in_memory(),
        backends,
        clock: clock(),
        random: Arc::new(SystemRandom),
        spawn: Arc::new(TokioSpawn::new()),
        wakeups,
        limiter: Arc::new(LocalRateLimiter::new(clock())),
        metrics: Arc::new(NoMetrics),
        node: NodeId::from_bytes([number; 16]),
        roles,
        ways: Ways::All,
    }
}

/// A PKCS#10 request for one name with a new key, in DER.
pub fn csr(name: &str) -> Vec<u8> {
    let key = rcgen::KeyPair::generate().expect("key");
    let mut params = rcgen::CertificateParams::new(vec![name.to_owned()]).expect("params");
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.serialize_request(&key).expect("request").der().to_vec()
}

async fn open_store(directory: &Path) -> Arc<SqliteStore> {
    let options = Options {
        made_by: MadeBy::Dev,
        pending: PendingMigrations::Apply,
        clock: clock(),
        random: Arc::new(SystemRandom),
    };
    let database = Database::open(directory, options).await.expect("database");
    database.into_store(keyset(directory)).await.expect("store")
}

/// The keyset of a directory, made when it is missing, with the keys of every purpose.
pub fn keyset(directory: &Path) -> Arc<portreeve_keyset::Keyset> {
    keyset_of(directory, &Purpose::ALL)
}

/// The keyset of a directory, made when it is missing, with the keys of these purposes.
pub fn keyset_of(directory: &Path, purposes: &[Purpose]) -> Arc<portreeve_keyset::Keyset> {
    Arc::new(opened(directory, purposes))
}

fn opened(directory: &Path, purposes: &[Purpose]) -> portreeve_keyset::Keyset {
    let (kek_path, path) = (directory.join("kek"), directory.join("keyset.json"));
    let random: &dyn Random = &SystemRandom;
    if !kek_path.exists() {
        let keks = KekSet::shared(Kek::generate_file(&kek_path, random).expect("kek"));
        let wrapped = WrappedKeyset::generate(&keks, random).expect("keyset");
        std::fs::write(&path, wrapped.to_bytes().expect("bytes")).expect("written");
    }
    let keks = KekSet::shared(Kek::from_file(&kek_path).expect("kek"));
    let wrapped = WrappedKeyset::parse(&std::fs::read(&path).expect("read")).expect("keyset");
    wrapped.open(&keks, purposes).expect("open")
}

/// The line of an operator's text by which they sign in, with a key that nobody else has.
pub fn key_of(name: &str) -> String {
    let digits: String = sha256(name.as_bytes())
        .iter()
        .map(|octet| format!("{octet:02x}"))
        .collect();
    format!("certificates = [{{ spki = \"{digits}\" }}]\n")
}

/// The operator with this name, as a principal.
pub fn operator(name: &str) -> Principal {
    Principal::Operator(OperatorName::new(name).expect("name"))
}
