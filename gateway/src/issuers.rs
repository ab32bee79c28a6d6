//! The issuers of EST servers that are pinned by a digest. A backend fetches them from its server; nodes without backends, which tell clients
//! of them as well, read here what a worker has found. It is public, and who reads it checks it against the same digest.

use std::sync::Arc;

use portreeve_ca_est::pinned_issuers;
use portreeve_pkix::{Certificate, Timestamp, sha256};
use portreeve_ra::BackendName;
use portreeve_ra::ports::{
    Batch, CommitError, Conflict, DocumentId, DocumentWrite, Documents, Store, StoreError,
};

/// The kind of the documents: sealed for edges, which workers write for.
const KIND: &str = "backend.issuers";

/// How often somebody else may have written first.
const TURNS_MAX: u32 = 8;

/// Where workers say what they have found.
#[derive(Clone)]
pub struct KnownIssuers {
    /// Keeps it.
    pub store: Arc<dyn Store>,
    /// Reads it.
    pub documents: Arc<dyn Documents>,
}

impl KnownIssuers {
    /// Keeps the issuers of a backend, from the one that issues up to the root, unless they are kept already.
    pub async fn tell(&self, backend: &BackendName, chain: &[Certificate]) -> Result<(), CommitError> {
        let ders: Vec<String> = chain.iter().map(|one| hex::encode(one.der())).collect();
        let body = serde_json::to_vec(&ders).map_err(|error| StoreError::Broken(error.to_string()))?;
        let mut turn = 0;
        loop {
            let kept = self.documents.document(&document(backend)).await?;
            if kept.as_ref().is_some_and(|kept| kept.body == body) {
                return Ok(());
            }
            let write = DocumentWrite {
                id: document(backend),
                version: kept.map_or(0, |kept| kept.version).saturating_add(1),
                body: Some(body.clone()),
                keys: Vec::new(),
                expires_at: None,
            };
            let batch = Batch {
                documents: vec![write],
                ..Batch::default()
            };
            match self.store.commit(batch).await {
                Err(CommitError::Conflict(Conflict::Document(_))) if turn < TURNS_MAX => turn += 1,
                other => return other,
            }
        }
    }
}

/// What was told of a backend, if it is what its pin says; else nothing is known yet.
pub async fn told(
    documents: &dyn Documents,
    (backend, pin): (&BackendName, [u8; 32]),
    now: Timestamp,
) -> Result<Option<Vec<Certificate>>, StoreError> {
    let Some(kept) = documents.document(&document(backend)).await? else {
        return Ok(None);
    };
    let ders: Vec<String> = serde_json::from_slice(&kept.body).unwrap_or_default();
    let read = |der: &String| Certificate::from_der(&hex::decode(der).ok()?).ok();
    let named: Vec<Certificate> = ders.iter().filter_map(read).collect();
    Ok(pinned_issuers(pin, &named, now).map(|chain| chain.issuers().to_vec()))
}

fn document(backend: &BackendName) -> DocumentId {
    let digest = sha256(backend.as_str().as_bytes());
    let mut id = [0; 16];
    id.iter_mut().zip(digest).for_each(|(to, from)| *to = from);
    DocumentId { kind: KIND, id }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::{BackendKind, BackendSection, EstSection};
    use crate::edges::EndpointCas;
    use portreeve_est::CaCertificates;
    use portreeve_harness::authority::{TestAuthority, backend_name, clock};
    use portreeve_harness::scripted::{Memory, ScriptedBackend};
    use portreeve_harness::test_ca::TestCa;
    use portreeve_queue::LocalWakeups;
    use portreeve_ra::{EndpointName, Error, ObjectKind, Role, Roles};
    use std::collections::BTreeMap;
    use std::time::Duration;

    fn ca(name: &str) -> TestCa {
        let day = Duration::from_secs(86_400);
        let now = clock().now();
        TestCa::new(name, now.saturating_sub(day), now.saturating_add(day * 365))
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn an_edge_without_backends_tells_what_a_worker_has_found() {
        let script = (Vec::new(), Memory::None);
        let backend = ScriptedBackend::new(backend_name(), ca("Elsewhere"), script, clock());
        let authority = TestAuthority::start(Arc::new(backend), "").await;
        let text = "profiles = [\"dev\"]\nbackend = \"upstream\"\nnames = \"profile\"\n";
        authority.put(ObjectKind::Endpoint, "est/devices", text).await;
        let edge: Roles = [Role::Edge].into_iter().collect();
        let edge = authority.node_with(edge, None, Arc::new(LocalWakeups::new()), 2);
        let (issuer, stranger) = (ca("Upstream CA"), ca("Stranger"));
        let pinned = |issuer: &TestCa| {
            let section = BackendSection {
                kind: BackendKind::Est,
                est: Some(EstSection {
                    issuer_sha256: hex::encode(sha256(issuer.certificate().der())),
                    ..EstSection::default()
                }),
                ..BackendSection::default()
            };
            EndpointCas {
                ra: Arc::clone(&edge),
                sections: BTreeMap::from([("upstream".to_owned(), section)]),
                data_dir: authority.directory.path().to_owned(),
                documents: Arc::clone(&authority.store) as _,
            }
        };
        let endpoint = EndpointName::new("est/devices").unwrap();
        let unknown =
            |answer: &Result<Vec<Certificate>, Error>| matches!(answer, Err(Error::Unavailable { .. }));
        let before = pinned(&issuer).of(&endpoint).await;
        assert!(unknown(&before), "{before:?}");

        let worker = KnownIssuers {
            store: Arc::clone(&authority.store) as _,
            documents: Arc::clone(&authority.store) as _,
        };
        let name = BackendName::new("upstream").unwrap();
        for told in [&stranger, &issuer, &issuer] {
            worker.tell(&name, &[told.certificate().clone()]).await.unwrap();
        }
        let found = pinned(&issuer).of(&endpoint).await.unwrap();
        assert_eq!(found, [issuer.certificate().clone()]);
        let other = pinned(&stranger).of(&endpoint).await;
        assert!(unknown(&other), "another pin: {other:?}");
    }
}
