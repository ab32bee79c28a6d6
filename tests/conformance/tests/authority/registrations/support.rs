//! An authority with registrations, their keys, and accounts that these vouch for.

use portreeve_harness::scripted::ScriptedBackend;
use portreeve_pkix::MacAlgorithm;
use portreeve_queue::LocalWakeups;
use portreeve_ra::access::Acting;
use portreeve_ra::accounts::OpenAccount;
use portreeve_ra::authority::{ExternalAccount, NewRegistrationSecret};
use portreeve_ra::ports::{CaBackend, EventSigner, Store};
use portreeve_ra::proofs::NewProof;
use portreeve_ra::secrets::ShownSecret;
use portreeve_ra::{
    Account, AllowedNames, Application, Circumstances, Event, KnownRegistration, Place, Principal, Purpose,
    Registration, RegistrationAuthority, Role, Roles, SecretKind, SecretProof, Standing, Unsigned,
};
use portreeve_store::SqliteStore;
use std::net::IpAddr;

use super::*;

pub(super) fn host() -> Standing {
    Standing::superadmin(Principal::Host)
}

pub(super) fn acting(ra: &RegistrationAuthority, standing: &Standing) -> Acting {
    Acting {
        standing: standing.clone(),
        origin: Origin::node(ra.node()),
        reason: "test".into(),
    }
}

pub(super) fn only(names: &[&str]) -> AllowedNames {
    AllowedNames::Only(names.iter().map(|name| name.parse().unwrap()).collect())
}

pub(super) fn allowing(name: &str, names: &[&str]) -> Registration {
    Registration {
        names: only(names),
        ..Registration::named(name)
    }
}

pub(super) async fn commit(store: &SqliteStore, batch: Batch) {
    store.commit(batch).await.unwrap();
}

/// A record signed by this role, whatever it says.
pub(super) fn signed(authority: &TestAuthority, (purpose, place): (Purpose, Place), event: Event) -> Record {
    let keyset = portreeve_harness::authority::keyset(authority.directory.path());
    let circumstances = Circumstances {
        purpose,
        at: authority.ra.now(),
        actor: Actor::Node,
        origin: Origin::node(authority.ra.node()),
        reason: String::new(),
    };
    let unsigned = Unsigned::new(place, circumstances, &[event], [1; 16]).unwrap();
    let (key, signature) = keyset.sign(purpose, &unsigned.signed_bytes()).unwrap();
    unsigned.sign_with(key, signature)
}

pub(super) struct These {
    pub(super) authority: TestAuthority,
    pub(super) backend: Arc<ScriptedBackend>,
}

impl These {
    pub(super) async fn start(endpoint_text: &str) -> Self {
        let (authority, backend) = Odd::new(Vec::new()).start(endpoint_text).await;
        Self { authority, backend }
    }

    /// Another node, with these roles.
    pub(super) fn node(&self, roles: &[Role], number: u8) -> Arc<RegistrationAuthority> {
        let all = roles.iter().fold(Roles::NONE, |all, role| all.with(*role));
        let backend = all
            .has(Role::Worker)
            .then(|| Arc::clone(&self.backend) as Arc<dyn CaBackend>);
        let wakeups = Arc::new(LocalWakeups::among_nodes());
        self.authority.node_with(all, backend, wakeups, number)
    }

    pub(super) async fn register(&self, registration: Registration) -> KnownRegistration {
        let (ra, by) = (&self.authority.ra, host());
        let registered = ra.create_registration(&acting(ra, &by), registration).await;
        registered.unwrap().known
    }

    pub(super) async fn key(&self, known: &KnownRegistration, uses_max: Option<u32>) -> ShownSecret {
        self.secret(known, SecretKind::AcmeEab, uses_max).await
    }

    pub(super) async fn secret(
        &self,
        known: &KnownRegistration,
        kind: SecretKind,
        uses_max: Option<u32>,
    ) -> ShownSecret {
        let (ra, by) = (&self.authority.ra, host());
        let new = NewRegistrationSecret {
            kind,
            reference: None,
            uses_max,
            until: None,
        };
        let made = ra.issue_secret(&acting(ra, &by), known.id, new).await;
        made.unwrap().unwrap()
    }

    /// Opens an account that this key vouches for.
    pub(super) async fn open(&self, key: &ShownSecret) -> Result<TestAccount, Error> {
        open_at(&self.authority.ra, key, ([192, 0, 2, 1].into(), &key.reference)).await
    }

    /// An account of this registration, by a key of its own.
    pub(super) async fn bound(&self, known: &KnownRegistration) -> TestAccount {
        let key = self.key(known, Some(1)).await;
        self.open(&key).await.unwrap()
    }

    pub(super) async fn account(&self, account: &TestAccount) -> Account {
        let accounts = self.authority.ra.accounts();
        accounts.by_id(account.id).await.unwrap().unwrap()
    }

    pub(super) async fn ask(
        &self,
        account: &TestAccount,
        handle: &str,
        name: &str,
    ) -> Result<Disposition, Error> {
        let request = self.authority.request(account, handle, csr(name));
        self.authority.ra.enroll(request).await
    }

    pub(super) async fn enroll(
        &self,
        account: &TestAccount,
        handle: &str,
        name: &str,
    ) -> Result<Issuance, Error> {
        match self.ask(account, handle, name).await? {
            Disposition::Issued(issuance) => Ok(*issuance),
            other => panic!("{other:?}"),
        }
    }

    pub(super) async fn prove(&self, account: &TestAccount, identifier: &str) {
        let ra = &self.authority.ra;
        let proof = NewProof {
            requester: Requester::Account(account.id),
            identifier: name(identifier),
            method: "test".into(),
            evidence: String::new(),
            until: ra.now().saturating_add(Duration::from_secs(3_600)),
            origin: Origin::node(ra.node()),
            alongside: Alongside::default(),
        };
        ra.proofs().record(proof).await.unwrap();
    }

    pub(super) async fn application(&self, issuance: &Issuance) -> Application {
        let enrollment = self.authority.ra.enrollment(issuance.enrollment).await;
        enrollment.unwrap().unwrap().application().unwrap().clone()
    }

    /// Where the next record of a stream goes.
    pub(super) async fn place_after(&self, stream: StreamId) -> Place {
        let records = self.authority.store.load(&[stream]).await.unwrap();
        let last = records[0].last().unwrap();
        Place {
            stream,
            position: last.header().position + 1,
            previous: last.hash(),
        }
    }

    pub(super) async fn records(&self, stream: StreamId) -> Vec<Record> {
        self.authority.store.load(&[stream]).await.unwrap().remove(0)
    }
}

/// Opens an account at a node, from an address, by a key under some reference.
pub(super) async fn open_at(
    ra: &RegistrationAuthority,
    key: &ShownSecret,
    (address, reference): (IpAddr, &str),
) -> Result<TestAccount, Error> {
    let public = stray_key();
    let origin = Origin {
        address: Some(address),
        ..Origin::node(ra.node())
    };
    let opening = OpenAccount {
        endpoint: endpoint(),
        key: public.clone(),
        contacts: Vec::new(),
        agreed: true,
        change: Change {
            origin,
            alongside: Alongside::default(),
        },
    };
    let (algorithm, input) = (MacAlgorithm::HmacSha256, b"header.payload".to_vec());
    let external = ExternalAccount {
        reference: reference.to_owned(),
        proof: SecretProof::Mac {
            algorithm,
            tag: algorithm.compute(&key.value, &input),
            input,
        },
        evidence: b"{}".to_vec(),
    };
    let (id, ..) = ra.open_account(opening, Some(external)).await?;
    Ok(TestAccount { id, key: public })
}
